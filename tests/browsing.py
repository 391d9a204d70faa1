"""A real browser with the page of a real server in it, and what tests do there."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect, sync_playwright
from playwright.sync_api import Error as PlaywrightError
from server import Server, running

from whybounce.model.artifact import SHIPPED
from whybounce.model.registry import Registry

VIEWS = ("explain", "report", "review", "model")


FULL = "452 4.2.2 The mailbox is over its storage quota"


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


def copied(page: Page, name: str) -> str:
    page.evaluate("navigator.clipboard.writeText('')")
    page.get_by_role("button", name=name, exact=True).click()
    page.wait_for_function("navigator.clipboard.readText().then((text) => text !== '')")
    return str(page.evaluate("navigator.clipboard.readText()"))


def in_a_shell(command: str, **variables: str) -> Any:
    done = subprocess.run(
        ["sh", "-c", command],
        capture_output=True,
        check=True,
        timeout=60,
        env=os.environ | {"no_proxy": "*"} | variables,
    )
    return json.loads(done.stdout)


@contextlib.contextmanager
def dropped_answers(page: Page, pattern: str) -> Iterator[None]:
    """The service gets the requests and does what they ask; its answers get lost."""

    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route(pattern, lose)
    yield
    page.unroute(pattern)


FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """The shipped model as two versions, one promoted; the card tries to be more than text."""
    found = Registry(tmp_path / "models")
    for version in ("one", "two"):
        run = tmp_path / version
        shutil.copytree(SHIPPED, run)
        manifest = json.loads((run / "manifest.json").read_text("utf-8"))
        (run / "manifest.json").write_text(json.dumps({**manifest, "model_version": version}), "utf-8")
        (run / "report.html").write_text("<!doctype html><title>r</title><h1>The report</h1>", "utf-8")
        (run / "MODEL_CARD.md").write_text(MODEL_CARD, "utf-8")
        found.add(run)
    found.promote("one", instead_of=None)
    return found


MODEL_CARD = """# Model card: whybounce one

Says **why** with `codes`; see [the report](javascript:window.hacked=1).
<img src=x onerror="window.hacked=1">

## Figures

| figure | model + rules |
|---|---|
| accuracy | 85.2 % |
| a \\| b | 3 |

- first, which goes
  on here
- `second`

```console
$ whybounce train
```
"""
