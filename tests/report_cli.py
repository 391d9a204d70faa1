"""Calling ``whybounce report`` from a folder of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from whybounce.serving.cli import app


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, and a wide terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def call(*arguments: str, text: str | bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["report", *arguments], input=text)


def ok(*arguments: str, text: str | bytes | None = None) -> Result:
    done = call(*arguments, text=text)
    assert done.exit_code == 0, (done.output, done.exception)
    return done


def figures(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ok(*arguments, "--json").stdout)
    return found
