"""Labelling by keyboard, and the model, on the page in a real browser."""

from __future__ import annotations

import json

import pytest
from browsing import FULL, browser, dropped_answers, fill_queue, go, opened, page, registry, server, sound
from playwright.sync_api import Browser, Page, Route, expect
from server import Server, running

from whybounce.model.registry import Registry

__all__ = ["browser", "page", "registry", "server"]
pytestmark = pytest.mark.slow


def test_labelling_by_keyboard_alone(page: Page, server: Server) -> None:
    fill_queue(server)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    for _ in range(8):
        if page.evaluate("document.activeElement.textContent") == "Review":
            break
        page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    card = page.locator(".card.review")
    expect(card).to_contain_text("1 of 3")
    first = card.locator(".diagnostic").inner_text()
    page.keyboard.press("ArrowRight")
    expect(card).to_contain_text("2 of 3")
    page.keyboard.press("k")
    expect(card.locator(".diagnostic")).to_have_text(first)
    page.keyboard.press("s")
    expect(card.locator(".diagnostic")).not_to_have_text(first)
    page.keyboard.press("2")
    expect(card).to_contain_text("1 of 2")
    page.keyboard.press("u")
    expect(card).to_contain_text("1 of 3")
    page.keyboard.press("1")
    expect(card).to_contain_text("1 of 2")
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("virus")
    expect(page.locator("#found").get_by_role("option")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(card).to_be_focused()
    page.keyboard.press("/")
    page.keyboard.type("grey")
    page.keyboard.press("Enter")
    expect(card).to_contain_text("1 of 1")
    page.keyboard.press("1")
    expect(page.get_by_role("heading", name="All done")).to_be_visible()
    assert json.loads(server.get("/v1/review")[1])["total"] == 0
    sound(page)


def test_nothing_that_was_labelled_is_lost(page: Page, server: Server) -> None:
    fill_queue(server)
    go(page, "review")
    card = page.locator(".card.review")
    expect(card).to_contain_text("1 of 3")
    first = card.locator(".diagnostic").inner_text()
    broken = {"status": 500, "content_type": "application/problem+json", "body": '{"detail": "The disk is full."}'}
    page.route("**/v1/feedback", lambda route: route.fulfill(**broken))
    page.keyboard.press("1")
    told = page.get_by_role("alert")
    expect(told).to_contain_text("The disk is full.")
    expect(told).to_contain_text("is not stored yet")
    expect(card).to_contain_text("1 of 3")
    expect(card.locator(".diagnostic")).to_have_text(first)
    page.unroute("**/v1/feedback")
    with dropped_answers(page, "**/v1/feedback"):
        page.get_by_role("button", name="Try again").click()
        expect(told).to_contain_text("No connection")
    with page.expect_response("**/v1/feedback") as again:
        page.get_by_role("button", name="Try again").click()
    # The answer got lost, the label did not, and sent again it was stored once.
    assert again.value.json()["duplicate"] is True
    expect(card).to_contain_text("1 of 2")
    assert json.loads(server.get("/v1/review")[1])["total"] == 2
    # A list that was asked for before the undo and comes after it does not take the label's card away.
    held: list[Route] = []
    page.route("**/v1/review?*", lambda route: held.append(route))
    go(page, "explain")
    go(page, "review")
    page.keyboard.press("u")
    expect(card.locator(".diagnostic")).to_have_text(first)
    with page.expect_response("**/v1/review?*"):
        held[0].continue_()
    page.wait_for_timeout(200)
    expect(card.locator(".diagnostic")).to_have_text(first)
    sound(page)


def test_single_keys_can_be_switched_off(page: Page, server: Server) -> None:
    fill_queue(server)
    go(page, "review")
    card = page.locator(".card.review")
    expect(card).to_contain_text("1 of 3")
    page.get_by_label("Label with single keys").uncheck()
    card.focus()
    for key in ("1", "s", "j", "/"):
        page.keyboard.press(key)
    expect(card).to_contain_text("1 of 3")
    expect(card).to_be_focused()
    assert page.locator("[aria-keyshortcuts]").count() == 0
    page.reload()
    expect(page.get_by_label("Label with single keys")).not_to_be_checked()
    card.locator(".choice").first.click()
    expect(card).to_contain_text("1 of 2")


def test_the_promoted_model(browser: Browser, registry: Registry) -> None:
    with running(registry=str(registry.folder)) as server:
        context = browser.new_context()
        page = opened(context, server)
        go(page, "model")
        section = page.locator("#card")
        expect(section.locator("h2")).to_contain_text("one")
        section.get_by_text("Model card").click()
        prose = section.locator(".prose")
        expect(prose.locator("h3")).to_have_text("Figures")
        assert prose.locator("tbody th").all_inner_texts() == ["accuracy", "a | b"]
        assert prose.locator("li").all_inner_texts() == ["first, which goes on here", "second"]
        expect(prose.locator("pre")).to_have_text("$ whybounce train")
        expect(prose.locator("strong")).to_have_text("why")
        assert prose.locator("img, script, a").count() == 0
        expect(prose).to_contain_text('<img src=x onerror="window.hacked=1">')
        assert "**" not in prose.inner_text()
        assert "|--" not in prose.inner_text()
        with context.expect_page() as opening:
            page.locator("#versions li.card").first.get_by_role("link", name="Report").click()
        expect(opening.value.get_by_role("heading", name="The report")).to_be_visible()
        registry.promote("two", instead_of="one", because="it is newer")
        expect(section.locator("h2")).to_contain_text("two", timeout=30_000)
        page.get_by_text("History").click()
        expect(page.locator(".history")).to_contain_text("it is newer")
        sound(page)
        context.close()


def test_the_model_view(page: Page, server: Server) -> None:
    server.post("/v1/predict", {"diagnostic": FULL})
    go(page, "model")
    version = json.loads(server.get("/v1/model")[1])["model_version"]
    expect(page.locator("#card h2")).to_contain_text(version)
    expect(page.locator("#counters")).to_contain_text("Mailbox full")
    expect(page.locator("#versions")).to_contain_text("No registry")
    sound(page)


def test_what_is_missing_is_told_with_its_fix(browser: Browser) -> None:
    with running() as server:
        context = browser.new_context()
        page = opened(context, server)
        go(page, "review")
        expect(page.locator(".empty")).to_contain_text("--feedback-url")
        context.close()
