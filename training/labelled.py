"""Labelled bounces, read from one file, folder or data set as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from whybounce.model.taxonomy import TAXONOMY, Taxonomy
from whybounce.training.sources.columns import Columns
from whybounce.training.sources.places import find
from whybounce.training.sources.reader import Options, Reader
from whybounce.training.sources.rejects import Rejects
from whybounce.training.sources.row import Labelled
from whybounce.training.sources.summary import Summary

__all__ = ["Columns", "Labelled", "Options", "batches", "read_counted", "read_labelled"]


def read_labelled(
    path: Path | str,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    taxonomy: Taxonomy = TAXONOMY,
    options: Options | None = None,
    max_bad: float = 0.0,
) -> list[Labelled]:
    """Read labelled bounces, row by row and not joined.

    Parameters
    ----------
    path : Path or str
        A file (``.jsonl``, ``.json``, ``.csv``, ``.tsv``, ``.parquet``), a folder of
        them, or the name of a data set of the Hugging Face hub.
    text_column, label_column : str, optional
        Names of the columns; found by their usual names otherwise.
    taxonomy : Taxonomy
        The reasons that labels may have.
    options : Options, optional
        Instead of the three above, when more is to be said.
    max_bad : float
        Share of bad rows that may be left out.

    Raises
    ------
    DataError
        Naming the file, the first bad rows and the fix.
    """
    chosen = options or Options(columns=Columns(text=text_column, label=label_column), taxonomy=taxonomy)
    return read_counted(path, chosen, max_bad=max_bad)[0]


def read_counted(path: Path | str, options: Options, *, max_bad: float = 0.0) -> tuple[list[Labelled], Summary]:
    """Read labelled bounces as :func:`read_labelled` does, and say what reading came to."""
    found = find([path])
    with Rejects() as rejects:
        reader = Reader(options, rejects)
        rows = list(reader.rows(found))
    summary = reader.summary(found)
    summary.refuse_above(max_bad, options.taxonomy)
    return rows, summary


def batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Yield slices of at most ``size`` items."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
