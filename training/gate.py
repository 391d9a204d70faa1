"""The gate before a promotion: what a model must show before it may answer.

Every check compares a measured value with a limit. The limits follow the model that
answers now, with a margin for chance, so that the gate neither blocks a model that is
as good nor lets one pass that is worse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from whybounce.model.predictor import BounceClassifier
from whybounce.training.behaviour import blocklist_links, invariances
from whybounce.training.golden import golden_cases
from whybounce.training.metrics import Answer, answer, figures, merged_taxonomy
from whybounce.training.sources.row import Labelled

UNCHANGED = 0.995
"""Share of verdicts that addresses, IPs, hosts, ids, case and wrapping must leave alone."""

GOLDEN_MARGIN = 0.005
"""Loss on the golden set that is chance: three cases of six hundred."""

DATA_MARGIN = 0.01
"""Loss of accuracy or macro-F1 on rows of the user's that is chance."""

GOOD_MARGIN = 0.002
"""Share of good addresses called hard that may come on top, or one of them."""

UNSEEN_MARGIN = 0.01
"""Loss on held-out families that is chance."""


@dataclass(frozen=True, slots=True)
class Check:
    """One value and the limit that it is held to.

    Attributes
    ----------
    name : str
        What is measured.
    value, limit : float
    passed : bool
    at_most : bool
        Whether the limit is an upper one.
    """

    name: str
    value: float
    limit: float
    passed: bool
    at_most: bool = False


@dataclass(frozen=True, slots=True)
class Gate:
    """All checks of one candidate.

    Attributes
    ----------
    checks : tuple of Check
    against : str or None
        Version of the model that set the limits.
    failures : tuple of dict
        Golden cases that the candidate loses, and texts whose verdict moved.
    """

    checks: tuple[Check, ...]
    against: str | None
    failures: tuple[dict[str, Any], ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if not check.passed)

    def to_dict(self) -> dict[str, Any]:
        """Plain types, for reports and the history."""
        return {
            "passed": self.passed,
            "against": self.against,
            "checks": [asdict(check) for check in self.checks],
            "failures": list(self.failures[:20]),
        }


def judge(candidate: BounceClassifier, current: BounceClassifier, *, rows: Sequence[Labelled] = ()) -> Gate:
    """Hold a candidate to what the current model reaches.

    Parameters
    ----------
    candidate, current : BounceClassifier
    rows : sequence of Labelled, optional
        Labelled bounces of the user's that neither model was trained on.
    """
    cases = golden_cases()
    texts = [case.text for case in cases]
    golden = [case.labelled() for case in cases]
    new, old = _answers(candidate, texts), _answers(current, texts)
    checks = _compared("golden set", golden, new, old, (candidate, current), GOLDEN_MARGIN)
    failures: list[dict[str, Any]] = [
        {"check": "golden set", "case": case.id, "wanted": case.reason, "before": before.reason, "after": after.reason}
        for case, before, after in zip(cases, old, new, strict=True)
        if case.accepts(before.reason) and not case.accepts(after.reason)
    ]
    steady = invariances(candidate, texts)
    for name in steady.tried:
        # A single text must not fail a change that few texts have anything for.
        allowed = max(1.0 - UNCHANGED, 1.5 / max(1, steady.tried[name]))
        checks.append(_at_least(f"verdicts unchanged, {name}", steady.unchanged(name), 1.0 - allowed))
    checks.append(_at_least("verdicts unchanged, all of these", steady.all_unchanged, UNCHANGED))
    links = blocklist_links(candidate, texts)
    checks.append(_at_most("bad addresses made by a link to a blocklist", float(len(links.broken)), 0.0))
    failures += [
        {"check": one.change, "text": one.changed, "before": one.before, "after": one.after}
        for one in (*links.broken, *steady.broken)
    ]
    checks += _unseen(candidate, current)
    clear = [row for row in rows if not row.ambiguous]
    if clear:
        texts = [row.text for row in clear]
        given = (_answers(candidate, texts), _answers(current, texts))
        checks += _compared("your rows", clear, *given, (candidate, current), DATA_MARGIN)
    return Gate(tuple(checks), current.model_version, tuple(failures))


def _compared(
    name: str,
    rows: Sequence[Labelled],
    new: Sequence[Answer],
    old: Sequence[Answer],
    both: tuple[BounceClassifier, BounceClassifier],
    margin: float,
) -> list[Check]:
    taxonomy = merged_taxonomy(*(one.taxonomy for one in both))
    ours, theirs = (figures(rows, given, taxonomy=taxonomy) for given in (new, old))
    checks = [
        _at_least(f"{name}: right reason", ours["accuracy_with_also"], theirs["accuracy_with_also"] - margin),
        _at_least(f"{name}: macro-F1", ours["macro_f1"], theirs["macro_f1"] - margin),
    ]
    if ours["good_called_hard"] is not None and theirs["good_called_hard"] is not None:
        # One text alone, of however few, is chance.
        good = sum(not (row.label in taxonomy and taxonomy.is_hard(row.label)) for row in rows)
        limit = theirs["good_called_hard"] + max(GOOD_MARGIN, 1.01 / max(1, good))
        checks.append(_at_most(f"{name}: good addresses called hard", ours["good_called_hard"], limit))
    return checks


def _unseen(candidate: BounceClassifier, current: BounceClassifier) -> list[Check]:
    """Compare what both manifests say of families that the models had not seen."""
    ours, theirs = _held_out(candidate), _held_out(current)
    if ours.get("macro_f1") is None or theirs.get("macro_f1") is None:
        return []
    name = "held-out families: "
    return [
        _at_least(name + "macro-F1", ours["macro_f1"], theirs["macro_f1"] - UNSEEN_MARGIN),
        _at_most(
            name + "good addresses called hard", ours["good_called_hard"], theirs["good_called_hard"] + UNSEEN_MARGIN
        ),
    ]


def _held_out(classifier: BounceClassifier) -> dict[str, Any]:
    metrics = classifier.manifest.metrics if classifier.manifest else {}
    both: dict[str, Any] | None = (metrics.get("held_out_families") or {}).get("both")
    return both or {}


def _answers(classifier: BounceClassifier, texts: Sequence[str]) -> list[Answer]:
    return [answer(prediction) for prediction in classifier.predict(texts)]


def _at_least(name: str, value: float, limit: float) -> Check:
    return Check(name, round(float(value), 6), round(float(limit), 6), value >= limit - 1e-9)


def _at_most(name: str, value: float, limit: float) -> Check:
    return Check(name, round(float(value), 6), round(float(limit), 6), value <= limit + 1e-9, at_most=True)
