"""Fuzzes one target in this process: ``python -m tests.fuzz.child TARGET FOLDER SECONDS``.

The process ends by itself after so many seconds of CPU time and leaves ``stats.json`` in the
folder. A finding is written down and does not end it: one of each kind is kept, the smallest.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import atheris

MAX_INPUT = 8192
PUMP_EVERY = 400
"""Every so many inputs, one is blown up to see whether time stays linear."""
HANGS = 300
"""Seconds after which a call of a library that does not come back ends the process."""

with atheris.instrument_imports(include=["whybounce.serving.intake", "email"]):
    from whybounce.model.predictor import BounceClassifier

    from .mutate import havoc
    from .target import PumpedTooSlow, Target
    from .targets import TARGETS
    from .tokens import tokens_of


class Session:
    """One run over one target."""

    def __init__(self, target: Target, folder: Path, seconds: float) -> None:
        self.target = target
        self.folder = folder
        self.seconds = seconds
        self.seeds = target.seeds()
        self.tokens = tokens_of(target.modules)
        self.classifier = BounceClassifier.load(strict=True)
        self.executions = 0
        self.findings: dict[str, dict[str, Any]] = {}
        self.start = time.process_time()
        self.written = 0.0

    def one(self, data: bytes) -> None:
        """Try one input; what libFuzzer calls."""
        self.executions += 1
        try:
            self.target.run(data, self.classifier)
            if self.executions % PUMP_EVERY == 0:
                self.executions += 1
                self.target.run_pumped(data, random.Random(self.executions), self.classifier)
        except PumpedTooSlow as error:
            self.note(error, error.data)
        except Exception as error:
            self.note(error, data)
        used = time.process_time() - self.start
        if used - self.written > 5 or used >= self.seconds:
            self.written = used
            self.write(used)
            if used >= self.seconds:
                os._exit(0)  # libFuzzer would go on

    def note(self, error: Exception, data: bytes) -> None:
        """Keep the smallest input of each kind of finding."""
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/fuzz/" not in frame.filename]
        place = f"{Path(frames[-1].filename).name}:{frames[-1].name}" if frames else "oracle"
        what = str(error).partition(":")[0] if type(error).__name__ == "Broken" else ""
        key = f"{type(error).__name__} {what} {place}".replace("  ", " ")
        known = self.findings.setdefault(key, {"count": 0, "size": 1 << 60})
        known["count"] += 1
        if len(data) < known["size"]:
            path = self.folder / "findings" / hashlib.sha256(key.encode()).hexdigest()[:12]
            path.write_bytes(data)
            said = "".join(traceback.format_exception(error))[-6000:]
            path.with_suffix(".txt").write_text(f"{key}\n\n{said}", "utf-8", "replace")
            known.update(size=len(data), file=path.name)

    def write(self, used: float) -> None:
        """Leave the figures of this run."""
        figures = {"executions": self.executions, "cpu_seconds": round(used, 1), "findings": self.findings}
        (self.folder / "stats.json").write_text(json.dumps(figures, indent=1), "utf-8")

    def mutate(self, data: bytes, max_size: int, seed: int) -> bytes:
        """Change an input: with its structure, with tokens, or as libFuzzer does."""
        rng = random.Random(seed)
        how = rng.random()
        if how < 0.45:
            data = self.target.mutate(data, rng, self.seeds)
        elif how < 0.65:
            data = havoc(data, rng, self.tokens)
        else:
            data = atheris.Mutate(data, max_size)
        return data[:max_size]


def main(name: str, folder: Path, seconds: float) -> None:
    """Fuzz until the time is used up."""
    (folder / "findings").mkdir(parents=True, exist_ok=True)
    corpus = folder / "corpus"
    corpus.mkdir(exist_ok=True)
    session = Session(TARGETS[name], folder, seconds)
    for seed in session.seeds:
        (corpus / hashlib.sha1(seed).hexdigest()).write_bytes(seed)
    arguments = [
        sys.argv[0], str(corpus), f"-max_len={MAX_INPUT}", f"-timeout={HANGS}", "-rss_limit_mb=3000",
        f"-artifact_prefix={folder}/findings/", "-reload=0", "-len_control=0", "-verbosity=0",
    ]  # fmt: skip
    atheris.Setup(arguments, session.one, custom_mutator=session.mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]))
