"""SendGrid event webhook. ``theirs`` is ``bounce_classification``."""

from __future__ import annotations

from collections.abc import Iterator

from whybounce.serving.intake.events.provider import (
    Event,
    Provider,
    bare,
    code,
    first,
    joined,
    moment,
    status,
    text,
    word,
)
from whybounce.serving.intake.format import Skipped
from whybounce.serving.intake.record import BounceRecord, Outcome

_OUTCOMES = {
    "bounce": Outcome.BOUNCED, "blocked": Outcome.BOUNCED, "dropped": Outcome.BOUNCED, "deferred": Outcome.DEFERRED,
    "delivered": Outcome.DELIVERED, "spamreport": Outcome.NOT_A_BOUNCE,
}  # fmt: skip
_OTHERS = {
    "processed", "open", "click", "unsubscribe", "group_unsubscribe", "group_resubscribe", "account_status_change",
}  # fmt: skip


def _is_event(event: Event) -> bool:
    return word(event.get("event")) in (_OUTCOMES.keys() | _OTHERS) and (
        any(name in event for name in ("sg_event_id", "sg_message_id", "smtp-id", "bounce_classification"))
    )


def _read(event: Event, where: str) -> Iterator[BounceRecord | Skipped]:
    outcome = _OUTCOMES.get(str(event["event"]))
    if outcome is None:
        return
    failed = outcome in (Outcome.BOUNCED, Outcome.DEFERRED)
    theirs = text(event.get("bounce_classification")) if failed else None
    diagnostic = first(event.get("reason"), event.get("response")) if failed else None
    yield BounceRecord(
        outcome,
        diagnostic or "",
        text(event.get("email")),
        reply_code=code(event.get("status")) if failed else None,
        enhanced_status=status(event.get("status")) if failed else None,
        message_id=bare(event.get("smtp-id")) or text(event.get("sg_message_id")),
        campaign=first(
            event.get("marketing_campaign_name"), event.get("singlesend_name"), joined(event.get("category"))
        ),
        event_id=text(event.get("sg_event_id")),
        occurred_at=moment(event.get("timestamp")),
        theirs=theirs,
        vocabulary="sendgrid" if theirs else None,
        kind="feedback_report" if outcome is Outcome.NOT_A_BOUNCE else None,
        source=where,
    )


PROVIDER = Provider(
    "sendgrid", "SendGrid", "sendgrid", "event beside sg_event_id, sg_message_id or smtp-id", _is_event, _read
)
