"""Who decides: the model, the rules, or nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import re2

from whybounce.model.artifact import Manifest, Thresholds
from whybounce.model.classifier import Scores, TextClassifier
from whybounce.model.codes import names_cause
from whybounce.model.diagnostic import Diagnostic, Phase
from whybounce.model.features import document
from whybounce.model.prediction import Alternative, DecidedBy, Evidence
from whybounce.model.rules import ABOUT_THE_SENDER, Judgement, RuleMatch, RuleSet, is_silent
from whybounce.model.taxonomy import TAXONOMY, Reason

HARD = TAXONOMY.hard
HARD_AT_LEAST = 0.3
"""Joint probability under which no hard reason stands, however weak the others are."""

_EARLY = {
    Phase.CONNECT: Reason.POLICY_REJECTION,
    Phase.EHLO: Reason.POLICY_REJECTION,
    Phase.STARTTLS: Reason.POLICY_REJECTION,
    Phase.AUTH: Reason.POLICY_REJECTION,
    Phase.MAIL: Reason.SENDER_REJECTED,
}
"""Before RCPT TO no recipient has been named: what is refused then is the host or the sender, whatever it is called."""

VETO_CONFIDENCE = 0.3
"""Confidence in the reason that a veto names, for a manifest in which it was not measured."""

RULES_ONLY_CONFIDENCE = {"vendor": 0.9, "words": 0.8, "status": 0.7, "codes": 0.5}
"""Confidence when the rules answer alone: without a model, or without words to show it."""

_THROTTLED = re2.compile(r"rate limited|throttl|deferred|slow down")
_FOLLOWS_REPLY_CLASS = frozenset({Reason.SENDER_REPUTATION, Reason.AUTHENTICATION_FAILURE})


class Verdict(NamedTuple):
    """A decision before everything else about the reason is looked up."""

    reason: str
    confidence: float
    alternatives: tuple[Alternative, ...]
    decided_by: DecidedBy
    evidence: tuple[Evidence, ...]
    unsure: bool
    throttled: bool


class _Open(NamedTuple):
    """What the rules leave to the model."""

    place: int
    diagnostic: Diagnostic
    doc: str
    judgement: Judgement
    rule: RuleMatch | None
    labelled: bool


def decide(
    diagnostic: Diagnostic,
    classifier: TextClassifier,
    manifest: Manifest,
    rules: RuleSet,
    hard: frozenset[str] = HARD,
) -> Verdict:
    """Decide on one parsed diagnostic; see :func:`decide_many`."""
    return decide_many([diagnostic], classifier, manifest, rules, hard)[0]


def decide_many(
    diagnostics: Sequence[Diagnostic],
    classifier: TextClassifier,
    manifest: Manifest,
    rules: RuleSet,
    hard: frozenset[str] = HARD,
) -> list[Verdict]:
    """Decide on parsed diagnostics with model and rules, each for itself.

    The rules' verdict speaks in the model's ranking. The model decides when its
    confidence then reaches the manifest's threshold and the text has words; otherwise
    the rules do, words before codes. A hard reason stands only when no rule about the
    sender matched, the server did not answer before RCPT TO, and the hard reasons together
    outweigh the strongest other reason by ``hard_threshold``. Where the user's own labels
    say with one voice what a text means, the rules keep silent, but for their veto.
    """
    verdicts: list[Any] = [None] * len(diagnostics)
    left: list[_Open] = []
    for place, diagnostic in enumerate(diagnostics):
        judgement = rules.judge(diagnostic)
        rule = judgement.verdict
        doc = document(diagnostic)
        labelled = classifier.labelled_by_user(doc)
        if labelled:
            rule = None
        elif not has_words(diagnostic.words) or (is_silent(diagnostic.words) and _codes_decide(diagnostic)):
            verdicts[place] = _by_rules(diagnostic, rule)
            continue
        left.append(_Open(place, diagnostic, doc, judgement, rule, labelled))
    if left:
        scores = classifier.score([one.doc for one in left])
        ranked = rank_many(classifier.labels, scores.probabilities)
        choices = [_weigh(one, own, manifest, hard) for one, own in zip(left, ranked, strict=True)]
        found = _verdicts([one.diagnostic for one in left], choices, scores, manifest.review_below)
        for one, verdict in zip(left, found, strict=True):
            verdicts[one.place] = verdict
    return verdicts


class _Choice(NamedTuple):
    reason: str
    confidence: float
    rule: RuleMatch | None
    """The rule that had the last word; None when the model did."""
    ranking: Ranking


def _weigh(one: _Open, own: Ranking, manifest: Manifest, hard: frozenset[str]) -> _Choice:
    rule = one.rule
    joint = pool(own, rule, manifest.rule_weight)
    touched = joint[0][0] in hard or (rule is not None and rule.reason in hard)
    against = bar(one.diagnostic, one.judgement.veto) if touched else _NOTHING
    if one.labelled and against.veto == Reason.RELAY_DENIED:
        # "Not hosted here" is as much about the recipient's domain; there the user's word counts.
        against = _NOTHING
    return _Choice(*resolve(own, joint, rule, against, manifest, hard), joint)


def _verdicts(
    diagnostics: Sequence[Diagnostic],
    choices: Sequence[_Choice],
    scores: Scores,
    review_below: float,
) -> list[Verdict]:
    """Say what was chosen, with what spoke for it where the model did."""
    known = frozenset(scores.labels)
    # A rule's veto may name a reason that a model without the corpus has never seen.
    labels = [choice.reason if choice.rule is None and choice.reason in known else None for choice in choices]
    return [
        Verdict(
            reason,
            _rounded(confidence),
            _alternatives(ranking, reason),
            DecidedBy.MODEL if rule is None else DecidedBy.RULES,
            tuple([_evidence(text, gain) for text, gain in spoken])
            if rule is None
            else (Evidence("rule", rule.text, rule.rule_id),),
            confidence < review_below,
            _is_throttled(reason, diagnostic),
        )
        for diagnostic, (reason, confidence, rule, ranking), spoken in zip(
            diagnostics, choices, scores.contributions(labels), strict=True
        )
    ]


def _evidence(text: str, gain: float) -> Evidence:
    if text[0] == "=":
        return Evidence("code", text.lstrip("="), None, round(gain, 3))
    return Evidence("ngram", text, None, round(gain, 3))


def _codes_decide(diagnostic: Diagnostic) -> bool:
    """Whether of a text that names no cause the status does, or nothing at all."""
    status = diagnostic.enhanced_status
    return names_cause(status) or (status is None and diagnostic.reply_code is None)


Ranking = list[tuple[str, float]]
"""Labels with their probabilities, most probable first."""

_PROBABILITY = itemgetter(1)


def pool(own: Ranking, rule: RuleMatch | None, weight: Mapping[str, float]) -> Ranking:
    """Let the rules' verdict speak in the model's ranking.

    The odds of the rule's reason are multiplied by ``exp(weight)``: a logarithmic
    opinion pool (Genest and Zidek 1986) of the model and the rules.
    """
    place = next((place for place, (label, _) in enumerate(own) if rule and label == rule.reason), None)
    if rule is None or place is None:
        return own
    raised = own[place][1] * exp(weight[rule.kind])
    total = raised + sum([p for _, p in own]) - own[place][1]
    joint = [(label, p / total) for label, p in own]
    # The others keep their order; the one that was raised goes before all that are less probable now.
    del joint[place]
    share = raised / total
    at = next((at for at, (_, p) in enumerate(joint) if p < share or (p == share and at >= place)), len(joint))
    joint.insert(at, (rule.reason, share))
    return joint


class Bar(NamedTuple):
    """What stands against a hard reason in a text.

    Attributes
    ----------
    veto : str or None
        The reason about the sender that a rule found, or that follows from the part of
        the session in which the server answered: no hard reason at all.
    """

    veto: str | None


_NOTHING = Bar(None)


def bar(diagnostic: Diagnostic, veto: str | None) -> Bar:
    """Look for what stands against a hard reason."""
    return Bar(veto or (_EARLY.get(diagnostic.command) if diagnostic.command is not None else None))


def resolve(
    own: Ranking,
    joint: Ranking,
    rule: RuleMatch | None,
    against: Bar,
    limits: Manifest | Thresholds,
    hard: frozenset[str] = HARD,
) -> tuple[str, float, RuleMatch | None]:
    """Choose the reason and say who decided.

    Parameters
    ----------
    own, joint : Ranking
        Of the model alone, and pooled with the rules.
    rule : RuleMatch or None
        What the rules say.
    against : Bar
        What stands against a hard reason.
    limits : Manifest or Thresholds
    hard : frozenset of str
        The hard reasons, those of the user's own among them.

    Returns
    -------
    (reason, confidence, rule)
        ``rule`` is None when the model decided: it was sure enough, and the rules did
        not turn its verdict.
    """
    if joint[0][0] == Reason.ACCOUNT_INACTIVE and rule is not None and rule.reason in ABOUT_THE_SENDER:
        # Not hard, but it suppresses where it comes again: it is the sender's account that was disabled.
        reason, confidence = rule.reason, dict(joint).get(rule.reason, 0.0)
        against = Bar(reason)
    else:
        reason, confidence = _choose(joint, limits.hard_threshold, against, hard)
    worth = confidence
    if reason == against.veto and joint[0][0] != reason:
        # The model thinks little of a reason that it did not choose, or has never seen it.
        worth = max(confidence, limits.confidence.get("veto", VETO_CONFIDENCE))
    if rule is not None and rule.reason == reason and own[0][0] != reason:
        return reason, worth, rule
    if confidence >= limits.threshold or rule is None or (rule.reason in hard and against != _NOTHING):
        return reason, worth, None
    agrees = rule.reason in [label for label, _ in own[:3]]
    return rule.reason, limits.confidence[f"{rule.kind}_{'agree' if agrees else 'alone'}"], rule


def decide_by_model(diagnostics: Sequence[Diagnostic], classifier: TextClassifier) -> list[Verdict]:
    """Decide with the model alone, sure or not."""
    scores = classifier.score([document(diagnostic) for diagnostic in diagnostics])
    ranked = rank_many(classifier.labels, scores.probabilities)
    choices = [_Choice(*own[0], None, own) for own in ranked]
    return _verdicts(diagnostics, choices, scores, review_below=0.0)


def decide_by_rules(diagnostic: Diagnostic, rules: RuleSet) -> Verdict:
    """Decide with the rules alone, as when no model could be loaded."""
    return _by_rules(diagnostic, rules.decide(diagnostic))


def has_words(words: str) -> bool:
    """Whether anything but mask words is left of a text."""
    return any((not word.isupper() and len(word) > 1) or not word.isascii() for word in words.split())


def rank(labels: Sequence[str], probabilities: npt.NDArray[np.floating[Any]]) -> Ranking:
    """Order labels by their probabilities."""
    return rank_many(labels, probabilities[None, :])[0]


def rank_many(labels: Sequence[str], probabilities: npt.NDArray[np.floating[Any]]) -> list[Ranking]:
    """Order labels by their probabilities, row by row; equals stand in the order of the labels."""
    return [sorted(zip(labels, row, strict=True), key=_PROBABILITY, reverse=True) for row in probabilities.tolist()]


def _choose(ranked: Ranking, hard_threshold: float, against: Bar, hard: frozenset[str]) -> tuple[str, float]:
    reason, confidence = ranked[0]
    if reason not in hard:
        return reason, confidence
    if against.veto is not None:
        return against.veto, dict(ranked).get(against.veto, 0.0)
    bad = sum(probability for label, probability in ranked if label in hard)
    # A model that was trained without the corpus may know hard reasons only.
    other, chance = next(((label, p) for label, p in ranked if label not in hard), (Reason.GENERAL_ERROR, 0.0))
    if bad < HARD_AT_LEAST or bad < hard_threshold * (bad + chance):
        return other, chance
    return reason, confidence


def _by_rules(diagnostic: Diagnostic, rule: RuleMatch | None) -> Verdict:
    if rule is None:
        empty = not diagnostic.template
        return Verdict(Reason.NO_INFORMATION, 0.95 if empty else 0.3, (), DecidedBy.DEFAULT, (), not empty, False)
    certain = rule.rule_id.startswith("codes.status.")
    confidence = RULES_ONLY_CONFIDENCE["status" if certain else rule.kind]
    reason = rule.reason
    if reason in HARD and diagnostic.command in _EARLY:
        reason, confidence = _EARLY[diagnostic.command], RULES_ONLY_CONFIDENCE["codes"]
    return Verdict(
        reason=reason,
        confidence=_rounded(confidence),
        alternatives=(),
        decided_by=DecidedBy.RULES,
        evidence=(Evidence("rule", rule.text, id=rule.rule_id),),
        unsure=confidence < 0.5,
        throttled=_is_throttled(rule.reason, diagnostic),
    )


def _alternatives(ranked: Ranking, reason: str) -> tuple[Alternative, ...]:
    # Of the four most probable one may be the reason itself.
    return tuple([Alternative(label, round(p, 4)) for label, p in ranked[:4] if label != reason and p >= 0.005][:3])


def _is_throttled(reason: str, diagnostic: Diagnostic) -> bool:
    # The taxonomy's ruling: throttled because of something: `retryable` follows the reply class.
    return (
        reason in _FOLLOWS_REPLY_CLASS
        and diagnostic.code_class == 4
        and _THROTTLED.search(diagnostic.template) is not None
    )


def _rounded(probability: float) -> float:
    return round(float(probability), 4)
