"""The run directory: a trained model with the evidence about it, written whole or not at all.

::

    runs/mine/
        manifest.json, model-….joblib   the artifact; load and serve the folder itself
        metrics.json                    the figures, as one document
        report.html, report.md          the same figures to read
        MODEL_CARD.md                   what it is for, what it was made from, its limits
        predictions.jsonl               what was answered about each measured row, masked
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from whybounce.model.artifact import MANIFEST_FILE, Manifest, Thresholds, replace_file
from whybounce.model.copying import sync_folder
from whybounce.model.decision import RULES_ONLY_CONFIDENCE, resolve
from whybounce.model.errors import ArtifactError
from whybounce.model.predictor import BounceClassifier
from whybounce.model.taxonomy import TAXONOMY, Reason, Taxonomy
from whybounce.training.evaluate import Evaluation, Progress, measure, measure_answers
from whybounce.training.labelled import Labelled
from whybounce.training.metrics import Answer
from whybounce.training.report.measure import About
from whybounce.training.report.render import fill, to_html, to_json, to_markdown
from whybounce.training.report.slices import number
from whybounce.training.thresholds import Case

METRICS_FILE = "metrics.json"
PREDICTIONS_FILE = "predictions.jsonl"
CARD_FILE = "MODEL_CARD.md"
REPORT_FILES = ("report.html", "report.md")

HELD_OUT_NOTE = "The published model was trained on these rows as well; measured was one that had not seen them."

Answers = Mapping[str, Sequence[Answer]]


def write_run(
    folder: Path,
    payload: bytes,
    manifest: Manifest,
    *,
    rows: Sequence[Labelled],
    measured: BounceClassifier | Answers,
    current: BounceClassifier | None = None,
    about: About | None = None,
    command: str = "",
    gate: Mapping[str, Any] | None = None,
    taxonomy: Taxonomy = TAXONOMY,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure a trained model and write everything about it into one folder.

    Parameters
    ----------
    folder : Path
        A new or empty folder, or that of an earlier run or artifact, which is replaced.
    payload, manifest :
        The artifact, as training made it.
    rows : sequence of Labelled
        What to measure on: rows that neither ``measured`` nor ``current`` was trained on.
    measured : BounceClassifier or mapping of str to sequence of Answer
        The model without ``rows``; or its answers to them, by system (``both``, and any
        of ``model``, ``rules``, ``current``), as :func:`held_out_answers` gives them.
    current : BounceClassifier, optional
        The model in use, for the comparison; goes with a classifier as ``measured``.
    about : About, optional
        Source of the rows, names, date and notes.
    command : str
        What made the run, for the model card.
    gate : mapping, optional
        What the gate before a promotion found, of :meth:`whybounce.training.gate.Gate.to_dict`.
    taxonomy : Taxonomy
        Of ``measured``, when that is answers.
    progress : callable, optional
        Called with (predictions done, predictions in all).

    Returns
    -------
    dict
        The document of :mod:`whybounce.training.report.measure`.

    Raises
    ------
    ArtifactError
        When the folder holds other things or cannot be written.
    DataError
        When no unambiguous row is left to measure.
    """
    check_folder(folder)
    about = about or About()
    evaluation = _measure(manifest, rows, measured, current, about, taxonomy, progress)
    document = evaluation.document
    document["model_version"] = manifest.model_version
    document["gate"] = dict(gate) if gate is not None else None
    document["training"] = training_part(manifest, payload)
    files = {
        METRICS_FILE: to_json(document),
        PREDICTIONS_FILE: predictions(evaluation),
        CARD_FILE: model_card(document, manifest, command),
        REPORT_FILES[0]: to_html(document),
        REPORT_FILES[1]: to_markdown(document),
        MANIFEST_FILE: manifest.to_json(),
    }
    contents = {name: text.encode("utf-8", "replace") for name, text in files.items()}
    try:
        _place(Path(os.path.realpath(folder)), {manifest.model_file: payload, **contents})
    except OSError as error:
        raise ArtifactError(f"cannot write the run to {folder} ({error}); name a folder that can be written") from error
    return document


def _measure(
    manifest: Manifest,
    rows: Sequence[Labelled],
    measured: BounceClassifier | Answers,
    current: BounceClassifier | None,
    about: About,
    taxonomy: Taxonomy,
    progress: Progress | None,
) -> Evaluation:
    if isinstance(measured, BounceClassifier):
        if measured.manifest is None or measured.manifest.sha256 != manifest.sha256:
            about = replace(about, notes=(*about.notes, HELD_OUT_NOTE))
        return measure(measured, rows, current=current, about=about, progress=progress)
    about = replace(
        about,
        model_version=manifest.model_version,
        review_below=manifest.review_below,
        notes=(*about.notes, HELD_OUT_NOTE),
    )
    answers = {
        name: [replace(one, unsure=one.unsure or one.confidence < manifest.review_below) for one in given]
        for name, given in measured.items()
    }
    return measure_answers(rows, answers, about=about, taxonomy=taxonomy)


def held_out_answers(
    cases: Sequence[Case], limits: Manifest | Thresholds
) -> tuple[list[Labelled], dict[str, list[Answer]]]:
    """Turn held-out templates into rows with the answers of models that did not see their family.

    Parameters
    ----------
    cases : sequence of Case
        Of :func:`whybounce.training.thresholds.cases_of`.
    limits : Manifest or Thresholds

    Returns
    -------
    rows : list of Labelled
        With the family as provider.
    answers : dict
        ``both``, ``model`` and ``rules``.
    """
    rows = []
    answers: dict[str, list[Answer]] = {"both": [], "model": [], "rules": []}
    for case in cases:
        example = case.example
        slices = tuple((name, value) for name, value in (("lang", example.lang), ("provider", example.family)) if value)
        rows.append(Labelled(example.text, example.reason, (example.also,) if example.also else (), slices=slices))
        reason, confidence, by_rule = resolve(case.own, case.joint, case.rule, case.against, limits)
        answers["both"].append(Answer(reason, confidence, "rules" if by_rule else "model"))
        answers["model"].append(Answer(*case.own[0], "model"))
        if case.rule is None:
            answers["rules"].append(Answer(Reason.NO_INFORMATION, 0.3, "default"))
        else:
            answers["rules"].append(Answer(case.rule.reason, RULES_ONLY_CONFIDENCE[case.rule.kind], "rules"))
    return rows, answers


def training_part(manifest: Manifest, payload: bytes) -> dict[str, Any]:
    """Say in a document how the model was made."""
    facts: dict[str, Any] = {name.replace("_", " "): value for name, value in manifest.data.items()}
    facts |= {
        "reasons": len(manifest.labels),
        "threshold": manifest.threshold,
        "hard threshold": manifest.hard_threshold,
        "review below": manifest.review_below,
        "model file, MB": round(len(payload) / 1e6, 1),
        **manifest.libraries,
    }
    plain = [{"name": name, "value": value} for name, value in facts.items() if isinstance(value, str | int | float)]
    return {"held_out_families": manifest.metrics.get("held_out_families"), "facts": plain, "data": manifest.data}


def predictions(evaluation: Evaluation) -> str:
    """One JSON object a measured row: the masked template, the label and the answer."""
    lines = []
    for row, found, given in zip(
        evaluation.cases.rows, evaluation.cases.found, evaluation.answers["both"], strict=True
    ):
        answer = {
            "template": found.template, "label": row.label, "also": list(row.also), "predicted": given.reason,
            "confidence": given.confidence, "decided_by": given.decided_by, "right": given.reason == row.label,
            "rows": number(row.weight), "reply_code": found.reply_code, "enhanced_status": found.enhanced_status,
        }  # fmt: skip
        lines.append(json.dumps(answer, ensure_ascii=False))
    return "\n".join(lines) + "\n"


def model_card(document: Mapping[str, Any], manifest: Manifest, command: str) -> str:
    """Write the model card in Markdown, its figures from the document."""
    return fill("model_card.md.j2", {"document": document, "manifest": manifest, "command": command})


def check_folder(folder: Path) -> None:
    """Raise ArtifactError when a run must not replace what is there."""
    if folder.exists() and not folder.is_dir():
        raise ArtifactError(f"{folder} is a file; name a folder")
    present = sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []
    ours = {MANIFEST_FILE, METRICS_FILE, PREDICTIONS_FILE, CARD_FILE, *REPORT_FILES}
    others = [name for name in present if name not in ours and not name.startswith("model-")]
    if others:
        kind = "other files" if any(name.startswith("model-") for name in present) else "other files and no artifact"
        raise ArtifactError(f"{folder} holds {kind} ({', '.join(others[:3])}); name an empty or a new folder")
    there = next(parent for parent in folder.absolute().parents if parent.exists())
    try:
        # Tried, not asked: root may do everything but write to a disk that is read-only. Minutes of work hang on it.
        with TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise ArtifactError(
            f"cannot write a run to {folder} ({error.strerror}: {there}); name a folder that can be written"
        ) from error


def _place(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write a folder under another name, and give it its name when all of it is on the disk."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    _clear(folder)
    fresh, old = (folder.with_name(f".{folder.name}.{os.getpid()}.{kind}") for kind in ("new", "old"))
    try:
        fresh.mkdir()
        for name, content in contents.items():
            replace_file(fresh / name, content)
        if folder.exists():
            folder.rename(old)
        try:
            fresh.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
        sync_folder(folder.parent)
    finally:
        for left in (fresh, old):
            shutil.rmtree(left, ignore_errors=True)


def _clear(folder: Path) -> None:
    """Put right what a killed run left: the old folder back when it has none, the rest away."""
    for kind in ("old", "new"):
        for left in folder.parent.glob(f".{folder.name}.*.{kind}"):
            number = left.name.split(".")[-2]
            if number.isdigit() and not _runs(int(number)):
                if kind == "old" and not folder.exists():
                    left.rename(folder)
                shutil.rmtree(left, ignore_errors=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
