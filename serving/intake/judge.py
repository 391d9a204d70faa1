"""From a record to a prediction, and to what its source thought of it."""

from __future__ import annotations

from dataclasses import replace

from whybounce.model.prediction import DecidedBy, Prediction
from whybounce.model.predictor import BounceClassifier
from whybounce.model.taxonomy import TAXONOMY, Category, Reason
from whybounce.serving.intake.record import BounceRecord, Outcome

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


def tells_of_a_closed_mailbox(record: BounceRecord, reason: str) -> bool:
    """Whether a record is an auto-reply from a mailbox whose owner has left it."""
    return record.kind == "vacation" and reason == Reason.CLOSED_ACCOUNT


def agrees(record: BounceRecord, reason: str) -> bool | None:
    """Whether the source's own class means our reason; None when it has none or none that we know.

    Classes are often broader than reasons. One agrees as well when it is the word that the source
    would use for our reason, or when it says no more than hard or soft and our reason is so too.
    """
    if record.theirs is None or record.vocabulary is None:
        return None
    from whybounce.data.crosswalk import crosswalk

    vocabulary = crosswalk(record.vocabulary)
    mapping = vocabulary.to_ours(record.theirs)
    if mapping is None or mapping.reason is None:
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
