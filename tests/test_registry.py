"""The registry: versions, promotions, and what a killed process leaves behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from whybounce.model import registry as registry_module
from whybounce.model.artifact import publish, read_manifest
from whybounce.model.errors import ArtifactError, RegistryError
from whybounce.model.predictor import BounceClassifier
from whybounce.model.registry import Registry
from whybounce.training.train import Trained

Make = Callable[[str], Path]


@pytest.fixture
def make(small: Trained, tmp_path: Path) -> Make:
    """Publish the small model under any version."""

    def made(version: str) -> Path:
        folder = tmp_path / "runs" / version
        publish(folder, small.payload, replace(small.manifest, model_version=version))
        (folder / "report.html").write_text("<p>report</p>", "utf-8")
        return folder

    return made


@pytest.fixture
def registry(tmp_path: Path, make: Make) -> Registry:
    """Two versions, of which the first is promoted."""
    found = Registry(tmp_path / "models")
    for version in ("one", "two"):
        found.add(make(version))
    found.promote("one", instead_of=None, by="test")
    return found


def whole(registry: Registry) -> str | None:
    """Load what answers; every listed version must load, too."""
    for version in registry.versions():
        assert version.problem is None
        assert BounceClassifier.load(version.folder, strict=True).model_version == version.name
    return registry.promotions().current


def test_versions_and_promotions(registry: Registry) -> None:
    assert {version.name for version in registry.versions()} == {"one", "two"}
    assert (registry.path("one") / "report.html").is_file()
    event = registry.promote("two", instead_of="one", because="better", gate={"passed": True})
    assert (event.previous, event.because, event.forced) == ("one", "better", False)
    assert whole(registry) == "two"
    assert registry.rollback().version == "one"
    assert registry.rollback(because="start again").version is None
    assert [event.action for event in registry.promotions().history] == ["promote", "promote", "rollback", "rollback"]
    with pytest.raises(RegistryError, match="nothing is promoted"):
        registry.rollback()


def test_a_rollback_is_undone_by_promoting_again(registry: Registry) -> None:
    registry.promote("two", instead_of="one")
    registry.rollback()
    registry.promote("two", instead_of="one")
    assert registry.promotions().stack == ("one", "two")


def test_adding_again_changes_nothing(registry: Registry, make: Make) -> None:
    before = registry.version("one").created
    assert registry.add(make("one")).created == before


def test_find(registry: Registry, make: Make) -> None:
    registry.add(make("twist"))
    assert registry.find("o") == "one"
    assert registry.find("two") == "two"
    with pytest.raises(RegistryError, match="'tw' may be twist or two"):
        registry.find("tw")
    with pytest.raises(RegistryError, match="has no version three; it has: one, twist, two"):
        registry.find("three")


@pytest.mark.parametrize("name", ["../one", "", ".adding-x", "a/b", "x" * 101, "a\nb"])
def test_names_that_are_none(registry: Registry, name: str) -> None:
    with pytest.raises(RegistryError, match="no name of a version"):
        registry.path(name)


def test_promoting_what_is_promoted_or_gone(registry: Registry) -> None:
    with pytest.raises(RegistryError, match="one is the promoted version already"):
        registry.promote("one", instead_of="one")
    with pytest.raises(RegistryError, match="became the promoted one meanwhile"):
        registry.promote("two", instead_of=None)
    with pytest.raises(RegistryError, match="needs a reason"):
        registry.promote("two", instead_of="one", forced=True, because=" ")
    registry.promote("two", instead_of="one")
    shutil.rmtree(registry.path("one"))
    with pytest.raises(RegistryError, match="no version one"):
        registry.rollback()
    assert whole(registry) == "two"


def test_damaged_versions_are_named_and_not_promoted(registry: Registry) -> None:
    folder = registry.path("two")
    model = folder / read_manifest(folder).model_file
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    with pytest.raises(ArtifactError, match="does not have the digest"):
        registry.promote("two", instead_of="one")
    (folder / "manifest.json").write_text("{", "utf-8")
    assert registry.version("two").problem
    assert registry.promotions().current == "one"


def test_another_model_under_a_taken_name(registry: Registry, make: Make) -> None:
    source = make("one")
    manifest = json.loads((source / "manifest.json").read_text("utf-8"))
    manifest["threshold"] = 0.123
    (source / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(RegistryError, match="holds another model"):
        registry.add(source)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"format_version": 9}', b"\xff", b'{"format_version":1,"current":"x","history":[]}']
)
def test_damaged_promotions(registry: Registry, content: bytes) -> None:
    registry.promoted_file.write_bytes(content)
    with pytest.raises(RegistryError, match="restore it"):
        registry.promotions()


def test_no_registry(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="is no model registry"):
        Registry(tmp_path).versions()
    assert Registry(tmp_path).promotions().current is None
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(RegistryError, match="nothing was changed"):
        Registry(tmp_path / "file").rollback()


def test_one_change_at_a_time(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_module, "LOCK_SECONDS", 0.2)
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with registry._changing():
            entered.set()
            leave.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert entered.wait(10)
        with pytest.raises(RegistryError, match="another process"):
            registry.promote("two", instead_of="one")
    finally:
        leave.set()
        holder.join()
    registry.promote("two", instead_of="one")


_CHANGES = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.utime", "os.truncate"}
"""Audit events of what touches the disk; ``open`` counts when it writes, and before each fsync of a folder."""


def killed_at(step: int, action: Callable[[], Any]) -> bool:
    """Run an action in a child that is killed before its ``step``-th touch of the disk; whether it was."""
    child = os.fork()
    if child == 0:
        left = [step]

        def watch(event: str, _: tuple[Any, ...]) -> None:
            if event in _CHANGES:
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.addaudithook(watch)
            action()
        except BaseException:
            os._exit(3)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def every_step(action: Callable[[], Any], check: Callable[[int], None]) -> int:
    """Kill an action at each of its steps and check after each; returns how many steps it has."""
    step = 0
    while killed_at(step, action):
        check(step)
        step += 1
        assert step < 500
    return step


def test_killed_while_promoting(registry: Registry) -> None:
    def check(step: int) -> None:
        # The switch may have happened already: then it is whole, and its entry in the history is there.
        found = whole(registry)
        assert found in ("one", "two"), step
        assert registry.promotions().history[-1].version == found
        if found == "two":
            registry.rollback()

    steps = every_step(lambda: registry.promote("two", instead_of="one"), check)
    assert steps >= 4
    assert whole(registry) == "two"


def test_killed_while_rolling_back(registry: Registry) -> None:
    registry.promote("two", instead_of="one")

    def check(step: int) -> None:
        found = whole(registry)
        assert found in ("one", "two"), step
        if found == "one":
            registry.promote("two", instead_of="one")

    assert every_step(registry.rollback, check) >= 4
    assert whole(registry) == "one"


def test_killed_while_adding(registry: Registry, make: Make) -> None:
    source = make("three")

    def check(step: int) -> None:
        assert whole(registry) == "one"  # and every listed version loads
        if any(version.name == "three" for version in registry.versions()):
            shutil.rmtree(registry.path("three"))

    assert every_step(lambda: registry.add(source), check) >= 8
    assert whole(registry) == "one"
    assert {version.name for version in registry.versions()} == {"one", "two", "three"}
    # The next change clears what the killed ones left behind.
    registry.promote("three", instead_of="one")
    left = sorted(path.name for path in registry.folder.rglob("*") if ".adding-" in path.name or ".tmp" in path.name)
    assert left == []
