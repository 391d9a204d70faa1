"""The README's snippets run."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from whybounce.serving.cli import app

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
CONSOLE = [line[2:] for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]


@pytest.mark.parametrize("snippet", PYTHON)
def test_python_snippets(snippet: str) -> None:
    exec(compile(snippet, "README.md", "exec"), {})


def test_there_are_snippets() -> None:
    assert PYTHON
    assert any(command.startswith("whybounce predict") for command in CONSOLE)


@pytest.mark.parametrize(
    "command", [line for line in CONSOLE if re.match(r"whybounce (predict \"|explain|reasons)", line)]
)
def test_commands_that_need_no_files(command: str) -> None:
    done = CliRunner().invoke(app, shlex.split(command)[1:])
    assert done.exit_code == 0, done.output


def test_commands_with_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bounces.csv").write_text("id,diagnostic\n7,550 5.1.1 User unknown\n", "utf-8")
    [command] = [line for line in CONSOLE if line.startswith("whybounce predict bounces.csv")]
    done = CliRunner().invoke(app, shlex.split(command)[1:])
    assert json.loads(done.stdout)["reason"] == "invalid_recipient"
    [piped] = [line for line in CONSOLE if line.startswith("tail")]
    arguments = shlex.split(piped.partition("| ")[2])[1:]
    done = CliRunner().invoke(app, arguments, input="452 4.2.2 mailbox full\n")
    assert json.loads(done.stdout)[0]["reason"] == "mailbox_full"


@pytest.mark.slow
def test_retraining_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"550 XQ{number} frobnicated by node,policy_rejection\n" for number in range(30))
    for name in ("labelled.csv", "held-out.csv"):
        Path(name).write_text(f"diagnostic,reason\n{rows}", "utf-8")
    train, evaluate = (line for line in CONSOLE if line.startswith(("whybounce train", "whybounce evaluate held")))
    assert CliRunner().invoke(app, [*shlex.split(train)[1:], "--folds", "2"]).exit_code == 0
    done = CliRunner().invoke(app, shlex.split(evaluate)[1:])
    assert done.exit_code == 0, done.output
    figures = json.loads(Path("runs/evaluate-held-out.json").read_text("utf-8"))
    assert figures["systems"]["model"]["accuracy"] == 1.0


def test_no_figure_placeholder_is_left() -> None:
    assert "FIGURES" not in README
