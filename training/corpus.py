"""The shipped template corpus as training examples."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from whybounce.data import template_files
from whybounce.model.errors import DataError
from whybounce.model.taxonomy import TAXONOMY
from whybounce.training.extras import datasets_module


@dataclass(frozen=True, slots=True)
class Template:
    """One row of the corpus; see ``data/README.md``."""

    text: str
    reason: str
    also: str | None
    family: str
    source: str
    phase: str
    lang: str


def load_corpus(files: list[Path] | None = None) -> list[Template]:
    """Load the templates of the corpus, in the order of files and rows.

    Raises
    ------
    DataError
        When a file cannot be read or has a reason that nobody defined.
    """
    datasets = datasets_module()
    paths = files if files is not None else template_files()
    if not paths:
        raise DataError("the corpus has no template files; reinstall whybounce or name files")
    columns = ("text", "reason", "also", "family", "source", "phase", "lang")
    features = datasets.Features({name: datasets.Value("string") for name in columns})
    with tempfile.TemporaryDirectory(prefix="whybounce-") as cache:
        table = datasets.load_dataset(
            "json", data_files=[str(path) for path in paths], features=features, split="train", cache_dir=cache,
            keep_in_memory=True,
        )  # fmt: skip
        rows = table.to_list()
    templates = [Template(**row) for row in rows]
    unknown = sorted({row.reason for row in templates if row.reason not in TAXONOMY})
    if unknown:
        raise DataError(f"the corpus has unknown reasons: {', '.join(unknown)}")
    return templates
