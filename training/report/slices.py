"""The figures by provider, language, code family and who decided; and the worst mistakes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from whybounce.model.taxonomy import Taxonomy
from whybounce.training.metrics import Answer, BoolArray, Outcome, counted, share
from whybounce.training.report.cases import Cases, code_family, languages
from whybounce.training.report.significance import SEED, interval, resample, share_interval

RESAMPLES = 500
"""Draws for the difference within one slice."""

MOST = 40
"""Values of a dimension that are shown; the rows of rarer ones are joined."""

OTHERS = "all others"


def slices(cases: Cases, outcomes: Mapping[str, Outcome], *, seed: int = SEED) -> dict[str, Any]:
    """Accuracy of every system, with support, for each value of each dimension.

    Parameters
    ----------
    cases : Cases
    outcomes : mapping of str to Outcome
        ``both``, and any of ``model``, ``rules`` and ``current``.
    seed : int

    Returns
    -------
    dict
        ``provider``, ``lang``, ``code_family``, ``decided_by``: lists, the largest
        slice first; ``lang_detected`` says whether the language is a guess.
    """
    langs, detected = languages(cases)
    dimensions = {
        "provider": [cases.provider(row) for row in range(len(cases.rows))],
        "lang": langs,
        "code_family": [code_family(diagnostic) for diagnostic in cases.found],
        "decided_by": list(outcomes["both"].decided_by),
    }
    found: dict[str, Any] = {"lang_detected": detected}
    for name, values in dimensions.items():
        common = {value for value, _ in Counter(values).most_common(MOST)}
        joined = [value if value in common else OTHERS for value in values]
        distinct, inverse = np.unique(np.array(joined), return_inverse=True)
        sliced = [_slice(str(value), inverse == number, cases, outcomes, seed) for number, value in enumerate(distinct)]
        found[name] = sorted(sliced, key=lambda item: (-item["rows"], item["name"]))
    return found


def _slice(name: str, inside: BoolArray, cases: Cases, outcomes: Mapping[str, Outcome], seed: int) -> dict[str, Any]:
    both = outcomes["both"]
    cluster = np.unique(cases.cluster[inside], return_inverse=True)[1].reshape(-1)
    entry: dict[str, Any] = {
        "name": name,
        "rows": counted(both.weight, inside),
        "templates": int(cluster.max()) + 1,
        "accuracy": share(both.right, both.weight, inside),
        "interval": share_interval(both.right[inside], both.weight[inside], cluster),
        "good_called_hard": share(both.called_hard, both.weight, inside & ~both.true_hard),
        "hard_recall": share(both.called_hard, both.weight, inside & both.true_hard),
    }
    for system in ("model", "rules", "current"):
        if system in outcomes:
            entry[f"{system}_accuracy"] = share(outcomes[system].right, both.weight, inside)
    if "current" in outcomes:
        entry["gain"] = _gain(both, outcomes["current"], inside, cluster, seed)
    return entry


def _gain(both: Outcome, current: Outcome, inside: BoolArray, cluster: Any, seed: int) -> dict[str, Any]:
    # Each row's difference is -1, 0 or 1; a slice may be small, so the draws are made within it.
    weight = both.weight[inside]
    gain = both.right[inside].astype(np.float64) - current.right[inside]
    value = float((gain * weight).sum() / weight.sum())
    parts = {"both": _part(both, inside), "current": _part(current, inside)}
    drawn = resample(parts, cluster, resamples=RESAMPLES, seed=seed)
    values = drawn["both"]["accuracy"] - drawn["current"]["accuracy"]
    return {"value": value, "interval": interval(values, value)}


def _part(found: Outcome, inside: BoolArray) -> Outcome:
    return Outcome(
        found.labels, found.hard, found.truth[inside], found.said[inside], found.confidence[inside],
        found.accepted[inside], found.acted[inside], found.weight[inside], (),
    )  # fmt: skip


def mistakes(cases: Cases, answers: Sequence[Answer], taxonomy: Taxonomy) -> list[dict[str, Any]]:
    """Group the wrong answers by template, label and answer; the most confident first."""
    groups: dict[tuple[int, str, str], dict[str, Any]] = {}
    for row, template, given, diagnostic in zip(cases.rows, cases.cluster.tolist(), answers, cases.found, strict=True):
        if given.reason == row.label:
            continue
        group = groups.setdefault(
            (template, row.label, given.reason),
            {
                "template": diagnostic.template,
                "label": row.label,
                "also": list(row.also),
                "predicted": given.reason,
                "accepted": given.reason in row.also,
                "cost": _cost(row.label, given.reason, taxonomy),
                "confidence": given.confidence,
                "decided_by": given.decided_by,
                "evidence": [
                    {"kind": piece.kind, "text": piece.text, "id": piece.id, "weight": piece.weight}
                    for piece in given.evidence
                ],
                "count": 0,
            },
        )
        group["count"] += number(row.weight)
    return sorted(groups.values(), key=lambda group: (-group["confidence"], -group["count"], group["template"]))


def _cost(label: str, predicted: str, taxonomy: Taxonomy) -> str:
    truly, said = (name in taxonomy and taxonomy.is_hard(name) for name in (label, predicted))
    if said and not truly:
        return "good address lost"
    return "bad address kept" if truly and not said else "wrong reason"


def number(weight: float) -> int | float:
    """A weight as a whole number, when it is one."""
    return int(weight) if weight.is_integer() else weight


def changes(cases: Cases, both: Sequence[Answer], current: Sequence[Answer], *, most: int = 200) -> dict[str, Any]:
    """List the templates that the two systems answer differently: lost first, then won, then neither."""
    groups: dict[tuple[int, str, str, str], dict[str, Any]] = {}
    counts: dict[str, int | float] = {"won": 0, "lost": 0, "other": 0}
    for row, template, new, old in zip(cases.rows, cases.cluster.tolist(), both, current, strict=True):
        if new.reason == old.reason:
            continue
        effect = "won" if new.reason == row.label else "lost" if old.reason == row.label else "other"
        counts[effect] += number(row.weight)
        group = groups.setdefault(
            (template, row.label, new.reason, old.reason),
            {
                "effect": effect, "template": cases.templates[template], "label": row.label,
                "predicted": new.reason, "confidence": new.confidence, "before": old.reason, "count": 0,
            },
        )  # fmt: skip
        group["count"] += number(row.weight)
    order = {"lost": 0, "won": 1, "other": 2}
    listed = sorted(groups.values(), key=lambda group: (order[group["effect"]], -group["count"], group["template"]))
    kept = [group for effect in order for group in [g for g in listed if g["effect"] == effect][:most]]
    return {**counts, "listed": kept}
