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
from whybounce.serving.score.scorer import Scorer
from whybounce.serving.score.verdicts import Verdicts

_FIRST = 8
"""So many times the first chunk is smaller than the others."""
_STEP = 16_384
"""Rows that are unpacked at a time, at most."""
CODEC = "zstd"
_CODECS = frozenset(["SNAPPY", "GZIP", "BROTLI", "LZ4", "ZSTD"])
_BUFFER = 1024 * 1024
"""Bytes of a column that are read at a time: a row group can be as large as the file."""


def opened(path: Path) -> Any:
    """Open a file; DataError when it is none."""
    try:
        return pq.ParquetFile(path, buffer_size=_BUFFER)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path}: is no Parquet file that can be read ({error}); write it again") from error


def read(file: Any, at: Position, size: int) -> Iterator[Chunk]:
    """Yield the rows of an open file, ``size`` at most at a time; few at first, so that others need not wait long."""
    total = file.metadata.num_rows
    groups = list(range(file.num_row_groups))
    row = 0
    while groups and row + file.metadata.row_group(groups[0]).num_rows <= at.row:
        row += file.metadata.row_group(groups.pop(0)).num_rows
    skip = at.row - row
    row = at.row
    held: list[Any] = []
    rows = weight = 0
    most = size // _FIRST
    for batch in file.iter_batches(min(_step(file.metadata), size), row_groups=groups) if groups else ():
        done, skip = skip, max(0, skip - batch.num_rows)
        for part in _pieces(batch.slice(done)):
            if held and (rows + part.num_rows > most or weight + part.nbytes > MOST_BYTES):
                row += rows
                yield Chunk(_whole(held), Position(at.file, row), row / total)
                held, rows, weight, most = [], 0, 0, size
            held.append(part)
            rows += part.num_rows
            weight += part.nbytes
    if held:
        yield Chunk(_whole(held), Position(at.file, row + rows), (row + rows) / total)


def _step(metadata: Any) -> int:
    """Return how many rows should be unpacked at a time."""
    groups = [metadata.row_group(place) for place in range(metadata.num_row_groups)]
    longest = max((group.total_byte_size / (group.num_rows or 1) for group in groups), default=1)
    return max(1, min(_STEP, int(MOST_BYTES / 4 / (longest or 1))))


def _pieces(batch: Any) -> Iterator[Any]:
    # A text that comes again and again takes little room in the file, and its row group tells too little.
    size = max(1, batch.num_rows * MOST_BYTES // max(batch.nbytes, MOST_BYTES))
    for start in range(0, batch.num_rows, size):
        yield batch.slice(start, size)


def _whole(batches: list[Any]) -> Any:
    whole = batches[0] if len(batches) == 1 else pa.concat_batches(batches)
    return whole.replace_schema_metadata(None)


def codec_of(path: Path) -> str:
    """How a file is compressed, for whoever reads it can read that; ``CODEC`` for one that is not."""
    with opened(path) as file:
        metadata = file.metadata
        found = metadata.row_group(0).column(0).compression if metadata.num_row_groups and metadata.num_columns else ""
    return found.lower() if found in _CODECS else CODEC


class ParquetPart:
    """A Parquet file."""

    def __init__(self, path: Path, scorer: Scorer, codec: str = CODEC) -> None:
        self._path = path
        self._codec = codec
        self._scorer = scorer
        self._writer: Any = None

    def write(self, chunk: Chunk, verdicts: Verdicts) -> None:
        """Write rows as a row group."""
        batch = self._scorer.join(chunk.batch, verdicts)
        if self._writer is None:
            told = pa.schema([*chunk.batch.schema, *self._scorer.added])
            self._writer = _writer(self._path, batch.schema, told, _unlike(batch), self._codec)
        self._writer.write_batch(batch)

    def close(self) -> None:
        """Write the footer."""
        if self._writer is not None:
            self._writer.close()


def _unlike(batch: Any) -> set[str]:
    """Names of columns whose values seldom repeat: looking for repeats would take time for nothing."""
    few = batch.slice(0, 4096)
    return {
        field.name
        for field, column in zip(few.schema, few.columns, strict=True)
        if not (pa.types.is_nested(field.type) or pa.types.is_dictionary(field.type))
        and len(column.unique()) > len(column) // 2
    }


def _writer(path: Path, schema: Any, told: Any, unlike: set[str], codec: str) -> Any:
    """Open a file for batches of a schema.

    ``told`` is the schema that readers see: the same columns, but what is a dictionary only to be written
    faster is none. ``unlike`` are the columns that are written without a dictionary.
    """
    writer = pq.ParquetWriter(
        path, schema, compression=codec, store_schema=False,
        use_dictionary=[name for name in _leaves(told) if name.partition(".")[0] not in unlike],
    )  # fmt: skip
    writer.add_key_value_metadata({"ARROW:schema": base64.b64encode(told.serialize()).decode()})
    return writer


def _leaves(schema: Any) -> list[str]:
    """The paths of the columns as Parquet has them: ``evidence.list.element.text``."""
    buffer = pa.BufferOutputStream()
    pq.write_table(schema.empty_table(), buffer)
    found = pq.read_metadata(pa.BufferReader(buffer.getvalue())).schema
    return [found.column(place).path for place in range(len(found.names))]


def join(parts: list[Path], out: Path) -> None:
    """Write the row groups of all parts into one file."""
    with pq.ParquetFile(parts[0]) as file:
        schema = file.schema_arrow.remove_metadata()
        unlike = {
            file.metadata.schema.column(place).path
            for place in range(len(file.metadata.schema.names))
            if not file.metadata.row_group(0).column(place).has_dictionary_page
        }
    with _writer(out, schema, schema, unlike, codec_of(parts[0])) as writer:
        for part in parts:
            with pq.ParquetFile(part) as file:
                for group in range(file.num_row_groups):
                    writer.write_table(file.read_row_group(group).replace_schema_metadata(None))
