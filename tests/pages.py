"""Reading reports back: the tables and figures of HTML and Markdown, for comparison with the JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

VOID = {"meta", "link", "br", "hr", "img", "input", "source", "wbr"}

Grid = list[list[str]]


@dataclass
class Page(HTMLParser):
    """What a test wants to know of an HTML page; unbalanced tags are noted."""

    figures: list[tuple[str, str]] = field(default_factory=list)
    grids: list[Grid] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self._key: str | None = None
        self._note = 0

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            self.attributes.append((tag, name, value or ""))
            if name == "id":
                self.ids.append(value or "")
        if tag not in VOID:
            self.open.append(tag)
        if tag == "data":
            self._key = dict(attrs)["data-key"]
            self.figures.append((self._key or "", ""))
        if tag == "table":
            self.grids.append([])
        if tag == "tr":
            self.grids[-1].append([])
        if tag in ("th", "td"):
            self.grids[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1] != tag:
            self.problems.append(f"</{tag}> closes {self.open[-1:]}, line {self.getpos()[0]}")
        else:
            self.open.pop()
        if tag == "data":
            self._key = None

    def handle_data(self, data: str) -> None:
        if "style" in self.open or "svg" in self.open:
            return
        self.text += data
        if self._key is not None:
            self.figures[-1] = (self._key, self.figures[-1][1] + data)
        if {"th", "td"} & set(self.open):
            # What stands small under a cell is in brackets in Markdown.
            self.grids[-1][-1][-1] += f" ({data})" if self.open[-1] == "small" else data


def read_page(html: str) -> Page:
    page = Page()
    page.feed(html)
    page.close()
    return page


def read_markdown(text: str) -> list[Grid]:
    """All tables of a Markdown text, with marks taken off again."""
    grids: list[Grid] = []
    before = ""
    for line in text.splitlines():
        if line.startswith("|"):
            if not before.startswith("|"):
                grids.append([])
            if not re.fullmatch(r"[|-]+", line):
                grids[-1].append([_plain(cell) for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        before = line
    return grids


def _plain(cell: str) -> str:
    cell = cell.strip()
    code = re.fullmatch(r"(`+)(.*?)\1(.*)", cell)
    if code:
        return code[2].replace("\\|", "|") + _plain_text(code[3])
    return _plain_text(cell)


def _plain_text(text: str) -> str:
    return re.sub(r"\\([\\<>*_\[\]`|])", r"\1", text)


def at(document: Mapping[str, Any], key: str) -> Any:
    """Follow a JSON pointer."""
    value: Any = document
    for part in key.split("/")[1:]:
        if value is None:
            return None
        part = part.replace("~1", "/").replace("~0", "~")
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def agrees(shown: str, value: Any) -> bool:
    """Whether a shown figure is the value, as far as its digits go."""
    if value is None or shown == "–":
        return value is None and shown == "–"
    if isinstance(value, Mapping):
        low, _, high = shown.partition(" to ")
        unit = next((unit for unit in (" %", " pts") if high.endswith(unit)), "")
        return agrees(low + unit, value["low"]) and agrees(high, value["high"])
    if isinstance(value, str):
        return shown == value
    return _agrees(shown, float(value))


def _agrees(shown: str, value: float) -> bool:
    text = shown.removeprefix("p = ").removeprefix("p ").replace("−", "-").replace("±", "").replace(",", "")
    scale = 100.0 if text.endswith((" %", " pts")) else 1.0
    text = text.removesuffix(" %").removesuffix(" pts")
    if text.startswith("<"):
        return 0 <= scale * value < float(text[1:])
    if text.startswith(">"):
        return float(text[1:]) < scale * value <= 100
    if shown.startswith("±"):
        return abs(scale * value) <= (0.05 if scale == 100 else 0.5)
    digits = len(text.partition(".")[2])
    return bool(abs(float(text) - scale * value) <= 0.5 * 10**-digits + 1e-9)
