"""CSV and TSV, read and written."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv

from whybounce.model.errors import DataError
from whybounce.serving.intake.lines import decoded
from whybounce.serving.intake.unpacking import DamagedError
from whybounce.serving.score.chunks import Chunk, Position, is_code
from whybounce.serving.score.jsonlines import plain
from whybounce.serving.score.lines import Lines
from whybounce.serving.score.scorer import Scorer
from whybounce.serving.score.verdicts import Verdicts


def read(path: Path, at: Position, size: int, delimiter: str) -> Iterator[Chunk]:
    """Yield the rows of a file as texts, ``size`` at most at a time."""
    lines = Lines(path, at)
    texts = (decoded(line) for line in lines)
    try:
        names = _names(lines, delimiter)
        lines.go_on()
        reader = csv.reader(texts, delimiter=delimiter)
        rows: list[list[str | None]] = []
        rejected: list[dict[str, Any]] = []
        code = names.index("reply_code") if "reply_code" in names else None
        while True:
            try:
                cells = next(reader, None)
            except DamagedError as error:
                lines.cut_off(error)
                break
            except csv.Error as error:
                rejected.append(lines.rejected(f"{error}; check the quoting", ""))
                reader = csv.reader(texts, delimiter=delimiter)
                continue
            if cells is None:
                break
            if not cells:
                continue
            why = ""
            if len(cells) > len(names):
                why = f"{len(cells)} cells under {len(names)} names"
            elif code is not None and code < len(cells) and not is_code(cells[code]):
                why = f"reply_code {cells[code]!r} is not a number"
            if why:
                rejected.append(lines.rejected(why, delimiter.join(cells)))
            else:
                rows.append([*cells, *[None] * (len(names) - len(cells))])
            if len(rows) >= size or len(rejected) >= size or lines.enough():
                yield Chunk(_strings(names, rows), lines.take(), lines.share, None, rejected)
                rows, rejected = [], []
        if lines.cut is not None:
            rejected.append(lines.rejected(lines.cut, ""))
        if rows or rejected:
            yield Chunk(_strings(names, rows), lines.take(), lines.share, None, rejected, lines.cut)
    finally:
        lines.close()


def schema_of(path: Path, delimiter: str) -> Any:
    """Return the schema of a file: texts under the names of its first line."""
    lines = Lines(path, Position())
    try:
        return _strings(_names(lines, delimiter), []).schema
    finally:
        lines.close()


def _names(lines: Lines, delimiter: str) -> list[str]:
    names: list[str] = next(csv.reader(map(decoded, lines), delimiter=delimiter), [])
    if not names:
        raise DataError(f"{lines.path}: is empty; the first line names the columns")
    if len(set(names)) < len(names):
        raise DataError(f"{lines.path}: two columns have one name; rename one")
    return names


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
