"""Files of every kind are scored into files of every kind; what cannot be read is listed."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from score_files import ROWS, job, read, write
from typer.testing import CliRunner

from whybounce.model.errors import DataError
from whybounce.model.predictor import BounceClassifier
from whybounce.serving.cli import app
from whybounce.serving.score import FIELDS, Scorer, lines, parquet
from whybounce.serving.score.job import Job


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


@pytest.mark.parametrize(("codec", "wanted"), [("snappy", "SNAPPY"), ("gzip", "GZIP"), ("none", "ZSTD")])
def test_the_output_is_compressed_as_the_input_is(
    tmp_path: Path, classifier: BounceClassifier, codec: str, wanted: str
) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "in.parquet", compression=codec)
    job(tmp_path / "in.parquet", tmp_path / "out.parquet", classifier).run()
    written = pq.read_metadata(tmp_path / "out.parquet").row_group(0)
    assert {written.column(place).compression for place in range(written.num_columns)} == {wanted}


def test_long_rows_make_small_chunks(
    tmp_path: Path, classifier: BounceClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (lines, parquet):
        monkeypatch.setattr(module, "MOST_BYTES", 20_000)
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
