"""The page in a real browser: all views, by keyboard, in both themes, on phone and desktop."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from playwright.sync_api import Error as PlaywrightError
from server import Server, running

from whybounce.serving.keys import Role, new_key

pytestmark = pytest.mark.slow

VIEWS = ("explain", "report", "review", "model")
FULL = "452 4.2.2 The mailbox is over its storage quota"
HOSTILE = (
    '<img src=x onerror="window.hacked=1"> 550 5.1.1 user unknown',
    "550 5.1.1 </textarea><script>window.hacked=1</script> user unknown",
    "javascript:window.hacked=1 \u202e 550 5.1.1 user \U0001f642 unknown",
    "550 5.1.1 {{constructor.constructor('window.hacked=1')()}} user unknown",
)
STRANGE = ("554 5.7.1 some zorb unheard-of", "554 5.7.1 some wibble unheard-of", "554 5.7.1 some turnip unheard-of")
CSV = "diagnostic,email\n" + "".join(
    f"{text},person{number}@example.com\n"
    for number, text in enumerate(
        ["550 5.1.1 user unknown"] * 5
        + [FULL] * 3
        + ['"550 5.1.1 <img src=x onerror=""window.hacked=1""> user unknown"']
    )
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        try:
            found = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except PlaywrightError as error:
            if "Executable doesn't exist" in str(error):
                pytest.skip("no Chromium is installed: apt install chromium, or playwright install chromium")
            raise
        yield found
        found.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running(feedback_url=f"sqlite:///{tmp_path}/feedback.db") as found:
        yield found


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    with_context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield opened(with_context, server)
    with_context.close()


def opened(context: BrowserContext, server: Server) -> Page:
    """A page that fails the test when anything goes wrong in it or leaves the server's origin."""
    page = context.new_page()
    page.set_default_timeout(20_000)
    strays: list[str] = []
    faults: list[str] = []
    page.on(
        "request",
        lambda request: strays.append(request.url) if not request.url.startswith((server.url, "blob:")) else None,
    )
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console", lambda message: faults.append(message.text) if "Content Security Policy" in message.text else None
    )
    page.goto(f"{server.url}/")
    page.strays, page.faults = strays, faults  # type: ignore[attr-defined]
    return page


def sound(page: Page) -> None:
    assert page.strays == []  # type: ignore[attr-defined]
    assert page.faults == []  # type: ignore[attr-defined]
    assert page.evaluate("window.hacked") is None


def explain(page: Page, text: str, cards: int = 1) -> None:
    page.get_by_label("Diagnostics or a bounce message").fill(text)
    page.get_by_role("button", name="Explain", exact=True).click()
    expect(page.locator("article.card")).to_have_count(cards)


def go(page: Page, view: str) -> None:
    page.get_by_role("navigation").get_by_role("link", name=view.capitalize()).click()
    expect(page.locator("nav a[aria-current]")).to_have_text(view.capitalize())


def fill_queue(server: Server) -> None:
    for text in STRANGE:
        server.post("/v1/predict", {"diagnostic": text})
    end = time.monotonic() + 20
    while json.loads(server.get("/v1/review")[1])["total"] < len(STRANGE):
        assert time.monotonic() < end
        time.sleep(0.2)


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
    expect(page.get_by_role("alert")).to_contain_text("neither a bounce nor an automatic one")


def test_copying(browser: Browser, server: Server) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = opened(context, server)
    explain(page, "550 5.1.1 it's a user unknown")
    page.get_by_role("button", name="Copy JSON").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert json.loads(page.evaluate("navigator.clipboard.readText()"))["reason"] == "invalid_recipient"
    page.get_by_role("button", name="Copy curl").click()
    expect(page.locator("#live")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()").startswith(f"curl {server.url}/v1/explain")
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
    page.get_by_label("What is the right reason?").select_option("rate_limited")
    page.get_by_role("button", name="Send correction").click()
    expect(page.locator(".done")).to_contain_text("stored")
    given = {"diagnostic": STRANGE[0], "reason": "mailbox_full", "source": "web"}
    assert server.post("/v1/feedback", given)[1]["id"] == 2
    sound(page)


def test_the_report(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text(CSV, "utf-8")
    go(page, "report")
    page.set_input_files("#file", path)
    expect(page.locator(".line:not(.category-other)")).to_have_count(15)
    line = page.locator("details.line", has_text="Invalid recipient")
    expect(line.locator(".number").first).to_have_text("6")
    line.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(line.locator(".templates li")).to_have_count(2)
    assert "example.com" not in line.inner_text()
    for name, start in (("JSON", "{"), ("CSV", "category,line"), ("HTML", "<!")):
        with page.expect_download() as saved:
            page.get_by_role("button", name=f"Download {name}").click()
        assert Path(saved.value.path()).read_text("utf-8").lstrip().lower().startswith(start.lower())
        assert saved.value.suggested_filename == f"events-bounces.{name.lower()}"
    path.write_bytes(b"\x00\x01\x02" * 100)
    page.set_input_files("#file", path)
    expect(page.get_by_role("alert")).to_be_visible()
    path.write_bytes(b"")
    page.set_input_files("#file", path)
    expect(page.get_by_role("alert")).to_contain_text("empty")
    sound(page)


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
    page.keyboard.press("ArrowDown")
    expect(card).to_contain_text("2 of 3")
    page.keyboard.press("ArrowUp")
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


def test_the_model_view(page: Page, server: Server) -> None:
    server.post("/v1/predict", {"diagnostic": FULL})
    go(page, "model")
    version = json.loads(server.get("/v1/model")[1])["model_version"]
    expect(page.locator("#card h2")).to_contain_text(version)
    expect(page.locator("#counters")).to_contain_text("mailbox_full")
    expect(page.locator("#versions")).to_contain_text("No registry")
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
        context = browser.new_context()
        page = opened(context, server)
        page.get_by_label("Diagnostics or a bounce message").fill(FULL)
        page.get_by_role("button", name="Explain", exact=True).click()
        field = page.get_by_label("API key", exact=True)
        expect(field).to_be_focused()
        for given in ("wrong", token):
            field.fill(given)
            page.keyboard.press("Enter")
            if given == "wrong":
                expect(page.locator("#key-why")).to_contain_text("not known")
        expect(page.locator("article.card h3")).to_have_text("Mailbox full")
        page.reload()
        explain(page, FULL)
        expect(page.locator("#key")).to_be_hidden()
        assert page.evaluate("localStorage.length") == 0
        assert token not in page.content()
        context.close()


def test_what_is_missing_is_told_with_its_fix(browser: Browser) -> None:
    with running() as server:
        context = browser.new_context()
        page = opened(context, server)
        go(page, "review")
        expect(page.get_by_role("alert")).to_contain_text("--feedback-url")
        context.close()


def views(page: Page, server: Server, tmp_path: Path) -> Iterator[str]:
    """Every view with something in it."""
    path = tmp_path / "events.csv"
    path.write_text(CSV, "utf-8")
    yield "start"
    explain(page, "\n".join([FULL, STRANGE[0], "550 " + "x" * 2000]), 3)
    page.get_by_role("button", name="This is wrong").nth(1).click()
    page.locator("article.card details summary").first.click()
    expect(page.locator("form.correction")).to_be_visible()
    yield "explain"
    go(page, "report")
    yield "no report"
    page.set_input_files("#file", path)
    expect(page.locator(".line:not(.category-other)")).to_have_count(15)
    page.locator("details.line summary").first.click()
    yield "report"
    go(page, "review")
    expect(page.locator(".card.review")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("mail")
    yield "review"
    go(page, "model")
    expect(page.locator("#counters .figures")).to_be_visible()
    expect(page.locator("#versions h2").first).to_be_visible()
    for summary in page.locator("main details summary").all():
        summary.click()
    yield "model"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_no_accessibility_violations_and_no_sideways_scrolling(
    browser: Browser, server: Server, tmp_path: Path, theme: Any, width: int
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    fill_queue(server)
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=theme, reduced_motion="reduce")
    page = opened(context, server)
    for view in views(page, server, tmp_path):
        found = axe.run(page)
        assert found.violations_count == 0, f"{view}: {found.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth") <= width, view
    sound(page)
    context.close()


def test_the_theme_can_be_chosen(page: Page) -> None:
    def ground() -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    light = ground()
    page.get_by_role("button", name="Use the dark theme").click()
    assert ground() != light
    page.reload()
    assert ground() != light
    page.get_by_role("button", name="Use the light theme").click()
    assert ground() == light
