"""Reading diagnostics to predict from text lines, CSV, TSV or JSON Lines, one at a time."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from whybounce.model.errors import DataError
from whybounce.serving.intake.lines import decoded
from whybounce.serving.intake.rows import Bad, Rows, delimiter_of, fitted, separator, split_returns
from whybounce.serving.intake.unpacking import unpacked

if TYPE_CHECKING:
    from whybounce.serving.intake.record import BounceRecord

TEXT_COLUMNS = ("diagnostic", "text", "diagnostic_code", "message", "reason", "response", "smtp_reply")
FIELD_COLUMNS = ("reply_code", "enhanced_status", "command", "remote_host")
PACKED = (".gz", ".zst", ".bz2")
TABLES = (".csv", ".tsv", ".jsonl", ".ndjson")
_PLAIN = (".txt", ".log", *TABLES)
SUFFIXES = (*_PLAIN, *(f"{plain}{packed}" for plain in _PLAIN for packed in PACKED))
"""File names that end so are read as files."""

MAX_LINE = 16 * 1024 * 1024
"""Bytes of one line of input; a longer one is an error rather than a memory problem."""


@dataclass(frozen=True, slots=True)
class Record:
    """A diagnostic to predict, with the fields known besides it, its ``id`` if it has one, and where it is from."""

    text: str
    fields: dict[str, Any] = field(default_factory=dict)
    id: str | None = None
    bounce: BounceRecord | None = None


def read(
    source: str,
    *,
    column: str | None,
    stream: BinaryIO | None = None,
    kind: str | None = None,
    leave: Callable[[str, Bad], None] | None = None,
) -> Iterator[Record]:
    """Yield the records of a file, packed or not, or of standard input when ``source`` is ``-``.

    Parameters
    ----------
    source : str
        A path, or ``-``.
    column : str or None
        Column or key that holds the diagnostic; by default one of ``TEXT_COLUMNS``.
    stream : binary stream, optional
        What to read instead of the file.
    kind : str, optional
        How the name of such a file would end; by default as ``source`` does.
    leave : callable, optional
        Told of rows of a table or JSON Lines that cannot be read, with the file's name; by default they are
        errors. Lines of which none can be read are an error all the same.

    Raises
    ------
    DataError
        Naming the file, the line and the fix.
    """
    if source == "-":
        yield from _of(stream or sys.stdin.buffer, "standard input", kind or "", column, leave)
        return
    try:
        with closing(stream or unpacked(Path(source).open("rb"), source)) as opened:
            yield from _of(opened, source, suffix(source) if kind is None else kind, column, leave)
    except OSError as error:
        raise DataError(f"{source}: cannot be read ({error.strerror}); check the path") from error


def suffix(name: str) -> str:
    """Return how a file's name ends, apart from how it is packed."""
    found = name.lower()
    for packed in PACKED:
        found = found.removesuffix(packed)
    return Path(found).suffix


def _of(
    stream: BinaryIO, name: str, suffix: str, column: str | None, leave: Callable[[str, Bad], None] | None
) -> Iterator[Record]:
    if suffix in (".csv", ".tsv"):
        yield from _readable(_table(stream, name, "\t" if suffix == ".tsv" else ",", column), name, leave)
    elif suffix in (".jsonl", ".ndjson"):
        yield from _readable(_json_lines(stream, name, column), name, leave)
    elif column is None:
        yield from _lines(stream, name)
    else:
        raise DataError(
            f"{name}: no table with a column {column!r} was found; --column goes with CSV, TSV and JSON Lines"
        )


def _bounded(stream: BinaryIO, name: str, looked_at: int = 20) -> Iterator[tuple[int, str]]:
    number = 0
    while data := stream.readline(MAX_LINE + 1):
        number += 1
        if len(data) > MAX_LINE:
            raise DataError(f"{name}, line {number}: longer than {MAX_LINE} bytes; is this a text file?")
        if number <= looked_at and b"\0" in data:
            raise DataError(f"{name}: looks binary; give text lines, .csv, .tsv or .jsonl")
        yield number, decoded(data.removeprefix(b"\xef\xbb\xbf"))  # files that were joined have one in the middle


def _lines(stream: BinaryIO, name: str) -> Iterator[Record]:
    for line in split_returns(line for _, line in _bounded(stream, name)):
        if line.strip():
            yield Record(line.rstrip("\r\n"))


def _readable(found: Iterator[Record | Bad], name: str, leave: Callable[[str, Bad], None] | None) -> Iterator[Record]:
    """Yield the records; a bad row costs itself, but where no row is good the first bad one is an error."""
    bad: Bad | None = None
    good = False
    for one in found:
        if isinstance(one, Record):
            good = True
            yield one
        elif leave is None:
            raise DataError(_told(name, one))
        else:
            bad = bad or one
            leave(name, one)
    if bad is not None and not good:
        raise DataError(_told(name, bad))


def _json_lines(stream: BinaryIO, name: str, column: str | None) -> Iterator[Record | Bad]:
    known = False  # where the diagnostic is
    for number, line in _bounded(stream, name):
        if not line.strip():
            continue
        try:
            record = _of_json(line, column)
        except DataError as error:
            bad = Bad(number, str(error), line, ends_early=not line.endswith("\n"))
            if isinstance(error, _ColumnError) and not known:
                raise DataError(_told(name, bad)) from error
            yield bad
        else:
            known = True
            yield record


def _of_json(line: str, column: str | None) -> Record:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"not valid JSON ({error}); one object a line") from error
    if isinstance(row, str):
        return Record(row)
    if isinstance(row, dict):
        return _record(row, _column(list(row), column))
    raise DataError("expected an object or a string")


def _table(stream: BinaryIO, name: str, delimiter: str, column: str | None) -> Iterator[Record | Bad]:
    # A cell may hold a null character; a file that is no text has one in its first line.
    lines = split_returns(line for _, line in _bounded(stream, name, looked_at=1))
    first = next(lines, "")
    delimiter = delimiter_of(first, delimiter)
    rows = Rows(chain(["\n" if separator(first) else first] if first else [], lines), delimiter)
    names: list[str] = []
    wanted = ""
    for cells in rows:
        if isinstance(cells, Bad):
            yield cells
        elif names:
            yield _of_cells(cells, names, wanted, delimiter, rows.number)
        else:
            try:
                names, wanted = cells, _column(cells, column)
            except _ColumnError as error:
                raise DataError(f"{name}: {error}") from error
    if not names:
        raise DataError(f"{name}: the file is empty; the first line names the columns")


def _of_cells(cells: list[str], names: list[str], wanted: str, delimiter: str, line: int) -> Record | Bad:
    row = fitted(cells, names, wanted, delimiter, line)
    if isinstance(row, Bad):
        return row
    try:
        return _record(dict(zip(names, row, strict=False)), wanted)
    except DataError as error:
        return Bad(line, str(error), delimiter.join(cells))


def _told(name: str, bad: Bad) -> str:
    return f"{name}, line {bad.line}: {bad.why}"


class _ColumnError(DataError):
    """Nobody knows where the diagnostic is."""


def _column(present: list[str], wanted: str | None) -> str:
    if wanted is not None:
        if wanted in present:
            return wanted
        raise _ColumnError(f"no column {wanted!r}; it has: {', '.join(present)}")
    for name in TEXT_COLUMNS:
        if name in present:
            return name
    raise _ColumnError(f"which column holds the diagnostic? name one of {', '.join(present)} with --column")


def _record(row: Mapping[str, Any], column: str) -> Record:
    text = row.get(column)
    if text is None:
        text = ""
    if not isinstance(text, str):
        raise DataError(f"{column!r} is not a text")
    fields = {name: row[name] for name in FIELD_COLUMNS if row.get(name) not in (None, "") and name != column}
    if "reply_code" in fields:
        code = str(fields["reply_code"])
        if not (code.isascii() and code.isdigit()):
            raise DataError(f"reply_code {code!r} is not a number")
        fields["reply_code"] = int(code)
    fields = {name: value if name == "reply_code" else str(value) for name, value in fields.items()}
    identity = row.get("id")
    return Record(text, fields, None if identity in (None, "") else str(identity))
