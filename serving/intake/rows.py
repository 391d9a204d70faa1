"""The rows of CSV and its relatives: a quote that is never closed costs its own row, not those after it."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from whybounce.serving.intake.shape import Shape, alone
from whybounce.serving.intake.unpacking import DamagedError

MAX_ROW = 4 * 1024 * 1024
"""Characters of a row, line ends within its cells included."""

# A cell may hold a whole message; the limit of the csv module holds for the process and is only ever raised.
csv.field_size_limit(max(csv.field_size_limit(), 2 * MAX_ROW))

_SEPARATOR = re.compile(r"\"?sep=(.)\"?\s*")  # what Excel understands, and some programs write for it
_LONE_RETURN = re.compile(r"(?<=\r)(?!\n)")


@dataclass(frozen=True, slots=True)
class Bad:
    """A row that cannot be read.

    Attributes
    ----------
    line : int
        Where it begins.
    why : str
        What is wrong with it, in one line.
    content : str
        The row as far as it is known.
    ends_early : bool
        Whether the table ends within it: nobody knows what is missing.
    """

    line: int
    why: str
    content: str
    ends_early: bool = False


def fitted(cells: list[str], names: list[str], text: str, delimiter: str, line: int) -> list[str] | Bad:
    """Return a row with no more cells than there are names: what is too much of an unquoted ``text`` is its rest."""
    if not any(cells[len(names) :]):
        return cells
    if text != names[-1]:
        why = f"{len(cells)} cells under {len(names)} names; put texts that hold the delimiter in quotes"
        return Bad(line, why, delimiter.join(cells))
    return [*cells[: len(names) - 1], delimiter.join(cells[len(names) - 1 :])]


class Rows:
    """Reads rows, in constant memory.

    A cell may go on over several lines. When it looks as if its quote was never closed, as the lines after it are
    rows of their own, its row is given as ``Bad`` and the rows after it are read.

    Parameters
    ----------
    lines : iterable of str
        With their ends. A ``DamagedError`` is raised again once the rows before it are given.
    delimiter : str
    shape : Shape, optional
        What is known of the table; learned from its first rows by default.

    Attributes
    ----------
    number : int
        The line that ended the row given last.
    behind : bool
        Whether lines were taken whose rows were not given yet.
    """

    def __init__(self, lines: Iterable[str], delimiter: str, shape: Shape | None = None) -> None:
        self.number = 0
        self._lines = iter(lines)
        self._delimiter = delimiter
        self._shape = shape or Shape()
        self._again: deque[str] = deque()
        self._taken: list[str] = []
        self._size = 0
        self._ended = False
        self._damage: DamagedError | None = None
        self.behind = False

    def __iter__(self) -> Iterator[list[str] | Bad]:
        shape = self._shape
        while not self._ended or self._again:
            try:
                for cells in csv.reader(self._fed(), delimiter=self._delimiter):
                    if len(self._taken) > 1 or self._ended:
                        yield from self._judged(cells)
                        continue
                    self._taken.clear()
                    self._size = 0
                    if cells:
                        if shape.learning:
                            shape.learn(cells)
                        yield cells
            except _TooLongError:
                yield from self._too_long()
            except csv.Error as error:
                yield self._bad(f"{error}; check the quoting")
        if self._damage is not None:
            raise self._damage

    def _fed(self) -> Iterator[str]:
        while True:
            if self._again:
                line = self._again.popleft()
                self._ended = self.behind = False
            else:
                try:
                    found = next(self._lines, None)
                except DamagedError as error:
                    self._damage, found = error, None
                if found is None:
                    self._ended = True
                    return
                line = found
            self.number += 1
            self._taken.append(line)
            self._size += len(line)
            if self._size > MAX_ROW:
                raise _TooLongError
            yield line

    def _judged(self, cells: list[str]) -> Iterator[list[str] | Bad]:
        """Give a row of several lines, or what it is if it is none."""
        taken = self._taken
        doubtful = self._ended or len(cells) > (self._shape.width or len(cells)) or not _sound(taken, self._delimiter)
        if self._shape.fits(taken[0], taken[1:], self._delimiter, doubtful=doubtful):
            yield from self._apart()
        elif self._damage is not None:
            self._taken, self._size = [], 0  # the end of it is missing, which is told
        elif self._ended:
            yield self._bad("the quote that is opened in it is never closed, and the table ends so", ends_early=True)
        elif doubtful:
            yield self._bad("its quotes do not match; check the quoting")
        else:
            self._taken, self._size = [], 0
            if self._shape.learning:
                self._shape.learn(cells)
            yield cells

    def _apart(self) -> Iterator[list[str] | Bad]:
        """Read the lines after the first one as rows of their own; the last one may go on."""
        taken, last = self._taken, self.number
        self._taken, self._size = taken[:1], 0
        self.number = first = last - len(taken) + 1
        self.behind = True
        if not self._shape.width:  # names can be told without their quotes
            self._taken, names = [], taken[0].replace('"', "").rstrip("\r\n").split(self._delimiter)
            self._shape.learn(names)
            yield names
        else:
            yield self._bad("a quote is opened in it and not closed; close or double it (the rows after it were read)")
        for number, line in enumerate(taken[1:-1], start=first + 1):
            self.number = number
            cells = alone(line, self._delimiter)
            if cells is None:
                yield Bad(number, "check the quoting", line)
            elif cells:
                yield cells
        self.number = last - 1
        self._again.append(taken[-1])

    def _too_long(self) -> Iterator[list[str] | Bad]:
        taken = self._taken
        if len(taken) > 2 and self._shape.fits(taken[0], taken[1:-1], self._delimiter, doubtful=True):
            yield from self._apart()
            return
        self._taken = [taken[0]]
        first = self.number - len(taken) + 1
        line: str | None = taken[-1]
        while len(taken) > 1 and line is not None and not line.count('"') % 2:  # within the cell they come in pairs
            line = next(self._lines, None)
            self.number += line is not None
        if line is None:
            self._ended = True
            yield self._bad("the quote that is opened in it is never closed", ends_early=True, first=first)
            return
        yield self._bad(f"is longer than {MAX_ROW // 1024 // 1024} million characters; shorten it", first=first)

    def _bad(self, why: str, *, ends_early: bool = False, first: int | None = None) -> Bad:
        taken = self._taken
        self._taken, self._size = [], 0
        begins = self.number - len(taken) + 1 if first is None else first
        if self.number > begins:
            why = f"{why} (lines {begins} to {self.number} are left out)"
        return Bad(begins, why, "".join(taken), ends_early)


class _TooLongError(Exception):
    pass


def separator(line: str) -> str | None:
    """Return the delimiter that a first line such as ``sep=;`` names; None when it is no such line."""
    found = _SEPARATOR.fullmatch(line.removeprefix("\ufeff"))
    return found.group(1) if found else None


def delimiter_of(line: str, usual: str) -> str:
    """Return what divides the cells of a first line: as it says, or as Excel has it where the comma is in numbers."""
    named = separator(line)
    if named is not None:
        return named
    return max((usual, ";", "\t"), key=line.count)  # the first of equals


def split_returns(lines: Iterable[str]) -> Iterator[str]:
    """Part lines where a carriage return stands alone; within quotes it makes no difference to the csv module."""
    for line in lines:
        if line.find("\r", 0, -2) < 0:
            yield line
        else:
            yield from _LONE_RETURN.split(line)


def _sound(lines: list[str], delimiter: str) -> bool:
    """Whether the quotes of a row match, doubled or with a backslash, as MySQL writes them."""
    for escape in (None, "\\"):
        try:
            if sum(1 for _ in csv.reader(lines, delimiter=delimiter, escapechar=escape, strict=True)) == 1:
                return True
        except csv.Error:
            continue
    return False
