"""The README's walk-through, run as it is written: from a wrong answer to a better model and back."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(r"<!-- walkthrough -->\n```sh\n(.*?)```\n<!-- /walkthrough -->", re.DOTALL)


@pytest.mark.slow
def test_walk_through(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    [script] = BLOCK.findall(README.read_text("utf-8"))
    assert script.count("8000") >= 3
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-m", "-c", script.replace("8000", str(port))],
        cwd=tmp_path, env=os.environ | {"PATH": path}, capture_output=True, text=True, timeout=1800, check=False,
    )  # fmt: skip
    told = done.stdout + done.stderr
    answers = []
    decoder = json.JSONDecoder()
    place = 0
    while (place := done.stdout.find("{", place)) >= 0:
        try:
            found, place = decoder.raw_decode(done.stdout, place)
            answers.append(found)
        except ValueError:
            place += 1
    predictions = [answer for answer in answers if "decided_by" in answer]
    corrections = [answer for answer in answers if "duplicate" in answer]
    assert len(corrections) == 50, told[-3000:]
    assert [answer["reason"] == "mailbox_full" for answer in predictions] == [False, True, False], told[-3000:]
    assert predictions[0] == predictions[2]
    assert predictions[1]["action"] == "retry_later"
    metrics = json.loads((tmp_path / "runs/quillpost/metrics.json").read_text("utf-8"))
    # The report shows the gain on corrections that the measured model had not seen ...
    assert metrics["systems"]["both"]["accuracy"] >= 0.9
    assert metrics["current"]["accuracy"] <= 0.2
    # ... and no loss elsewhere.
    assert metrics["gate"]["passed"] is True
    assert "The gate before promotion" in (tmp_path / "runs/quillpost/report.html").read_text("utf-8")
    manifest = json.loads((tmp_path / "runs/quillpost/manifest.json").read_text("utf-8"))
    assert manifest["data"]["feedback"]["accepted"] == 50
    assert "is promoted" in told
    assert "the shipped model answers again" in told
