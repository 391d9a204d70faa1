"""``whybounce model`` on the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from whybounce.model.artifact import SHIPPED, publish, read_manifest
from whybounce.model.errors import RegistryError
from whybounce.serving.cli import app
from whybounce.training.train import Trained


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: Trained) -> Path:
    """A folder with a weak run and a copy of the shipped model under another name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("WHYBOUNCE_REGISTRY", raising=False)
    publish(Path("weak"), small.payload, replace(small.manifest, model_version="weak"))
    manifest = read_manifest(SHIPPED)
    publish(Path("good"), (SHIPPED / manifest.model_file).read_bytes(), replace(manifest, model_version="good"))
    return tmp_path


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["model", *arguments])


def printed(*arguments: str) -> Any:
    done = call(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def refused(*arguments: str) -> str:
    done = call(*arguments)
    assert isinstance(done.exception, RegistryError), done.output
    return str(done.exception)


def test_from_a_run_to_a_promotion_and_back(here: Path) -> None:
    assert "begin one: whybounce model add RUN" in refused("list")
    assert printed("add", "good")["version"] == "good"
    assert printed("list")["promoted"] is None
    done = call("promote", "go")
    assert done.exit_code == 0, done.output
    assert "golden set: macro-F1" in done.stdout
    assert "good is promoted" in done.stdout
    shown = printed("show")
    assert shown["promoted"] is True
    assert shown["history"][0]["gate"]["passed"] is True
    assert "already" in refused("promote", "good")
    assert "shipped model answers again" in call("rollback").stdout
    assert [version["promoted"] for version in printed("list")["versions"]] == [False]
    listing = call("list")
    assert "good" in listing.stdout
    text = call("show", "good").stdout
    assert "rollback good → shipped" in text
    assert "not promoted" in text


def test_the_gate_refuses(here: Path) -> None:
    message = refused("promote", "weak")
    assert "weak is not promoted, the gate refuses it: golden set: right reason" in message
    assert "--force --because REASON" in message
    assert printed("list")["promoted"] is None


def test_forcing_needs_a_reason_and_records_it(here: Path) -> None:
    done = call("promote", "weak", "--force")
    assert done.exit_code == 2
    assert "--because" in done.output
    done = call("promote", "weak", "--force", "--because", "only for the demo")
    assert done.exit_code == 0, done.output
    event = printed("show", "weak")["history"][0]
    assert (event["forced"], event["because"], event["gate"]["passed"]) == (True, "only for the demo", False)
    # From the weak one back up: the good one passes, and is not marked as forced.
    event = printed("promote", "good", "--force", "--because", "better")
    assert (event["previous"], event["forced"]) == ("weak", False)
    assert printed("rollback")["version"] == "weak"


def test_rows_of_the_user_join_the_gate(here: Path) -> None:
    rows = "".join(f"452 4.2.2 <a{n}@example.com> mailbox full,mailbox_full\n" for n in range(30))
    Path("own.csv").write_text(f"diagnostic,reason\n{rows}", "utf-8")
    done = call("promote", "good", "--data", "own.csv")
    assert done.exit_code == 0, done.output
    assert "your rows: right reason" in done.stdout


def test_registry_from_the_environment(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHYBOUNCE_REGISTRY", str(here / "elsewhere"))
    printed("add", "good")
    assert (here / "elsewhere" / "versions" / "good").is_dir()


def test_damaged_version(here: Path) -> None:
    printed("add", "good")
    (here / "models/versions/good/manifest.json").write_text("{", "utf-8")
    listing = call("list")
    assert listing.exit_code == 0
    assert "damaged" in listing.stdout
    assert call("show", "good").exit_code == 1


def test_wrong_names(here: Path) -> None:
    printed("add", "good")
    assert "has no version xyz; it has: good" in refused("promote", "xyz")
    assert "nothing is promoted; name a version" in refused("show")
    assert "nothing is promoted" in refused("rollback")
    assert call("add", "nowhere").exception is not None
