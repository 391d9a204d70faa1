"""``python -m tests.bench``: measure, write ``runs/bench.json`` and ``runs/bench.md``."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench import library, score, service
from whybounce.model.artifact import SHIPPED, replace_file
from whybounce.serving.cli.output import stderr

_ROWS = (
    ("library, remembered templates", "library", "remembered_texts_per_second", "texts/s", "≥ 120,000"),
    ("library, nothing remembered", "library", "cold_texts_per_second", "texts/s", "≥ 10,000"),
    ("one prediction, nothing remembered, p50", "library", "cold_p50_ms", "ms", "≤ 1"),
    ("one prediction, nothing remembered, p99", "library", "cold_p99_ms", "ms", ""),
    ("/v1/predict to a bare endpoint, remembered", "ratios", "remembered_to_bare_requests_per_second", "×", "≥ 0.95"),
    ("the same, p99", "ratios", "remembered_to_bare_p99_ms", "×", "≤ 1.5"),
    ("/v1/predict to a bare endpoint, not remembered", "ratios", "not_remembered_to_bare_requests_per_second", "×",
     "≥ 0.5"),
    ("/v1/predict/batch", "service", "batch_texts_per_second", "texts/s", "≥ 100,000"),
    ("/v1/predict/stream", "service", "stream_texts_per_second", "texts/s", "≥ 100,000"),
    ("ready after", "service", "ready_seconds", "s", "≤ 3"),
    ("memory of a worker", "service", "memory_mb", "MB", "≤ 300"),
    ("whybounce score, 2 million rows, Parquet to Parquet", "score", "seconds", "s", "≤ 15"),
    ("the same, processor time", "score", "processor_seconds", "s", ""),
    ("the same, speed", "score", "rows_per_second", "rows/s", ""),
    ("the same, memory", "score", "memory_mb", "MB", "≤ 1,500"),
    ("the same to one by one, by processor time", "score", "times_one_by_one", "×", ""),
    ("the machine: a plain Python loop of a million additions", "machine", "loop_ms", "ms", ""),
    ("size of the artifact", "service", "artifact_mb", "MB", ""),
)  # fmt: skip


def main() -> None:
    """Run everything and write it down."""
    loops = [library.loop_milliseconds()]
    stderr.print("measuring the library …", highlight=False)
    figures: dict[str, Any] = {"library": library.measure()}
    stderr.print("measuring the service (about a minute) …", highlight=False)
    figures["service"] = service.measure()
    loops.append(library.loop_milliseconds())
    stderr.print("measuring whybounce score (a minute) …", highlight=False)
    figures["score"] = score.measure()
    loops.append(library.loop_milliseconds())
    figures["ratios"] = figures["service"].pop("ratios")
    figures["service"]["artifact_mb"] = sum(path.stat().st_size for path in SHIPPED.iterdir()) / 1e6
    figures["machine"] = {
        "cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system(),
        "machine": platform.machine(), "loop_ms": median(loops),
    }  # fmt: skip
    folder = Path("runs")
    folder.mkdir(exist_ok=True)
    replace_file(folder / "bench.json", (json.dumps(figures, indent=2) + "\n").encode())
    table = markdown(figures)
    replace_file(folder / "bench.md", table.encode())
    print(table)


def markdown(figures: dict[str, Any]) -> str:
    """Return the table for the README."""
    lines = ["| what | measured | aim |", "|---|---|---|"]
    for title, part, key, unit, aim in _ROWS:
        value = figures[part][key]
        shown = f"{value:,.0f}" if value >= 1000 else f"{value:.2f}"
        lines.append(f"| {title} | {shown} {unit} | {aim} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
