"""From what a person names to files, and to data sets of the Hugging Face hub."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from whybounce.model.errors import DataError

TYPES = {".jsonl": "json", ".ndjson": "json", ".json": "json", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet"}
"""File name endings and how such files are read; text files may end in one of :data:`PACKED` besides."""

PACKED = (".gz", ".bz2", ".xz")

_HUB = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, slots=True)
class Source:
    """One file, or one data set of the hub.

    Attributes
    ----------
    name : str
        As a person knows it: a path, or ``org/name``.
    kind : str
        ``json``, ``csv``, ``parquet`` or ``hub``.
    size : int
        In bytes; 0 where that is not known.
    """

    name: str
    kind: str
    size: int = 0

    @property
    def unit(self) -> str:
        """What is counted in it: lines of text files, rows of others."""
        return "line" if self.kind in ("json", "csv") else "row"


@dataclass(frozen=True, slots=True)
class Found:
    """The sources, and the files of folders that are none."""

    sources: tuple[Source, ...]
    ignored: tuple[str, ...]


def find(places: Iterable[str | Path]) -> Found:
    """Find the sources: files, all files in folders, and names of the hub.

    Raises
    ------
    DataError
        When a file is missing, empty or of an unknown type, or a folder holds no data.
    """
    sources: dict[str, Source] = {}
    ignored: list[str] = []
    for place in places:
        path = Path(place)
        if path.is_dir():
            files = sorted(item for item in path.rglob("*") if item.is_file() and not item.name.startswith("."))
            usable = [item for item in files if kind_of(item)]
            if not usable:
                raise DataError(f"{place}: no file in this folder ends in {', '.join(TYPES)}; name another folder")
            ignored += [str(item) for item in files if not kind_of(item)]
        else:
            usable = [path]
        for item in usable:
            sources.setdefault(str(item), _source(str(place), item))
    if not sources:
        raise DataError("no data named; name a file, a folder or a data set")
    return Found(tuple(sources.values()), tuple(ignored))


def kind_of(path: Path) -> str | None:
    """Tell from its name how a file is read."""
    suffix = path.suffix.lower()
    if suffix in PACKED:
        suffix = Path(path.stem).suffix.lower()
        return TYPES.get(suffix) if suffix != ".parquet" else None
    return TYPES.get(suffix)


def _source(place: str, path: Path) -> Source:
    kind = kind_of(path)
    if not path.exists():
        if _HUB.fullmatch(place) and not kind and not path.parent.is_dir():
            return Source(place, "hub")
        raise DataError(f"{path}: no such file; check the path")
    if not path.is_file():
        raise DataError(f"{path}: not a file; name a file, a folder or a data set")
    if kind is None:
        raise DataError(f"{path}: unknown type {path.suffix!r}; use one of {', '.join(TYPES)}")
    size = path.stat().st_size
    if size == 0:
        raise DataError(f"{path}: the file is empty; it needs a text and a label column")
    return Source(str(path), kind, size)
