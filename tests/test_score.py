"""Scoring tables: the same answers as one by one, in any kind of file, however often it is interrupted."""

from __future__ import annotations

import csv
import errno
import gzip
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

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from whybounce.data.slots import fill
from whybounce.model.errors import DataError
from whybounce.model.masking import MAX_TEXT, template_of
from whybounce.model.predictor import BounceClassifier
from whybounce.serving.cli import app
from whybounce.serving.score import FIELDS, Scorer, jsonlines, lines, parquet
from whybounce.serving.score import scorer as scorer_module
from whybounce.serving.score.folding import LONGEST, fold
from whybounce.serving.score.job import Job
from whybounce.training.corpus import load_corpus

RNG = random.Random(7)
TEXTS = [fill(text, RNG) for text in sorted({row.text for row in load_corpus()})[::40]]

# Tokens near the border of what is folded, and what stands between tokens.
TOKENS = [
    "a@example.com", "joe+x@example.com", "to=a@example.com", "x-to=a@b.example", "a@b@c", "@example.com", "a@", "a:b@c.example",
    "192.0.2.1", "192.0.2.1:25", "192.0.2.256", "1.2.3", "5.1.1", "2001:db8::1", "2001:db8:1:2:3:4:5:6", "1:2:3:4", "12:30:59",
    "550", "550-5.1.1", "450", "4504", "12", "7", "00:00:01.", "2026-01-02T10:11:12.345Z", "S3150", "TSS04", "10MB", "4F2B11C0",
    "a1-b2c3d4.e5", "250-abc1d2e3", "550-a1b2c3", "x1y2z3.com", "a1b2.c3d4", "550x", "xn--a1b2c", "a1_b2c3_d4", "300", "seconds",
    "bytes", "messages", "ID", "NUM", "ADDR", "mx1.example.com", "gmail-smtp-in.l.google.com", "zen.spamhaus.org", "ab-a1b2c3",
    "abcd-a1b2c3", "a" * 60, "1" * 60, "a1" * 150, "x" * 200 + "@example.com", "\u0338", "é", "用户", "a1b2c3é", "\\r", "\\n",
    "mx1.example.com:25", "a_b.example", "-a.example", "a.gmail.com", "xgmail.com", "www.example.com", "WWW.EXAMPLE.COM", "a..example",
    "a." * 90 + "com", "x" * 60 + ".com", "mx.example.com.", "12345_67890", "1234.5678", "5.1.1.com", "192.0.2.1.example", "b.spamhaus.org.example",
    "user", "unknown", "said", "try", "again", "in", "www.example.com/a1b2c3", "http://example.com/1", "ipv6:1::2", "::1", "1::",
]  # fmt: skip
BETWEEN = [" ", "  ", "<", ">", "> <", "(", ")", "[", "]", ": ", ":", ";", ",", "=", "+", "\\", "/", ".", "\t", "\n", "\u00a0", "‚", "\x7f", "\0", "-"]  # fmt: skip
texts = st.lists(st.one_of(st.sampled_from(TOKENS), st.sampled_from(BETWEEN), st.text(max_size=4)), max_size=14).map(
    "".join
) | st.lists(st.sampled_from(TOKENS), max_size=10).map(" ".join)
any_text = texts | st.sampled_from(TEXTS) | st.text(max_size=60)
whole = any_text.map(lambda text: text.encode("utf-8", "replace").decode())


def folded(many: list[str]) -> list[str]:
    return list(fold(pa.array(many, pa.large_string())).to_pylist())


def test_folding_keeps_the_template_of_every_line_of_the_corpus() -> None:
    lines = [fill(row.text, RNG) for row in load_corpus()]
    few = folded(lines)
    assert [template_of(text) for text in few] == [template_of(text) for text in lines]


@settings(max_examples=400, deadline=None)
@given(st.lists(whole, min_size=1, max_size=12))
@example(["<\u0338a@example.com", ">\u0338"])
@example(["a@example.com " * 3 + "x+y=z@b"])
@example(["12 " * 8000])
@example(["2026-01-02T10:11:12.345Z;2026-01-02T10:11:12.345Z"])
@example(["mx1.example.com:25 http://a.example/x www.a.example <mx.gmail.com> mx1.d2.example,mx2.d3.example 123_4567"])
def test_folding_keeps_the_template(many: list[str]) -> None:
    cut = [text[:MAX_TEXT] for text in many]
    assert [template_of(text) for text in folded(cut)] == [template_of(text) for text in cut]


def test_folding_makes_one_of_many() -> None:
    many = [
        f"450 4.2.0 <user{n}@example.com> from 192.0.2.{n} ID 4F2B{n}11C0 took {n * 700} at 10:11:{n:02}"
        for n in range(10, 60)
    ]
    assert len(set(folded(many))) == 1


def test_long_texts_are_left_alone() -> None:
    text = "1 " * LONGEST
    assert folded([text, "1 2 3"])[0] == text


fields_given = st.fixed_dictionaries(
    {},
    optional={
        "reply_code": st.sampled_from([None, 550, 421, 7, 99999]),
        "enhanced_status": st.sampled_from([None, "", "5.1.1", "#4.2.2", "x"]),
        "command": st.sampled_from([None, "", "RCPT TO", "end of DATA", "nothing"]),
        "remote_host": st.sampled_from([None, "", "gmail-smtp-in.l.google.com", "mx.example.com"]),
    },
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(whole, fields_given), max_size=10), st.booleans())
def test_every_field_is_that_of_the_single_path(
    classifier: BounceClassifier, rows: list[tuple[str, dict[str, Any]]], dictionary: bool
) -> None:
    names = ("reply_code", "enhanced_status", "command", "remote_host")
    columns: dict[str, Any] = {"diagnostic": pa.array([text for text, _ in rows], pa.string())}
    for name in names:
        kind = pa.int64() if name == "reply_code" else pa.string()
        columns[name] = pa.array([known.get(name) for _, known in rows], kind)
    batch = pa.RecordBatch.from_pydict(columns)
    scored = Scorer(classifier, dictionary=dictionary).score(batch)
    assert scored.schema.names == [*batch.schema.names, *(f"bounce_{name}" for name in FIELDS)]
    for row, (text, known) in zip(scored.to_pylist(), rows, strict=True):
        wanted = classifier.predict_one(text, **known).to_dict()
        wanted["alternatives"] = [dict(one) for one in wanted["alternatives"]]
        wanted["evidence"] = [
            {name: one[name] for name in ("kind", "text", "id", "weight")} for one in wanted["evidence"]
        ]
        assert {name: row[f"bounce_{name}"] for name in FIELDS} == wanted
        assert row["diagnostic"] == text


def test_texts_that_are_cut_or_ask_to_wait(classifier: BounceClassifier) -> None:
    many = ["450 greylisted, try again in 300 seconds", "450 greylisted, try again in 600 seconds", "x " * MAX_TEXT, ""]
    scored = Scorer(classifier, fields=["retry_after_seconds", "truncated"]).score(
        pa.RecordBatch.from_pydict({"diagnostic": [*many, None]})
    )
    assert scored.column("bounce_retry_after_seconds").to_pylist() == [300, 600, None, None, None]
    assert scored.column("bounce_truncated").to_pylist() == [False, False, True, False, False]


waiting = st.lists(
    st.sampled_from(
        ["Try", "AGAIN", "retry", "come back", "come  back", "greylisted", "in", "after", "5 minutes", "300", "00:05:00", "seconds",
         "<a1@example.com>", "450", "4.7.1", ":", "=", "\\r", "\\", "\x01", "\t", "\u00ad", "re\u00adtry", "ｔry", "é", "wait", "7d", "\n", "12 h"]
    ),
    max_size=9,
).flatmap(lambda words: st.sampled_from([" ", "", "  "]).map(lambda glue: glue.join(["450 retry", *words])))  # fmt: skip


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(waiting, min_size=1, max_size=8))
@example(["450 come  back in 5 minutes 1, try", "450 try again 7 later", "450 retry\\r5 minutes"])
def test_how_long_to_wait_is_that_of_the_single_path(classifier: BounceClassifier, many: list[str]) -> None:
    scored = Scorer(classifier, fields=["retry_after_seconds"]).score(pa.RecordBatch.from_pydict({"text": many}))
    assert scored.column("bounce_retry_after_seconds").to_pylist() == [
        classifier.predict_one(text).retry_after_seconds for text in many
    ]


def test_what_is_remembered_is_bounded(classifier: BounceClassifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorer_module, "MOST_KNOWN", 3)
    scorer = Scorer(classifier, fields=["reason", "template"])
    for start in range(0, 40, 4):
        batch = pa.RecordBatch.from_pydict({"diagnostic": TEXTS[start : start + 4]})
        rows = scorer.score(batch).to_pylist()
        assert [row["bounce_reason"] for row in rows] == [
            classifier.predict_one(text).reason for text in TEXTS[start : start + 4]
        ]
        assert len(scorer._places) <= 3 + 4 * 2


def test_slices_and_other_kinds_of_columns(classifier: BounceClassifier) -> None:
    whole_batch = pa.RecordBatch.from_pydict(
        {
            "smtp_reply": pa.array(TEXTS[:20]).dictionary_encode(),
            "reply_code": pa.array([550.0, None] * 10),
            "tags": [["a"]] * 20,
        }
    )
    part = whole_batch.slice(5, 9)
    scored = Scorer(classifier, fields=["reason"]).score(part)
    assert (
        scored.column("bounce_reason").to_pylist()
        == [
            classifier.predict_one(text, reply_code=550 if place % 2 == 0 else None).reason
            for place, text in enumerate(TEXTS[:20])
        ][5:14]
    )
    assert scored.column("tags").to_pylist() == [["a"]] * 9


@pytest.mark.parametrize(
    ("columns", "arguments", "said"),
    [
        ({"who": ["x"]}, {}, "name one of who with --column"),
        ({"diagnostic": ["x"]}, {"column": "no"}, "there is no column 'no'; there are: diagnostic"),
        ({"diagnostic": [1]}, {}, "holds int64, no text"),
        ({"diagnostic": ["x"], "bounce_reason": ["y"]}, {}, "choose another --prefix"),
        ({"diagnostic": ["x"]}, {"fields": ["nonsense"]}, "there is no field 'nonsense'; choose among reason"),
        ({"diagnostic": ["x"]}, {"fields": []}, "no field is chosen"),
    ],
)
def test_what_cannot_be_scored(
    classifier: BounceClassifier, columns: dict[str, Any], arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        Scorer(classifier, **arguments).score(pa.RecordBatch.from_pydict(columns))


# ---- files

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


@pytest.mark.parametrize("source", ["in.parquet", "in.jsonl", "in.jsonl.gz", "in.csv", "in.tsv"])
@pytest.mark.parametrize("out", ["out.parquet", "out.jsonl", "out.csv"])
def test_every_kind_to_every_kind(tmp_path: Path, classifier: BounceClassifier, source: str, out: str) -> None:
    seen: list[tuple[int, float]] = []
    done = job(write(tmp_path / source), tmp_path / out, classifier).run(lambda rows, share: seen.append((rows, share)))
    assert (done.rows, done.resumed, done.rejected) == (60, 0, 0)
    rows = read(tmp_path / out)
    assert [row["id"] for row in rows] == [row["id"] for row in ROWS]
    for row, given_row in zip(rows, ROWS, strict=True):
        prediction = classifier.predict_one(str(given_row["diagnostic"]))
        assert row["diagnostic"] == given_row["diagnostic"]
        assert str(row["n"]) == str(given_row["n"])
        assert row["bounce_reason"] == prediction.reason
        assert float(row["bounce_confidence"]) == prediction.confidence
        found = row["bounce_evidence"]
        found = json.loads(found) if isinstance(found, str) else found
        assert [(one["text"], one["weight"]) for one in found] == [
            (one.text, one.weight) for one in prediction.evidence
        ]
    assert seen[-1][0] == 60
    assert seen[-1][1] == pytest.approx(1, abs=0.05)
    assert [share for _, share in seen] == sorted(share for _, share in seen)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([source, out])


class StopError(Exception):
    pass


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


def test_long_rows_make_small_chunks(
    tmp_path: Path, classifier: BounceClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (lines, parquet):
        monkeypatch.setattr(module, "MOST_BYTES", 20_000)
    monkeypatch.setattr(parquet, "_STEP", 2)
    rows = [{"diagnostic": "550 no such user " + "x " * 2000, "n": n} for n in range(40)]
    for name in ("in.parquet", "in.jsonl", "in.csv"):
        write(tmp_path / name, rows)
        seen: list[int] = []
        Job(tmp_path / name, tmp_path / "out.jsonl", Scorer(classifier)).run(lambda rows, share, s=seen: s.append(rows))  # type: ignore[misc]
        assert len(seen) >= 6, name
        assert [int(row["n"]) for row in read(tmp_path / "out.jsonl")] == list(range(40))


def test_columns_keep_their_types(tmp_path: Path, classifier: BounceClassifier) -> None:
    table = pa.table(
        {
            "text": pa.array(["550 no such user", None], pa.large_string()),
            "took": pa.array([5, 6], pa.duration("ms")),
            "at": pa.array([5, 6], pa.timestamp("us", "Europe/Vilnius")),
            "kind": pa.array(["a", "b"]).dictionary_encode(),
            "raw": pa.array([b"\0", None]),
        }
    )
    pq.write_table(table, tmp_path / "in.parquet")
    for checkpoint in (0, 1000):
        done = Job(
            tmp_path / "in.parquet",
            tmp_path / "out.parquet",
            Scorer(classifier, dictionary=True),
            batch_rows=1,
            checkpoint=checkpoint,
        ).run()
        assert done.rows == 2
        scored = pq.read_table(tmp_path / "out.parquet")
        assert scored.select(table.schema.names).schema == table.schema
        assert scored.schema.names[5:] == [f"bounce_{name}" for name in FIELDS]
        assert [field.type for field in scored.schema][5:] == [field.type for field in Scorer(classifier).added]
        assert scored.select(table.schema.names).to_pylist() == table.to_pylist()


def test_many_different_known_fields(classifier: BounceClassifier) -> None:
    size = 3000
    batch = pa.RecordBatch.from_pydict(
        {
            "diagnostic": [f"{TEXTS[n % 30]} zq{n}" for n in range(size)],
            "reply_code": [400 + n % 200 for n in range(size)],
            "enhanced_status": [f"5.{n % 50}.{n % 70}" for n in range(size)],
            "remote_host": [f"mx{n}.example.com" for n in range(size)],
        }
    )
    rows = Scorer(classifier, fields=["reason", "reply_code", "enhanced_status", "confidence"]).score(batch).to_pylist()
    for row in rows[::37]:
        known = {name: row[name] for name in ("reply_code", "enhanced_status", "remote_host")}
        wanted = classifier.predict_one(row["diagnostic"], **known)
        assert (row["bounce_reason"], row["bounce_reply_code"], row["bounce_enhanced_status"], row["bounce_confidence"]) == (
            wanted.reason, wanted.reply_code, wanted.enhanced_status, wanted.confidence,
        )  # fmt: skip


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


BAD = [
    ('{"diagnostic": "550 no such user"}', None),
    ('{"diagnostic": 5}', "'diagnostic' is not a text"),
    ('{"diagnostic": "x"', "not valid JSON"),
    ("[1]", "no JSON object"),
    ('{"other": "x"}', "no key that is known to be the diagnostic"),
    ('{"diagnostic": "x", "reply_code": "five"}', "reply_code 'five' is not a number"),
    ("[" * 100_000, "not valid JSON"),
    ('{"diagnostic": "452 mailbox full \\ud800", "more": [1]}', None),
    ("", None),
]


@pytest.mark.parametrize("out", ["out.jsonl", "out.parquet"])
def test_bad_lines_are_listed(tmp_path: Path, classifier: BounceClassifier, out: str) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes("\n".join(line for line, _ in BAD).encode() + b'\n{"diagnostic": "caf\xe9 full"}\n')
    done = job(source, tmp_path / out, classifier).run()
    assert (done.rows, done.rejected) == (3, 6)
    assert done.rejected_file is not None
    for row, (number, line, why) in zip(
        read(done.rejected_file),
        [(number, line, why) for number, (line, why) in enumerate(BAD, start=1) if why],
        strict=True,
    ):
        assert (row["line"], row["content"], row["source"]) == (number, line, str(source))
        assert why in row["why"]
    assert [row["bounce_reason"] for row in read(tmp_path / out)][:2] == ["invalid_recipient", "mailbox_full"]


def test_objects_that_do_not_fit_the_columns(tmp_path: Path, classifier: BounceClassifier) -> None:
    source = tmp_path / "in.jsonl"
    rows: list[dict[str, Any]] = [{"diagnostic": "x", "n": n, "mixed": "a" if n % 2 else 1} for n in range(8)]
    rows += [{"diagnostic": "y", "n": "many"}, {"diagnostic": "z", "new": 1}, {"diagnostic": "w", "mixed": {"a": 1}}]
    write(source, rows)
    done = job(source, tmp_path / "out.parquet", classifier).run()
    assert (done.rows, done.rejected) == (9, 2)
    assert done.rejected_file is not None
    whys = {row["line"]: row["why"] for row in read(done.rejected_file)}
    assert "the key 'new' is not in the first rows; score to .jsonl" in whys[10]
    assert "does not fit" in whys[9]
    assert [row["mixed"] for row in read(tmp_path / "out.parquet")] == ["1", "a"] * 4 + ['{"a": 1}']


def test_bad_rows_of_tables(tmp_path: Path, classifier: BounceClassifier) -> None:
    source = tmp_path / "in.csv"
    source.write_bytes(
        b'\xef\xbb\xbfid,diagnostic,reply_code\n1,"550 no such ""user"", sorry",550\n2,x,550,more\n3,y,abc\n4,452 full\n'
    )
    done = job(source, tmp_path / "out.csv", classifier).run()
    rows = read(tmp_path / "out.csv")
    assert [(row["id"], row["diagnostic"]) for row in rows] == [("1", '550 no such "user", sorry'), ("4", "452 full")]
    assert done.rejected_file is not None
    assert [row["why"] for row in read(done.rejected_file)] == [
        "4 cells under 3 names", "reply_code 'abc' is not a number",
    ]  # fmt: skip
    job(source, tmp_path / "out.csv", classifier).run(restart=True)
    write(source)
    job(source, tmp_path / "out.csv", classifier).run(restart=True)
    assert not done.rejected_file.exists()  # of an earlier run


def test_folders(tmp_path: Path, classifier: BounceClassifier) -> None:
    folder = tmp_path / "lake"
    (folder / "day=1").mkdir(parents=True)
    write(folder / "day=1" / "b.parquet", ROWS[:30])
    write(folder / "a.parquet", ROWS[30:])
    (folder / "_SUCCESS").touch()
    job(folder, tmp_path / "out.jsonl", classifier).run()
    assert [row["n"] for row in read(tmp_path / "out.jsonl")] == [*range(30, 60), *range(30)]
    write(folder / "c.csv")
    with pytest.raises(DataError, match=r"several kinds \(csv, parquet\)"):
        job(folder, tmp_path / "other.jsonl", classifier)
    (folder / "c.csv").unlink()
    write(folder / "d.parquet", [{"diagnostic": "x"}])
    with pytest.raises(DataError, match="has other columns than"):
        job(folder, tmp_path / "other.jsonl", classifier).run()


@pytest.mark.parametrize("name", ["in.parquet", "in.csv", "in.jsonl"])
@pytest.mark.parametrize("out", ["out.parquet", "out.jsonl", "out.csv"])
def test_no_rows(tmp_path: Path, classifier: BounceClassifier, name: str, out: str) -> None:
    source = tmp_path / name
    if name == "in.parquet":
        pq.write_table(pa.table({"diagnostic": pa.array([], pa.string()), "n": pa.array([], pa.int64())}), source)
    else:
        source.write_text("diagnostic,n\n" if name == "in.csv" else "")
    assert job(source, tmp_path / out, classifier).run().rows == 0
    assert read(tmp_path / out) == []
    if out == "out.parquet":
        assert "bounce_reason" in pq.read_schema(tmp_path / out).names


# ---- the command


def command(*arguments: Any) -> Any:
    return CliRunner().invoke(app, ["score", *map(str, arguments)])


def test_the_command(tmp_path: Path) -> None:
    source, out = write(tmp_path / "in.parquet"), tmp_path / "out.parquet"
    done = command(source, out, "--fields", "reason, confidence", "--prefix", "why_")
    assert done.exit_code == 0, done.output
    assert "60 rows in" in done.stderr
    assert pq.read_schema(out).names == ["id", "diagnostic", "n", "why_reason", "why_confidence"]
    again = command(source, out)
    assert again.exit_code == 2
    assert "--overwrite" in again.stderr
    assert command(source, out, "--overwrite").exit_code == 0


@pytest.fixture
def nowhere(tmp_path: Path) -> Path:
    folder = tmp_path / "closed"
    folder.write_text("a file, not a folder")
    return folder / "out.parquet"


@pytest.mark.parametrize(
    ("source", "out", "said"),
    [
        ("missing.parquet", "out.parquet", "is not there; check the path"),
        ("in.jsonl", "out.xlsx", "name it NAME.parquet"),
        ("in.xlsx", "out.parquet", "is of no known kind"),
        ("in.jsonl", "in.jsonl", "is the input; write to another file"),
        ("broken.parquet", "out.parquet", "is no Parquet file that can be read"),
        ("broken.csv", "out.csv", "which column holds the diagnostic"),
        ("broken.jsonl.gz", "out.jsonl", "is damaged or cut off"),
    ],
)
def test_what_the_command_says_of_mistakes(tmp_path: Path, source: str, out: str, said: str) -> None:
    write(tmp_path / "in.jsonl")
    (tmp_path / "in.xlsx").write_bytes(b"PK")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no")
    (tmp_path / "broken.csv").write_text("a,b\n1,2\n")
    (tmp_path / "broken.jsonl.gz").write_bytes(gzip.compress(b'{"diagnostic": "x"}\n' * 9000)[:60])
    done = command(tmp_path / source, tmp_path / out, "--overwrite")
    assert isinstance(done.exception, DataError)
    assert said in str(done.exception)


def test_a_place_that_cannot_be_written(tmp_path: Path, nowhere: Path) -> None:
    done = command(write(tmp_path / "in.jsonl"), nowhere)
    assert isinstance(done.exception, DataError)
    assert "check where to write" in str(done.exception)


@pytest.mark.parametrize("missing", ["pyarrow", "polars"])
def test_a_missing_extra(missing: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; import whybounce.serving.score"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "MissingExtraError: Scoring tables needs an extra" in done.stderr
    assert "pip install 'whybounce[score]'" in done.stderr
