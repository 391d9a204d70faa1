"""``python -m tests.fuzz [TARGET…] --seconds N``: fuzz targets one after the other, and say what came of it."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from .targets import TARGETS

_STARTS = 6
"""Times that a target is started anew after its process died."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all by default")
    parser.add_argument("--seconds", type=float, default=600, help="CPU seconds for each target")
    parser.add_argument("--folder", type=Path, default=Path("runs/fuzz"), help="for corpora and findings")
    parser.add_argument("--table", action="store_true", help="only print what all runs in the folder came to")
    given = parser.parse_args()
    if unknown := sorted(set(given.targets) - TARGETS.keys()):
        parser.error(f"there is no target {', '.join(unknown)}; known: {', '.join(TARGETS)}")
    if not given.table:
        for name in given.targets or TARGETS:
            figures = run(name, given.folder / name, given.seconds)
            keep(given.folder / name, figures)
            print(f"{time.strftime('%H:%M:%S')} {row(name, figures)}", flush=True)
            for finding in figures["findings"]:
                print(f"    {finding}", flush=True)
    print(table(given.folder))
    return 1 if any(total(given.folder / name)["findings"] for name in given.targets or TARGETS) else 0


def run(name: str, folder: Path, seconds: float) -> dict[str, Any]:
    """Fuzz one target until it has used so many CPU seconds; the processes' own CPU time is what counts."""
    folder.mkdir(parents=True, exist_ok=True)
    done: dict[str, Any] = {"executions": 0, "cpu_seconds": 0.0, "peak_mb": 0, "findings": []}
    for _ in range(_STARTS):
        left = seconds - done["cpu_seconds"]
        if left < 1:
            break
        stats = folder / "stats.json"
        stats.unlink(missing_ok=True)
        with (folder / "log.txt").open("ab") as log:
            command = [sys.executable, "-m", f"{__package__}.child", name, str(folder), str(left)]
            process = subprocess.Popen(command, stdout=log, stderr=log)
            _, status, used = os.wait4(process.pid, 0)
        code = process.returncode = os.waitstatus_to_exitcode(status)
        figures: dict[str, Any] = {"executions": 0, "findings": {}}
        if stats.exists():
            figures = json.loads(stats.read_text("utf-8"))
        done["executions"] += figures["executions"]
        # Loading the model and the corpus is left out where the process could say so itself.
        done["cpu_seconds"] += figures.get("cpu_seconds", used.ru_utime + used.ru_stime)
        done["peak_mb"] = max(done["peak_mb"], used.ru_maxrss // 1024)
        done["findings"].extend(
            f"{found['count']} x {kind} -> {folder / 'findings' / found['file']}"
            for kind, found in figures["findings"].items()
        )
        if code != 0:
            done["findings"].append(
                f"the process ended with {code}; see {folder / 'log.txt'} and {folder / 'findings'}"
            )
    return done


def keep(folder: Path, figures: dict[str, Any]) -> None:
    """Add a run to those that the folder knows of."""
    with (folder / "runs.jsonl").open("a", encoding="utf-8") as out:
        out.write(json.dumps({"at": time.strftime("%Y-%m-%d %H:%M:%S"), **figures}) + "\n")


def total(folder: Path) -> dict[str, Any]:
    """Return the sums over all runs, with the findings of the last one."""
    path = folder / "runs.jsonl"
    runs = [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []
    return {
        "executions": sum(one["executions"] for one in runs),
        "cpu_seconds": sum(one["cpu_seconds"] for one in runs),
        "findings": runs[-1]["findings"] if runs else [],
        "corpus": len(list((folder / "corpus").iterdir())) if (folder / "corpus").exists() else 0,
        "ever": sum(len(one["findings"]) for one in runs),
    }


def row(name: str, figures: dict[str, Any]) -> str:
    """Return the figures of one run on a line."""
    return (
        f"{name}: {figures['executions']:,} executions, {figures['cpu_seconds']:.0f} CPU seconds, "
        f"peak {figures['peak_mb']} MB, {len(figures['findings'])} findings"
    )


def table(folder: Path) -> str:
    """Return a Markdown table of all runs in a folder."""
    lines = ["| target | CPU seconds | executions | corpus | findings in the last run |", "|---|---|---|---|---|"]
    for name in TARGETS:
        sums = total(folder / name)
        if sums["executions"]:
            lines.append(
                f"| {name} | {sums['cpu_seconds']:,.0f} | {sums['executions']:,} | {sums['corpus']:,} "
                f"| {len(sums['findings'])} |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
