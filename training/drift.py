"""Whether today's bounces still look like those that a model was judged on.

Two sets of predictions in, the differences out: how many are unknown or unsure, how the
reasons shifted (population stability index), and which templates are new; in all and by
provider.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import log
from typing import Any

from whybounce.model.prediction import Prediction
from whybounce.model.taxonomy import Action, Reason

UNKNOWN = frozenset({Reason.NO_INFORMATION, Reason.GENERAL_ERROR})
"""Reasons that say that nothing is known."""

SHIFTED, MOVED = 0.25, 0.1
"""Population stability index from which a distribution shifted, and from which it moved a little (the usual limits)."""

FEWEST = 50
"""Messages of a provider, on both sides, below which its figures are chance."""

MAX_NEW = 50
"""New templates that are listed."""


@dataclass(slots=True)
class Tally:
    """What predictions add up to.

    Attributes
    ----------
    count, unsure, unknown : int
        Messages; those whose advice is a review; those without a known reason.
    reasons : Counter
    """

    count: int = 0
    unsure: int = 0
    unknown: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, prediction: Prediction, times: int = 1) -> None:
        """Count a prediction."""
        self.count += times
        self.unsure += times * (prediction.action == Action.REVIEW)
        self.unknown += times * (prediction.reason in UNKNOWN)
        self.reasons[prediction.reason] += times

    def shares(self) -> dict[str, float]:
        """Shares of the unsure and the unknown."""
        every = max(1, self.count)
        return {"unsure": round(self.unsure / every, 6), "unknown": round(self.unknown / every, 6)}


@dataclass(slots=True)
class Traffic:
    """One side of a comparison: all of it, by provider, and by template."""

    every: Tally = field(default_factory=Tally)
    providers: dict[str, Tally] = field(default_factory=dict)
    templates: Counter[str] = field(default_factory=Counter)
    answers: dict[str, Prediction] = field(default_factory=dict)

    @classmethod
    def of(cls, predictions: Iterable[Prediction]) -> Traffic:
        """Add predictions up."""
        found = cls()
        for prediction in predictions:
            found.every.add(prediction)
            found.providers.setdefault(prediction.provider or "unknown", Tally()).add(prediction)
            found.templates[prediction.template] += 1
            found.answers.setdefault(prediction.template, prediction)
        return found


def psi(reference: Mapping[str, int], current: Mapping[str, int]) -> float:
    """Return the population stability index of two counts.

    ``sum((q - p) * ln(q / p))`` over the reasons, with half a message added to each, so
    that a reason which one side lacks counts for much but not for infinity.
    """
    names = set(reference) | set(current)
    if not names:
        return 0.0
    all_reference = sum(reference.values()) + 0.5 * len(names)
    all_current = sum(current.values()) + 0.5 * len(names)
    total = 0.0
    for name in sorted(names):
        before = (reference.get(name, 0) + 0.5) / all_reference
        now = (current.get(name, 0) + 0.5) / all_current
        total += (now - before) * log(now / before)
    return total


def level(value: float) -> str:
    """Name a population stability index: ``steady``, ``moved`` or ``shifted``."""
    return "shifted" if value >= SHIFTED else "moved" if value >= MOVED else "steady"


def drift(reference: Traffic, current: Traffic) -> dict[str, Any]:
    """Compare two sides; plain types only.

    Returns
    -------
    dict
        ``psi`` and ``level`` of the reasons; ``reference`` and ``current`` with count
        and shares; ``reasons`` with both shares, the greatest change first;
        ``new_templates`` with count, share and the most frequent ones; ``providers``.
    """
    value = psi(reference.every.reasons, current.every.reasons)
    fresh = [(name, times) for name, times in current.templates.most_common() if name not in reference.templates]
    messages = sum(times for _, times in fresh)
    return {
        "psi": round(value, 6),
        "level": level(value),
        "reference": {
            "count": reference.every.count,
            "templates": len(reference.templates),
            **reference.every.shares(),
        },
        "current": {"count": current.every.count, "templates": len(current.templates), **current.every.shares()},
        "reasons": _reasons(reference.every, current.every),
        "new_templates": {
            "templates": len(fresh),
            "messages": messages,
            "share": round(messages / max(1, current.every.count), 6),
            "most_frequent": [_described(name, times, current.answers[name]) for name, times in fresh[:MAX_NEW]],
        },
        "providers": _providers(reference, current),
    }


def _reasons(reference: Tally, current: Tally) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for name in sorted(set(reference.reasons) | set(current.reasons)):
        before = reference.reasons[name] / max(1, reference.count)
        now = current.reasons[name] / max(1, current.count)
        rows.append(
            {"reason": name, "reference": round(before, 6), "current": round(now, 6), "change": round(now - before, 6)}
        )
    return sorted(rows, key=lambda row: -abs(row["change"]))


def _providers(reference: Traffic, current: Traffic) -> list[dict[str, Any]]:
    new: Counter[str] = Counter()
    for template, times in current.templates.items():
        if template not in reference.templates:
            new[current.answers[template].provider or "unknown"] += times
    rows = []
    for name in sorted(set(reference.providers) | set(current.providers)):
        before, now = reference.providers.get(name, Tally()), current.providers.get(name, Tally())
        enough = min(before.count, now.count) >= FEWEST
        value = psi(before.reasons, now.reasons) if enough else None
        rows.append(
            {
                "provider": name,
                "psi": None if value is None else round(value, 6),
                "level": "too few" if value is None else level(value),
                "reference": {"count": before.count, **before.shares()},
                "current": {"count": now.count, **now.shares()},
                "new_templates": round(new[name] / max(1, now.count), 6),
            }
        )
    return sorted(rows, key=lambda row: -row["current"]["count"])


def _described(template: str, times: int, prediction: Prediction) -> dict[str, Any]:
    return {
        "template": template,
        "count": times,
        "reason": prediction.reason,
        "confidence": prediction.confidence,
        "action": prediction.action,
        "provider": prediction.provider,
    }
