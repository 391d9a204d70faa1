"""pip-audit over a lock; what could not be looked up is a failure, too, and said as such."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def verdict(report: Any) -> tuple[int, list[str]]:
    """Exit status and lines for a report of pip-audit."""
    found = [
        f"{one['name']} {one['version']}: {flaw['id']}; fixed in {', '.join(flaw['fix_versions']) or 'no version yet'}"
        for one in report["dependencies"]
        for flaw in one.get("vulns", ())
    ]
    unknown = [one["name"] for one in report["dependencies"] if "skip_reason" in one]
    lines = [*found]
    if unknown:
        lines.append(
            f"{len(unknown)} of {len(report['dependencies'])} packages could not be looked up ({', '.join(unknown[:5])} …): "
            "the package index that pip is set to gives no vulnerability data; run this where pypi.org is reachable"
        )
    if not lines:
        lines.append(f"no known vulnerabilities in {len(report['dependencies'])} packages")
    return (1 if found else 2 if unknown else 0), lines


def main(lock: str) -> int:
    run = subprocess.run(
        [sys.executable, "-m", "pip_audit", "-r", lock, "--require-hashes", "--disable-pip", "-f", "json",
         "--progress-spinner", "off"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        report = json.loads(run.stdout)
    except ValueError:
        print(run.stderr.strip() or "pip-audit gave no report", file=sys.stderr)
        return 2
    status, lines = verdict(report)
    print(f"{Path(lock).name}:", *lines, sep="\n  ")
    return status


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
