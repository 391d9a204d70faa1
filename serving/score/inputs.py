"""The files that are to be scored, whatever their kind."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pyarrow as pa

from whybounce.model.errors import DataError
from whybounce.serving.score import jsonlines, parquet, tables
from whybounce.serving.score.chunks import Chunk, Keys, Position
from whybounce.serving.score.columns import COLUMNS

SUFFIXES = {".parquet": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "tsv"}
PACKED = (".gz", ".zst", ".bz2")
_DELIMITERS = {"csv": ",", "tsv": "\t"}


def kind_of(path: Path) -> str:
    """Return the kind of a file by its name, without the suffix of what packs it.

    Raises
    ------
    DataError
        Naming the kinds there are.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in PACKED:
        suffixes.pop()
    kind = SUFFIXES.get(suffixes[-1]) if suffixes else None
    if kind is None:
        raise DataError(f"{path}: is of no known kind; name it {', '.join('NAME' + suffix for suffix in SUFFIXES)}")
    return kind


def files_of(path: Path) -> list[Path]:
    """Return the files of an input, which may be a folder of files of one kind.

    Raises
    ------
    DataError
        When there is nothing, or files of several kinds.
    """
    if not path.exists():
        raise DataError(f"{path}: is not there; check the path")
    if not path.is_dir():
        return [path]
    found = sorted(
        one
        for one in path.rglob("*")
        if one.is_file() and not any(part.startswith((".", "_")) for part in one.relative_to(path).parts)
    )
    if not found:
        raise DataError(f"{path}: holds no files")
    kinds = {kind_of(one) for one in found}
    if len(kinds) > 1:
        raise DataError(f"{path}: holds files of several kinds ({', '.join(sorted(kinds))}); score one kind at a time")
    return found


def rows_of(files: list[Path]) -> int | None:
    """Return how many rows there are, when the files tell."""
    if kind_of(files[0]) != "parquet":
        return None
    total = 0
    for path in files:
        with parquet.opened(path) as file:
            total += file.metadata.num_rows
    return total


def schema_of(path: Path, column: str | None) -> Any:
    """Return the schema of a file as far as it tells; no rows tell the columns of JSON Lines."""
    kind = kind_of(path)
    if kind == "parquet":
        with parquet.opened(path) as file:
            return file.schema_arrow.remove_metadata()
    if kind == "jsonl":
        return pa.schema([(column or COLUMNS[0], pa.string())])
    return tables.schema_of(path, _DELIMITERS[kind])


def chunks(files: list[Path], start: Position, size: int, keys: Keys) -> Generator[Chunk]:
    """Yield the rows of files from a position on.

    Parameters
    ----------
    files : list of Path
        Of one kind.
    start : Position
    size : int
        Rows of a chunk, at most.
    keys : Keys
        For JSON Lines.

    Raises
    ------
    DataError
        For a file that cannot be read at all.
    """
    kind = kind_of(files[0])
    for place, path in enumerate(files):
        if place < start.file:
            continue
        at = start if place == start.file else Position(place)
        try:
            if kind == "parquet":
                with parquet.opened(path) as file:
                    if file.schema_arrow != schema_of(files[0], None):
                        raise DataError(f"{path}: has other columns than {files[0]}; score them apart")
                    yield from parquet.read(file, at, size)
            elif kind == "jsonl":
                yield from jsonlines.read(path, at, size, keys)
            else:
                yield from tables.read(path, at, size, _DELIMITERS[kind])
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror or error}); check the file") from error
        except pa.ArrowInvalid as error:
            raise DataError(f"{path}: cannot be read ({error}); check the file") from error
