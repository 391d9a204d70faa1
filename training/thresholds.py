"""Choosing when the model decides, and measuring what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from whybounce.model.artifact import Thresholds
from whybounce.model.decision import HARD, Bar, Ranking, bar, has_words, pool, rank, resolve
from whybounce.model.diagnostic import parse
from whybounce.model.rules import KINDS, RuleMatch, RuleSet
from whybounce.model.taxonomy import TAXONOMY, Taxonomy
from whybounce.training.expand import Example
from whybounce.training.labelled import Labelled
from whybounce.training.metrics import Answer, figures

REVIEW_BELOW = 0.4
"""Confidence under which the advice is to let a person look."""

RULE_WEIGHT = {"vendor": 3.0, "words": 1.0, "codes": 0.5}
"""What a rule's verdict adds to the log-odds of its reason.

Not chosen on the corpus: the rules were developed on it and look better there than on
texts that nobody has seen. There the model alone is right more often than the rules alone,
and a heavier word of theirs costs more than it mends; see the model card.
"""

MOST_LEFT_TO_RULES = 0.45
"""The highest ``threshold``. On the corpus the rules look the better the more they may decide, which is not so
elsewhere; and a threshold that jumps between two trainings moves verdicts that neither has news of."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Calibrated probabilities of models that did not see the example's family."""

    examples: list[Example]
    labels: tuple[str, ...]
    probabilities: npt.NDArray[np.float64]
    temperature: float


@dataclass(frozen=True, slots=True)
class Case:
    """A held-out template with what the model and the rules say about it."""

    example: Example
    own: Ranking
    joint: Ranking
    rule: RuleMatch | None
    against: Bar


def choose(cases: list[Case], hard: frozenset[str] = HARD) -> Thresholds:
    """Choose the thresholds on held-out families.

    ``hard_threshold`` trades good addresses called hard (counted twice) against
    hard bounces missed; ``threshold`` is the one that gives the highest accuracy of
    model and rules together. Ties go to the model.
    """
    current = Thresholds(0.0, 0.5, RULE_WEIGHT, REVIEW_BELOW, _rule_confidence(cases, hard))
    current = min(
        (replace(current, hard_threshold=float(value)) for value in np.arange(0.50, 0.91, 0.05).round(2)),
        key=lambda candidate: _cost(cases, candidate, hard),
    )
    return max(
        (
            replace(current, threshold=float(value))
            for value in np.arange(0.0, MOST_LEFT_TO_RULES + 0.01, 0.05).round(2)
        ),
        key=lambda candidate: (_accuracy(cases, candidate, hard), -candidate.threshold),
    )


def held_out_figures(cases: list[Case], thresholds: Thresholds, taxonomy: Taxonomy = TAXONOMY) -> dict[str, Any]:
    """The figures of the model alone and of both, on templates of unseen families."""
    hard = taxonomy.hard
    rows = [Labelled(case.example.text, case.example.reason, _also(case.example)) for case in cases]
    model = [Answer(*case.own[0], "model") for case in cases]
    both = [_resolve(case, thresholds, hard) for case in cases]
    return {name: figures(rows, answers, taxonomy=taxonomy) for name, answers in (("model", model), ("both", both))}


def _also(example: Example) -> tuple[str, ...]:
    return (example.also,) if example.also else ()


def cases_of(held_out: HeldOut, rules: RuleSet) -> list[Case]:
    """Ask the rules about every template, as it was written, that has words."""
    cases = []
    for example, row in zip(held_out.examples, held_out.probabilities, strict=True):
        if not example.plain:
            continue
        diagnostic = parse(example.text)
        if not has_words(diagnostic.words):
            continue
        own = rank(held_out.labels, row)
        judgement = rules.judge(diagnostic)
        rule = judgement.verdict
        cases.append(Case(example, own, pool(own, rule, RULE_WEIGHT), rule, bar(diagnostic, judgement.veto)))
    return cases


def _rule_confidence(cases: list[Case], hard: frozenset[str]) -> dict[str, float]:
    hits: dict[str, list[bool]] = {f"{kind}_{how}": [] for kind in KINDS for how in ("agree", "alone")}
    hits["veto"] = []
    for case in cases:
        if case.against.veto is not None and case.joint[0][0] in hard:
            hits["veto"].append(case.against.veto in (case.example.reason, case.example.also))
        if case.rule is None:
            continue
        agrees = case.rule.reason in [label for label, _ in case.own[:3]]
        right = case.rule.reason in (case.example.reason, case.example.also)
        if case.own[0][1] < 0.5:  # the rules are asked only where the model is unsure
            hits[f"{case.rule.kind}_{'agree' if agrees else 'alone'}"].append(right)
    # Laplace's rule of succession keeps a rarely seen combination from looking certain.
    return {name: round((sum(found) + 1) / (len(found) + 2), 4) for name, found in hits.items()}


def _resolve(case: Case, thresholds: Thresholds, hard: frozenset[str]) -> Answer:
    reason, confidence, by_rule = resolve(case.own, case.joint, case.rule, case.against, thresholds, hard)
    return Answer(reason, confidence, "rules" if by_rule else "model")


def _accuracy(cases: list[Case], thresholds: Thresholds, hard: frozenset[str]) -> int:
    return sum(_resolve(case, thresholds, hard).reason in (case.example.reason, case.example.also) for case in cases)


def _cost(cases: list[Case], thresholds: Thresholds, hard: frozenset[str]) -> float:
    cost = 0
    for case in cases:
        said = _resolve(case, thresholds, hard).reason in hard
        true = case.example.reason in hard
        cost += 2 if said and not true and case.example.also not in hard else 1 if true and not said else 0
    return cost
