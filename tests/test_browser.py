"""Explaining on the page in a real browser; keys, themes, and a service that goes away."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from browsing import FULL, STRANGE, browser, copied, dropped_answers, explain, in_a_shell, opened, page, server, sound
from playwright.sync_api import Browser, Page, expect
from server import Server, running

from whybounce.serving.keys import Role, new_key

__all__ = ["browser", "page", "server"]
pytestmark = pytest.mark.slow


HOSTILE = (
    '<img src=x onerror="window.hacked=1"> 550 5.1.1 user unknown',
    "550 5.1.1 </textarea><script>window.hacked=1</script> user unknown",
    "javascript:window.hacked=1 \u202e 550 5.1.1 user \U0001f642 unknown",
    "550 5.1.1 {{constructor.constructor('window.hacked=1')()}} user unknown",
)


def test_explaining(page: Page, server: Server) -> None:
    explain(page, FULL)
    card = page.locator("article.card")
    expect(card.locator("h3")).to_have_text("Mailbox full")
    expect(card).to_contain_text("try again later")
    assert "quota" in " ".join(card.locator("mark").all_inner_texts())
    explain(page, f"{FULL}\n\n450 4.7.1 Greylisted, come back later\n", 2)
    expect(page.locator("article.card h3").nth(1)).to_have_text("Greylisted")
    page.get_by_role("button", name="Unknown user").click()
    expect(page.locator("article.card h3")).to_have_text("Invalid recipient")
    page.get_by_role("button", name="Clear").click()
    page.get_by_role("button", name="Explain", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing to explain")
    expect(page.get_by_label("Diagnostics or a bounce message")).to_be_focused()
    sound(page)


def test_explaining_a_whole_message(page: Page) -> None:
    fixtures = Path(__file__).parent / "fixtures" / "messages"
    explain(page, (fixtures / "dsn.eml").read_text("utf-8"), 2)
    expect(page.locator("article.card h3").first).to_have_text("Invalid recipient")
    expect(page.get_by_text("2 recipients").first).to_be_visible()
    explain(page, (fixtures / "ordinary.eml").read_text("utf-8"), 0)
    expect(page.get_by_role("alert")).to_contain_text("neither a bounce nor an automatic reply")
    page.get_by_role("button", name="Explain its lines one by one").click()
    expect(page.locator("article.card").first).to_be_visible()


def test_the_message_knows_more_than_its_text(page: Page) -> None:
    fixtures = Path(__file__).parent / "fixtures" / "messages"
    for name in ("vacation.eml", "arf.eml"):
        explain(page, (fixtures / name).read_text("utf-8"))
        expect(page.locator("article.card h3")).to_have_text("Not a bounce")
    explain(page, "From: <a@example.com>\nSubject: Out of office\nAuto-Submitted: auto-replied\n\n550 user unknown\n")
    expect(page.locator("article.card h3")).to_have_text("Not a bounce")
    sound(page)


STATUS = """Reporting-MTA: dns; mx.example.org

Final-Recipient: rfc822; jane@example.com
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 User unknown
"""


WRAPPED = """<jane@example.com>: host mx.example.net[192.0.2.1] said: 550 5.1.1
    <jane@example.com>: Recipient address rejected: User unknown (in reply to
    RCPT TO command)"""


REPLY = "550-5.1.1 The account that you tried to reach does not exist.\n550-5.1.1 Check the spelling\n550 5.1.1 and try again"


@pytest.mark.parametrize(
    ("text", "cards"),
    [
        (STATUS, 1),
        (WRAPPED, 1),
        (REPLY, 1),
        (f"{REPLY}\n550 5.2.2 full", 2),
        ("550 user unknown\n550 mailbox full", 2),
        (f"{FULL}\n{FULL}\n\n{FULL}", 1),
        ("Note: 550 user unknown\nRemark: 452 full", 2),
    ],
)
def test_what_belongs_together_is_one(page: Page, text: str, cards: int) -> None:
    explain(page, text, cards)
    if cards == 1 and text not in (f"{FULL}\n{FULL}\n\n{FULL}",):
        expect(page.locator("article.card h3")).to_have_text("Invalid recipient")
    elif cards == 1:
        expect(page.locator("article.card")).to_contain_text("Given 3 times")
    sound(page)


def test_many_are_added_up(page: Page) -> None:
    explain(page, "\n".join(["550 5.1.1 user unknown", FULL, "421 4.3.2 too busy", STRANGE[0]]), 4)
    expect(page.locator(".summing")).to_contain_text("4 diagnostics. 1 to look at.")
    assert page.locator(".tally .chip").all_inner_texts() == ["hard", "soft", "technical"]
    expect(page.locator("article.card h3").last).to_contain_text("Perhaps")
    explain(page, "\n".join(f"550 5.1.1 user unknown {'x' * number}" for number in range(1, 203)), 200)
    expect(page.locator(".notice")).to_contain_text("first 200")


QUOTES = """550 5.1.1 it's "user unknown" $(touch hacked) `touch hacked` \\n !! @file %s 🙂 ünknown"""


def test_copying(browser: Browser, server: Server) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = opened(context, server)
    explain(page, QUOTES)
    asked = server.post("/v1/explain", {"diagnostic": QUOTES})[1]
    assert json.loads(copied(page, "Copy JSON")) == asked
    command = copied(page, "Copy curl")
    assert command.startswith(f"curl '{server.url}/v1/explain'")
    assert "authorization" not in command.lower()
    assert in_a_shell(command) == asked
    assert not Path("hacked").exists()
    explain(page, "550 5.1.1 " + "user unknown it's " * 3000)
    assert in_a_shell(copied(page, "Copy curl"))["reason"] == "invalid_recipient"
    explain(page, f"{QUOTES}\n{FULL}", 2)
    assert [one["reason"] for one in json.loads(copied(page, "Copy all as JSON"))] == [
        "invalid_recipient",
        "mailbox_full",
    ]
    found = in_a_shell(copied(page, "Copy one curl for all"))
    assert [one["reason"] for one in found["predictions"]] == ["invalid_recipient", "mailbox_full"]
    fixture = Path(__file__).parent / "fixtures" / "messages" / "dsn.eml"
    explain(page, fixture.read_text("utf-8"), 2)
    assert len(in_a_shell(copied(page, "Copy one curl for all"))["records"]) == 2
    sound(page)
    context.close()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_stay_texts(page: Page, text: str) -> None:
    explain(page, text)
    assert page.locator("article.card p.diagnostic").first.text_content() == text
    assert page.locator("article.card img, article.card script").count() == 0
    sound(page)


def test_a_correction_is_stored(page: Page, server: Server) -> None:
    explain(page, STRANGE[0])
    page.get_by_role("button", name="This is wrong").click()
    form = page.locator("form.correction")
    page.keyboard.press("Escape")
    expect(form).to_have_count(0)
    expect(page.get_by_role("button", name="This is wrong")).to_be_focused()
    page.keyboard.press("Enter")
    form.locator(".pill").first.click()
    assert page.get_by_label("What is the right reason?").input_value() != ""
    page.get_by_label("What is the right reason?").select_option("rate_limited")
    with dropped_answers(page, "**/v1/feedback"):
        page.get_by_role("button", name="Send correction").click()
        expect(form.get_by_role("alert")).to_contain_text("No connection")
    with page.expect_response("**/v1/feedback") as again:
        form.get_by_role("button", name="Try again").click()
    assert again.value.json()["duplicate"] is True
    expect(page.locator(".done")).to_contain_text("“Rate limited” is stored")
    expect(page.locator(".done")).to_be_focused()
    sound(page)


def test_a_service_that_goes_away_is_told(page: Page, server: Server) -> None:
    server.process.kill()
    server.process.wait()
    page.get_by_label("Diagnostics or a bounce message").fill(FULL)
    page.get_by_role("button", name="Explain", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("No connection")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()


def test_a_key_is_asked_for_once(browser: Browser) -> None:
    token, key = new_key(Role.ADMIN, "us")
    with running(api_keys=str(key)) as server:
        context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
        page = opened(context, server)
        page.get_by_label("Diagnostics or a bounce message").fill(FULL)
        page.get_by_role("button", name="Explain", exact=True).click()
        field = page.get_by_label("API key", exact=True)
        expect(field).to_be_focused()
        for given in ("wrong", token):
            field.fill(given)
            page.keyboard.press("Enter")
            if given == "wrong":
                expect(page.locator("#key-why")).to_contain_text("does not know this key")
        expect(page.locator("article.card h3")).to_have_text("Mailbox full")
        page.reload()
        explain(page, FULL)
        expect(page.locator("#key")).to_be_hidden()
        assert page.evaluate("localStorage.length") == 0
        assert page.evaluate("document.cookie") == ""
        assert token not in page.content()
        command = copied(page, "Copy curl")
        assert token not in command
        assert in_a_shell(command, WHYBOUNCE_KEY=token)["reason"] == "mailbox_full"
        other = opened(context, server)  # another tab knows nothing of it
        assert other.evaluate("sessionStorage.length") == 0
        page.get_by_role("button", name="Forget the API key").click()
        expect(page.locator("#forget")).to_be_hidden()
        page.get_by_role("button", name="Explain", exact=True).click()
        expect(field).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.get_by_role("alert")).to_contain_text("Without a key")
        page.get_by_role("button", name="Enter a key").click()
        field.fill(token)
        page.keyboard.press("Enter")
        expect(page.locator("article.card h3")).to_have_text("Mailbox full")
        context.close()


def test_a_key_that_is_not_enough(browser: Browser, tmp_path: Path) -> None:
    (small, small_key), (token, key) = new_key(Role.PREDICT, "us"), new_key(Role.FEEDBACK, "them")
    keys, store = f"{small_key},{key}", f"sqlite:///{tmp_path}/feedback.db"
    with running(api_keys=keys, feedback_url=store) as server:
        context = browser.new_context()
        page = opened(context, server)
        page.get_by_label("Diagnostics or a bounce message").fill(STRANGE[0])
        page.get_by_role("button", name="Explain", exact=True).click()
        field = page.get_by_label("API key", exact=True)
        field.fill(small)
        page.get_by_role("button", name="Use this key").click()
        page.get_by_role("button", name="This is wrong").click()
        page.get_by_label("What is the right reason?").select_option("rate_limited")
        page.get_by_role("button", name="Send correction").click()
        expect(page.get_by_role("alert")).to_contain_text("This key is not enough")
        page.get_by_role("button", name="Use another key").click()
        field.fill(token)
        page.keyboard.press("Enter")
        expect(page.locator(".done")).to_contain_text("“Rate limited” is stored")
        context.close()
