"""Artifacts: what is written is read back, what is damaged is refused, nobody sees half."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from whybounce.model import artifact
from whybounce.model.artifact import MANIFEST_FILE, Manifest, load, publish, read_manifest, replace_file
from whybounce.model.errors import ArtifactError
from whybounce.model.predictor import BounceClassifier
from whybounce.model.taxonomy import TAXONOMY
from whybounce.training.train import Trained

TEXTS = ["550 5.1.1 user unknown", "452 4.2.2 mailbox full", "greylisted", "", "用户不存在"]


def rewrite(folder: Path, **changes: Any) -> None:
    """Change fields of a manifest; None removes one."""
    path = folder / MANIFEST_FILE
    fields = json.loads(path.read_text("utf-8")) | changes
    path.write_text(json.dumps({name: value for name, value in fields.items() if value is not None}), "utf-8")


def swap(folder: Path, payload: bytes) -> None:
    """Put another payload in the place of the model, with a digest that fits."""
    digest = hashlib.sha256(payload).hexdigest()
    rewrite(folder, sha256=digest)
    (folder / f"model-{digest[:16]}.joblib").write_bytes(payload)


def model_file(folder: Path) -> Path:
    return folder / read_manifest(folder).model_file


# Round trip


def test_round_trip(folder: Path, small: Trained) -> None:
    classifier, manifest = load(folder)
    assert manifest == small.manifest
    assert classifier.labels == manifest.labels == tuple(sorted(TAXONOMY.reasons))
    assert sorted(path.name for path in folder.iterdir()) == sorted([MANIFEST_FILE, manifest.model_file])
    predictor = BounceClassifier.load(folder, strict=True)
    assert predictor.model_version == manifest.model_version
    assert predictor.predict(TEXTS) == BounceClassifier.load(str(folder)).predict(TEXTS)


def test_the_manifest_says_what_was_made(small: Trained) -> None:
    manifest = small.manifest
    assert manifest.format_version == artifact.FORMAT_VERSION
    assert manifest.sha256 == hashlib.sha256(small.payload).hexdigest()
    assert manifest.model_version == f"{manifest.data['fingerprint'][:8]}-{manifest.sha256[:8]}"
    assert set(manifest.libraries) == {"scikit-learn", "numpy", "scipy", "joblib"}
    assert manifest.data["seed"] == 7
    assert set(manifest.metrics["held_out_families"]) >= {"model", "both"}
    assert Manifest.from_json(manifest.to_json()) == manifest


def test_the_shipped_artifact(classifier: BounceClassifier) -> None:
    assert classifier.manifest is not None
    assert sorted(classifier.manifest.labels) == sorted(TAXONOMY.reasons)
    size = sum(path.stat().st_size for path in artifact.SHIPPED.iterdir())
    assert size < 6_000_000
    assert len(list(artifact.SHIPPED.glob("model-*"))) == 1


# What is refused: (what is done to the folder, what the error says)


def no_manifest(folder: Path) -> None:
    (folder / MANIFEST_FILE).unlink()


def no_model(folder: Path) -> None:
    model_file(folder).unlink()


def half_a_model(folder: Path) -> None:
    path = model_file(folder)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped_bit(folder: Path) -> None:
    path = model_file(folder)
    payload = bytearray(path.read_bytes())
    payload[len(payload) // 2] ^= 1
    path.write_bytes(payload)


def half_a_manifest(folder: Path) -> None:
    path = folder / MANIFEST_FILE
    path.write_bytes(path.read_bytes()[:200])


def joblib_of(value: object) -> Callable[[Path], None]:
    buffer = io.BytesIO()
    joblib.dump(value, buffer)
    return lambda folder: swap(folder, buffer.getvalue())


def manifest_of(content: bytes) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / MANIFEST_FILE).write_bytes(content)

    return damage


def other_labels(folder: Path) -> None:
    rewrite(folder, labels=["a", "b"])


DAMAGE: list[tuple[str, Callable[[Path], None], str]] = [
    ("no manifest", no_manifest, "no readable manifest.json in .*run: whybounce train"),
    ("no model", no_model, r"no readable model-\w+\.joblib in .*train or fetch"),
    ("half a model", half_a_model, "does not have the digest.*fetch it again"),
    ("a flipped bit", flipped_bit, "does not have the digest.*fetch it again"),
    ("half a manifest", half_a_manifest, "manifest cannot be read"),
    ("an empty manifest", manifest_of(b""), "manifest cannot be read"),
    ("a binary manifest", manifest_of(b"\xff\xfe\x00"), "no readable manifest"),
    ("a list for a manifest", manifest_of(b"[]"), "manifest cannot be read"),
    ("a manifest too deep", manifest_of(b"[" * 100_000), "manifest cannot be read"),
    ("a field less", lambda folder: rewrite(folder, threshold=None), "manifest cannot be read.*threshold"),
    ("a field more", lambda folder: rewrite(folder, colour="red"), "manifest cannot be read.*colour"),
    ("labels missing", lambda folder: rewrite(folder, labels=None), "manifest cannot be read.*labels"),
    ("labels of another type", lambda folder: rewrite(folder, labels=3), "manifest cannot be read"),
    ("another format", lambda folder: rewrite(folder, format_version=99), "format version 99, this whybounce reads 1"),
    ("an older scikit-learn", lambda folder: rewrite(folder, libraries={"scikit-learn": "0.24.2"}), "trained with scikit-learn 0.24.2, installed is .*; install 0.24.2 or run: whybounce train"),
    ("no scikit-learn", lambda folder: rewrite(folder, libraries={}), r"trained with scikit-learn \?"),
    ("other labels", other_labels, "holds other labels than its manifest"),
    ("not joblib", lambda folder: swap(folder, b"not a joblib file"), "cannot be loaded"),
    ("an empty model", lambda folder: swap(folder, b""), "cannot be loaded"),
    ("a joblib of something else", joblib_of({"a": 1}), "holds no whybounce pipeline"),
]  # fmt: skip


@pytest.mark.parametrize(("damage", "message"), [row[1:] for row in DAMAGE], ids=[row[0] for row in DAMAGE])
def test_damage_is_refused_and_rules_answer(
    folder: Path, damage: Callable[[Path], None], message: str, caplog: pytest.LogCaptureFixture
) -> None:
    damage(folder)
    with pytest.raises(ArtifactError, match=message):
        load(folder)
    with pytest.raises(ArtifactError):
        BounceClassifier.load(folder, strict=True)
    degraded = BounceClassifier.load(folder)
    assert degraded.degraded
    assert degraded.degraded_because
    assert degraded.model_version is None
    assert degraded.degraded_because in caplog.text
    answer = degraded.predict_one("550 5.1.1 user unknown")
    assert (answer.reason, answer.decided_by, answer.degraded) == ("invalid_recipient", "rules", True)


@pytest.mark.parametrize("name", ["missing", "missing/deeper", "\x00", "x" * 300])
def test_a_folder_that_is_not_there(tmp_path: Path, name: str) -> None:
    assert BounceClassifier.load(tmp_path / name).degraded


class Bomb:
    """Unpickling it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[str], Any], tuple[str]]:
        return os.mkdir, (str(self.mark),)


def test_a_swapped_file_is_never_unpickled(folder: Path, tmp_path: Path) -> None:
    mark = tmp_path / "exploded"
    buffer = io.BytesIO()
    joblib.dump(Bomb(mark), buffer)
    model_file(folder).write_bytes(buffer.getvalue())
    with pytest.raises(ArtifactError, match="does not have the digest"):
        load(folder)
    assert not mark.exists()
    # With a digest that fits it is read, but only what a pipeline consists of is looked up.
    swap(folder, buffer.getvalue())
    with pytest.raises(ArtifactError, match="has no place in a whybounce pipeline"):
        load(folder)
    assert not mark.exists()
    # The bomb is a real one: unpickled as it asks for, it goes off.
    joblib.load(io.BytesIO(buffer.getvalue()))
    assert mark.exists()


def test_a_bomb_in_an_array_of_objects_does_not_go_off(folder: Path, tmp_path: Path) -> None:
    mark = tmp_path / "exploded"
    buffer = io.BytesIO()
    joblib.dump(np.array([Bomb(mark)], dtype=object), buffer)
    swap(folder, buffer.getvalue())
    with pytest.raises(ArtifactError, match="array of objects has no place"):
        load(folder)
    assert not mark.exists()


def test_loading_needs_no_scikit_learn(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from whybounce.model.artifact import load; "
        f"load(Path({str(folder)!r})); print(sorted(name for name in ('sklearn', 'scipy') if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_other_versions_are_refused_before_anything_is_unpickled(folder: Path, tmp_path: Path) -> None:
    mark = tmp_path / "exploded"
    buffer = io.BytesIO()
    joblib.dump(Bomb(mark), buffer)
    swap(folder, buffer.getvalue())
    rewrite(folder, libraries={"scikit-learn": "0.24.2"})
    with pytest.raises(ArtifactError, match=r"0\.24\.2"):
        load(folder)
    assert not mark.exists()


# Publishing


def other_model(small: Trained) -> tuple[bytes, Manifest]:
    """Another valid artifact: the same pipeline, packed differently."""
    buffer = io.BytesIO()
    joblib.dump(joblib.load(io.BytesIO(small.payload)), buffer, compress=("zlib", 1))
    payload = buffer.getvalue()
    digest = hashlib.sha256(payload).hexdigest()
    return payload, dataclasses.replace(small.manifest, sha256=digest, model_version=f"other-{digest[:8]}")


def test_publishing_replaces_and_cleans_up(folder: Path, small: Trained) -> None:
    payload, manifest = other_model(small)
    publish(folder, payload, manifest)
    assert load(folder)[1] == manifest
    assert sorted(path.name for path in folder.iterdir()) == sorted([MANIFEST_FILE, manifest.model_file])
    publish(folder, payload, manifest)
    assert load(folder)[1] == manifest


def test_publishing_makes_the_folder(tmp_path: Path, small: Trained) -> None:
    publish(tmp_path / "a" / "b", small.payload, small.manifest)
    assert load(tmp_path / "a" / "b")[1] == small.manifest
    (tmp_path / "empty").mkdir()
    publish(tmp_path / "empty", small.payload, small.manifest)
    assert load(tmp_path / "empty")[1] == small.manifest


def test_a_foreign_folder_is_left_alone(tmp_path: Path, small: Trained) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(ArtifactError, match="holds other files and no artifact; name an empty or a new folder"):
        publish(tmp_path, small.payload, small.manifest)
    with pytest.raises(ArtifactError, match="is a file; name a folder"):
        publish(tmp_path / "letter.txt", small.payload, small.manifest)
    with pytest.raises(ArtifactError, match="cannot write the artifact"):
        publish(tmp_path / "letter.txt" / "below", small.payload, small.manifest)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
    assert (tmp_path / "letter.txt").read_text() == "mine"


def test_a_failed_write_leaves_no_rubbish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        replace_file(target, b"new")
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_is_an_error_that_keeps_the_old_model(
    folder: Path, small: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    payload, manifest = other_model(small)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ArtifactError, match=r"cannot write the artifact to .*No space left"):
            publish(folder, payload, manifest)
    assert load(folder)[1] == small.manifest


# The process is killed at the n-th call of a step of publishing.
STEPS = [
    *((step, when, number) for step, calls in (("fsync", 4), ("replace", 2)) for number in range(1, calls + 1)
      for when in ("before", "after")),
    ("unlink", "before", 1), ("unlink", "before", 2), ("unlink", "before", 3), ("unlink", "after", 3),
]  # fmt: skip


def publish_and_die(folder: Path, payload: bytes, manifest: Manifest, step: str, when: str, number: int) -> int:
    """Publish in a child process that is killed at a step of the os module; return its wait status."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    real, calls = getattr(os, step), 0

    def dying(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*arguments, **named)
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(os, step, dying)
    try:
        publish(folder, payload, manifest)
    finally:
        os._exit(3)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # the child only writes files
@pytest.mark.parametrize(("step", "when", "number"), STEPS)
def test_killed_while_publishing(folder: Path, small: Trained, step: str, when: str, number: int) -> None:
    payload, manifest = other_model(small)
    status = publish_and_die(folder, payload, manifest, step, when, number)
    assert os.WIFSIGNALED(status), "publishing has no such step any more: adapt STEPS"
    assert os.WTERMSIG(status) == signal.SIGKILL
    # A reader finds the old model or the new one, whole; it is the new one once the manifest was replaced.
    found = load(folder)[1]
    switched = (step, number) in {("fsync", 4), ("unlink", 2), ("unlink", 3)} or (step, when, number) == (
        "replace",
        "after",
        2,
    )
    assert found == (manifest if switched else small.manifest)
    # Publishing again mends what the killed one left behind.
    publish(folder, payload, manifest)
    assert load(folder)[1] == manifest
    left = {path.name for path in folder.iterdir()} - {MANIFEST_FILE, manifest.model_file}
    assert all(name.endswith(".tmp") and name.startswith(MANIFEST_FILE) for name in left)
