"""Records of JSON Lines, JSON, CSV and TSV files, the damaged ones among them.

The readers that ``datasets`` has for these formats give up a whole file for one bad
line, cannot say which line it was, and guess types (``10`` becomes a number, ``NA``
nothing). Here a bad line costs itself only, keeps its number, and cells stay text.
:mod:`whybounce.training.sources.streams` makes a stream of ``datasets`` out of it.
"""

from __future__ import annotations

import csv
import json
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from whybounce.model.errors import DataError
from whybounce.training.sources.lines import MAX_LINE, Line, read_lines

MAX_ARRAY = 256 * 1024 * 1024
"""Bytes of a JSON file that is one array; it has to be read as a whole."""

MAX_RECORD_LINES = 500
"""Lines of one CSV record; beyond, its opening quote counts as a mistake."""

# A column may hold whole messages; the limit of the csv module holds for the whole process and is only ever raised.
csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE))

_SEPARATORS = (",", ";", "\t", "|")

Record = dict[str, Any]
"""``line``, ``row`` (None when it is bad), ``problem``, ``recoded``, ``at``, ``columns``; ``unit``, if not ``line``."""


def read_records(path: Path, *, encoding: str | None = None) -> Iterator[Record]:
    """Yield the records of a text file in their order, bad ones with what is wrong with them.

    Raises
    ------
    DataError
        When the file as a whole is unusable; see :func:`read_lines`.
    """
    lines = read_lines(path, encoding=encoding)
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if ".csv" in suffixes or ".tsv" in suffixes:
        yield from _table(path, lines, "\t" if ".tsv" in suffixes else None)
        return
    first = next((line for line in lines if line.problem or line.text.strip()), None)
    if first is None:
        return
    if first.text.lstrip().startswith("["):
        yield from _array(path, first, lines)
        return
    yield _object(first)
    for line in lines:
        if line.problem or not line.text.isspace():
            yield _object(line)


def _good(line: Line, row: dict[str, Any]) -> Record:
    return {"line": line.number, "row": row, "problem": "", "recoded": line.recoded, "at": line.at}


def _bad(line: Line, problem: str) -> Record:
    return {"line": line.number, "row": None, "problem": problem, "recoded": False, "at": line.at}


def _object(line: Line) -> Record:
    if line.problem:
        return _bad(line, line.problem)
    try:
        row = json.loads(line.text)
    except (ValueError, RecursionError) as error:
        return _bad(line, f"not valid JSON ({_short(error)}); write one object a line")
    return _good(line, row) if isinstance(row, dict) else _bad(line, "no JSON object; write one object a line")


def _array(path: Path, first: Line, rest: Iterator[Line]) -> Iterator[Record]:
    if path.stat().st_size > MAX_ARRAY:
        raise DataError(f"{path}: one JSON array of this size cannot be streamed; write one object a line (.jsonl)")
    lines = [first, *rest]
    broken = next((line for line in lines if line.problem), None)
    if broken is not None:
        raise DataError(f"{path}, line {broken.number}: {broken.problem}")
    try:
        rows = json.loads("".join(line.text for line in lines))
    except (ValueError, RecursionError) as error:
        at = first.number + getattr(error, "lineno", 1) - 1
        raise DataError(f"{path}, line {at}: not valid JSON ({_short(error)}); fix it, or write .jsonl") from error
    for number, row in enumerate(rows, start=1):
        line = Line(number, "", "", False, lines[-1].at)
        record = _good(line, row) if isinstance(row, dict) else _bad(line, "no JSON object")
        yield record | {"unit": "row"}  # the array may stand in one line, or a row in many


def _short(error: Exception) -> str:
    return getattr(error, "msg", None) or str(error) or type(error).__name__


class _BrokenRecordError(Exception):
    """A record that cannot be finished."""


def _table(path: Path, lines: Iterator[Line], delimiter: str | None) -> Iterator[Record]:
    header: list[str] | None = None
    for line, fields, problem in _rows(lines, delimiter):
        if header is None:
            if problem:
                raise DataError(f"{path}, line {line.number}: {problem}; the first line names the columns")
            header = [name.strip() for name in fields]
            yield {"line": line.number, "row": None, "problem": "", "columns": header, "recoded": False, "at": 0}
        elif problem:
            yield _bad(line, problem)
        else:
            yield _good(line, dict(zip(header, fields, strict=True)))


def _rows(lines: Iterator[Line], delimiter: str | None) -> Iterator[tuple[Line, list[str], str]]:
    """Yield (line, fields, problem), the header first.

    A record that does not end, or has another number of fields than the header, costs
    its first line only: what follows is read again, so that a stray quote cannot
    swallow good rows.
    """
    again: deque[Line] = deque()
    taken: list[Line] = []
    columns: int | None = None

    def feed() -> Iterator[str]:
        size = 0
        while line := again.popleft() if again else next(lines, None):
            taken.append(line)
            size = len(line.text) + (size if len(taken) > 1 else 0)
            if line.problem or len(taken) > MAX_RECORD_LINES or size > MAX_LINE:
                raise _BrokenRecordError
            yield line.text

    if delimiter is None:
        first = next(lines, None)
        if first is None:
            return
        again.append(first)
        # Spreadsheets of some countries separate by semicolons.
        delimiter = "," if "," in first.text else max(_SEPARATORS, key=first.text.count)
    reader = csv.reader(feed(), delimiter=delimiter, strict=True)
    while True:
        taken.clear()
        problem = ""
        fields: list[str] = []
        try:
            fields = next(reader)
            if not fields:
                continue
            columns = columns or len(fields)
            if len(fields) != columns:
                problem = f"{len(fields)} columns, the header has {columns}; quote texts that hold {delimiter!r}"
        except StopIteration:
            return
        except _BrokenRecordError:
            problem = taken[0].problem or "a quote that opens here is not closed; double quotes within a text"
        except csv.Error as error:
            problem = f"not valid CSV ({error}); double quotes within a text"
        first = taken[0]
        if problem:
            again.extendleft(reversed(taken[1:]))
            reader = csv.reader(feed(), delimiter=delimiter, strict=True)
        elif any(line.recoded for line in taken):
            first = first._replace(recoded=True)
        yield first, fields, problem
