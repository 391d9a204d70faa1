"""``whybounce score``, Parquet to Parquet, as a process of its own: rows per second, processor time, memory."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import pyarrow.parquet as pq

from tests.bench import rows
from whybounce.model.predictor import BounceClassifier

ROWS = 2_000_000
ROUNDS = 3
ONE_BY_ONE = 50_000
"""Rows that are predicted one by one, to compare with."""


def measure(count: int = ROWS) -> dict[str, float]:
    """Return the figures; of each run the median."""
    with tempfile.TemporaryDirectory() as name:
        source, out = Path(name) / "in.parquet", Path(name) / "out.parquet"
        rows.write(source, count)
        runs = [_run(source, out) for _ in range(ROUNDS)]
        found = {key: median(run[key] for run in runs) for key in runs[0]}
        texts = _head(source)
        found["templates"] = len(set(pq.read_table(out, columns=["bounce_template"]).column(0).unique().to_pylist()))
        found["in_mb"], found["out_mb"] = source.stat().st_size / 1e6, out.stat().st_size / 1e6
    classifier = BounceClassifier.load(strict=True)
    started = time.process_time()
    for text in texts:
        classifier.predict_one(text)
    single = len(texts) / (time.process_time() - started)
    return {
        **found,
        "rows": count,
        "rows_per_second": count / found["seconds"],
        "one_by_one_rows_per_second": single,
        "times_one_by_one": count / found["processor_seconds"] / single,
    }


def _run(source: Path, out: Path) -> dict[str, float]:
    started = time.perf_counter()
    command = [sys.executable, "-m", "whybounce", "score", str(source), str(out), "--overwrite"]
    process = psutil.Popen(command, stderr=-3)
    peak = 0.0
    used: Any = None
    while process.poll() is None:
        try:
            with process.oneshot():
                peak = max(peak, process.memory_info().rss)
                used = process.cpu_times()
        except psutil.Error:  # it has just ended
            break
        time.sleep(0.02)
    if process.wait() != 0:
        raise RuntimeError(f"{' '.join(command)} failed")
    return {
        "seconds": time.perf_counter() - started,
        "processor_seconds": used.user + used.system,
        "memory_mb": peak / 1e6,
    }


def _head(source: Path) -> list[str]:
    with pq.ParquetFile(source) as file:
        batch = next(file.iter_batches(ONE_BY_ONE, columns=["diagnostic"]))
    return [text or "" for text in batch.column(0).to_pylist()]


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS), indent=2))
