"""From a record to a prediction, and to what its source thought of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from whybounce.model.category import category_of
from whybounce.model.diagnostic import parse
from whybounce.model.prediction import DecidedBy, Evidence, Prediction
from whybounce.model.predictor import BounceClassifier
from whybounce.model.taxonomy import TAXONOMY, Category, Reason
from whybounce.serving.intake.record import BounceRecord, Outcome

if TYPE_CHECKING:
    from whybounce.data.crosswalk import LabelMapping

_NONE: frozenset[Category] = frozenset()
_UNSPECIFIC: dict[str, frozenset[Category]] = {
    Reason.GENERAL_HARD_BOUNCE: frozenset({Category.HARD}),
    Reason.GENERAL_ERROR: frozenset({Category.SOFT, Category.TECHNICAL}),
}
"""Reasons that say how long a failure lasts and nothing else → the categories that agree with them."""


def judge(classifier: BounceClassifier, record: BounceRecord) -> Prediction:
    """Predict why a record bounced; what its format knows to be no bounce stays none.

    An auto-reply that says that the mailbox is closed, or its owner gone, is as good as a bounce.
    """
    prediction = classifier.predict_one(record.diagnostic, **record.fields())
    if prediction.reason == Reason.NO_INFORMATION and (theirs := their_class(record)) is not None:
        prediction = _as_they_say(classifier, prediction, record, theirs)
    if record.outcome is not Outcome.NOT_A_BOUNCE or prediction.reason == Reason.NOT_A_BOUNCE:
        return prediction
    if tells_of_a_closed_mailbox(record, prediction.reason):
        return prediction
    info = classifier.taxonomy[Reason.NOT_A_BOUNCE]
    return replace(
        prediction, reason=str(info.reason), title=info.title, group=str(info.group), category=str(info.categories[0]),
        retryable=info.retryable, action=str(info.action), confidence=1.0, alternatives=(), evidence=(),
        decided_by=DecidedBy.RULES,
    )  # fmt: skip


THEIR_WORD = {False: 0.8, True: 0.5}
"""Confidence in the reason that a source's own class means, where it has no text to judge by: lossy or not."""


def their_class(record: BounceRecord) -> LabelMapping | None:
    """Return what the source's own class means, where that is all there is to judge by and means a reason."""
    if record.diagnostic.strip() or record.theirs is None or record.vocabulary is None:
        return None
    if record.outcome is Outcome.NOT_A_BOUNCE:
        return None
    from whybounce.data.crosswalk import crosswalk

    mapping = crosswalk(record.vocabulary).to_ours(record.theirs)
    return mapping if mapping is not None and mapping.reason not in (None, Reason.NO_INFORMATION) else None


def _as_they_say(
    classifier: BounceClassifier, prediction: Prediction, record: BounceRecord, theirs: LabelMapping
) -> Prediction:
    info = classifier.taxonomy[str(theirs.reason)]
    diagnostic = parse("", **record.fields())
    return replace(
        prediction, reason=str(info.reason), title=info.title, group=str(info.group),
        category=str(category_of(info.reason, diagnostic, classifier.taxonomy)), retryable=info.retryable,
        action=str(info.action), confidence=THEIR_WORD[theirs.lossy], alternatives=(), decided_by=DecidedBy.RULES,
        evidence=(Evidence("rule", str(record.theirs), id=f"crosswalk.{record.vocabulary}"),),
    )  # fmt: skip


def tells_of_a_closed_mailbox(record: BounceRecord, reason: str) -> bool:
    """Whether a record is an auto-reply from a mailbox whose owner has left it."""
    return record.kind == "vacation" and reason == Reason.CLOSED_ACCOUNT


def agrees(record: BounceRecord, reason: str) -> bool | None:
    """Whether the source's own class means our reason; None when it has none or none that we know.

    A class that there was no text beside, so that our reason is what it means, neither agrees nor disagrees.
    Classes are often broader than reasons. One agrees as well when it is the word that the source
    would use for our reason, or when it says no more than hard or soft and our reason is so too.
    """
    if record.theirs is None or record.vocabulary is None:
        return None
    from whybounce.data.crosswalk import crosswalk

    vocabulary = crosswalk(record.vocabulary)
    mapping = vocabulary.to_ours(record.theirs)
    if mapping is None or mapping.reason is None or (mapping.reason == reason and their_class(record)):
        return None
    if mapping.reason == reason:
        return True
    if mapping.reason == Reason.NO_INFORMATION:  # the source does not know either
        return None
    if reason in (Reason.NOT_A_BOUNCE, Reason.NO_INFORMATION):  # few sources have a word of their own for these
        return False
    return vocabulary.from_ours(reason) == mapping.label or bool(
        _UNSPECIFIC.get(mapping.reason, _NONE) & _kinds(reason)
    )


def _kinds(reason: str) -> frozenset[Category]:
    return frozenset(TAXONOMY[reason].categories) if reason in TAXONOMY else _NONE
