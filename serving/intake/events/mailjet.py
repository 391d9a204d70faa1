"""Mailjet event webhook. ``theirs`` is ``error``; the server's words stand in ``smtp_reply`` or ``comment``."""

from __future__ import annotations

from collections.abc import Iterator

from whybounce.serving.intake.events.provider import Event, Provider, first, moment, text, word
from whybounce.serving.intake.format import Skipped
from whybounce.serving.intake.record import BounceRecord, Outcome

_OUTCOMES = {
    "bounce": Outcome.BOUNCED, "blocked": Outcome.BOUNCED, "sent": Outcome.DELIVERED, "spam": Outcome.NOT_A_BOUNCE,
}  # fmt: skip
_OTHERS = {"open", "click", "unsub"}


def _is_event(event: Event) -> bool:
    return word(event.get("event")) in (_OUTCOMES.keys() | _OTHERS) and any(
        name in event
        for name in ("mj_campaign_id", "mj_contact_id", "Message_GUID", "error_related_to", "customcampaign")
    )


def _read(event: Event, where: str) -> Iterator[BounceRecord | Skipped]:
    outcome = _OUTCOMES.get(str(event["event"]))
    if outcome is None:
        return
    theirs = text(event.get("error")) if outcome is Outcome.BOUNCED else None
    diagnostic = ""
    if outcome is Outcome.BOUNCED:
        diagnostic = first(event.get("smtp_reply"), event.get("comment"), theirs) or ""
    # "hard_bounce": false is a soft bounce that Mailjet may send again; each event ends one attempt.
    yield BounceRecord(
        outcome,
        diagnostic,
        text(event.get("email")),
        message_id=first(event.get("Message_GUID"), event.get("MessageID")),
        campaign=first(event.get("customcampaign"), event.get("mj_campaign_id")),
        occurred_at=moment(event.get("time")),
        theirs=theirs,
        vocabulary="mailjet" if theirs else None,
        kind="feedback_report" if outcome is Outcome.NOT_A_BOUNCE else None,
        source=where,
    )


PROVIDER = Provider(
    "mailjet", "Mailjet", "mailjet", "event beside mj_campaign_id, Message_GUID or error_related_to", _is_event, _read
)
