"""Writing what was scored, in parts that are joined at the end."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from whybounce.model.errors import DataError
from whybounce.serving.score.inputs import Chunk
from whybounce.serving.score.scorer import Scorer, Verdicts

KINDS = {".parquet": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv"}


class Part(Protocol):
    """One part of the output, written from its beginning to its end."""

    def write(self, chunk: Chunk, verdicts: Verdicts) -> None:
        """Write rows."""

    def close(self) -> None:
        """Finish the part."""


def output_kind(path: Path) -> str:
    """Return the kind of an output by its name; DataError names the kinds there are."""
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise DataError(f"{path}: what should be written? name it {', '.join('NAME' + suffix for suffix in KINDS)}")
    return kind


class ParquetPart:
    """A Parquet file, compressed with zstd."""

    def __init__(self, path: Path, scorer: Scorer) -> None:
        self._path = path
        self._scorer = scorer
        self._writer: Any = None

    def write(self, chunk: Chunk, verdicts: Verdicts) -> None:
        """Write rows as a row group."""
        batch = self._scorer.join(chunk.batch, verdicts)
        if self._writer is None:
            self._writer = parquet_writer(self._path, batch.schema, self._scorer.column_of(chunk.batch.schema))
        self._writer.write_batch(batch)

    def close(self) -> None:
        """Write the footer."""
        if self._writer is not None:
            self._writer.close()


def parquet_writer(path: Path, schema: Any, text: str | None) -> Any:
    """Open a Parquet file for batches of a schema; ``text`` is the column whose values seldom repeat."""
    repeating = [field.name for field in schema if field.name != text and not pa.types.is_nested(field.type)]
    return pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=repeating, store_schema=False)


class JsonLinesPart:
    """JSON Lines: the object of the row, and the fields of the prediction behind its own."""

    def __init__(self, path: Path, scorer: Scorer) -> None:
        self._scorer = scorer
        self._stream: BinaryIO = path.open("wb")

    def write(self, chunk: Chunk, verdicts: Verdicts) -> None:
        """Write rows."""
        lines = chunk.lines if chunk.lines is not None else _objects(chunk.batch)
        added = self._scorer.json(verdicts)
        # An object of the input has a diagnostic at least: it is never empty.
        self._stream.write(b"".join(b"%s, %s}\n" % (line[:-1], more) for line, more in zip(lines, added, strict=True)))

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


def _objects(batch: Any) -> list[bytes]:
    rows = batch.to_pylist()
    return [json.dumps(row, ensure_ascii=False, default=_plain).encode("utf-8", "replace") for row in rows]


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


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
        if self._writer is None:
            options = pyarrow.csv.WriteOptions(include_header=self._names)
            self._writer = pyarrow.csv.CSVWriter(self._path, batch.schema, write_options=options)
        try:
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
            known[key] = json.dumps(value, ensure_ascii=False, default=_plain)
        found.append(None if value is None else known[key])
    return pa.array(found, pa.string())


def part_maker(kind: str, scorer: Scorer) -> Callable[[Path, bool], Part]:
    """Return what opens a part, told whether it is the first."""
    if kind == "parquet":
        return lambda path, first: ParquetPart(path, scorer)
    if kind == "csv":
        return lambda path, first: CsvPart(path, scorer, names=first)
    return lambda path, first: JsonLinesPart(path, scorer)


def join_parts(kind: str, parts: list[Path], out: Path, empty: Callable[[], Any]) -> None:
    """Join the parts into one file.

    Parameters
    ----------
    kind : str
    parts : list of Path
        May be empty, when there were no rows.
    out : Path
        Written anew.
    empty : callable
        Returns a batch without rows, with all columns.
    """
    if kind == "parquet":
        _join_parquet(parts, out, empty)
        return
    if not parts:
        text = ""
        if kind == "csv":
            text = ",".join(f'"{name}"' for name in empty().schema.names) + "\n"
        out.write_text(text, "utf-8")
        return
    if len(parts) == 1:
        parts[0].replace(out)
        return
    with out.open("wb") as stream:
        for part in parts:
            with part.open("rb") as piece:
                shutil.copyfileobj(piece, stream, 1 << 20)


def _join_parquet(parts: list[Path], out: Path, empty: Callable[[], Any]) -> None:
    if len(parts) == 1:
        parts[0].replace(out)
        return
    if not parts:
        with parquet_writer(out, empty().schema, None) as writer:
            writer.write_batch(empty())
        return
    first = pq.read_schema(parts[0])
    with pq.ParquetWriter(out, first, compression="zstd", store_schema=False) as writer:
        for part in parts:
            with pq.ParquetFile(part) as file:
                for group in range(file.num_row_groups):
                    writer.write_table(file.read_row_group(group))
