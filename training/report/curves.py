"""Figures along the confidence: calibration, accuracy against coverage, and costs."""

from __future__ import annotations

from typing import Any

import numpy as np

from whybounce.training.metrics import BINS, BoolArray, Outcome, bin_of, counted, share

PER = 10_000
"""Costs are counted per so many bounces."""

THRESHOLDS = (*(round(0.05 * step, 2) for step in range(20)), 0.99)


def calibration(found: Outcome) -> list[dict[str, Any]]:
    """Mean confidence and share of right answers in each bin that has rows."""
    bins = bin_of(found.confidence)
    rows = []
    for number in range(BINS):
        inside = bins == number
        if not inside.any():
            continue
        weight = found.weight[inside]
        rows.append(
            {
                "low": number / BINS,
                "high": (number + 1) / BINS,
                "rows": counted(found.weight, inside),
                "confidence": float(np.average(found.confidence[inside], weights=weight)),
                "accuracy": share(found.right, found.weight, inside),
            }
        )
    return rows


def coverage(found: Outcome) -> list[dict[str, Any]]:
    """Share of the rows answered with at least a confidence, and how many of those are right."""
    points = []
    for threshold in THRESHOLDS:
        kept = found.confidence >= threshold
        points.append(
            {
                "threshold": threshold,
                "rows": counted(found.weight, kept),
                "coverage": share(kept, found.weight),
                "accuracy": share(found.right, found.weight, kept),
            }
        )
    return points


def costs(found: Outcome, *, review_below: float | None) -> dict[str, Any]:
    """Count what a mailing list loses per :data:`PER` bounces.

    An address is suppressed when its bounce is called hard, and kept otherwise. By
    default an answer whose advice is ``review`` suppresses nothing; the curve asks for
    a confidence instead.
    """
    return {
        "per": PER,
        "review_below": review_below,
        "default": _cost(found, found.called_hard & found.acted),
        "thresholds": [
            {"threshold": threshold, **_cost(found, found.called_hard & (found.confidence >= threshold))}
            for threshold in THRESHOLDS
        ],
    }


def _cost(found: Outcome, suppressed: BoolArray) -> dict[str, float]:
    bad = found.true_hard
    total = float(found.weight.sum())
    return {
        name: PER * float(found.weight[rows].sum()) / total
        for name, rows in (
            ("good_suppressed", suppressed & ~bad),
            ("good_kept", ~suppressed & ~bad),
            ("bad_suppressed", suppressed & bad),
            ("bad_kept", ~suppressed & bad),
        )
    }
