"""The bounce report on the page in a real browser."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from browsing import CSV, FIXTURES, browser, go, opened, page, server, sound
from playwright.sync_api import Browser, Page, expect
from server import Server, running

__all__ = ["browser", "page", "server"]
pytestmark = pytest.mark.slow


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
    expect(line).to_contain_text("Stop mailing this address.")
    for name, start in (("JSON", "{"), ("CSV", "category,line"), ("HTML", "<!")):
        with page.expect_download() as saved:
            page.get_by_role("button", name=f"Download {name}").click()
        assert Path(saved.value.path()).read_text("utf-8").lstrip().lower().startswith(start.lower())
        assert saved.value.suggested_filename == f"events-bounces.{name.lower()}"
    sound(page)


LISTED = "554 5.7.1 client [192.0.2.1] blocked using zen.spamhaus.org"
FAULTS = CSV + "".join(
    f"{text},person{number}@example.net\n"
    for number, text in enumerate(
        [LISTED, LISTED, "550 5.7.26 DMARC check failed", "552 5.3.4 message size exceeds limit"]
    )
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
def test_the_report_says_what_to_do(browser: Browser, server: Server, scheme: Any, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = opened(context, server)
    go(page, "report")
    page.set_input_files("#file", {"name": "b.csv", "mimeType": "", "buffer": FAULTS.encode()})
    region = page.get_by_role("region", name="What to do")
    steps = region.get_by_role("list").get_by_role("listitem")
    expect(steps).to_have_count(4)
    said = steps.all_inner_texts()
    assert said[0].startswith("Stop mailing 6 addresses.")
    assert said[1].startswith("Mail 3 addresses again")
    # Causes come after the addresses, the most frequent first.
    assert "3 bounces: Sender reputation 2, Authentication failure 1." in said[2]
    assert "1 bounce: Message too large." in said[3]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(
        "() => document.querySelector('#to-do').compareDocumentPosition(document.querySelector('#category-hard')) & 4"
    ), "it stands before the lines"
    # Nothing to do, no list.
    page.set_input_files(
        "#file", {"name": "d.csv", "mimeType": "", "buffer": b"diagnostic,outcome\n250 2.0.0 Ok,delivered\n"}
    )
    expect(page.locator(".named h2")).to_have_text("d.csv")
    expect(region).to_have_count(0)
    sound(page)
    context.close()


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("messages/dsn.eml", "message"),
        ("messages/some.mbox", "mbox"),
        ("logs/postfix", "postfix"),
        ("logs/jsonl", "jsonl"),
        ("logs/exim", "exim"),
    ],
)
def test_reports_of_other_files(page: Page, path: str, form: str) -> None:
    found = FIXTURES / path
    if found.is_dir():
        found = next(one for one in sorted(found.iterdir()) if "expected" not in one.name and one.is_file())
    go(page, "report")
    page.set_input_files("#file", found)
    expect(page.locator(".named .note")).to_contain_text(f"Read as {form}")
    expect(page.locator(".line:not(.category-other)")).to_have_count(15)
    sound(page)


def test_a_packed_file_and_one_that_is_dropped(page: Page) -> None:
    go(page, "report")
    packed = {"name": "events.csv.gz", "mimeType": "application/gzip", "buffer": gzip.compress(CSV.encode())}
    page.set_input_files("#file", packed)  # type: ignore[arg-type]
    expect(page.locator(".named .note")).to_contain_text("9 records")
    drop = """(text) => {
        const files = new DataTransfer();
        files.items.add(new File([text], 'dropped.csv'));
        for (const kind of ['dragenter', 'dragover', 'drop'])
            document.querySelector('SELECTOR').dispatchEvent(
                new DragEvent(kind, { dataTransfer: files, bubbles: true, cancelable: true }));
    }"""
    page.evaluate(drop.replace("SELECTOR", ".report h1"), CSV)
    expect(page.locator(".named h2")).to_have_text("dropped.csv")
    assert page.evaluate(
        """() => {
            const files = new DataTransfer();
            files.items.add(new File(['x'], 'x'));
            const event = new DragEvent('drop', { dataTransfer: files, bubbles: true, cancelable: true });
            document.querySelector('footer').dispatchEvent(event);
            return event.defaultPrevented;
        }"""
    ), "a file beside its place would replace the page"
    go(page, "explain")
    page.evaluate(drop.replace("SELECTOR", "#diagnostics"), (FIXTURES / "messages" / "dsn.eml").read_text("utf-8"))
    expect(page.locator("article.card")).to_have_count(2)
    sound(page)


def test_wrong_files(page: Page, tmp_path: Path) -> None:
    go(page, "report")
    path = tmp_path / "odd.csv"
    path.write_bytes(b"\x00\x01\x02" * 100)
    page.set_input_files("#file", path)
    expect(page.get_by_role("alert")).to_contain_text("odd.csv could not be read")
    assert "input=" not in page.locator(".out").inner_text()
    path.write_bytes(b"")
    page.set_input_files("#file", path)
    expect(page.get_by_role("alert")).to_contain_text("empty")
    expect(page.get_by_role("button", name="Try again")).to_have_count(0)


def test_a_format_can_be_named(page: Page, tmp_path: Path) -> None:
    go(page, "report")
    path = tmp_path / "odd.bin"
    path.write_bytes(b"\x00\x01\x02" * 100)
    page.set_input_files("#file", path)
    page.get_by_label("The file is").select_option("text")
    with page.expect_request(lambda request: "input=text" in request.url):
        page.get_by_role("button", name="Read it so").click()
    expect(page.locator(".progress")).to_have_count(0)
    assert page.locator(".out").inner_text().strip()


def test_a_large_file_shows_its_progress_and_can_be_stopped(page: Page, tmp_path: Path) -> None:
    go(page, "report")
    path = tmp_path / "large.csv"
    row = "550 5.1.1 <person@example.com>: user unknown,person@example.com\n"
    path.write_text("diagnostic,email\n" + row * (50_000_000 // len(row)), "utf-8")
    page.evaluate(
        """() => {
            window.told = [];
            new MutationObserver(() => {
                const bar = document.querySelector('progress');
                if (bar) window.told.push([bar.value, bar.hasAttribute('value'), bar.previousElementSibling.textContent]);
            }).observe(document.querySelector('.out'), { subtree: true, childList: true, characterData: true });
        }"""
    )
    page.set_input_files("#file", path)
    expect(page.locator(".progress")).to_contain_text("Reading and counting", timeout=60_000)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".notice")).to_contain_text("Stopped")
    told = page.evaluate("window.told")
    assert any(0 < value < 1 for value, known, _ in told if known), told
    assert any("MB of 50.0 MB" in text or "MB of 49.9 MB" in text for *_, text in told), told
    sound(page)


def test_a_file_that_is_too_large_is_not_sent(browser: Browser) -> None:
    with running(max_report="1000") as server:
        context = browser.new_context()
        page = opened(context, server)
        go(page, "report")
        expect(page.locator(".drop")).to_contain_text("1.0 kB")
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.url))
        page.set_input_files("#file", {"name": "x.csv", "mimeType": "", "buffer": b"x" * 1001})
        expect(page.get_by_role("alert")).to_contain_text("up to 1.0 kB")
        assert sent == []
        context.close()
