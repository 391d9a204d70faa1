"""The run directory: what is in it, that it is whole, and that it works as an artifact."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pages import agrees, at, read_page

from whybounce.model import artifact
from whybounce.model.errors import ArtifactError, DataError
from whybounce.model.predictor import BounceClassifier
from whybounce.model.rules import default_rules
from whybounce.training import run
from whybounce.training.corpus import Template
from whybounce.training.expand import expand
from whybounce.training.labelled import Labelled
from whybounce.training.report.measure import About
from whybounce.training.run import HELD_OUT_NOTE, check_folder, held_out_answers, write_run
from whybounce.training.thresholds import cases_of, held_out_figures
from whybounce.training.train import Trained, hold_out, merge

ROWS = [
    Labelled("550 5.1.1 <john.doe@example.com>: User unknown", "invalid_recipient", slices=(("provider", "north"),)),
    Labelled("552 5.2.2 <jane.roe@example.org>: Mailbox full", "mailbox_full", weight=3.0),
    Labelled("552 5.2.2 Mailbox full", "greylisted", also=("mailbox_full",)),
    Labelled("x", "greylisted", ambiguous=True),
]
FILES = ["MODEL_CARD.md", "manifest.json", "metrics.json", "predictions.jsonl", "report.html", "report.md"]


@pytest.fixture(scope="module")
def written(small: Trained, classifier: BounceClassifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "deep" / "mine"
    write_run(
        folder, small.payload, small.manifest, rows=ROWS, measured=classifier, current=classifier,
        about=About(source="mine.jsonl", current_name="the shipped model", created="2026-01-31"),
        command="whybounce train --data mine.jsonl",
    )  # fmt: skip
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_in_it(written: Path, small: Trained) -> None:
    assert names(written) == sorted([*FILES, small.manifest.model_file])
    assert names(written.parent) == ["mine"]


def test_it_is_an_artifact(written: Path, small: Trained) -> None:
    loaded = BounceClassifier.load(written, strict=True)
    assert loaded.model_version == small.manifest.model_version
    assert artifact.read_manifest(written) == small.manifest


def test_the_figures_are_one(written: Path, small: Trained) -> None:
    document = json.loads((written / "metrics.json").read_text("utf-8"))
    assert document["schema_version"] == 1
    assert document["model_version"] == small.manifest.model_version
    assert document["created"] == "2026-01-31"
    assert document["notes"] == [HELD_OUT_NOTE]
    page = read_page((written / "report.html").read_text("utf-8"))
    assert [(key, shown) for key, shown in page.figures if not agrees(shown, at(document, key))] == []
    assert HELD_OUT_NOTE in page.text
    held_out = small.manifest.metrics["held_out_families"]["both"]["accuracy"]
    assert document["training"]["held_out_families"]["both"]["accuracy"] == pytest.approx(held_out)
    assert "/training/held_out_families/both/accuracy" in dict(page.figures)
    markdown = (written / "report.md").read_text("utf-8")
    assert document["headline"]["title"] in markdown


def test_predictions(written: Path) -> None:
    rows = [json.loads(line) for line in (written / "predictions.jsonl").read_text("utf-8").splitlines()]
    assert [(row["template"], row["label"], row["predicted"], row["right"], row["rows"]) for row in rows] == [
        ("550 5.1.1 ADDR user unknown", "invalid_recipient", "invalid_recipient", True, 1),
        ("552 5.2.2 ADDR mailbox full", "mailbox_full", "mailbox_full", True, 3),
        ("552 5.2.2 mailbox full", "greylisted", "mailbox_full", False, 1),
    ]
    assert {row["decided_by"] for row in rows} <= {"model", "rules"}
    assert all(0 < row["confidence"] <= 1 for row in rows)


def test_model_card(written: Path, small: Trained) -> None:
    card = (written / "MODEL_CARD.md").read_text("utf-8")
    document = json.loads((written / "metrics.json").read_text("utf-8"))
    for piece in (
        small.manifest.model_version,
        small.manifest.sha256,
        small.manifest.data["fingerprint"],
        "whybounce train --data mine.jsonl",
        "## For what it is not meant",
        "## Limits",
        f"| accuracy | {100 * document['systems']['both']['accuracy']:.1f} % |",
        *document["headline"]["sentences"],
    ):
        assert piece in card
    assert "None" not in card


def test_nobody_is_named(written: Path) -> None:
    for path in written.iterdir():
        content = path.read_bytes()
        assert not [secret for secret in (b"john", b"jane", b"example.com", b"example.org") if secret in content]


def test_held_out_families_are_measured_without_rows_of_ones_own(
    few_templates: list[Template], small: Trained, tmp_path: Path
) -> None:
    examples = merge(expand(few_templates[:60], disguises=1))
    held_out = hold_out(examples, folds=2, seed=7, report=lambda *_: None)
    cases = cases_of(held_out, default_rules())
    rows, answers = held_out_answers(cases, small.manifest)
    document = write_run(tmp_path / "run", small.payload, small.manifest, rows=rows, measured=answers)
    known: Any = held_out_figures(cases, small.manifest)  # type: ignore[arg-type]
    for system in ("both", "model"):
        for metric in ("accuracy", "macro_f1", "good_called_hard", "hard_recall", "calibration_error"):
            assert document["systems"][system][metric] == pytest.approx(known[system][metric])
    below = sum(answer.confidence < small.manifest.review_below for answer in answers["both"])
    assert document["systems"]["both"]["acted_share"] == pytest.approx(1 - below / len(rows))
    families = {case.example.family for case in cases}
    assert {row["name"] for row in document["slices"]["provider"]} <= families | {"all others"}


# Whole or not at all


def again(folder: Path, small: Trained, classifier: BounceClassifier, **options: Any) -> None:
    write_run(folder, small.payload, small.manifest, rows=ROWS[:2], measured=classifier, **options)


def test_a_run_replaces_a_run_and_an_artifact(small: Trained, classifier: BounceClassifier, folder: Path) -> None:
    again(folder, small, classifier, command="the first")
    assert "the first" in (folder / "MODEL_CARD.md").read_text("utf-8")
    again(folder, small, classifier, command="the second")
    assert "the second" in (folder / "MODEL_CARD.md").read_text("utf-8")
    assert names(folder) == sorted([*FILES, small.manifest.model_file])
    assert names(folder.parent) == [folder.name]


@pytest.mark.parametrize(
    ("present", "message"),
    [
        (["notes.txt"], r"holds other files and no artifact \(notes.txt\); name an empty or a new folder"),
        (["manifest.json", "model-1.joblib", "notes.txt"], r"holds other files \(notes.txt\); name an empty"),
    ],
)
def test_other_things_are_left_alone(
    present: list[str], message: str, small: Trained, classifier: BounceClassifier, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    for name in present:
        (folder / name).write_text("x")
    with pytest.raises(ArtifactError, match=message):
        again(folder, small, classifier)
    assert names(folder) == sorted(present)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("x")
    with pytest.raises(ArtifactError, match="is a file; name a folder"):
        check_folder(tmp_path / "run")
    check_folder(tmp_path / "new")
    check_folder(tmp_path / "not" / "there" / "yet")
    assert names(tmp_path) == ["run"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc, where nobody may write, not even root")
def test_what_cannot_be_written_is_said_before_the_work() -> None:
    with pytest.raises(ArtifactError, match=r"cannot write a run to /proc/runs/mine \(.*: /proc\); name a folder"):
        check_folder(Path("/proc/runs/mine"))


def test_nothing_is_written_when_nothing_can_be_measured(
    small: Trained, classifier: BounceClassifier, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="every row is ambiguous"):
        write_run(tmp_path / "run", small.payload, small.manifest, rows=ROWS[3:], measured=classifier)
    assert names(tmp_path) == []


@pytest.mark.parametrize("step", range(1, 9))
def test_a_full_disk_leaves_the_old_run(
    step: int, small: Trained, classifier: BounceClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    again(folder, small, classifier, command="the first")
    calls = 0
    replace_file, rename = artifact.replace_file, Path.rename

    def fail() -> None:
        nonlocal calls
        calls += 1
        if calls == step:
            raise OSError(28, "No space left on device")

    def failing_replace(path: Path, payload: bytes) -> None:
        fail()
        replace_file(path, payload)

    def failing_rename(self: Path, target: Path) -> Path:
        fail()
        return rename(self, target)

    monkeypatch.setattr(run, "replace_file", failing_replace)
    monkeypatch.setattr(Path, "rename", failing_rename)
    with pytest.raises(ArtifactError, match=r"cannot write the run to .*No space left"):
        again(folder, small, classifier, command="the second")
    monkeypatch.undo()
    assert "the first" in (folder / "MODEL_CARD.md").read_text("utf-8")
    BounceClassifier.load(folder, strict=True)
    assert names(tmp_path) == ["run"]


KILLED = """
import os, signal, sys
from pathlib import Path
from whybounce.training import run
from whybounce.model import artifact
steps, number = 0, int(sys.argv[2])
def counted(function):
    def call(*arguments, **options):
        global steps
        steps += 1
        if steps == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return call
run.replace_file = counted(run.replace_file)
Path.rename = counted(Path.rename)
run._place(Path(sys.argv[1]), {name: b"second" for name in ("manifest.json", "metrics.json")})
"""


@pytest.mark.parametrize("step", range(1, 5))
def test_killed_at_any_step_a_run_is_whole(step: int, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    contents = {"manifest.json": b"first", "metrics.json": b"first"}
    run._place(folder, contents)
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder), str(step)], check=False, cwd=tmp_path)
    assert done.returncode == -signal.SIGKILL
    # The next run puts right what the killed one left; until then no folder holds a mixture.
    for left in [folder] * folder.exists() + list(tmp_path.glob(".run.*.old")):
        assert {path.read_bytes() for path in left.iterdir()} == {b"first"}
    run._clear(folder)
    assert names(tmp_path) == ["run"]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == contents


def test_a_run_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    busy = tmp_path / f".run.{os.getpid()}.new"
    busy.mkdir()
    run._clear(tmp_path / "run")
    assert busy.is_dir()


def test_through_a_link(small: Trained, classifier: BounceClassifier, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    again(tmp_path / "link", small, classifier)
    assert (tmp_path / "link").is_symlink()
    assert "metrics.json" in names(tmp_path / "real")
