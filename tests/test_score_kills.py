"""Scoring goes on where it was, however it ends: nothing is lost, nothing is there twice."""

from __future__ import annotations

import errno
import itertools
import json
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from score_files import ROWS, TEXTS, StopError, job, read, write

from whybounce.data.slots import fill
from whybounce.model.errors import DataError
from whybounce.model.predictor import BounceClassifier
from whybounce.serving.score import Scorer, jsonlines
from whybounce.serving.score.job import Job


@pytest.mark.parametrize("source", ["in.parquet", "in.jsonl", "in.jsonl.gz", "in.csv"])
@pytest.mark.parametrize("out", ["out.parquet", "out.jsonl", "out.csv"])
@pytest.mark.parametrize("checkpoint", [0, 1000])
def test_an_interrupted_job_goes_on(
    tmp_path: Path, classifier: BounceClassifier, source: str, out: str, checkpoint: float
) -> None:
    write(tmp_path / source)
    job(tmp_path / source, tmp_path / f"whole-{out}", classifier).run()
    begun = job(tmp_path / source, tmp_path / out, classifier, checkpoint=checkpoint)
    resumed = 0
    for _ in range(3):

        def stop(rows: int, share: float, enough: int = resumed + 17) -> None:
            if rows >= enough:
                raise StopError

        with pytest.raises(StopError):
            begun.run(stop)
        assert not (tmp_path / out).exists()
        state = json.loads((begun.folder / "state.json").read_text())
        assert state["rows"] >= resumed
        resumed = state["rows"]
        begun = job(tmp_path / source, tmp_path / out, classifier, checkpoint=checkpoint)
        if resumed + 17 > 60:
            break
    assert resumed > 0
    done = begun.run()
    assert (done.rows, done.resumed) == (60, resumed)
    assert read(tmp_path / out) == read(tmp_path / f"whole-{out}")
    assert not begun.folder.exists()


# Being killed is tried on a real process, which says what it has done so that the test knows when to strike.
CHILD = """
import sys
from pathlib import Path
from whybounce.model.predictor import BounceClassifier
from whybounce.serving.score import Scorer
from whybounce.serving.score.job import Job

scorer = Scorer(BounceClassifier.load(strict=True), dictionary=True)
job = Job(Path(sys.argv[1]), Path(sys.argv[2]), scorer, batch_rows=8, checkpoint=0)
done = job.run(lambda rows, share: print(rows, flush=True))
print("done", done.rows, done.resumed, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "out"), [("in.parquet", "out.parquet"), ("in.jsonl.gz", "out.jsonl"), ("in.csv", "out.csv")]
)
def test_a_killed_process_goes_on(tmp_path: Path, classifier: BounceClassifier, source: str, out: str) -> None:
    rng = random.Random(out)
    write(
        tmp_path / source, [{"id": f"0{n}", "diagnostic": fill(TEXTS[n % len(TEXTS)], rng), "n": n} for n in range(400)]
    )
    job(tmp_path / source, tmp_path / f"whole-{out}", classifier).run()
    kills = resumed = 0
    while True:
        command = [sys.executable, "-c", CHILD, str(tmp_path / source), str(tmp_path / out)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            strike = rng.randint(1, 12) if kills < 4 else 1000
            for count, line in enumerate(process.stdout, start=1):
                if line.startswith("done"):
                    assert line.split()[1] == "400"
                    resumed = int(line.split()[2])
                elif count == strike:
                    time.sleep(rng.random() / 50)
                    process.kill()
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL
        kills += 1
    assert kills >= 2
    assert resumed > 0
    assert read(tmp_path / out) == read(tmp_path / f"whole-{out}")
    if not out.endswith(".parquet"):
        assert (tmp_path / out).read_bytes() == (tmp_path / f"whole-{out}").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([source, out, f"whole-{out}"])


class KilledError(BaseException):
    pass


def kill_at(patch: pytest.MonkeyPatch, last: int) -> None:
    """From here on, let no more than so many changes of the file system happen."""
    steps = itertools.count(1)

    def stepping(real: Any) -> Any:
        def step(self: Path, *arguments: Any, **named: Any) -> Any:
            if next(steps) >= last:
                raise KilledError
            return real(self, *arguments, **named)

        return step

    for name in ("unlink", "rename", "replace", "rmdir", "hardlink_to"):
        patch.setattr(Path, name, stepping(getattr(Path, name)))


@pytest.mark.parametrize("out", ["out.parquet", "out.jsonl", "out.csv"])
@pytest.mark.parametrize("checkpoint", [0, 1000])
def test_killed_at_any_step_of_finishing(
    tmp_path: Path, classifier: BounceClassifier, out: str, checkpoint: float
) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in ROWS) + "no json\n", "utf-8")
    whole = job(source, tmp_path / f"whole-{out}", classifier)
    whole.run()
    finish = Job._finish
    for last in itertools.count(1):
        killed = False
        with pytest.MonkeyPatch.context() as patch:

            def strike(self: Job, state: Any, patch: pytest.MonkeyPatch = patch, last: int = last) -> None:
                kill_at(patch, last)
                finish(self, state)

            patch.setattr(Job, "_finish", strike)
            try:
                job(source, tmp_path / out, classifier, checkpoint=checkpoint).run()
            except KilledError:
                killed = True
        again = job(source, tmp_path / out, classifier, checkpoint=checkpoint)
        if killed:
            assert again.run().rows == 60
        assert read(tmp_path / out) == read(whole.out)
        assert read(again.rejected_file) == read(whole.rejected_file)
        assert not again.folder.exists()
        (tmp_path / out).unlink()
        again.rejected_file.unlink()
        if not killed:
            assert last > 6
            break


def test_a_chunk_that_cannot_be_written_is_not_left_out(
    tmp_path: Path, classifier: BounceClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "in.jsonl")
    real = jsonlines.JsonLinesPart.write
    calls = []

    def write_or_fail(self: Any, chunk: Any, verdicts: Any) -> None:
        calls.append(chunk)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(self, chunk, verdicts)

    monkeypatch.setattr(jsonlines.JsonLinesPart, "write", write_or_fail)
    with pytest.raises(DataError, match=r"No space left on device\); make room .* the same command again"):
        job(source, tmp_path / "out.jsonl", classifier).run()
    assert len(calls) == 3
    monkeypatch.undo()
    assert job(source, tmp_path / "out.jsonl", classifier).run().rows == 60
    assert [row["n"] for row in read(tmp_path / "out.jsonl")] == list(range(60))


def test_parts_that_are_missing_are_noticed(tmp_path: Path, classifier: BounceClassifier) -> None:
    source = write(tmp_path / "in.jsonl")

    def stop(rows: int, share: float) -> None:
        if rows > 30:
            raise StopError

    begun = job(source, tmp_path / "out.jsonl", classifier, checkpoint=0)
    with pytest.raises(StopError):
        begun.run(stop)
    (begun.folder / "00000.jsonl").unlink()
    with pytest.raises(DataError, match=r"00000.jsonl: is missing; begin anew with --restart"):
        begun.run()


def test_only_the_same_job_is_gone_on_with(tmp_path: Path, classifier: BounceClassifier) -> None:
    source, out = write(tmp_path / "in.jsonl"), tmp_path / "out.jsonl"

    def stop(rows: int, share: float) -> None:
        raise StopError

    with pytest.raises(StopError):
        job(source, out, classifier).run(stop)
    other = Job(source, out, Scorer(classifier, fields=["reason"]))
    with pytest.raises(DataError, match="begun with other fields; begin anew with --restart"):
        other.run()
    write(source, ROWS[:50])
    with pytest.raises(DataError, match="begun with other files"):
        job(source, out, classifier).run()
    (job(source, out, classifier).folder / "state.json").write_text("{")
    with pytest.raises(DataError, match=r"is damaged .* begin anew with --restart"):
        job(source, out, classifier).run()
    assert job(source, out, classifier).run(restart=True).rows == 50


def test_two_jobs_do_not_write_one_file(tmp_path: Path, classifier: BounceClassifier) -> None:
    source, out = write(tmp_path / "in.jsonl"), tmp_path / "out.jsonl"
    inside, go_on = threading.Event(), threading.Event()

    def wait(rows: int, share: float) -> None:
        inside.set()
        assert go_on.wait(30)

    thread = threading.Thread(target=lambda: job(source, out, classifier).run(wait))
    thread.start()
    assert inside.wait(30)
    with pytest.raises(DataError, match="another process is writing it"):
        job(source, out, classifier).run()
    go_on.set()
    thread.join()
    assert len(read(out)) == 60
