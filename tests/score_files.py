"""Files to score, for the tests of whybounce score."""

from __future__ import annotations

import csv
import gzip
import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from whybounce.data.slots import fill
from whybounce.model.predictor import BounceClassifier
from whybounce.serving.score import Scorer
from whybounce.serving.score.job import Job
from whybounce.training.corpus import load_corpus

RNG = random.Random(7)


TEXTS = [fill(text, RNG) for text in sorted({row.text for row in load_corpus()})[::40]]


ROWS = [{"id": f"0{n}", "diagnostic": text, "n": n} for n, text in enumerate(TEXTS[:60])]


def write(path: Path, rows: list[dict[str, Any]] = ROWS) -> Path:
    kind = path.name.removesuffix(".gz").rpartition(".")[2]
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=25)
    elif kind in ("csv", "tsv"):
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]), delimiter="\t" if kind == "tsv" else ",")
            writer.writeheader()
            writer.writerows(rows)
    else:
        data = "".join(json.dumps(row) + "\n" for row in rows).encode()
        path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return list(pq.read_table(path).to_pylist())
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def job(source: Path, out: Path, classifier: BounceClassifier, **arguments: Any) -> Job:
    return Job(source, out, Scorer(classifier, dictionary=True), batch_rows=8, **arguments)


class StopError(Exception):
    pass
