"""The figures: accuracy, macro-F1, costs and calibration, from one computation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from whybounce.model.prediction import Evidence, Prediction
from whybounce.model.predictor import BounceClassifier
from whybounce.model.taxonomy import TAXONOMY, Action, Taxonomy
from whybounce.training.labelled import Labelled

BINS = 10
"""Equal-width confidence bins of the expected calibration error."""

SURE = 0.95
"""Confidence from which on an answer counts as sure."""

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a system answered about a row.

    Attributes
    ----------
    reason, confidence, decided_by :
        As in a prediction.
    unsure : bool
        Whether its advice is that a person looks at it.
    evidence : tuple of Evidence
        What it rests on, where that is known.
    """

    reason: str
    confidence: float
    decided_by: str
    unsure: bool = False
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """Truth and answers of one system as arrays of equal length, one element a row.

    Attributes
    ----------
    labels : tuple of str
        ``truth`` and ``said`` are positions in it; ``hard`` has one element a label.
    accepted : array of bool
        The answer is the label or another label that a careful reader would accept.
    acted : array of bool
        The answer was sure enough to act on.
    """

    labels: tuple[str, ...]
    hard: BoolArray
    truth: IntArray
    said: IntArray
    confidence: FloatArray
    accepted: BoolArray
    acted: BoolArray
    weight: FloatArray
    decided_by: tuple[str, ...]

    @property
    def right(self) -> BoolArray:
        """Where the answer is the label."""
        return np.asarray(self.truth == self.said)

    @property
    def true_hard(self) -> BoolArray:
        """Where the label says that the address is bad."""
        return self.hard[self.truth]

    @property
    def called_hard(self) -> BoolArray:
        """Where the answer says so."""
        return self.hard[self.said]


def systems(classifier: BounceClassifier) -> dict[str, BounceClassifier]:
    """The model alone, the rules alone, and both together."""
    shared: dict[str, Any] = {"rules": classifier.rules, "taxonomy": classifier.taxonomy}
    found = {"both": classifier, "rules": BounceClassifier(classifier=None, manifest=None, **shared)}
    if classifier.classifier is not None:
        found["model"] = BounceClassifier(
            classifier=classifier.classifier, manifest=classifier.manifest, model_only=True, **shared
        )
    return {name: found[name] for name in ("both", "model", "rules") if name in found}


def outcome(
    rows: Sequence[Labelled], answers: Sequence[Answer], *, taxonomy: Taxonomy = TAXONOMY, labels: Sequence[str] = ()
) -> Outcome:
    """Put rows and answers into arrays.

    Parameters
    ----------
    rows, answers : sequences of equal length
    taxonomy : Taxonomy
        Says which reasons are hard; reasons that it does not know are not.
    labels : sequence of str, optional
        All labels, when several outcomes are to share them.
    """
    names = tuple(labels) or labels_of(rows, [answers], taxonomy)
    code = {label: number for number, label in enumerate(names)}
    accepted = [
        answer.reason == row.label or answer.reason in row.also for row, answer in zip(rows, answers, strict=True)
    ]
    return Outcome(
        labels=names,
        hard=np.array([label in taxonomy and taxonomy.is_hard(label) for label in names], dtype=np.bool_),
        truth=np.array([code[row.label] for row in rows], dtype=np.int64),
        said=np.array([code[answer.reason] for answer in answers], dtype=np.int64),
        confidence=np.array([answer.confidence for answer in answers], dtype=np.float64),
        accepted=np.array(accepted, dtype=np.bool_),
        acted=np.array([not answer.unsure for answer in answers], dtype=np.bool_),
        weight=np.array([row.weight for row in rows], dtype=np.float64),
        decided_by=tuple(answer.decided_by for answer in answers),
    )


def labels_of(
    rows: Sequence[Labelled], answers: Sequence[Sequence[Answer]], taxonomy: Taxonomy = TAXONOMY
) -> tuple[str, ...]:
    """List the labels in the order of the taxonomy, then those that it does not know."""
    met = {row.label for row in rows} | {answer.reason for given in answers for answer in given}
    return (*taxonomy.reasons, *sorted(met - set(taxonomy.reasons)))


def figures(rows: Sequence[Labelled], answers: Sequence[Answer], *, taxonomy: Taxonomy = TAXONOMY) -> dict[str, Any]:
    """Compute all figures of one system.

    Parameters
    ----------
    rows, answers : sequences of equal length, at least one row
    taxonomy : Taxonomy

    Returns
    -------
    dict
        Shares are between 0 and 1. A row counts as often as its weight says.
        ``good_called_hard``: of the rows whose true label is not hard, the share that
        was called hard. ``hard_recall``: of the rows whose true label is hard, the
        share that was called hard. ``macro_f1``: mean over the labels that occur in
        the truth.
    """
    return figures_of(outcome(rows, answers, taxonomy=taxonomy))


def figures_of(found: Outcome) -> dict[str, Any]:
    """Compute the figures of an outcome; see :func:`figures`."""
    weight, right = found.weight, found.right
    present = np.unique(found.truth)
    precision, recall, f1, _ = precision_recall_fscore_support(
        found.truth, found.said, labels=present, sample_weight=weight, zero_division=0
    )
    sure = found.confidence >= SURE
    decided = np.array(found.decided_by)
    return {
        "rows": counted(weight),
        "accuracy": share(right, weight),
        "accuracy_with_also": share(found.accepted, weight),
        "macro_f1": float(np.mean(f1)),
        "good_called_hard": share(found.called_hard, weight, ~found.true_hard),
        "hard_recall": share(found.called_hard, weight, found.true_hard),
        "calibration_error": calibration_error(found.confidence, right, weight),
        "sure_share": share(sure, weight),
        "sure_right": share(right, weight, sure),
        "acted_share": share(found.acted, weight),
        "reasons": {
            found.labels[label]: {
                "precision": float(precision[number]),
                "recall": float(recall[number]),
                "f1": float(f1[number]),
                "support": counted(weight, found.truth == label),
            }
            for number, label in sorted(enumerate(present), key=lambda pair: found.labels[pair[1]])
        },
        "decided_by": {name: counted(weight, decided == name) for name in ("model", "rules", "default")},
    }


def confusion(found: Outcome) -> FloatArray:
    """Weight of the rows by true (first axis) and answered label (second axis)."""
    return np.asarray(
        confusion_matrix(found.truth, found.said, labels=range(len(found.labels)), sample_weight=found.weight),
        dtype=np.float64,
    )


def share(hits: BoolArray, weight: FloatArray, among: BoolArray | None = None) -> float | None:
    """Weighted share of ``hits`` among some rows; None when they weigh nothing."""
    if among is not None:
        hits, weight = hits[among], weight[among]
    total = float(weight.sum())
    return min(1.0, float(weight[hits].sum()) / total) if total > 0 else None


def counted(weight: FloatArray, among: BoolArray | None = None) -> int | float:
    """How many rows there are, each as often as its weight says."""
    total = float((weight if among is None else weight[among]).sum())
    return int(total) if total.is_integer() else round(total, 3)


def bin_of(confidence: FloatArray) -> IntArray:
    """Number of the equal-width bin that each confidence falls into."""
    return np.minimum((np.asarray(confidence) * BINS).astype(np.int64), BINS - 1)


def calibration_error(confidence: Any, right: Any, weight: Any = None) -> float:
    """Expected calibration error over :data:`BINS` equal-width bins (Guo et al. 2017)."""
    confidence, right = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=np.float64)
    weights = np.ones(len(confidence)) if weight is None else np.asarray(weight, dtype=np.float64)
    # Within a bin: |mean confidence - share of right answers|, weighted by the bin's share of all.
    gaps = np.bincount(bin_of(confidence), weights=weights * (confidence - right), minlength=BINS)
    return float(np.abs(gaps).sum() / weights.sum())


def answer(prediction: Prediction) -> Answer:
    """The part of a prediction that is scored."""
    return Answer(
        prediction.reason,
        prediction.confidence,
        str(prediction.decided_by),
        unsure=_unsure(prediction),
        evidence=prediction.evidence,
    )


def _unsure(prediction: Prediction) -> bool:
    # "review" is also the plain advice for a few reasons, none of them hard: nobody acts on those either way.
    return prediction.action == Action.REVIEW


def merged_taxonomy(*taxonomies: Taxonomy) -> Taxonomy:
    """Join the users' own reasons of several models; the first to define one wins."""
    extra: Mapping[str, Any] = {info.reason: info for taxonomy in reversed(taxonomies) for info in taxonomy.extra}
    return Taxonomy(tuple(extra.values())) if extra else TAXONOMY
