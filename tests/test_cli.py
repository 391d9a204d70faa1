"""The command line: every command, its errors and its exit codes."""

from __future__ import annotations

import io
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from whybounce import __version__
from whybounce.model.artifact import read_manifest
from whybounce.model.masking import MAX_TEXT
from whybounce.model.predictor import BounceClassifier
from whybounce.model.taxonomy import TAXONOMY
from whybounce.serving.cli import app, main
from whybounce.serving.cli.records import MAX_LINE, Record, read
from whybounce.training.train import Trained

UNKNOWN = "550 5.1.1 <a@example.com>: User unknown"
FULL = "552 5.2.2 Mailbox full"


@dataclass(frozen=True)
class Done:
    """A finished command; output on one line, as wrapping depends on the terminal."""

    code: int
    out: str
    err: str

    @property
    def words(self) -> str:
        return " ".join(re.sub("[│╭╮╰╯─]", " ", self.out + self.err).split())


Run = Callable[..., Done]


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, classifier: BounceClassifier
) -> Run:
    """Run ``whybounce`` in this process, in a folder of its own. The shipped model is loaded once for all."""
    monkeypatch.chdir(tmp_path)
    load = BounceClassifier.load

    def load_once(folder: Path | None = None, *, strict: bool = False) -> BounceClassifier:
        return load(folder, strict=strict) if folder else classifier

    monkeypatch.setattr(BounceClassifier, "load", load_once)

    def command(*arguments: str | Path, stdin: bytes = b"") -> Done:
        monkeypatch.setattr(sys, "argv", ["whybounce", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as error:
            code = int(error.code or 0)
        shown = capsys.readouterr()
        return Done(code, shown.out, shown.err)

    return command


def whybounce(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run ``whybounce`` in a process of its own."""
    command = [sys.executable, "-W", "error", "-m", "whybounce", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, **options)


# predict


def test_predict_texts_as_a_table(run: Run) -> None:
    done = run("predict", UNKNOWN, FULL)
    assert done.code == 0
    lines = done.out.splitlines()
    assert len(lines) == 3
    assert {"diagnostic", "reason", "category", "action", "confidence", "by"} <= set(lines[0].split())
    assert {"invalid_recipient", "hard", "suppress", "model"} <= set(lines[1].split())
    assert {"mailbox_full", "soft", "retry_later"} <= set(lines[2].split())


@pytest.mark.parametrize("text", ["", "[bold]x[/] [/nope]", "a\nb\tc", "x" * 5000, "用户不存在", "--", "\ud800"])
def test_predict_any_text(run: Run, text: str) -> None:
    done = run("predict", "--json", "--", text)
    assert done.code == 0
    assert json.loads(done.out)[0]["diagnostic"].encode("utf-8", "replace") == text.encode("utf-8", "replace")
    assert run("predict", "--", text).code == 0


def test_predict_as_json(run: Run, classifier: BounceClassifier) -> None:
    done = run("predict", UNKNOWN, FULL, "--json")
    expected = [{"diagnostic": text} | classifier.predict_one(text).to_dict() for text in (UNKNOWN, FULL)]
    assert json.loads(done.out) == json.loads(json.dumps(expected))


def test_predict_as_json_lines(run: Run) -> None:
    done = run("predict", UNKNOWN, FULL, "--jsonl")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [row["reason"] for row in rows] == ["invalid_recipient", "mailbox_full"]


def rows_of(done: Done) -> list[tuple[Any, ...]]:
    assert done.code == 0, done
    rows = [json.loads(line) for line in done.out.splitlines()]
    return [
        (row.get("id"), row["diagnostic"], row["reply_code"], row["enhanced_status"], row["command"], row["provider"])
        for row in rows
    ]


# name, content, options, rows as (id, diagnostic, reply code, status, command, provider)
FILES: list[tuple[str, bytes, list[str], list[tuple[Any, ...]]]] = [
    ("a.txt", b"550 5.1.1 x y\n\n  \r\n450 z\r\n", [], [(None, "550 5.1.1 x y", 550, "5.1.1", None, None), (None, "450 z", 450, None, None, None)]),
    ("a.log", b"\xef\xbb\xbf550 a\xff b", [], [(None, "550 a\xff b", 550, None, None, None)]),
    ("noending", b"550 y z\n", [], [(None, "550 y z", 550, None, None, None)]),
    ("a.txt", b"", [], []),
    ("a.csv", b'id,diagnostic\n7,"550 a, ""b""\nc"\n8,450 z\n', [], [("7", '550 a, "b"\nc', 550, None, None, None), ("8", "450 z", 450, None, None, None)]),
    ("a.csv", b"\xef\xbb\xbftext,b\n550 y z,1\n", [], [(None, "550 y z", 550, None, None, None)]),
    ("a.csv", b"x,y\n1,550 q\n", ["--column", "y"], [(None, "550 q", 550, None, None, None)]),
    ("a.csv", b"text,y\n450 p q,550 q\n", ["--column", "y"], [(None, "550 q", 550, None, None, None)]),
    ("a.csv", b"text,b\n550 only\n", [], [(None, "550 only", 550, None, None, None)]),
    (
        "a.csv", b"text,reply_code,enhanced_status,command,remote_host\nq,452,4.2.2,RCPT TO,mx.google.com\nr,,,,\n", [],
        [(None, "q", 452, "4.2.2", "rcpt", "google"), (None, "r", None, None, None, None)],
    ),
    ("a.tsv", b"message\tid\n550 a, b\t3\n", [], [("3", "550 a, b", 550, None, None, None)]),
    ("a.jsonl", b'{"diagnostic": "550 q", "id": 4}\n\n"450 plain"\n', [], [("4", "550 q", 550, None, None, None), (None, "450 plain", 450, None, None, None)]),
    ("a.ndjson", b'{"smtp": "550 q", "text": "x"}\n', ["--column", "smtp"], [(None, "550 q", 550, None, None, None)]),
    ("a.jsonl", b'{"text": "q", "reply_code": 550, "command": "DATA"}\n', [], [(None, "q", 550, None, "data", None)]),
    ("a.jsonl", b'{"text": null}\n', [], [(None, "", None, None, None, None)]),
    ("a.JSONL", b'{"text": "550 q"}\n', [], [(None, "550 q", 550, None, None, None)]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "options", "rows"), FILES)
def test_predict_files(
    run: Run, tmp_path: Path, name: str, content: bytes, options: list[str], rows: list[tuple[Any, ...]]
) -> None:
    (tmp_path / name).write_bytes(content)
    assert rows_of(run("predict", name, "--jsonl", *options)) == rows
    array = run("predict", tmp_path / name, "--json", *options)
    assert [row["diagnostic"] for row in json.loads(array.out)] == [row[1] for row in rows]


def test_predict_standard_input(run: Run) -> None:
    done = run("predict", "-", "--jsonl", stdin=b"550 a b\n\n\xef\xbb\xbf450 c\xff d\r\n")
    assert [row[1] for row in rows_of(done)] == ["550 a b", "450 c\xff d"]
    assert rows_of(run("predict", "-", "--jsonl", stdin=b"")) == []


def test_a_name_among_texts_is_a_text(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("550 x y\n")
    assert [row[1] for row in rows_of(run("predict", "a.txt", "b", "--jsonl"))] == ["a.txt", "b"]
    missing = run("predict", "missing.txt", "--jsonl")
    assert missing.code == 1
    assert "missing.txt: cannot be read" in missing.words


def test_long_tables_are_cut_and_say_so(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("550 5.1.1 User unknown\n" * 250)
    done = run("predict", "a.txt")
    assert len(done.out.splitlines()) == 201
    assert "50 more rows; use --jsonl for all of them" in done.words
    assert len(rows_of(run("predict", "a.txt", "--jsonl"))) == 250


def test_predict_without_a_model(run: Run, tmp_path: Path) -> None:
    done = run("predict", UNKNOWN, "--artifact", tmp_path / "[/none]")
    assert done.code == 0
    assert {"invalid_recipient", "rules"} <= set(done.out.split())
    assert "answered from rules alone" in done.words
    assert "[/none]" in done.err
    [row] = json.loads(run("predict", UNKNOWN, "--json", "--artifact", tmp_path / "none").out)
    assert (row["degraded"], row["model_version"]) == (True, None)


def test_predict_with_an_artifact_of_ones_own(run: Run, folder: Path) -> None:
    [row] = json.loads(run("predict", UNKNOWN, "--json", "--artifact", folder).out)
    assert row["model_version"] == read_manifest(folder).model_version


# Wrong data: exit code 1, one line that names file, line and fix
BAD_FILES: list[tuple[str, bytes, list[str], str]] = [
    ("a.csv", b"", [], "a.csv: the file is empty; the first line names the columns"),
    ("a.csv", b"b,c\n1,2\n", [], "a.csv: which column holds the diagnostic? name one of b, c with --column"),
    ("a.csv", b"b,c\n1,2\n", ["--column", "d"], "a.csv: no column 'd'; it has: b, c"),
    ("a.csv", b"text,reply_code\nx,abc\n", [], "a.csv, line 2: reply_code 'abc' is not a number"),
    ("a.csv", "text,reply_code\nx,５５０\n".encode(), [], "line 2: reply_code '５５０' is not a number"),
    ("a.jsonl", b'{"text": "x"}\n{"text": ', [], "a.jsonl:2: not valid JSON"),
    ("a.jsonl", b'{"text": \n{"text": 4}\n', [], "a.jsonl, line 1: not valid JSON"),
    ("a.jsonl", b"[" * 100_000 + b"\n", [], "a.jsonl, line 1: not valid JSON"),
    ("a.jsonl", b"3\n", [], "a.jsonl, line 1: expected an object or a string"),
    ("a.jsonl", b'{"text": 3}\n', [], "a.jsonl, line 1: 'text' is not a text"),
    ("a.jsonl", b'{"b": 3}\n', [], "a.jsonl, line 1: which column holds the diagnostic? name one of b with --column"),
    ("a.jsonl", b'{"text": "x"}\n', ["--column", "y"], "a.jsonl, line 1: no column 'y'; it has: text"),
    ("a.txt", b"\x00\x01\x02", [], "a.txt: looks binary"),
    ("a.csv", b"PK\x03\x04\x00", [], "a.csv: is a zip archive"),
    ("a.xml", b"<x/>", ["--column", "y"], "a.xml: no table with a column 'y' was found"),
]


@pytest.mark.parametrize(("name", "content", "options", "message"), BAD_FILES)
def test_wrong_data_is_exit_code_1(
    run: Run, tmp_path: Path, name: str, content: bytes, options: list[str], message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    done = run("predict", name, *options)
    assert done.code == 1
    assert message in done.err
    assert done.err.startswith("error: ")
    assert len(done.err.strip().splitlines()) == 1
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        (
            "a.jsonl",
            b'{"text": "550 user unknown"}\nno\n{"b": 1}\n{"text": 5}\n{"text": "x", "reply_code": "y"}\n"552 mailbox full"\n',
            [
                "left out: 4; the first: a.jsonl:2 not valid JSON",
                "a.jsonl:3 which column",
                "a.jsonl:4",
                "a.jsonl:5 reply_code",
            ],
        ),
        (
            "a.csv",
            b"text,reply_code\nuser unknown,550\nx,abc\nmailbox full,552\n",
            ["left out: 1; the first: a.csv:3 reply_code 'abc' is not a number"],
        ),
    ],
)
def test_a_bad_row_costs_itself(run: Run, tmp_path: Path, name: str, content: bytes, told: list[str]) -> None:
    (tmp_path / name).write_bytes(content)
    done = run("predict", "--jsonl", name)
    assert done.code == 0
    assert [json.loads(line)["reason"] for line in done.out.splitlines()] == ["invalid_recipient", "mailbox_full"]
    assert all(one in done.err for one in told), done.err


def test_a_file_that_may_not_be_read(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("x")

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    done = run("predict", "a.txt")
    assert (done.code, done.words) == (1, "error: a.txt: cannot be read (Permission denied); check the path")


def test_a_line_without_end_is_no_memory_problem(tmp_path: Path) -> None:
    from whybounce.model.errors import DataError

    (tmp_path / "a.txt").write_bytes(b"x" * (MAX_LINE + 10))
    with pytest.raises(DataError, match=f"line 1: longer than {MAX_LINE} bytes"):
        list(read(str(tmp_path / "a.txt"), column=None))
    (tmp_path / "b.txt").write_bytes(b"x" * (MAX_TEXT * 2))
    assert list(read(str(tmp_path / "b.txt"), column=None)) == [Record("x" * (MAX_TEXT * 2))]


# Wrong usage: exit code 2
USAGE: list[tuple[list[str], str]] = [
    ([], "Usage:"),
    (["nope"], "No such command 'nope'"),
    (["predict"], "Missing argument"),
    (["predict", "x", "--nope"], "No such option: --nope"),
    (["predict", "x", "--json", "--jsonl"], "choose --json or --jsonl, not both"),
    (["predict", "x", "--column", "y"], "--column goes with a file or with standard input"),
    (["explain"], "Missing argument"),
    (["explain", "a", "b"], "Got unexpected extra argument"),
    (["evaluate"], "Missing argument"),
    (["train", "--folds", "1"], "--folds"),
    (["train", "--weight", "0"], "--weight"),
    (["train", "--seed", "x"], "--seed"),
    (["serve", "--port", "0"], "--port"),
    (["serve", "--port", "65536"], "--port"),
    (["serve", "--workers", "0"], "--workers"),
    (["reasons", "extra"], "Got unexpected extra argument"),
]


@pytest.mark.parametrize(("arguments", "message"), USAGE, ids=[" ".join(row[0]) or "nothing" for row in USAGE])
def test_wrong_usage_is_exit_code_2(run: Run, arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert done.code == 2
    assert message in done.words


@pytest.mark.parametrize("command", ["", "predict", "explain", "train", "evaluate", "reasons", "serve", "version"])
def test_help(command: str) -> None:
    done = CliRunner().invoke(app, [*command.split(), "--help"])
    assert done.exit_code == 0
    assert "Usage:" in done.output
    if not command:
        assert "Exit codes: 0 done, 1 data or artifact problem, 2 wrong usage." in " ".join(done.output.split())


def test_traceback_on_demand(run: Run) -> None:
    from whybounce.model.errors import DataError

    assert run("evaluate", "missing.jsonl").code == 1
    with pytest.raises(DataError, match="no such file"):
        run("--traceback", "evaluate", "missing.jsonl")


# explain, reasons, version


def test_explain(run: Run) -> None:
    done = run(
        "explain", "host gmail-smtp-in.l.google.com[192.0.2.1] said: 450 4.7.1 Greylisted, try again in 5 minutes"
    )
    assert done.code == 0
    assert "greylisted (Greylisted)" in done.words
    for piece in ("soft / Server is currently too busy", "450 4.7.1", "google", "300 s", "retry_later", "evidence"):
        assert piece in done.words


@pytest.mark.parametrize("text", ["", "[bold]x[/] [/nope]", "\x1b[31mred", "用户不存在", "550"])
def test_explain_any_text(run: Run, text: str) -> None:
    done = run("explain", text)
    assert done.code == 0
    assert "\x1b" not in done.out


def test_explain_as_json(run: Run) -> None:
    found = json.loads(run("explain", UNKNOWN, "--json").out)
    assert found["prediction"]["reason"] == "invalid_recipient"
    assert found["diagnostic"]["template"] == "550 5.1.1 ADDR user unknown"
    assert found["advice"] == "Stop mailing this address."
    for span in found["highlights"]:
        assert UNKNOWN[span["start"] : span["end"]] == span["text"]


def test_reasons(run: Run) -> None:
    rows = json.loads(run("reasons", "--json").out)
    assert [row["reason"] for row in rows] == list(TAXONOMY.reasons)
    assert rows[0] == {
        "reason": "invalid_recipient", "title": "Invalid recipient",
        "description": TAXONOMY["invalid_recipient"].description, "group": "Invalid recipient", "categories": ["hard"],
        "retryable": False, "action": "suppress",
    }  # fmt: skip
    table = run("reasons").out
    assert all(reason in table for reason in TAXONOMY.reasons)


def test_version(run: Run) -> None:
    assert run("version").out == run("--version").out == f"{__version__}\n"


def test_a_checkout_that_is_not_installed_knows_its_version(tmp_path: Path) -> None:
    (tmp_path / "whybounce").mkdir()
    (tmp_path / "whybounce" / "__init__.py").write_bytes(Path(str(sys.modules["whybounce"].__file__)).read_bytes())
    code = "import whybounce; print(whybounce.__version__)"
    found = []
    for project in (
        '[project]\nname = "whybounce"\nversion = "7.1"\n',
        '[project]\nname = "other"\nversion = "7.1"\n',
        "no",
    ):
        (tmp_path / "pyproject.toml").write_text(project, "utf-8")
        done = subprocess.run(
            [sys.executable, "-S", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        found.append(done.stdout.strip())
    assert found == ["7.1", "0+unknown", "0+unknown"]


# evaluate


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    path = tmp_path / "labelled.jsonl"
    rows = [
        {"text": UNKNOWN, "label": "invalid_recipient"},
        {"text": FULL, "label": "mailbox_full", "also": ["general_error"], "lang": "en"},
        {"text": FULL, "label": "greylisted"},
        {"text": "x", "label": "greylisted", "ambiguous": True},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_evaluate(run: Run, labelled: Path, tmp_path: Path) -> None:
    done = run("evaluate", labelled, "--out", "deep/figures.json")
    assert done.code == 0
    for piece in (
        "3 rows measured, 1 ambiguous left out",
        "accuracy",
        "macro-F1",
        "good addresses called hard",
        "66.7 %",
    ):
        assert piece in done.words
    written = json.loads((tmp_path / "deep" / "figures.json").read_text("utf-8"))
    assert written["systems"]["both"]["accuracy"] == pytest.approx(2 / 3)
    assert set(written["systems"]) == {"both", "model", "rules"}
    printed = json.loads(run("evaluate", labelled, "--json").out)
    assert printed == written


def test_evaluate_named_columns(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f'smtp,why\n"{FULL}",mailbox_full\n', "utf-8")
    done = run("evaluate", "a.csv", "--text-column", "smtp", "--label-column", "why", "--json")
    assert json.loads(done.out)["systems"]["both"]["accuracy"] == 1


def test_evaluate_without_a_model(run: Run, labelled: Path, tmp_path: Path) -> None:
    done = run("evaluate", labelled, "--artifact", tmp_path / "none")
    assert (done.code, done.out) == (1, "")  # figures of the rules alone would pass for those of the model
    assert "no readable manifest.json" in done.err


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.jsonl", None, "missing.jsonl: no such file; check the path"),
        (
            "a.jsonl",
            '{"text": "x", "label": "nope"}',
            "a.jsonl: 1 of 1 rows cannot be used: line 1: unknown label 'nope'",
        ),
        ("a.jsonl", '{"text": "x", "b": 1}', "name one of text, b with --label-column"),
        ("a.jsonl", '{"text": "x", "label": "greylisted", "ambiguous": true}', "a.jsonl: every row is ambiguous"),
    ],
)
def test_evaluate_errors(run: Run, tmp_path: Path, name: str, content: str | None, message: str) -> None:
    if content:
        (tmp_path / name).write_text(content + "\n", "utf-8")
    done = run("evaluate", name)
    assert done.code == 1
    assert message in done.err


# train


def test_train_errors(run: Run, tmp_path: Path) -> None:
    done = run("train", "--data", "missing.csv")
    assert (done.code, done.words) == (1, "error: missing.csv: no such file; check the path")


def test_train(run: Run, labelled: Path, tmp_path: Path, small: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: dict[str, Any] = {}

    def instead(templates: list[Any], *, progress: Callable[[str, int, int], None], **options: Any) -> Trained:
        progress("fitting", 1, 2)
        calls.update(options, templates=len(templates))
        return small

    monkeypatch.setattr("whybounce.training.train.train", instead)
    done = run("train", "--data", labelled, "--weight", "3", "--seed", "5", "--folds", "4", "--out", "my [model]")
    assert done.code == 0
    assert f"{small.manifest.model_version} written to my [model]" in done.words
    assert "families held out: accuracy" in done.words
    assert calls["templates"] > 1000
    assert (calls["seed"], calls["folds"]) == (5, 4)
    assert {(row.reason, row.weight, row.family) for row in calls["own"]} >= {("mailbox_full", 3.0, "own-labelled")}
    assert BounceClassifier.load(tmp_path / "my [model]", strict=True).model_version == small.manifest.model_version


def test_train_does_not_overwrite_other_files(
    run: Run, tmp_path: Path, small: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whybounce.training.train.train", lambda *_, **__: small)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("x")
    done = run("train", "--out", "mine")
    assert done.code == 1
    assert "mine holds other files and no artifact (letter.txt); name an empty or a new folder" in done.err


@pytest.mark.slow
def test_train_for_real(tmp_path: Path, labelled: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "whybounce", "train", "--data", str(labelled), "--folds", "2", "--out", "model"],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    manifest = read_manifest(tmp_path / "model")
    assert manifest.data["own_rows"] == 4
    assert manifest.metrics["held_out_families"]["both"]["accuracy"] > 0.6
    assert "holding families out" in done.stderr


# A process of its own


def test_as_a_process(tmp_path: Path) -> None:
    done = whybounce("predict", "-", "--jsonl", input=f"{UNKNOWN}\n", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["reason"] == "invalid_recipient"
    failed = whybounce("evaluate", "missing.jsonl", cwd=tmp_path)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr == "error: missing.jsonl: no such file; check the path\n"
    assert whybounce("nope", cwd=tmp_path).returncode == 2


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("550 5.1.1 User unknown\n" * 20_000)
    script = f"{sys.executable} -m whybounce predict a.txt --jsonl | head -n 1"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False, timeout=120
    )
    assert done.stdout.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_serve_on_a_busy_port(run: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("serve", "--port", str(port))
    assert done.code == 1
    assert (
        f"cannot listen on 127.0.0.1:{port} (Address already in use); choose another with --host or --port" in done.err
    )


def test_serve_on_a_host_that_is_not_here(run: Run) -> None:
    done = run("serve", "--host", "192.0.2.1")
    assert done.code == 1
    assert "cannot listen on 192.0.2.1:8000" in done.err


def test_serve_hands_over_its_options(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from whybounce.serving.http import server
    from whybounce.serving.settings import Settings, load_settings

    served: list[Settings] = []
    for name in ("ARTIFACT", "REGISTRY", "FEEDBACK_URL", "MAX_BODY", "METRICS", "API_KEYS_FILE"):
        monkeypatch.setenv(f"WHYBOUNCE_{name}", "")
    monkeypatch.setenv("whybounce_max_body", "700")  # a variable of any case
    monkeypatch.setattr(server, "run", served.append)
    (tmp_path / "keys").write_text(f"admin:{'0' * 64}\n", "utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    done = run("serve", "--port", str(port), "--workers", "3", "--artifact", "mine", "--registry", "models",
               "--max-body", "1000", "--no-metrics", "--api-keys-file", "keys")  # fmt: skip
    assert done.code == 0
    [settings] = served
    assert (settings.port, settings.workers, settings.max_body, settings.metrics) == (port, 3, 1000, False)
    inside = load_settings()  # as a worker process reads them, whatever its folder
    assert (inside.artifact, inside.registry) == (tmp_path / "mine", tmp_path / "models")
    assert inside.api_keys_file == tmp_path / "keys"
    assert (inside.max_body, inside.metrics, len(inside.keys)) == (1000, False, 1)
    assert inside.feedback_url == "sqlite:///whybounce-feedback.db"
    assert run("serve", "--port", str(port), "--feedback-url", "none").code == 0
    assert os.environ["WHYBOUNCE_FEEDBACK_URL"] == ""


def test_every_setting_is_a_flag_but_the_secret_one() -> None:
    import inspect

    from whybounce.serving.cli.serve import serve
    from whybounce.serving.settings import Settings

    flags = set(inspect.signature(serve).parameters) - {"show_config", "as_json"}
    assert set(Settings.model_fields) - flags == {"api_keys"}  # command lines can be read by others
    assert flags <= set(Settings.model_fields)


def test_serve_shows_its_settings(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHYBOUNCE_PROT", "1")
    monkeypatch.setenv("WHYBOUNCE_PORT", "8123")
    monkeypatch.setenv("WHYBOUNCE_FEEDBACK_URL", "postgresql://joe:secret@db.example.com/x")
    done = run("serve", "--show-config", "--workers", "2")
    assert done.code == 0
    assert "WHYBOUNCE_PROT sets nothing; did you mean WHYBOUNCE_PORT?" in done.err
    rows = {row["setting"]: row for row in json.loads(run("serve", "--show-config", "--workers", "2", "--json").out)}
    assert (rows["port"]["value"], rows["port"]["from"]) == (8123, "environment")
    assert (rows["workers"]["value"], rows["workers"]["from"]) == (2, "flag")
    assert rows["max_body"]["from"] == "default"
    assert "secret" not in done.out + json.dumps(rows)
    monkeypatch.setenv("WHYBOUNCE_PORT", "many")
    done = run("serve", "--show-config")
    assert done.code == 1
    assert "WHYBOUNCE_PORT=many is not valid" in done.err
    monkeypatch.setenv("WHYBOUNCE_API_KEYS", "predict:secret")
    done = run("serve", "--show-config", "--max-queue", "-1")  # everything that is wrong, at once
    assert done.code == 1
    assert "WHYBOUNCE_PORT=many is not valid" in done.err
    assert "--max-queue=-1 is not valid" in done.err
    assert "secret" not in done.err


def test_serve_without_its_extra(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    # Other tests may have imported what needs it already.
    monkeypatch.delitem(sys.modules, "whybounce.serving.http.server", raising=False)
    monkeypatch.delattr("whybounce.serving.http.server", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    done = run("serve")
    assert done.code == 1
    assert "pip install 'whybounce[serve]'" in done.err
