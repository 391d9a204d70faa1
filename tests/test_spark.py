"""Scoring on a real Apache Spark: the same answers as on one machine."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from spark_java import java_home

from whybounce.data.slots import fill
from whybounce.model.errors import DataError, MissingExtraError
from whybounce.model.masking import MAX_TEXT
from whybounce.model.predictor import BounceClassifier
from whybounce.serving.score import FIELDS, Scorer
from whybounce.serving.score import spark as adapter
from whybounce.training.corpus import load_corpus

# pandas 3 works for mapInArrow, which hands over Arrow batches and only looks whether pandas is there.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
]

ROWS = 4000


@pytest.fixture(scope="module")
def java(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(java_home(tmp_path_factory.mktemp("java")))


@pytest.fixture(scope="module")
def session(java: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A Spark of two threads, with a Java of its own."""
    from pyspark.sql import SparkSession

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_HOME", java)
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.delenv("SPARK_HOME", raising=False)
        found = (
            SparkSession.builder.master("local[2]")
            .config("spark.ui.enabled", "false")
            .config("spark.sql.shuffle.partitions", "2")
            .config("spark.sql.execution.arrow.maxRecordsPerBatch", "700")
            .config("spark.sql.warehouse.dir", str(tmp_path_factory.mktemp("warehouse")))
            .getOrCreate()
        )
        yield found
        gateway: Any = found.sparkContext._gateway
        found.stop()
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait(60)


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """Rows as senders have them: known fields or not, nulls, nothing, long texts, other columns."""
    rng = random.Random(3)
    templates = sorted({row.text for row in load_corpus()})
    made = []
    for number in range(ROWS):
        text: str | None = fill(rng.choice(templates[:1500]), rng)
        if rng.random() < 0.02:
            text = rng.choice(
                [None, "", " \t ", "x " * MAX_TEXT, f"450 try again in {number} seconds " + "é" * 5000, "\0用户"]
            )
        made.append(
            {
                "id": number,
                "diagnostic": text,
                "reply_code": rng.choice([None, None, 550, 421, 99999]),
                "enhanced_status": rng.choice([None, None, "", "5.1.1", "4.2.2"]),
                "command": rng.choice([None, None, "RCPT TO", "nothing"]),
                "remote_host": rng.choice([None, None, "gmail-smtp-in.l.google.com"]),
                "tags": [{"name": "a", "value": 1.5}] if number % 3 else None,
            }
        )
    return made


SCHEMA = (
    "id long, diagnostic string, reply_code int, enhanced_status string, command string, remote_host string, "
    "tags array<struct<name: string, value: double>>"
)


def test_every_field_is_that_of_one_machine(
    session: Any, classifier: BounceClassifier, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    frame = session.createDataFrame(rows, SCHEMA)
    # Of nine partitions, three at most have rows.
    parted = frame.repartition(9, frame["id"] % 3)
    assert sum(not part for part in parted.rdd.glom().collect()) >= 6
    scored = adapter.score(parted)
    assert scored.columns == [*frame.columns, *(f"bounce_{name}" for name in FIELDS)]
    scored.write.parquet(str(tmp_path / "scored"))
    found = {row["id"]: row.asDict(recursive=True) for row in session.read.parquet(str(tmp_path / "scored")).collect()}
    batch = pa.RecordBatch.from_pylist(rows)
    wanted = Scorer(classifier).score(batch).to_pylist()
    assert len(found) == len(wanted) == ROWS
    assert [found[row["id"]] for row in wanted] == wanted
    for row in rows[::10]:
        prediction = classifier.predict_one(
            row["diagnostic"] or "",
            **{name: row[name] for name in ("reply_code", "enhanced_status", "command", "remote_host")},
        ).to_dict()
        for name in set(FIELDS) - {"alternatives", "evidence"}:
            assert found[row["id"]][f"bounce_{name}"] == prediction[name], name


def test_chosen_column_fields_and_prefix(session: Any, classifier: BounceClassifier) -> None:
    frame = session.createDataFrame([("550 no such user", 1), ("452 mailbox full", 2)], "answer string, n int")
    scored = adapter.score(frame, column="answer", fields=["reason", "evidence"], prefix="why_")
    assert scored.schema.simpleString() == (
        "struct<answer:string,n:int,why_reason:string,"
        "why_evidence:array<struct<kind:string,text:string,id:string,weight:double>>>"
    )
    assert [row["why_reason"] for row in scored.orderBy("n").collect()] == ["invalid_recipient", "mailbox_full"]


def test_the_model_is_loaded_once_for_a_worker(session: Any, tmp_path: Path) -> None:
    from whybounce.model.artifact import SHIPPED

    artifact = tmp_path / "artifact"
    artifact.symlink_to(SHIPPED)
    scoring = adapter._Scoring(str(artifact), "text", ("reason",), "bounce_")

    def count(batches: Iterator[Any]) -> Iterator[Any]:
        before = adapter._scorer.cache_info()
        rows = sum(batch.num_rows for batch in scoring(batches))
        after = adapter._scorer.cache_info()
        told = {"pid": os.getpid(), "rows": rows, "loads": after.misses - before.misses}
        yield pa.RecordBatch.from_pylist([told])

    frame = session.createDataFrame([(f"550 no such user {number}",) for number in range(4000)], "text string")
    found = frame.repartition(8).mapInArrow(count, "pid long, rows long, loads long").collect()
    assert len(found) == 8
    assert sum(row["rows"] for row in found) == 4000
    loads = Counter({row["pid"]: 0 for row in found})
    for row in found:
        loads[row["pid"]] += row["loads"]
    assert set(loads.values()) == {1}
    assert len(loads) <= 4


def test_the_job_of_the_cluster_example(
    java: str, classifier: BounceClassifier, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    import pyspark

    home = Path(pyspark.__file__).parent
    few = pa.RecordBatch.from_pylist(rows[:200])
    pq.write_table(pa.Table.from_batches([few]), tmp_path / "in.parquet")
    script = Path(__file__).parent.parent / "serving" / "deploy" / "spark" / "score_job.py"
    command = [
        str(home / "bin" / "spark-submit"),
        "--master",
        "local[2]",
        "--conf",
        "spark.ui.enabled=false",
        str(script),
    ]
    command += [
        str(tmp_path / "in.parquet"),
        str(tmp_path / "out"),
        "--fields",
        "reason,confidence",
        "--partitions",
        "2",
    ]
    environment = {
        **os.environ, "JAVA_HOME": java, "PYSPARK_PYTHON": sys.executable, "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1",
    }  # fmt: skip
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=540, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = pa.concat_tables([pq.read_table(path) for path in (tmp_path / "out").glob("*.parquet")]).sort_by("id")
    wanted = Scorer(classifier, fields=["reason", "confidence"]).score(few)
    assert found.to_pylist() == wanted.to_pylist()


def test_an_artifact_that_is_not_there_fails_the_job(session: Any, tmp_path: Path) -> None:
    from pyspark.errors import PythonException

    frame = session.createDataFrame([("550 no such user",)], "diagnostic string")
    with pytest.raises(PythonException, match="ArtifactError"):
        adapter.score(frame, artifact=str(tmp_path / "nowhere")).collect()


@pytest.mark.parametrize(
    ("schema", "arguments", "said"),
    [
        ("who string", {}, "name one of who"),
        ("diagnostic string", {"column": "no"}, "there is no column 'no'; there are: diagnostic"),
        ("diagnostic int", {}, "holds int32, no text"),
        ("diagnostic string, bounce_reason string", {}, "choose another --prefix"),
        ("diagnostic string", {"fields": ["nonsense"]}, "there is no field 'nonsense'"),
    ],
)
def test_mistakes_are_told_before_anything_runs(
    session: Any, schema: str, arguments: dict[str, Any], said: str
) -> None:
    frame = session.createDataFrame([], schema)
    with pytest.raises(DataError, match=said):
        adapter.score(frame, **arguments)


@pytest.mark.parametrize("missing", ["pandas", "pyspark.sql.types"])
def test_a_missing_extra(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'whybounce\[spark\]'"):
        adapter.score(object())  # type: ignore[arg-type]
