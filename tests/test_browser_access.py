"""The page for everybody: screen readers, keyboards, phones, zoom, paper, in every view and state."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import CSV, FULL, STRANGE, VIEWS, browser, explain, fill_queue, go, opened, page, registry, server, sound
from playwright.sync_api import Browser, Page, expect
from server import Server, running

from whybounce.model.registry import Registry

__all__ = ["browser", "page", "registry", "server"]
pytestmark = pytest.mark.slow

axe = pytest.importorskip("axe_playwright_python.sync_playwright")

BROKEN = {"status": 500, "content_type": "application/problem+json", "body": '{"detail": "It broke."}'}


def violations(page: Page) -> str:
    """What axe finds in the page as it is now; empty when nothing."""
    found = axe.Axe().run(page)
    return str(found.generate_report()) if found.violations_count else ""


def states_of_explaining(page: Page) -> Iterator[str]:
    yield "nothing yet"
    page.get_by_role("button", name="Explain", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()
    yield "nothing to explain"
    explain(page, "\n".join([FULL, STRANGE[0], "550 " + "x" * 2000]), 3)
    page.get_by_role("button", name="This is wrong").nth(1).click()
    page.locator("article.card details summary").first.click()
    expect(page.locator("form.correction")).to_be_visible()
    yield "results and a correction"
    page.get_by_label("What is the right reason?").select_option("rate_limited")
    page.get_by_role("button", name="Send correction").click()
    expect(page.locator("p.done")).to_be_visible()
    yield "a correction that was sent"
    page.route("**/v1/explain", lambda route: route.fulfill(**BROKEN))
    page.get_by_role("button", name="Explain", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()
    yield "an error"
    page.unroute("**/v1/explain")
    page.route("**/v1/explain", lambda route: route.fulfill(status=401, body="{}", content_type="application/json"))
    page.get_by_role("button", name="Explain", exact=True).click()
    expect(page.locator("#key")).to_be_visible()
    yield "a key is asked for"
    page.get_by_role("button", name="Not now").click()
    page.unroute("**/v1/explain")


def states_of_the_report(page: Page, folder: Path) -> Iterator[str]:
    path = folder / "events.csv"
    path.write_text(CSV, "utf-8")
    go(page, "report")
    yield "no report"
    page.set_input_files("#file", path)
    expect(page.locator(".line:not(.category-other)")).to_have_count(15)
    page.locator("details.line summary").first.click()
    yield "a report"
    path.write_text("date,diagnostic\n" + "".join(f"2025-06-0{day},{FULL}\n" for day in range(1, 9)), "utf-8")
    page.set_input_files("#file", path)
    expect(page.locator(".days")).to_be_visible()
    yield "a report by day"
    page.route("**/v1/report*", lambda route: None)
    page.set_input_files("#file", path)
    expect(page.locator("progress")).to_be_visible()
    yield "a file on its way"
    page.get_by_role("button", name="Stop").click()
    page.unroute("**/v1/report*")
    path.write_bytes(b"\x00\x01\x02" * 100)
    page.set_input_files("#file", path)
    expect(page.get_by_label("The file is")).to_be_visible()
    yield "a wrong file"


def states_of_the_rest(page: Page) -> Iterator[str]:
    go(page, "review")
    expect(page.locator(".card.review")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("mail")
    expect(page.locator("#found").get_by_role("option").first).to_be_visible()
    yield "a search in the review"
    page.keyboard.press("Escape")
    page.route("**/v1/feedback", lambda route: route.fulfill(**BROKEN))
    page.keyboard.press("1")
    expect(page.get_by_role("alert")).to_be_visible()
    yield "a label that was not stored"
    page.unroute("**/v1/feedback")
    page.locator(".card.review").focus()
    page.keyboard.press("1")
    expect(page.locator("p.done")).to_be_visible()
    yield "a label that was stored"
    page.route("**/v1/review*", lambda route: route.fulfill(json={"total": 0, "items": []}))
    go(page, "explain")
    go(page, "review")
    expect(page.locator(".empty")).to_be_visible()
    yield "nothing to review"
    go(page, "model")
    expect(page.locator("#counters .figures")).to_be_visible()
    expect(page.locator("#versions li.card").first).to_be_visible()
    for summary in page.locator("main details summary").all():
        summary.click()
    expect(page.locator(".prose table").first).to_be_visible()
    yield "the model"


def states(page: Page, folder: Path) -> Iterator[str]:
    yield from states_of_explaining(page)
    yield from states_of_the_report(page, folder)
    yield from states_of_the_rest(page)


@pytest.fixture
def whole(tmp_path: Path, registry: Registry) -> Iterator[Server]:
    """A server with everything: a queue and a registry."""
    with running(feedback_url=f"sqlite:///{tmp_path}/feedback.db", registry=str(registry.folder)) as found:
        fill_queue(found)
        yield found


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_no_accessibility_violations_and_no_sideways_scrolling(
    browser: Browser, whole: Server, tmp_path: Path, theme: Any, width: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=theme, reduced_motion="reduce")
    page = opened(context, whole)
    seen = []
    for state in states(page, tmp_path):
        assert violations(page) == "", state
        assert page.evaluate("document.documentElement.scrollWidth") <= width, state
        seen.append(state)
    assert len(seen) == len(set(seen)) == 16
    sound(page)
    context.close()


# 320 pixels are a desktop's 1280 at 400 % (WCAG 1.4.10), 640 the same at 200 %.
@pytest.mark.parametrize("width", [320, 640])
def test_zoom_makes_nobody_scroll_sideways(browser: Browser, whole: Server, tmp_path: Path, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 400})
    page = opened(context, whole)
    for state in states(page, tmp_path):
        assert page.evaluate("document.documentElement.scrollWidth") <= width, state
    assert page.evaluate("getComputedStyle(document.querySelector('.top')).position") == "static"
    context.close()


@pytest.mark.parametrize(
    ("rule", "plant"),
    [
        (
            "color-contrast",
            "document.querySelector('.lead').setAttribute('id', 'pale'); return '#pale { color: #ccc }'",
        ),
        ("button-name", "document.querySelector('main').append(document.createElement('button')); return ''"),
        ("label", "document.querySelector('main label').remove(); return ''"),
        ("image-alt", "document.querySelector('.brand img').removeAttribute('alt'); return ''"),
        ("aria-valid-attr-value", "document.querySelector('nav').setAttribute('aria-hidden', 'x'); return ''"),
    ],
)
def test_a_planted_violation_is_found(page: Page, rule: str, plant: str) -> None:
    assert violations(page) == ""
    style = page.evaluate(f"(() => {{ {plant} }})()")
    if style:
        # The page's own policy forbids inline style; a constructed sheet stands for a change of style.css.
        page.evaluate(
            """(text) => {
                const sheet = new CSSStyleSheet();
                sheet.replaceSync(text);
                document.adoptedStyleSheets = [sheet];
            }""",
            style,
        )
    assert rule in violations(page)


def test_the_keyboard_reaches_everything_in_order(page: Page) -> None:
    """Every control gets the focus in the order it is read in, visibly, and nothing keeps it."""
    explain(page, FULL)
    wanted = page.evaluate(
        """() => [...document.querySelectorAll('a, button, textarea, input, select, summary, [tabindex="0"]')]
            .filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.disabled)
            .map((one) => { one.dataset.at ??= String(Math.random()); return one.dataset.at; })"""
    )
    page.locator(".skip").focus()
    reached = [page.evaluate("document.activeElement.dataset.at")]
    for _ in wanted[1:]:
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.dataset.at"))
        width = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
        assert float(width.removesuffix("px")) >= 2, page.evaluate("document.activeElement.outerHTML")
    assert reached == wanted


def test_what_happens_is_announced(page: Page) -> None:
    live = page.locator("#live")
    assert (live.get_attribute("role"), live.get_attribute("aria-live")) == ("status", "polite")
    explain(page, FULL)
    expect(live).to_contain_text("Mailbox full")
    for view in VIEWS[1:]:
        go(page, view)
        expect(page.locator("h1")).to_be_focused()
        assert page.title().endswith(" · whybounce")
        expect(page.locator("h1")).to_have_count(1)
    go(page, "explain")
    expect(page.locator("article.card")).to_have_count(1)  # as it was left


def test_what_arrives_later_does_not_take_the_focus_away(page: Page) -> None:
    """Who was brought to a heading is still there when the list of the view has come."""
    held: list[Any] = []
    page.route("**/v1/review*", lambda route: held.append(route))
    go(page, "review")
    expect(page.locator("h1")).to_be_focused()
    while not held:
        page.wait_for_timeout(20)
    held[0].continue_()
    expect(page.locator(".empty, article.card.review, .failure")).to_be_visible()
    expect(page.locator("h1")).to_be_focused()


def test_motion_is_reduced_where_it_is_asked_for(browser: Browser, server: Server) -> None:
    for wish, found in (("reduce", "0s"), ("no-preference", "0.12s")):
        context = browser.new_context(reduced_motion=wish)  # type: ignore[arg-type]
        page = opened(context, server)
        go(page, "report")
        page.set_input_files("#file", {"name": "x.csv", "mimeType": "", "buffer": CSV.encode()})
        marker = page.locator("details.line summary").first
        marker.wait_for()
        assert marker.evaluate("(one) => getComputedStyle(one, '::before').transitionDuration") in (found, "0s")
        assert (marker.evaluate("(one) => getComputedStyle(one, '::before').transitionProperty") == "none") == (
            wish == "reduce"
        )
        context.close()


def test_on_paper_stands_what_was_found(page: Page) -> None:
    explain(page, FULL)
    page.emulate_media(media="print", color_scheme="dark")
    for hidden in (".top", "footer", "form.ask", "article .buttons"):
        expect(page.locator(hidden).first).to_be_hidden()
    expect(page.locator("article.card h3")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf()[:5] == b"%PDF-"


def test_a_phone_is_told_nothing_of_keys(browser: Browser, whole: Server) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = opened(context, whole)
    expect(page.get_by_text("Ctrl + Enter")).to_be_hidden()
    go(page, "review")
    expect(page.locator(".choice").first).to_be_visible()
    expect(page.locator(".review kbd").first).to_be_hidden()
    for button in page.locator("main button:visible, nav a").all():
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 24  # WCAG 2.5.8
    context.close()
