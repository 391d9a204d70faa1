"""Reading labelled bounces with ``datasets``: JSON Lines, CSV, TSV, Parquet."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whybounce.model.errors import DataError
from whybounce.model.taxonomy import TAXONOMY, Taxonomy
from whybounce.training.extras import datasets_module

TEXT_COLUMNS = ("text", "diagnostic", "diagnostic_code", "message", "reason_text", "response")
LABEL_COLUMNS = ("label", "reason")
_BUILDERS = {
    ".jsonl": ("json", {}), ".ndjson": ("json", {}), ".json": ("json", {}), ".csv": ("csv", {}),
    ".tsv": ("csv", {"sep": "\t"}), ".parquet": ("parquet", {}),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Labelled:
    """One labelled bounce.

    Attributes
    ----------
    text, label : str
    also : tuple of str
        Other labels that a careful reader would accept.
    ambiguous : bool
        Whether the text alone does not decide; such rows are left out of the figures.
    slices : dict
        Columns to slice the figures by, such as ``lang`` and ``provider``.
    """

    text: str
    label: str
    also: tuple[str, ...] = ()
    ambiguous: bool = False
    slices: tuple[tuple[str, str], ...] = ()


def read_table(path: Path) -> Any:
    """Read a file as a ``datasets.Dataset``.

    Raises
    ------
    DataError
        When the file is missing, empty, of an unknown type or not readable as that type.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; check the path")
    if path.suffix.lower() not in _BUILDERS:
        raise DataError(f"{path}: unknown type {path.suffix!r}; use one of {', '.join(_BUILDERS)}")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty")
    builder, options = _BUILDERS[path.suffix.lower()]
    datasets = datasets_module()
    with tempfile.TemporaryDirectory(prefix="whybounce-") as cache:
        try:
            return datasets.load_dataset(
                builder, data_files=str(path), split="train", cache_dir=cache, keep_in_memory=True, **options
            )
        except Exception as error:  # datasets raises its own and pyarrow's and pandas' errors
            cause = str(error.__cause__ or error).strip().splitlines()
            raise DataError(
                f"{path}: not readable as {path.suffix} ({cause[0] if cause else error}); fix the file"
            ) from error


def read_labelled(
    path: Path,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    taxonomy: Taxonomy = TAXONOMY,
) -> list[Labelled]:
    """Read labelled bounces.

    Parameters
    ----------
    path : Path
        ``.jsonl``, ``.json``, ``.csv``, ``.tsv`` or ``.parquet``.
    text_column, label_column : str, optional
        Names of the columns; found by their usual names otherwise.

    Raises
    ------
    DataError
        Naming the file, the first bad rows and the fix.
    """
    table = read_table(path)
    text_name = _column(path, table.column_names, text_column, TEXT_COLUMNS, "--text-column")
    label_name = _column(path, table.column_names, label_column, LABEL_COLUMNS, "--label-column")
    rows: list[Labelled] = []
    bad: list[str] = []
    for number, row in enumerate(table.to_list(), start=1):
        problem = _problem(row.get(text_name), row.get(label_name), taxonomy)
        if problem:
            bad.append(f"row {number}: {problem}")
            continue
        rows.append(_labelled(row, str(row[text_name]), str(row[label_name])))
    if bad:
        raise DataError(
            f"{path}: {len(bad)} of {len(table)} rows cannot be used: {'; '.join(bad[:5])}"
            f"{' …' if len(bad) > 5 else ''}; known labels: {', '.join(taxonomy.reasons)}"
        )
    if not rows:
        raise DataError(f"{path}: no rows")
    return rows


def _column(path: Path, present: Sequence[str], wanted: str | None, usual: Sequence[str], flag: str) -> str:
    if wanted is not None:
        if wanted not in present:
            raise DataError(f"{path}: no column {wanted!r}; it has: {', '.join(present)}")
        return wanted
    for name in usual:
        if name in present:
            return name
    raise DataError(
        f"{path}: none of the columns {', '.join(usual)} is there; name one of {', '.join(present)} with {flag}"
    )


def _problem(text: object, label: object, taxonomy: Taxonomy) -> str | None:
    if not isinstance(text, str):
        return "no text"
    if not isinstance(label, str) or not label:
        return "no label"
    return None if label in taxonomy else f"unknown label {label!r}"


def _labelled(row: dict[str, Any], text: str, label: str) -> Labelled:
    also = row.get("also") or ()
    return Labelled(
        text=text,
        label=label,
        also=(also,) if isinstance(also, str) else tuple(also),
        ambiguous=bool(row.get("ambiguous", False)),
        slices=tuple((name, str(row[name])) for name in ("lang", "provider") if row.get(name)),
    )


def batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Yield slices of at most ``size`` items."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
