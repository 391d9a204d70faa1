"""Parquet, read and written."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from whybounce.model.errors import DataError
from whybounce.serving.score.chunks import MOST_BYTES, Chunk, Position
from whybounce.serving.score.columns import diagnostic_column
from whybounce.serving.score.scorer import Scorer, Verdicts

_STEP = 16_384
"""Rows that are unpacked at a time, before anybody knows how long they are."""
_BUFFER = 1024 * 1024
"""Bytes of a column that are read at a time: a row group can be as large as the file."""


def opened(path: Path) -> Any:
    """Open a file; DataError when it is none."""
    try:
        return pq.ParquetFile(path, buffer_size=_BUFFER)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path}: is no Parquet file that can be read ({error}); write it again") from error


def read(file: Any, at: Position, size: int) -> Iterator[Chunk]:
    """Yield the rows of an open file, ``size`` at most at a time."""
    total = file.metadata.num_rows
    groups = list(range(file.num_row_groups))
    row = 0
    while groups and row + file.metadata.row_group(groups[0]).num_rows <= at.row:
        row += file.metadata.row_group(groups.pop(0)).num_rows
    skip = at.row - row
    row = at.row
    held: list[Any] = []
    rows = weight = 0
    for batch in file.iter_batches(min(_STEP, size), row_groups=groups) if groups else ():
        part = batch.slice(skip) if skip else batch
        skip = max(0, skip - batch.num_rows)
        if held and (rows + part.num_rows > size or weight >= MOST_BYTES):
            row += rows
            yield Chunk(_whole(held), Position(at.file, row), row / total)
            held, rows, weight = [], 0, 0
        if part.num_rows:
            held.append(part)
            rows += part.num_rows
            weight += part.nbytes
    if held:
        yield Chunk(_whole(held), Position(at.file, row + rows), (row + rows) / total)


def _whole(batches: list[Any]) -> Any:
    whole = batches[0] if len(batches) == 1 else pa.concat_batches(batches)
    return whole.replace_schema_metadata(None)


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
            text = self._scorer.column_of(chunk.batch.schema)
            told = pa.schema([*chunk.batch.schema, *self._scorer.added])
            self._writer = _writer(self._path, batch.schema, text, told)
        self._writer.write_batch(batch)

    def close(self) -> None:
        """Write the footer."""
        if self._writer is not None:
            self._writer.close()


def _writer(path: Path, schema: Any, text: str, told: Any) -> Any:
    """Open a file for batches of a schema.

    ``text`` is the column whose values seldom repeat, ``told`` the schema that readers see: the same
    columns, but what is a dictionary only to be written faster is none.
    """
    repeating = [field.name for field in schema if field.name != text and not pa.types.is_nested(field.type)]
    writer = pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=repeating, store_schema=False)
    writer.add_key_value_metadata({"ARROW:schema": base64.b64encode(told.serialize()).decode()})
    return writer


def join(parts: list[Path], out: Path, column: str | None) -> None:
    """Write the row groups of all parts into one file; ``column`` is that of diagnostics, if it was given."""
    schema = pq.read_schema(parts[0]).remove_metadata()
    with _writer(out, schema, diagnostic_column(schema, column, ()), schema) as writer:
        for part in parts:
            with pq.ParquetFile(part) as file:
                for group in range(file.num_row_groups):
                    writer.write_table(file.read_row_group(group).replace_schema_metadata(None))
