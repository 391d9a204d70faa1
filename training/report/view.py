"""What is shown: sentences and tables whose every figure names its place in the document.

HTML, Markdown and the terminal draw the same :class:`View`; none of them formats a
number of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

DASH = "–"


@dataclass(frozen=True, slots=True)
class Cell:
    """A piece of text.

    Attributes
    ----------
    text : str
    key : str
        JSON pointer (RFC 6901) of the figure in the document; empty for words.
    kind : str
        ``text``, ``number``, ``code`` (a label), ``template``, ``good`` or ``bad``.
    note : str
        Words that stand small under it.
    """

    text: str
    key: str = ""
    kind: str = "text"
    note: str = ""


Phrase = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table, with the name of the chart that shows the same, if there is one.

    ``folded`` ones are detail that HTML shows on demand.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    folded: bool = False
    chart: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A headed part of a report."""

    id: str
    title: str
    lead: tuple[Phrase, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """One of the few figures at the top."""

    figure: Cell
    title: str
    detail: Phrase


@dataclass(frozen=True, slots=True)
class View:
    """A whole report."""

    title: str
    about: Phrase
    level: str
    verdict: Phrase
    sentences: tuple[Phrase, ...]
    cautions: tuple[str, ...]
    advice: str
    cards: tuple[Card, ...]
    sections: tuple[Section, ...] = field(default=())


class Reader:
    """Takes figures out of a document, as cells that say where they came from."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document

    def value(self, key: str) -> Any:
        """Follow a JSON pointer; None where a part of the way is None."""
        value: Any = self.document
        for part in key.split("/")[1:]:
            if value is None:
                return None
            part = part.replace("~1", "/").replace("~0", "~")
            value = value[int(part)] if isinstance(value, list) else value[part]
        return value

    def cell(self, key: str, form: Callable[[Any], str], kind: str = "number") -> Cell:
        """Format the figure at a pointer; a dash when there is none."""
        value = self.value(key)
        return Cell(DASH if value is None else form(value), key, kind)


def pointer(*parts: str | int) -> str:
    """Make a JSON pointer."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def phrase(*pieces: str | Cell) -> Phrase:
    """Join words and figures to a sentence."""
    return tuple(piece if isinstance(piece, Cell) else Cell(piece) for piece in pieces)


def plain(cells: Iterable[Cell]) -> str:
    """Return a phrase as text."""
    return "".join(cell.text for cell in cells)


def keep(columns: Sequence[tuple[str, bool]], rows: Iterable[Sequence[Cell]]) -> tuple[Any, Any]:
    """Drop the columns that are switched off from names and rows."""
    kept = [number for number, (_, wanted) in enumerate(columns) if wanted]
    return tuple(columns[number][0] for number in kept), tuple(tuple(row[number] for number in kept) for row in rows)


def percent(value: float) -> str:
    """``0.9412`` as ``94.1 %``; the text never rounds to all or nothing what is not."""
    shown = f"{100 * value:.1f}"
    if shown == "100.0" and value < 1:
        return "> 99.9 %"
    if shown == "0.0" and value > 0:
        return "< 0.1 %"
    return f"{shown} %"


def points(value: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    return f"{signed(100 * value, 1)} pts"


def signed(value: float, digits: int = 0) -> str:
    """A difference with its sign; nothing is ``±0``."""
    text = f"{abs(value):,.{digits}f}"
    if not text.strip("0."):
        return "±0"
    return f"{'+' if value > 0 else '−'}{text}"


def count(value: float) -> str:
    """``9412.3`` as ``9,412``."""
    return f"{value:,.0f}"


def per_10k(value: float) -> str:
    """A number of bounces among 10,000; a few are shown exactly."""
    return f"{value:,.0f}" if value >= 10 or value == round(value) else f"{value:.1f}"


def decimal(value: float) -> str:
    """Three digits after the point."""
    return f"{value:.3f}"


def two(value: float) -> str:
    """Two digits after the point."""
    return f"{value:.2f}"


def p_value(value: float) -> str:
    """A p-value; a tiny one as ``< 0.001``."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def p_equals(value: float) -> str:
    """A p-value in a sentence."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def span(form: Callable[[float], str]) -> Callable[[Mapping[str, float]], str]:
    """Format an interval."""

    def formatted(value: Mapping[str, float]) -> str:
        low, high = form(value["low"]), form(value["high"])
        unit = next((unit for unit in (" %", " pts") if low.endswith(unit) and high.endswith(unit)), "")
        return f"{low.removesuffix(unit)} to {high}"

    return formatted


def words(value: str) -> str:
    """A text as it is."""
    return value
