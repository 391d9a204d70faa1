"""The one computation behind every report: rows and answers in, a JSON document out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from whybounce import __version__
from whybounce.model.taxonomy import TAXONOMY, Taxonomy
from whybounce.training.labelled import Labelled
from whybounce.training.metrics import Answer, IntArray, Outcome, confusion, figures_of, labels_of, outcome
from whybounce.training.report.cases import Cases
from whybounce.training.report.curves import calibration, costs, coverage
from whybounce.training.report.data import bounce_report, summary
from whybounce.training.report.significance import (
    LEVEL,
    METRICS,
    RESAMPLES,
    SEED,
    Samples,
    clear_of_zero,
    interval,
    mcnemar_of,
    resample,
    share_interval,
)
from whybounce.training.report.slices import changes, mistakes, slices
from whybounce.training.report.verdict import headline

SCHEMA = "whybounce-report"
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class About:
    """What a document says about the systems that it measures.

    Attributes
    ----------
    source : str
        Where the rows come from.
    name : str
        What the measured model is called in sentences.
    model_version : str or None
    degraded : bool
        Whether the rules answered alone because no model could be loaded.
    review_below : float or None
        Confidence under which the advice is ``review``.
    current_name : str
        What the model that it is compared with is called.
    current_version : str or None
    created : str or None
        Date, when the document is to carry one. Without it, the same rows and models
        give the same document.
    notes : tuple of str
        Sentences that a reader must know.
    """

    source: str = ""
    name: str = "this model"
    model_version: str | None = None
    degraded: bool = False
    review_below: float | None = None
    current_name: str = "the current model"
    current_version: str | None = None
    created: str | None = None
    notes: tuple[str, ...] = ()


def document(
    rows: Sequence[Labelled],
    cases: Cases,
    answers: Mapping[str, Sequence[Answer]],
    *,
    about: About,
    taxonomy: Taxonomy = TAXONOMY,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> dict[str, Any]:
    """Compute everything that a report shows.

    Parameters
    ----------
    rows : sequence of Labelled
        All rows.
    cases : Cases
        The rows that are not ambiguous, at least one.
    answers : mapping of str to sequence of Answer
        ``both`` (what the measured model answers with its rules), and any of ``model``,
        ``rules`` and ``current`` (the model that it is compared with): an answer a case.
    about : About
    taxonomy : Taxonomy
    resamples, seed : int
        Of the bootstrap.
    """
    labels = labels_of(cases.rows, list(answers.values()), taxonomy)
    outcomes = {name: outcome(cases.rows, given, taxonomy=taxonomy, labels=labels) for name, given in answers.items()}
    both = outcomes["both"]
    drawn = resample(outcomes, cases.cluster, resamples=resamples, seed=seed)
    measured = {name: _system(found, drawn[name], cases.cluster) for name, found in outcomes.items()}
    data = summary(rows, cases, source=about.source)
    result: dict[str, Any] = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "whybounce": __version__,
        "created": about.created,
        "source": about.source,
        "name": about.name,
        "rows": data["rows"],
        "ambiguous_left_out": data["ambiguous"],
        "model_version": about.model_version,
        "degraded": about.degraded,
        "notes": list(about.notes),
        "headline": {},
        "systems": {name: measured[name] for name in ("both", "model", "rules") if name in measured},
        "current": _current(about, measured.get("current")),
        "contrasts": {
            name: _contrast(outcomes, measured, drawn, cases, name)
            for name in ("current", "rules", "model")
            if name in outcomes and not (name == "rules" and "model" not in outcomes)
        },
        "intervals": {"level": LEVEL, "resamples": resamples, "seed": seed, "unit": "template"},
        "calibration": {"error": measured["both"]["calibration_error"], "bins": calibration(both)},
        "coverage": coverage(both),
        "costs": {
            **costs(both, review_below=about.review_below),
            "current": costs(outcomes["current"], review_below=None)["default"] if "current" in outcomes else None,
        },
        "confusion": _confusion(both),
        "slices": slices(cases, outcomes, seed=seed),
        "mistakes": mistakes(cases, answers["both"], taxonomy),
        "changes": changes(cases, answers["both"], answers["current"]) if "current" in answers else None,
        "data": data,
        "bounce_report": bounce_report(cases, answers["both"], taxonomy),
        "training": None,
        "gate": None,
    }
    result["headline"] = headline(result, about)
    return result


def _system(found: Outcome, drawn: Mapping[str, Any], cluster: IntArray) -> dict[str, Any]:
    measured = figures_of(found)
    intervals = {metric: interval(drawn[metric], measured[metric]) for metric in METRICS}
    shares = {
        "accuracy": (found.right, found.weight > 0),
        "good_called_hard": (found.called_hard, ~found.true_hard),
        "hard_recall": (found.called_hard, found.true_hard),
    }
    for metric, (hits, among) in shares.items():
        if measured[metric] in (0.0, 1.0):
            # Draws of rows that are all alike cannot differ; that is no certainty.
            intervals[metric] = share_interval(hits[among], found.weight[among], cluster[among])
    return {**measured, "intervals": intervals}


def _current(about: About, measured: dict[str, Any] | None) -> dict[str, Any] | None:
    if measured is None:
        return None
    return {"name": about.current_name, "model_version": about.current_version, **measured}


def _contrast(
    outcomes: Mapping[str, Outcome], measured: Mapping[str, Any], drawn: Samples, cases: Cases, name: str
) -> dict[str, Any]:
    """What ``both`` has over another system: differences with intervals, and McNemar's test."""
    differences = {}
    for metric in METRICS:
        ours, theirs = measured["both"][metric], measured[name][metric]
        value = None if ours is None or theirs is None else ours - theirs
        values = drawn["both"][metric] - drawn[name][metric]
        differences[metric] = {
            "value": value,
            "interval": interval(values, value),
            "clear": value is not None and clear_of_zero(values),
        }
    return {
        "metrics": differences,
        "mcnemar": mcnemar_of(outcomes["both"], outcomes[name], cases.cluster),
        "reasons": _by_reason(measured["both"]["reasons"], measured[name]["reasons"]),
    }


def _by_reason(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = [
        {
            "reason": reason,
            "support": row["support"],
            "f1": row["f1"],
            "before": theirs[reason]["f1"],
            "difference": row["f1"] - theirs[reason]["f1"],
        }
        for reason, row in ours.items()
    ]
    return sorted(rows, key=lambda row: (row["difference"], row["reason"]))


def _confusion(found: Outcome) -> dict[str, Any]:
    """The matrix over the labels that occur, and its wrong cells, the heaviest first."""
    matrix = confusion(found)
    used = [number for number in range(len(found.labels)) if matrix[number].any() or matrix[:, number].any()]
    cells = [
        {
            "label": found.labels[row],
            "predicted": found.labels[column],
            "count": float(matrix[row, column]),
            "share": float(matrix[row, column] / matrix[row].sum()),
        }
        for row in used
        for column in used
        if row != column and matrix[row, column]
    ]
    return {
        "labels": [found.labels[number] for number in used],
        "counts": [[float(matrix[row, column]) for column in used] for row in used],
        "confused": sorted(cells, key=lambda cell: (-cell["count"], cell["label"], cell["predicted"])),
    }
