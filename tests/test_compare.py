"""``whybounce compare``, ``evaluate --against`` and ``--report`` on the command line."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from pages import agrees, at, read_page
from typer.testing import CliRunner, Result

from whybounce.data.slots import fill
from whybounce.model.errors import WhybounceError
from whybounce.model.predictor import BounceClassifier
from whybounce.serving.cli import app
from whybounce.serving.cli.evidence import named_model
from whybounce.training.corpus import Template


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, classifier: BounceClassifier) -> Path:
    """A folder to work in; the shipped model is loaded once for all."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    load = BounceClassifier.load

    def load_once(folder: Path | None = None, *, strict: bool = False) -> BounceClassifier:
        return load(folder, strict=strict) if folder else classifier

    monkeypatch.setattr(BounceClassifier, "load", load_once)
    return tmp_path


@pytest.fixture
def data(here: Path, few_templates: list[Template]) -> Path:
    import random

    rng = random.Random(2)
    rows: list[dict[str, object]] = [
        {"text": fill(row.text, rng), "label": row.reason, "provider": row.family} for row in few_templates
    ]
    rows.append({"text": "550 x", "label": "greylisted", "ambiguous": True, "provider": "x"})
    path = here / "labelled.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def printed(done: Result) -> dict[str, Any]:
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def words(done: Result) -> str:
    return " ".join(done.output.split())


def test_compare_with_the_rules(data: Path) -> None:
    done = call("compare", "rules", "shipped", "--data", data)
    assert done.exit_code == 0, done.output
    for piece in (
        "1 ambiguous left out",
        "Better than the rules",
        "Of 10,000 bounces like these",
        "Switch from the rules to the shipped model.",
        "Against the rules",
        "McNemar's test",
        "F1 by reason, losses first",
        "good addresses called hard",
    ):
        assert piece in words(done)


def test_the_other_way_round(data: Path) -> None:
    one = printed(call("compare", "rules", "shipped", "--data", data, "--json"))
    other = printed(call("compare", "shipped", "rules", "--data", data, "--json"))
    assert (one["headline"]["level"], other["headline"]["level"]) == ("better", "worse")
    assert other["headline"]["advice"] == "Keep the shipped model."
    assert other["degraded"] is False
    assert other["notes"] == []
    for metric in ("accuracy", "macro_f1", "good_called_hard", "hard_recall"):
        ours, theirs = (found["contrasts"]["current"]["metrics"][metric] for found in (one, other))
        assert ours["value"] == pytest.approx(-theirs["value"])
        assert ours["interval"]["low"] == pytest.approx(-theirs["interval"]["high"], abs=0.02)
    tests = [found["contrasts"]["current"]["mcnemar"]["rows"] for found in (one, other)]
    assert tests[0]["p_value"] == tests[1]["p_value"]
    assert tests[0]["first_only"] == tests[1]["second_only"]
    assert one["systems"]["both"]["accuracy"] == other["current"]["accuracy"]


def test_a_model_is_no_better_than_itself(data: Path) -> None:
    done = call("compare", "shipped", "shipped", "--data", data)
    assert "No evidence of a difference from the shipped model (A)" in words(done)
    assert "The shipped model (A) gives the same answer to every row." in words(done)


def test_folders_and_reports(data: Path, folder: Path) -> None:
    done = call("compare", folder, "shipped", "--data", data, "--report", "a/out.html", "--report", "out.md",
                "--report", "out.json")  # fmt: skip
    assert done.exit_code == 0, done.output
    document = json.loads(Path("out.json").read_text("utf-8"))
    page = read_page(Path("a/out.html").read_text("utf-8"))
    assert [(key, shown) for key, shown in page.figures if not agrees(shown, at(document, key))] == []
    assert document["current"]["name"] == f"“{folder}”"
    assert document["current"]["model_version"] == BounceClassifier.load(folder).model_version
    assert f"## Against “{folder}”" in Path("out.md").read_text("utf-8")


def test_the_promoted_model_of_a_registry(here: Path, folder: Path) -> None:
    from whybounce.model.registry import Registry

    registry = Registry(here / "registry")
    version = registry.add(folder)
    assert named_model(str(here / "registry"))[1] == "the shipped model"
    registry.promote(version.name, instead_of=None)
    found, name = named_model(str(here / "registry"))
    assert found.model_version == version.name
    assert name == f"the promoted model {version.name}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("compare", "nowhere", "shipped"), "no folder nowhere; name an artifact folder, a run directory"),
        (("compare", "shipped", "empty"), "no readable manifest.json in empty"),
        (("compare", "rules", "shipped", "--report", "x.pdf"), "x.pdf: a report ends in .html"),
        (("evaluate", "--report", "x"), "x: a report ends in .html"),
        (("evaluate", "--against", "nowhere"), "no folder nowhere"),
        (("evaluate", "--out", "file/x.json"), "cannot write file/x.json ("),
    ],
)
def test_errors(arguments: tuple[str, ...], message: str, data: Path) -> None:
    Path("empty").mkdir()
    Path("file").write_text("")
    named = ("--data", data) if arguments[0] == "compare" else (data,)
    done = call(*arguments, *named)
    assert done.exit_code == 1
    assert isinstance(done.exception, WhybounceError)
    assert message in str(done.exception)


def test_a_damaged_model_is_not_replaced_by_another(data: Path, folder: Path) -> None:
    next(folder.glob("model-*")).write_bytes(b"x")
    done = call("compare", "shipped", folder, "--data", data)
    assert "does not have the digest" in str(done.exception)


def test_without_the_extra(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name == "matplotlib" or name.startswith("matplotlib.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = call("evaluate", data, "--report", "x.html")
    assert "pip install 'whybounce[train]'" in str(done.exception)
    assert not Path("runs").exists()


def test_evaluate_against_is_compare(data: Path) -> None:
    one = printed(call("evaluate", data, "--against", "rules", "--json"))
    other = printed(call("compare", "rules", "shipped", "--data", data, "--json"))
    assert one["contrasts"] == other["contrasts"]
    assert json.loads(Path("runs/evaluate-labelled.json").read_text("utf-8")) == one


def test_evaluate_writes_reports(data: Path) -> None:
    done = call("evaluate", data, "--report", "out.html", "--report", "out.md")
    assert done.exit_code == 0, done.output
    assert "report: out.html" in words(done)
    assert "95 % intervals" in words(done)
    assert Path("out.html").read_text("utf-8").startswith("<!doctype html>")
    assert "Against" not in Path("out.md").read_text("utf-8")


def test_foreign_labels(here: Path) -> None:
    (here / "theirs.csv").write_text("text,label\n552 5.2.2 Mailbox full,mailboxfull\n", "utf-8")
    found = printed(call("evaluate", "theirs.csv", "--labels", "sisimai", "--json"))
    assert found["systems"]["both"]["accuracy"] == 1


def test_columns_by_any_name(here: Path) -> None:
    (here / "theirs.csv").write_bytes(
        "Fehlertext;Grund;Wer;Sprache;Auch\n"
        "552 5.2.2 Postfach von Jörg voll;mailbox_full;nord;de;\n"
        "550 5.1.1 Nutzer unbekannt;closed_account;süd;de;invalid_recipient\n".encode("latin-1")
    )
    columns = (
        "--text-column", "Fehlertext", "--label-column", "Grund", "--provider-column", "Wer", "--lang-column",
        "Sprache", "--also-column", "Auch", "--encoding", "latin-1", "--json",
    )  # fmt: skip
    for command in (("evaluate", "theirs.csv"), ("compare", "rules", "shipped", "--data", "theirs.csv")):
        found = printed(call(*command, *columns))
        assert {row["name"] for row in found["slices"]["provider"]} == {"nord", "süd"}
        assert found["systems"]["both"]["accuracy_with_also"] == 1


def test_bad_rows_are_refused_or_told(here: Path) -> None:
    (here / "theirs.csv").write_text("text,label\n552 5.2.2 Mailbox full,mailbox_full\n552 x,nope\n", "utf-8")
    done = call("evaluate", "theirs.csv", "--json")
    assert "theirs.csv: 1 of 2 rows cannot be used: line 3: unknown label 'nope'" in str(done.exception)
    done = call("evaluate", "theirs.csv", "--max-bad", "0.5")
    assert done.exit_code == 0, done.output
    assert "1 bad row (50.0 %) not used" in words(done)
    assert "1 rows measured" in words(done) or "1 row measured" in words(done)


def test_nothing_is_left_behind(data: Path, here: Path) -> None:
    before = {path.name for path in here.iterdir()}
    call("compare", "rules", "shipped", "--data", data, "--report", "out.md")
    assert {path.name for path in here.iterdir()} == before | {"out.md"}
    shutil.rmtree(here / "runs", ignore_errors=True)
