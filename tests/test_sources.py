"""Labelled bounces of the user's own: foreign labels, times, wrong files, and nothing half-written."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from whybounce.model.errors import DataError
from whybounce.model.predictor import BounceClassifier
from whybounce.serving.cli import app
from whybounce.training.sources.lines import MAX_LINE
from whybounce.training.sources.load import load
from whybounce.training.sources.reader import Options
from whybounce.training.sources.times import epoch_seconds

TEXTS = {
    "mailbox_full": "452 4.2.2 <{}@example.com> the {} is full",
    "invalid_recipient": "550 5.1.1 <{}@example.com> no {} here",
    "greylisted": "450 4.7.1 {} greylisted, {} again later",
    "sender_reputation": "554 5.7.1 {} is on the {} blocklist",
}
WORDS = ("box", "desk", "user", "person", "queue", "house", "list", "door", "cell", "tray", "bin", "crate", "bag")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("WHYBOUNCE_REGISTRY", raising=False)
    return tmp_path


def rows(labels: dict[str, str] | None = None) -> list[tuple[str, str]]:
    """Some rows of every reason, each another template."""
    return [
        (text.format(f"u{number}", word), (labels or {}).get(label, label))
        for label, text in TEXTS.items()
        for number, word in enumerate(WORDS)
    ]


def as_csv(path: str, found: list[tuple[str, str]]) -> None:
    Path(path).write_text("".join(f'"{text}",{label}\n' for text, label in [("text", "label"), *found]), "utf-8")


def train(*arguments: str, corpus: str = "exclude") -> Result:
    return CliRunner().invoke(app, ["train", "--corpus", corpus, "--folds", "2", "--out", "run", *arguments])


def refused(*arguments: str) -> str:
    done = train(*arguments)
    assert isinstance(done.exception, DataError), (done.output, done.exception)
    assert not Path("run").exists()
    assert not list(Path().glob(".run*"))
    return str(done.exception)


@pytest.mark.parametrize(
    ("vocabulary", "labels"),
    [
        (
            "sisimai",
            {
                "mailbox_full": "mailboxfull", "invalid_recipient": "userunknown", "greylisted": "suspend",
                "sender_reputation": "badreputation",
            },
        ),
        (
            "sparkpost",
            {
                "mailbox_full": "22", "invalid_recipient": "10", "greylisted": "20", "sender_reputation": "51",
            },
        ),
    ],
)  # fmt: skip
def test_foreign_labels(here: Path, vocabulary: str, labels: dict[str, str]) -> None:
    from whybounce.data.crosswalk import crosswalk

    as_csv("own.csv", rows(labels))
    found = load(["own.csv"], Options(labels=vocabulary))
    for row in found.rows:
        original = next(labels[reason] for reason, text in TEXTS.items() if row.text.startswith(text[:9]))
        mapped = crosswalk(vocabulary).to_ours(original)
        assert mapped is not None
        assert row.label == mapped.reason
    assert found.summary.bad == 0


def test_unknown_labels_name_the_vocabulary_that_fits(here: Path) -> None:
    as_csv("own.csv", rows({"mailbox_full": "mailboxfull", "invalid_recipient": "userunknown"}))
    message = refused("--data", "own.csv")
    assert "own.csv: 26 of 52 rows cannot be used: line 2: unknown label 'mailboxfull'" in message
    assert "sisimai" in message


def test_unknown_labels_that_are_nearly_ours(here: Path) -> None:
    labels = {"mailbox_full": "Mailbox is full", "invalid_recipient": "Invalid-Recipient", "greylisted": "nonsense"}
    as_csv("own.csv", rows(labels))
    message = refused("--data", "own.csv")
    assert "did you mean mailbox_full for 'Mailbox is full', invalid_recipient for 'Invalid-Recipient'?" in message
    assert "for 'nonsense'" not in message


def test_bad_rows_of_an_array_are_counted_as_rows(here: Path) -> None:
    found = [{"text": text, "label": label} for text, label in [("552 x", "mailbox_full"), ("552 y", "nope")]]
    Path("own.json").write_text(json.dumps([*found, 3], indent=2), "utf-8")
    message = refused("--data", "own.json")
    assert "row 2: unknown label 'nope'" in message
    assert "row 3: no JSON object" in message


def test_several_paths_behind_one_option(here: Path) -> None:
    found = rows()
    as_csv("a.csv", found[::2])
    as_csv("b.csv", found[1::2])
    done = train("--data", "a.csv", "b.csv", "--bare")
    assert done.exit_code == 0, (done.output, done.exception)
    assert f"read {len(found)} rows: {len(found)} used, of {len(found)} templates" in done.output


def test_a_data_set_of_the_hub(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets
    import huggingface_hub

    found = rows()
    names = sorted(TEXTS)
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=names)})
    columns = {"text": [text for text, _ in found], "label": [names.index(label) for _, label in found]}
    asked = []

    def hub(name: str, **options: Any) -> Any:
        asked.append((name, options))
        return datasets.Dataset.from_dict(columns, features=features).to_iterable_dataset()

    monkeypatch.setattr(datasets, "load_dataset", hub)
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *_, **__: None)
    loaded = load(["org/bounces"], Options(split="test"))
    # Streamed, and the numbers of a label column are read as the names that stand beside.
    assert asked == [("org/bounces", {"split": "test", "streaming": True})]
    assert [(row.text, row.label) for row in loaded.rows] == found


def test_a_hub_that_cannot_be_reached(here: Path) -> None:
    """One try, one line that says what to do: nobody waits for a network that is not there."""
    done = subprocess.run(
        [sys.executable, "-m", "whybounce", "train", "--data", "org/bounces", "--corpus", "exclude", "--out", "run"],
        env=os.environ | {"HF_ENDPOINT": "http://127.0.0.1:9"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "org/bounces: no such file here, and not to be had from the Hugging Face hub" in done.stderr
    assert "check the name and the network, or download the data and name the files" in done.stderr
    assert "Retrying" not in done.stderr
    assert "Traceback" not in done.stderr
    assert not Path("run").exists()


def test_bad_rows_are_listed_and_a_share_of_them_refuses(here: Path) -> None:
    found = rows()
    as_csv("own.csv", [*found, ("", "mailbox_full"), ("552 x", "nope"), ("552 y", "")])
    message = refused("--data", "own.csv")
    assert "line 54: no text" in message
    assert "--keep-going" in message or "--max-bad" in message
    done = train("--data", "own.csv", "--max-bad", "0.1")
    assert done.exit_code == 0, (done.output, done.exception)
    listed = [json.loads(line) for line in Path("run.rejects.jsonl").read_text("utf-8").splitlines()]
    assert [row["line"] for row in listed] == [54, 55, 56]
    assert "3 bad" in done.output or "3" in done.output
    manifest = json.loads(Path("run/manifest.json").read_text("utf-8"))
    assert manifest["data"]["own_rows"] == len(found)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "a.csv: the file is empty"),
        ("a.jsonl", b"", "a.jsonl: the file is empty"),
        ("a.csv", b"\x00\x01\x02binary\x00" * 50, "a.csv"),
        ("a.parquet", b"PAR1 not really", "a.parquet"),
        ("a.csv", b"foo,bar\n1,2\n", "--text-column"),
        ("a.jsonl", b'{"text": "x"}\n', "label"),
        ("a.jsonl", b"[1, 2\n", "a.jsonl"),
        ("a.xlsx", b"PK\x03\x04", "a.xlsx"),
    ],
)
def test_wrong_files(here: Path, name: str, content: bytes, message: str) -> None:
    Path(name).write_bytes(content)
    assert message in refused("--data", name)


def test_a_compressed_file(here: Path) -> None:
    Path("a.csv.gz").write_bytes(gzip.compress(b"text,label\n552 x,mailbox_full\n"))
    assert [row.label for row in load(["a.csv.gz"], Options()).rows] == ["mailbox_full"]


def test_a_file_that_is_not_there(here: Path) -> None:
    assert "nowhere.csv" in refused("--data", "nowhere.csv")
    Path("folder").mkdir()
    assert "folder" in refused("--data", "folder")


def test_mixed_encodings(here: Path) -> None:
    content = "text,label\n552 boîte pleine,mailbox_full\n".encode() + "550 inconnu é,invalid_recipient\n".encode(
        "cp1252"
    )
    Path("a.csv").write_bytes(content)
    found = load(["a.csv"], Options())
    assert [row.text for row in found.rows] == ["552 boîte pleine", "550 inconnu é"]
    assert found.summary.recoded == 1
    with pytest.raises(DataError, match=r"a.csv: 1 of 2 rows cannot be used: line 3: not valid UTF-8"):
        load(["a.csv"], Options(encoding="utf-8")).summary.refuse_above(0.0, Options().taxonomy)


_BOUNDED = """
import resource, sys
from pathlib import Path
from whybounce.model.errors import DataError
from whybounce.training.sources.load import load

Path("small.csv").write_text("text,label\\n552 full,mailbox_full\\n")
load(["small.csv"])  # whatever is imported late is there now
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
limit = int(status["VmSize"].split()[0]) * 1024 + int(sys.argv[2]) * 1024 * 1024
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
found = load([sys.argv[1]])
print(found.summary.read, found.summary.bad, [str(one) for one in found.summary.rejects])
"""


def in_little_memory(path: str, megabytes: int) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _BOUNDED, path, str(megabytes)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


LITTLE = 160
"""Megabytes that reading may take beside what the libraries take."""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and RLIMIT_AS")
def test_a_line_larger_than_memory_is_not_read_whole(here: Path) -> None:
    for name, start in (
        ("a.csv", b"text,label\n"),
        ("a.jsonl", b'{"text": "552 x", "label": "mailbox_full"}\n{"a": "'),
    ):
        with Path(name).open("wb") as file:
            file.write(start + b"x" * (MAX_LINE + 100))
            file.truncate(400 << 20)  # sparse
        told = in_little_memory(name, LITTLE)
        assert f"'{name}, line 2: longer than {MAX_LINE:,} characters" in told
    Path("a.csv").unlink()
    Path("a.jsonl").unlink()


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and RLIMIT_AS")
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_file_larger_than_memory_is_streamed(here: Path, name: str) -> None:
    body = "y" * 1_000_000  # such as the message that came back, in a column that nobody asks for
    count = 2 * LITTLE
    with Path(name).open("w", encoding="utf-8") as file:
        if name.endswith(".csv"):
            file.write("text,label,body\n")
        for number in range(count):
            if name.endswith(".csv"):
                file.write(f"552 box {number} is full,mailbox_full,{body}\n")
            else:
                file.write(json.dumps({"text": f"552 box {number} is full", "label": "mailbox_full", "body": body}))
                file.write("\n")
    assert in_little_memory(name, LITTLE) == f"{count} 0 []\n"
    Path(name).unlink()


def test_a_line_without_an_end(here: Path) -> None:
    """A line of a gigabyte is refused after the first megabytes; the file is sparse."""
    with Path("a.csv").open("wb") as file:
        file.write(b"text,label\n")
        file.write(b"x" * (MAX_LINE + 100))
        file.truncate(1 << 30)
    message = refused("--data", "a.csv")
    assert "a.csv: 1 of 1 rows cannot be used: line 2: longer than" in message


def test_the_latest_rows_are_held_out(here: Path) -> None:
    lines = ["text,label,when"]
    lines += [f'"{text}",{label},2026-03-{1 + number % 28:02}T00:00:00Z' for number, (text, label) in enumerate(rows())]
    Path("own.csv").write_text("\n".join(lines), "utf-8")
    done = train("--data", "own.csv", "--time-column", "when", "--holdout", "0.25")
    assert done.exit_code == 0, (done.output, done.exception)
    metrics = json.loads(Path("run/metrics.json").read_text("utf-8"))
    manifest = json.loads(Path("run/manifest.json").read_text("utf-8"))
    assert manifest["data"]["holdout"]["by"] == "time"
    assert metrics["data"]["measured"] == manifest["data"]["holdout"]["rows"]
    Path("own.csv").write_text("text,label,when\n552 x,mailbox_full,yesterday\n", "utf-8")
    done = train("--data", "own.csv", "--time-column", "when")
    assert "no point in time: 'yesterday'" in str(done.exception)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1970-01-01T00:01:00Z", 60.0),
        ("1970-01-01 00:01:00+00:00", 60.0),
        (60, 60.0),
        ("60", 60.0),
        ("", None),
        (None, None),
        ("soon", None),
    ],
)
def test_times(value: object, seconds: float | None) -> None:
    assert epoch_seconds(value) == seconds


REASONS = """
[reasons.promotion_blocked]
title = "Promotion blocked"
description = "The provider takes no advertising from us."
group = "Other receiver error"
action = "fix_message"
"""


def test_reasons_of_ones_own_travel_with_the_artifact(here: Path) -> None:
    Path("reasons.toml").write_text(REASONS, "utf-8")
    own = [
        *rows(),
        *((f"554 ADV-{n} the {word} of advertising is closed", "promotion_blocked") for n, word in enumerate(WORDS)),
    ]
    as_csv("own.csv", own)
    done = train("--data", "own.csv", "--reasons", "reasons.toml")
    assert done.exit_code == 0, (done.output, done.exception)
    classifier = BounceClassifier.load("run", strict=True)
    prediction = classifier.predict_one("554 ADV-3 the crate of advertising is closed")
    assert (prediction.reason, prediction.title) == ("promotion_blocked", "Promotion blocked")
    assert (prediction.group, prediction.category) == ("Other receiver error", "technical")
    assert "promotion_blocked" in classifier.taxonomy
    done = CliRunner().invoke(
        app, ["predict", "554 ADV-3 the crate of advertising is closed", "--json", "--artifact", "run"]
    )
    assert json.loads(done.stdout)[0]["reason"] == "promotion_blocked"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("Other receiver error", "No such line"), "promotion_blocked"),
        (("fix_message", "explode"), "promotion_blocked"),
        (("reasons.promotion_blocked", "reasons.mailbox_full"), "mailbox_full"),
        (("reasons.promotion_blocked", "things.x"), "reasons.toml"),
        (('title = "', "title = "), "reasons.toml"),
    ],
)
def test_reasons_that_are_wrong(here: Path, change: tuple[str, str], message: str) -> None:
    Path("reasons.toml").write_text(REASONS.replace(*change), "utf-8")
    as_csv("own.csv", rows())
    found = refused("--data", "own.csv", "--reasons", "reasons.toml")
    assert "reasons.toml" in found
    assert message in found


# ---- data check


def checked(*arguments: str) -> tuple[dict[str, Any], int]:
    done = CliRunner().invoke(app, ["data", "check", "--json", *arguments])
    assert done.exit_code in (0, 1), (done.output, done.exception)
    found: dict[str, Any] = json.loads(done.stdout)
    return found, done.exit_code


@pytest.mark.slow
def test_data_check_finds_what_is_wrong(here: Path) -> None:
    found = rows()
    wrong = ("450 4.7.1 u99 greylisted, porch again later", "invalid_recipient")
    as_csv(
        "own.csv",
        [
            *found, wrong,
            ("552 the <jane.roe@example.com> bucket 203.0.113.9 is full", "mailbox_full"),
            ("552 the <joe@example.net> bucket 203.0.113.10 is full", "closed_account"),
            ("552 Das Postfach ist voll, bitte versuchen Sie es später noch einmal", "mailbox_full"),
            ("", "mailbox_full"), ("550 x", "what_is_this"),
        ],
    )  # fmt: skip
    report, code = checked("own.csv", "--max-bad", "0.001")
    assert code == 1
    assert report["training"]["refuses"] is True
    assert (report["rows"]["read"], report["rows"]["bad"]) == (len(found) + 6, 2)
    text = json.dumps(report, ensure_ascii=False)
    assert "what_is_this" in text
    assert "jane.roe@example.com" not in text  # personal data is counted, never shown
    assert "203.0.113.9" not in text
    assert "552 the ADDR bucket IP is full" in text  # one template, two labels
    accepted, code = checked("own.csv", "--max-bad", "0.5")
    assert code == 0
    assert accepted["training"]["refuses"] is False
    shown = CliRunner().invoke(app, ["data", "check", "own.csv"])
    assert "train would refuse this" in shown.output
    assert "jane.roe" not in shown.output


@pytest.mark.slow
def test_data_check_doubts_labels(here: Path) -> None:
    wrong = "552 5.2.2 mailbox of the user is full, over quota"
    as_csv("own.csv", [*rows(), (wrong, "bad_domain")])
    report, _ = checked("own.csv")
    suspected = json.dumps(report["noise"])
    assert "over quota" in suspected
    assert "bad_domain" in suspected
