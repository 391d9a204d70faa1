"""How the rows of a table look: what tells a row from a line within a cell."""

from __future__ import annotations

import csv
import re

from whybounce.serving.intake.columns import ADDRESS, REPLY

_LEARNED = 20
"""Rows from which it is learned what stands in which column."""
_NUMBER = re.compile(r"[\d\s.,:/+TZ-]*\d[\d\s.,:/+TZ-]*")


class Shape:
    """How the rows of a table look: how many cells, and of what kind where a column has one only.

    Attributes
    ----------
    width : int
        Cells of the first row, the names; 0 as long as there was none.
    """

    def __init__(self) -> None:
        self.width = 0
        self.learning = True
        self._kinds: list[str | None] = []
        self._seen = 0

    def learn(self, cells: list[str]) -> None:
        """Look at a row that is whole; the first is that of the names."""
        if not self.width and any(cells):
            self.width = len(cells)
            self._kinds = [""] * self.width
        elif len(cells) == self.width:
            self._kinds = [_common(known, _kind(cell)) for known, cell in zip(self._kinds, cells, strict=True)]
            self._seen += 1
            self.learning = self._seen < _LEARNED

    def fits(self, first: str, lines: list[str], delimiter: str, *, doubtful: bool) -> bool:
        """Whether lines are rows of this table, and no cell that began in the line before them.

        Parameters
        ----------
        first : str
            The line in which the cell begins.
        lines : list of str
        delimiter : str
        doubtful : bool
            Whether the quotes say already that something is wrong.
        """
        lines = [line for line in lines if line.strip()]
        width, kinds = self.width, self._kinds
        if not width:  # the names themselves: their line is all there is to go by
            width, kinds = len(first.split(delimiter)), []
        elif not self._seen:
            kinds = [kind if (kind := _kind(cell)) != "text" else "" for cell in (alone(first, delimiter) or [""])[:-1]]
        tells = any(kinds)
        # An answer of several lines, each with its code, is one cell; and a sentence may hold a comma.
        if width == 1 and (not doubtful or re.match(r"\W*\d{3}-", first)):
            return False
        if not lines or not (doubtful or (tells and width > 1)):
            return False
        good = 0
        for line in lines:
            cells = alone(line, delimiter)
            good += (
                cells is not None
                and len(cells) == width
                and all(not kind or _kind(cell) in ("", kind) for kind, cell in zip(kinds, cells, strict=False))
                and (tells or width > 2 or REPLY.search(line[:2000]) is not None)
            )
        return good >= (0.9 if doubtful else 1.0) * len(lines)


def alone(line: str, delimiter: str) -> list[str] | None:
    """Return the cells of a line that is a row; None when they cannot be told."""
    try:
        return next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter), [])
    except csv.Error:
        return None


def _kind(cell: str) -> str:
    """What a cell holds: a number or time, an address, any other text."""
    text = cell.strip()[:2000]
    if not text:
        return ""
    if _NUMBER.fullmatch(text):
        return "number"
    if ADDRESS.fullmatch(text):
        return "address"
    return "text"


def _common(known: str | None, kind: str) -> str | None:
    """Of what kind a column is; None when it has several, or any text."""
    if kind == "text" or known is None:
        return None
    return known if not kind or known == kind else kind if not known else None
