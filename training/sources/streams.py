"""Every source as a stream of ``datasets``, so that no file has to fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from whybounce.model.errors import DataError
from whybounce.training.extras import datasets_module
from whybounce.training.sources.places import Source
from whybounce.training.sources.records import Record, read_records

BATCH = 2000
"""Rows that are taken from an Arrow table at once."""

HUB_SECONDS = 20.0
"""How long the hub may take to say that it has a data set."""


def stream(source: Source, *, encoding: str | None = None, split: str = "train") -> Iterator[Record]:
    """Yield the records of a source in their order; see :mod:`whybounce.training.sources.records`.

    Parameters
    ----------
    source : Source
    encoding : str, optional
        Of text files.
    split : str
        Of a data set of the hub.

    Raises
    ------
    DataError
        When the source as a whole is unusable.
    """
    if source.kind == "parquet":
        yield from _tables(source, lambda datasets: _parquet(datasets, source))
    elif source.kind == "hub":
        yield from _tables(source, lambda datasets: _hub(datasets, source, split))
    else:
        known = {"path": source.name, "encoding": encoding}
        yield from datasets_module().IterableDataset.from_generator(_lines, gen_kwargs=known)


def _lines(path: str, encoding: str | None) -> Iterator[Record]:
    yield from read_records(Path(path), encoding=encoding)


def _parquet(datasets: Any, source: Source) -> Any:
    return datasets.load_dataset("parquet", data_files=source.name, split="train", streaming=True)


def _hub(datasets: Any, source: Source, split: str) -> Any:
    # Asked once and plainly: datasets itself tries a hub that cannot be reached for half a minute.
    hub: Any = import_module("huggingface_hub")
    hub.HfApi().dataset_info(source.name, timeout=HUB_SECONDS)
    return datasets.load_dataset(source.name, split=split, streaming=True)


def _tables(source: Source, load: Callable[[Any], Any]) -> Iterator[Record]:
    datasets = datasets_module()
    number = 0
    try:
        dataset = load(datasets)
        names = _class_names(dataset)
        for table in dataset.with_format("arrow").iter(batch_size=BATCH):
            if not number:
                columns = list(table.column_names)
                yield {"line": 0, "row": None, "problem": "", "columns": columns, "recoded": False, "at": 0}
            for row in table.to_pylist():
                number += 1
                for name, known in names.items():
                    if isinstance(row.get(name), int) and 0 <= row[name] < len(known):
                        row[name] = known[row[name]]
                yield {"line": number, "row": row, "problem": "", "recoded": False, "at": 0}
    except DataError:
        raise
    except Exception as error:  # datasets lets the errors of pyarrow, fsspec and the hub's client through
        raise DataError(_what_went_wrong(source, number, error)) from error


def _class_names(dataset: Any) -> dict[str, list[str]]:
    # A label column of the hub may hold numbers, and the names of its labels beside.
    features = dataset.features or {}
    return {name: list(feature.names) for name, feature in features.items() if getattr(feature, "names", None)}


def _what_went_wrong(source: Source, number: int, error: Exception) -> str:
    lines = str(error.__cause__ or error).strip().splitlines()
    because = lines[0] if lines else type(error).__name__
    if source.kind == "hub" and not number:
        return (
            f"{source.name}: no such file here, and not to be had from the Hugging Face hub ({because}); "
            "check the name and the network, or download the data and name the files"
        )
    return f"{source.name}, row {number + 1}: not readable as {source.kind} ({because}); fix or fetch it again"
