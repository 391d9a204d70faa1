"""From a record to a prediction, and to what its source thought of it."""

from __future__ import annotations

from dataclasses import replace

from whybounce.model.prediction import DecidedBy, Prediction
from whybounce.model.predictor import BounceClassifier
from whybounce.model.taxonomy import Reason
from whybounce.serving.intake.record import BounceRecord, Outcome


def judge(classifier: BounceClassifier, record: BounceRecord) -> Prediction:
    """Predict why a record bounced; what its format knows to be no bounce stays none."""
    prediction = classifier.predict_one(record.diagnostic, **record.fields())
    if record.outcome is not Outcome.NOT_A_BOUNCE or prediction.reason == Reason.NOT_A_BOUNCE:
        return prediction
    info = classifier.taxonomy[Reason.NOT_A_BOUNCE]
    return replace(
        prediction, reason=str(info.reason), title=info.title, group=str(info.group), category=str(info.categories[0]),
        retryable=info.retryable, action=str(info.action), confidence=1.0, alternatives=(), evidence=(),
        decided_by=DecidedBy.RULES,
    )  # fmt: skip


def agrees(record: BounceRecord, reason: str) -> bool | None:
    """Whether the source's own class means our reason; None when it has none or none that we know."""
    if record.theirs is None or record.vocabulary is None:
        return None
    from whybounce.data.crosswalk import crosswalk

    mapping = crosswalk(record.vocabulary).to_ours(record.theirs)
    return None if mapping is None or mapping.reason is None else mapping.reason == reason
