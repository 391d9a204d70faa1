"""The figures: accuracy, macro-F1, costs and calibration, from one computation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, classification_report

from whybounce.model.decision import HARD
from whybounce.model.prediction import Prediction
from whybounce.model.predictor import BounceClassifier
from whybounce.training.labelled import Labelled

BINS = 10
"""Equal-width confidence bins of the expected calibration error."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a system answered about a row."""

    reason: str
    confidence: float
    decided_by: str


def systems(classifier: BounceClassifier) -> dict[str, BounceClassifier]:
    """The model alone, the rules alone, and both together."""
    found = {"both": classifier, "rules": BounceClassifier(classifier=None, manifest=None, rules=classifier.rules)}
    if classifier.classifier is not None:
        found["model"] = BounceClassifier(
            classifier=classifier.classifier, manifest=classifier.manifest, rules=classifier.rules, model_only=True
        )
    return {name: found[name] for name in ("both", "model", "rules") if name in found}


def figures(rows: Sequence[Labelled], answers: Sequence[Answer]) -> dict[str, Any]:
    """Compute all figures of one system.

    Parameters
    ----------
    rows, answers : sequences of equal length, at least one row

    Returns
    -------
    dict
        Shares are between 0 and 1. ``good_called_hard``: of the rows whose true label
        is not hard, the share that was called hard. ``hard_recall``: of the rows whose
        true label is hard, the share that was called hard. ``macro_f1``: mean over the
        labels that occur in the truth.
    """
    truth = [row.label for row in rows]
    predicted = [answer.reason for answer in answers]
    present = sorted(set(truth))
    report = classification_report(truth, predicted, labels=present, output_dict=True, zero_division=0)
    true_hard = np.array([label in HARD for label in truth])
    called_hard = np.array([label in HARD for label in predicted])
    right = np.array([a == b for a, b in zip(truth, predicted, strict=True)])
    confidence = np.array([answer.confidence for answer in answers])
    sure = confidence >= 0.95
    return {
        "rows": len(rows),
        "accuracy": float(accuracy_score(truth, predicted)),
        "accuracy_with_also": float(
            np.mean([p == row.label or p in row.also for p, row in zip(predicted, rows, strict=True)])
        ),
        "macro_f1": float(np.mean([report[label]["f1-score"] for label in present])),
        "good_called_hard": _share(called_hard, ~true_hard),
        "hard_recall": _share(called_hard, true_hard),
        "calibration_error": calibration_error(confidence, right),
        "sure_share": float(sure.mean()),
        "sure_right": _share(right, sure),
        "reasons": {
            label: {
                "precision": float(report[label]["precision"]),
                "recall": float(report[label]["recall"]),
                "f1": float(report[label]["f1-score"]),
                "support": int(report[label]["support"]),
            }
            for label in present
        },
        "decided_by": {
            name: sum(answer.decided_by == name for answer in answers) for name in ("model", "rules", "default")
        },
    }


def _share(hits: Any, among: Any) -> float | None:
    return float(hits[among].mean()) if among.any() else None


def calibration_error(confidence: Any, right: Any) -> float:
    """Expected calibration error over :data:`BINS` equal-width bins (Guo et al. 2017)."""
    bins = np.minimum((np.asarray(confidence) * BINS).astype(int), BINS - 1)
    error = 0.0
    for number in range(BINS):
        inside = bins == number
        if inside.any():
            error += float(inside.mean()) * abs(float(np.mean(confidence[inside])) - float(np.mean(right[inside])))
    return error


def answer(prediction: Prediction) -> Answer:
    """The part of a prediction that is scored."""
    return Answer(prediction.reason, prediction.confidence, str(prediction.decided_by))


def slice_accuracy(rows: Sequence[Labelled], answers: Sequence[Answer]) -> dict[str, dict[str, dict[str, float]]]:
    """Rows and accuracy by each value of each slice column."""
    counts: dict[str, dict[str, list[bool]]] = {}
    for row, given in zip(rows, answers, strict=True):
        for column, value in row.slices:
            counts.setdefault(column, {}).setdefault(value, []).append(given.reason == row.label)
    return {
        column: {
            value: {"rows": len(hits), "accuracy": sum(hits) / len(hits)}
            for value, hits in sorted(values.items(), key=lambda item: -len(item[1]))
        }
        for column, values in counts.items()
    }
