"""Packed files that end too early: what could be read is read, and the user is told, whatever packed them."""

from __future__ import annotations

import bz2
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from report_cli import here
from typer.testing import CliRunner, Result

from whybounce.model.errors import DataError
from whybounce.model.predictor import BounceClassifier
from whybounce.serving.cli import app
from whybounce.serving.score import Scorer
from whybounce.serving.score.job import Job

__all__ = ["here"]
pytestmark = pytest.mark.usefixtures("here")
PACKED = {"gz": gzip.compress, "bz2": lambda data: bz2.compress(data, 1), "zst": zstandard.compress}
PACKERS = pytest.mark.parametrize("packed", PACKED)
ROWS = 3_000


def cut(name: str, line: Callable[[int], str], first: str = "") -> Path:
    """Write a file of which the last third is missing."""
    data = PACKED[name.rpartition(".")[2]]((first + "".join(line(n) for n in range(ROWS))).encode())
    Path(name).write_bytes(data[: len(data) * 2 // 3])
    return Path(name)


def log_line(n: int) -> str:
    return (
        f"Mar  2 09:{n // 60 % 60:02}:{n % 60:02} mx postfix/smtp[7]: {n**3:012X}: to=<u{n}@example.com>, "
        "relay=mx.example.com[198.51.100.7]:25, delay=1, dsn=5.1.1, status=bounced (host mx.example.com[198.51.100.7] "
        f"said: 550 5.1.1 <u{n}@example.com>: User unknown {n**5})\n"
    )


def diagnostic(n: int) -> str:
    return f"550 5.1.1 <u{n}@example.com>: User unknown {n**5}"


def csv_row(n: int) -> str:
    return f'{n},"{diagnostic(n)}"\n'


def json_row(n: int) -> str:
    return json.dumps({"n": n, "diagnostic": diagnostic(n)}) + "\n"


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments])


@PACKERS
@pytest.mark.parametrize(("name", "line", "first"), [("mail.log", log_line, ""), ("b.csv", csv_row, "n,diagnostic\n")])
def test_a_report(packed: str, name: str, line: Callable[[int], str], first: str) -> None:
    cut(f"{name}.{packed}", line, first)
    Path("whole.csv").write_text(f"n,diagnostic\n{csv_row(1)}")
    done = call("report", f"{name}.{packed}", "whole.csv", "--json")
    assert done.exit_code == 0, done.exception
    found = {source["name"]: source for source in json.loads(done.stdout)["sources"]}
    assert ROWS // 4 < found[f"{name}.{packed}"]["records"] < ROWS
    assert found[f"{name}.{packed}"]["skipped"] == 1
    assert found["whole.csv"]["records"] == 1
    [told] = [one for one in done.stderr.splitlines() if one.startswith("not read:")]
    assert told.startswith(f"not read: {name}.{packed}: the ")
    assert "fetch the file again" in told


def test_an_early_end_is_told_behind_many_other_pieces() -> None:
    cut("rows.jsonl.gz", lambda n: "{broken\n" if n % 2 else json_row(n))
    done = call("report", "rows.jsonl.gz", "--json")
    assert "rows.jsonl.gz: the gzip data is damaged or cut off" in done.stderr
    assert "more pieces" in done.stderr


@PACKERS
@pytest.mark.parametrize(
    ("name", "line", "first", "how"),
    [
        ("mail.log", log_line, "", "--jsonl"),
        ("b.csv", csv_row, "n,diagnostic\n", "--json"),
        ("b.jsonl", json_row, "", None),
    ],
)
def test_predictions(packed: str, name: str, line: Callable[[int], str], first: str, how: str | None) -> None:
    cut(f"{name}.{packed}", line, first)
    done = call("predict", f"{name}.{packed}", *([how] if how else []))
    assert isinstance(done.exception, DataError)  # the exit code is 1
    assert str(done.exception).startswith(f"{name}.{packed}: the ")
    assert "fetch the file again" in str(done.exception)
    if how is None:
        assert "invalid_recipient" in done.stdout
        assert "more rows" in done.stderr
    else:
        answers = json.loads(done.stdout) if how == "--json" else list(map(json.loads, done.stdout.splitlines()))
        assert ROWS // 4 < len(answers) < ROWS
        # Nothing is made of the piece of a line that stands at the end.
        assert all(str(n**5) in answer["diagnostic"] for n, answer in enumerate(answers))


@PACKERS
@pytest.mark.parametrize(("name", "line", "first"), [("b.csv", csv_row, "n,diagnostic\n"), ("b.jsonl", json_row, "")])
def test_scores(packed: str, name: str, line: Callable[[int], str], first: str) -> None:
    source = f"{name}.{packed}"
    cut(source, line, first)
    done = call("score", source, "out.jsonl", "--fields", "reason")
    assert isinstance(done.exception, DataError)
    assert str(done.exception).startswith(f"{source}: the ")
    rows = [json.loads(row) for row in Path("out.jsonl").read_text().splitlines()]
    assert ROWS // 4 < len(rows) < ROWS
    assert [int(row["n"]) for row in rows] == list(range(len(rows)))
    assert all(str(n**5) in row["diagnostic"] for n, row in enumerate(rows))
    [rejected] = map(json.loads, Path("out.jsonl.rejected.jsonl").read_text().splitlines())
    assert rejected["source"] == source
    assert "cut off after" in rejected["why"]
    assert not Path("out.jsonl.partial").exists()


def test_scores_of_several_files_and_of_one_that_was_gone_on_with(classifier: BounceClassifier) -> None:
    Path("in").mkdir()
    cut("in/a.jsonl.zst", json_row)
    Path("in/b.jsonl").write_text("".join(map(json_row, range(5000))))

    class StoppedError(Exception):
        pass

    def stop(rows: int, share: float) -> None:
        if share > 0.7:
            raise StoppedError

    def job() -> Job:
        return Job(Path("in"), Path("out.jsonl"), Scorer(classifier, fields=["reason"]), checkpoint=0, batch_rows=1000)

    with pytest.raises(StoppedError):
        job().run(stop)
    done = job().run()
    assert done.resumed > 0
    [told] = done.cut
    assert told.startswith("in/a.jsonl.zst: ")
    assert done.rejected == 1
    numbers = [json.loads(row)["n"] for row in Path("out.jsonl").read_text().splitlines()]
    assert len(numbers) == done.rows
    before = len(numbers) - 5000
    assert numbers == [*range(before), *range(5000)]


@PACKERS
def test_one_message_of_a_maildir(packed: str) -> None:
    """Dovecot packs messages one by one."""
    for folder in ("cur", "new", "tmp"):
        (Path("m") / folder).mkdir(parents=True)
    message = "From: MAILER-DAEMON@mx.example.net\nTo: a@example.org\nSubject: failure\nDate: Mon, 2 Mar 2026 09:00:00 +0000\n"
    message += "X-Failed-Recipients: {0}@example.com\n\nYour message could not be delivered to\n\n  {0}@example.com\n    550 5.1.1 User unknown\n"
    for name in ("ann", "ben", "cid"):
        data = PACKED[packed](message.format(name).encode())
        (Path("m") / "cur" / f"{name}:2,S").write_bytes(data[:-20] if name == "ben" else data)
    done = call("report", "m", "--json")
    assert done.exit_code == 0, done.exception
    found = json.loads(done.stdout)
    assert found["bounced"] >= 2
    assert (
        f"m/cur/ben:2,S: the {'gzip' if packed == 'gz' else 'bzip2' if packed == 'bz2' else 'zstd'} data" in done.stderr
    )


@pytest.mark.parametrize("command", ["report", "predict"])
@pytest.mark.parametrize("end", [-10, None])
def test_a_small_file_is_read_up_to_its_early_end(command: str, end: int | None) -> None:
    """All of it is unpacked before it is found that the check at its end is missing, or that something stands behind."""
    Path("few.log.gz").write_bytes((gzip.compress("".join(map(log_line, range(6))).encode()) + b"behind")[:end])
    done = call(command, "few.log.gz", "--json")
    found = json.loads(done.stdout)
    assert (sum(source["records"] for source in found["sources"]) if command == "report" else len(found)) == 6
    assert "few.log.gz: the gzip data is damaged" in (done.stderr if command == "report" else str(done.exception))
