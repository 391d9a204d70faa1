"""CSV and TSV, read and written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv

from whybounce.model.errors import DataError
from whybounce.serving.intake.lines import decoded
from whybounce.serving.intake.rows import Bad, Rows, delimiter_of, separator
from whybounce.serving.intake.shape import Shape
from whybounce.serving.intake.unpacking import DamagedError
from whybounce.serving.score.chunks import Chunk, Position, is_code
from whybounce.serving.score.jsonlines import plain
from whybounce.serving.score.lines import Lines
from whybounce.serving.score.scorer import Scorer
from whybounce.serving.score.verdicts import Verdicts


def read(path: Path, at: Position, size: int, delimiter: str) -> Iterator[Chunk]:
    """Yield the rows of a file as texts, ``size`` at most at a time."""
    top = _top(path, delimiter)
    names = top.names
    lines = Lines(path, at if at.offset else Position(at.file, top.line, top.offset), returns=True)
    try:
        lines.go_on()
        start = lines.number
        reader = Rows(_texts(lines), top.delimiter, top.shape)
        rows: list[list[str | None]] = []
        rejected: list[dict[str, Any]] = []
        code = names.index("reply_code") if "reply_code" in names else None
        found = iter(reader)
        while True:
            try:
                cells = next(found, None)
            except DamagedError as error:
                lines.cut_off(error)
                rejected.append(lines.rejected(str(error), ""))
                break
            if cells is None:
                break
            if isinstance(cells, Bad):
                rejected.append(lines.rejected(cells.why, cells.content, start + cells.line))
                if cells.ends_early:
                    lines.cut = f"{path}, line {start + cells.line}: {cells.why}"
                continue
            why = ""
            if len(cells) > len(names):
                why = f"{len(cells)} cells under {len(names)} names"
            elif code is not None and code < len(cells) and not is_code(cells[code]):
                why = f"reply_code {cells[code]!r} is not a number"
            if why:
                rejected.append(lines.rejected(why, top.delimiter.join(cells), start + reader.number))
            else:
                rows.append([*cells, *[None] * (len(names) - len(cells))])
            # What was taken ahead would not be read again by a run that goes on from here.
            if (len(rows) >= size or len(rejected) >= size or lines.enough()) and not reader.behind:
                yield Chunk(_strings(names, rows), lines.take(), lines.share, None, rejected)
                rows, rejected = [], []
        if rows or rejected:
            yield Chunk(_strings(names, rows), lines.take(), lines.share, None, rejected, lines.cut)
    finally:
        lines.close()


def schema_of(path: Path, delimiter: str) -> Any:
    """Return the schema of a file: texts under the names of its first line."""
    return _strings(_top(path, delimiter).names, []).schema


@dataclass(frozen=True, slots=True)
class _Top:
    """The names of a table, what divides them, where they end, and how the first rows look.

    A run that goes on in the middle knows all of that as well.
    """

    names: list[str]
    delimiter: str
    line: int
    offset: int
    shape: Shape


def _top(path: Path, delimiter: str) -> _Top:
    lines = Lines(path, Position(), returns=True)
    try:
        texts = _texts(lines)
        first = next(texts, "")
        delimiter = delimiter_of(first, delimiter)
        if separator(first) is not None:
            first = next(texts, "")
        line, offset = lines.number, lines.offset
        shape = Shape()
        reader = Rows(chain([first], texts), delimiter, shape)
        found = iter(reader)
        names = next(found, [])
        if isinstance(names, Bad):
            raise DataError(f"{path}: the line that names the columns cannot be read: {names.why}")
        if not names:
            raise DataError(f"{path}: is empty; the first line names the columns")
        if len(set(names)) < len(names):
            raise DataError(f"{path}: two columns have one name; rename one")
        if not reader.behind:
            line, offset = lines.number, lines.offset
        with suppress(DamagedError):  # it is met again
            while shape.learning and next(found, None) is not None:
                pass
        return _Top(names, delimiter, line, offset, shape)
    finally:
        lines.close()


def _texts(lines: Lines) -> Iterator[str]:
    return (decoded(line) for line in lines)


def _strings(names: list[str], rows: list[list[str | None]]) -> Any:
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    arrays = [pa.array(column, pa.large_string()) for column in columns]
    return pa.RecordBatch.from_arrays(arrays, names=names)


class CsvPart:
    """CSV; the first part has the names of the columns. Lists and objects become JSON."""

    def __init__(self, path: Path, scorer: Scorer, *, names: bool) -> None:
        self._path = path
        self._scorer = scorer
        self._names = names
        self._writer: Any = None

    def write(self, chunk: Chunk, verdicts: Verdicts) -> None:
        """Write rows."""
        batch = _flat(self._scorer.join(chunk.batch, verdicts))
        try:
            if self._writer is None:
                options = pyarrow.csv.WriteOptions(include_header=self._names)
                self._writer = pyarrow.csv.CSVWriter(self._path, batch.schema, write_options=options)
            self._writer.write_batch(batch)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise DataError(f"a column cannot be written as CSV ({error}); write .parquet or .jsonl") from error

    def close(self) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()


def _flat(batch: Any) -> Any:
    columns = []
    for column in batch.columns:
        kind = column.type
        if pa.types.is_dictionary(kind):
            column = column.cast(kind.value_type)
        elif pa.types.is_nested(kind):
            column = _json_texts(column)
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _json_texts(column: Any) -> Any:
    known: dict[str, str] = {}
    found = []
    for value in column.to_pylist():
        key = repr(value)
        if key not in known:
            known[key] = json.dumps(value, ensure_ascii=False, default=plain)
        found.append(None if value is None else known[key])
    return pa.array(found, pa.string())
