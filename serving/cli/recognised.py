"""Bounce messages, events and logs to predict: what ``whybounce formats`` lists, told by its content."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, cast

from whybounce.model.errors import DataError
from whybounce.serving.cli.output import printable, stderr
from whybounce.serving.cli.records import TABLES, TEXT_COLUMNS, Record, read, suffix
from whybounce.serving.intake.rows import separator

if TYPE_CHECKING:
    from whybounce.serving.intake.format import Format, Head, Source
    from whybounce.serving.intake.rows import Bad

STDIN = "-"
_KINDS = {"csv": ".csv", "csv-semicolon": ".csv", "tsv": ".tsv", "jsonl": ".jsonl"}
"""Tables → how their files' names end."""
_SHOWN = 5
"""What is left out is told so many times."""
_DIVIDERS = str.maketrans(dict.fromkeys(',;"{}:', " "))


class Input:
    """Files, folders or standard input, and how they are to be read.

    Parameters
    ----------
    names : list of str
        Paths, or ``-`` alone.
    column : str or None
        Column of tables that holds the diagnostic.
    format : str or None
        A name of ``whybounce formats``; by default what the content of each looks like. A file of plain
        text or a table is left to ``records``, which keeps its ids.

    Raises
    ------
    FormatError
        No format has that name.
    DataError
        A path cannot be read.
    """

    def __init__(self, names: list[str], column: str | None, format: str | None) -> None:
        from whybounce.serving.intake.formats import format_named

        self._names = names
        self._column = column
        self._wanted: Format | None = format_named(format) if format is not None else None
        self._left = 0
        self._shown: list[tuple[str, str]] = []
        self.cut: list[str] = []
        """Which sources ended too early, in words: their records up to there were given out."""

    def records(self) -> Iterator[Record]:
        """Yield what bounced, was deferred or is no bounce; deliveries have no diagnostic to judge."""
        if self._names == [STDIN]:
            yield from self._of_stdin()
        else:
            yield from self._of_files()
        for number, (where, why) in enumerate(self._shown):
            before = f"left out: {self._left:,}; the first: " if number == 0 else "  "
            stderr.print(f"{before}{printable(where)} {printable(why)}", markup=False, soft_wrap=True)

    def _of_stdin(self) -> Iterator[Record]:
        from whybounce.serving.intake.format import Group, Head
        from whybounce.serving.intake.formats import recognise
        from whybounce.serving.intake.open import STDIN_NAME, from_stream
        from whybounce.serving.intake.unpacking import is_recoded

        # Looked at without being taken, so that lines of text are answered as they come.
        given = sys.stdin.buffer
        stream = cast("BinaryIO", given if hasattr(given, "peek") else io.BufferedReader(given))
        start: bytes = stream.peek(4)  # type: ignore[attr-defined]
        if is_recoded(start):
            yield from self._of_source(from_stream(STDIN_NAME, stream), alone=True)
        else:
            beginning = Head("", start)
            found = self._wanted or recognise(beginning)
            if self._wanted or (found is not None and found.group is not Group.TABLES and self._column is None):
                yield from self._taken(from_stream(STDIN_NAME, stream), cast("Format", found))
            elif found is not None and self._column is None and found.name in _KINDS and not _known(beginning):
                yield from self._taken(from_stream(STDIN_NAME, stream), found)
            else:
                kind = _kind(beginning, self._column) or (_KINDS.get(found.name, "") if found is not None else "")
                yield from read(STDIN, column=self._column, stream=stream, kind=kind, leave=self._leave_row)

    def _of_files(self) -> Iterator[Record]:
        from whybounce.serving.intake.open import sources

        for source in sources(self._names):
            yield from self._of_source(source, alone=source.name in self._names)

    def _of_source(self, source: Source, *, alone: bool) -> Iterator[Record]:
        """Read one file; one that was named must be read, one of a folder may be anything."""
        from whybounce.serving.intake.format import Group
        from whybounce.serving.intake.formats import recognise
        from whybounce.serving.intake.open import head, refuse_archive
        from whybounce.serving.intake.unpacking import DamagedError

        if self._wanted is not None:
            yield from self._taken(source, self._wanted)
            return
        beginning = head(source)
        try:
            refuse_archive(beginning)
        except DataError as error:
            if alone:
                raise
            self._leave(source.name, str(error).removeprefix(f"{source.name}: "))
            return
        found = recognise(beginning)
        read_here = found is None or (found.group is Group.TABLES and alone and _is_simple(found, beginning))
        if found is not None and not read_here and self._column is None:
            yield from self._taken(source, found)
        elif alone:
            if found is None and b"\0" in beginning.data:
                raise DataError(f"{source.name}: looks binary; whybounce formats lists what is read")
            # A name says what it holds, unless it is none or that of any text.
            kind = None if suffix(source.name) in TABLES else _kind(beginning, self._column)
            try:
                yield from read(
                    source.name, column=self._column, stream=source.open(), kind=kind, leave=self._leave_row
                )
            except DamagedError as error:
                self.cut.append(str(error))
        else:
            self._leave(source.name, "is in no known format" if beginning.data.strip() else "is empty")

    def _leave(self, where: str, why: str) -> None:
        if self._left < _SHOWN:
            self._shown.append((where, why))
        self._left += 1

    def _leave_row(self, name: str, row: Bad) -> None:
        if row.ends_early:
            self.cut.append(f"{name}:{row.line}: {row.why}")
        else:
            self._leave(f"{name}:{row.line}", row.why)

    def _taken(self, source: Source, format: Format) -> Iterator[Record]:
        from whybounce.serving.intake.format import Skipped
        from whybounce.serving.intake.formats import FormatError
        from whybounce.serving.intake.open import misread
        from whybounce.serving.intake.open import read as read_source
        from whybounce.serving.intake.record import Outcome

        told = False
        for one in read_source(source, format)[1]:
            if isinstance(one, Skipped):
                if one.ends_early:
                    self.cut.append(f"{one.source}: {one.why}")
                    continue
                self._leave(one.source, one.why)
                continue
            told = True
            if one.outcome is not Outcome.DELIVERED:
                yield Record(one.diagnostic, one.fields(), bounce=one)
        if not told and format is self._wanted and (why := misread(source, format)):
            raise FormatError(why)


def _kind(beginning: Head, column: str | None) -> str:
    """What a stream without a name holds, as the ending of a file's name; only tables have columns."""
    lines = [line for line in beginning.lines if line.strip() and separator(line) is None]
    first = "".join(lines[:1])
    if column is None or column not in first:
        return ""
    return ".jsonl" if first.startswith("{") else ".tsv" if "\t" in first else ".csv"


def _is_simple(found: Format, beginning: Head) -> bool:
    """Whether ``records`` reads such a table: lines of text, or a file whose columns have the names that it knows."""
    return found.name == "text" or (suffix(beginning.name) in TABLES and _known(beginning))


def _known(beginning: Head) -> bool:
    lines = [line for line in beginning.lines[:20] if line.strip() and separator(line) is None]
    return not set("".join(lines[:1]).translate(_DIVIDERS).split()).isdisjoint(TEXT_COLUMNS)
