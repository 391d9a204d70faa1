"""Writing what was scored, in parts that are joined at the end."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from whybounce.model.errors import DataError
from whybounce.serving.score import parquet
from whybounce.serving.score.chunks import Chunk
from whybounce.serving.score.inputs import kind_of
from whybounce.serving.score.jsonlines import JsonLinesPart
from whybounce.serving.score.parquet import ParquetPart
from whybounce.serving.score.scorer import Scorer
from whybounce.serving.score.tables import CsvPart
from whybounce.serving.score.verdicts import Verdicts

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


def part_maker(kind: str, scorer: Scorer, source: Path) -> Callable[[Path, bool], Part]:
    """Return what opens a part, told whether it is the first; ``source`` is a file of the input."""
    if kind == "parquet":
        codec = parquet.codec_of(source) if kind_of(source) == "parquet" else parquet.CODEC
        return lambda path, first: ParquetPart(path, scorer, codec)
    if kind == "csv":
        return lambda path, first: CsvPart(path, scorer, names=first)
    return lambda path, first: JsonLinesPart(path, scorer)


def join_parts(kind: str, parts: list[Path], out: Path, scorer: Scorer, schema: Any) -> None:
    """Join the parts into one file. They stay as they are, so that this can be done again.

    Parameters
    ----------
    kind : str
    parts : list of Path
        May be empty, when there were no rows.
    out : Path
        Written anew.
    scorer : Scorer
    schema : pyarrow.Schema
        Of the input: without rows, it tells the columns of the output.
    """
    out.unlink(missing_ok=True)
    if len(parts) == 1:
        try:
            out.hardlink_to(parts[0])
        except OSError:  # not every file system has links
            shutil.copyfile(parts[0], out)
    elif not parts:
        _write_empty(kind, out, pa.schema([*schema, *scorer.added]))
    elif kind == "parquet":
        parquet.join(parts, out)
    else:
        with out.open("wb") as stream:
            for part in parts:
                with part.open("rb") as piece:
                    shutil.copyfileobj(piece, stream, 1 << 20)
    to_disk(out)


def _write_empty(kind: str, out: Path, schema: Any) -> None:
    if kind == "parquet":
        pq.write_table(schema.empty_table(), out)
    else:
        names = ",".join('"' + name.replace('"', '""') + '"' for name in schema.names)
        out.write_text(f"{names}\n" if kind == "csv" else "", "utf-8")


def to_disk(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
