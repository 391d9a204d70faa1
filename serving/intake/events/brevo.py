"""Brevo (Sendinblue) webhooks and its events interface. ``theirs`` is ``event``; the words stand in ``reason``."""

from __future__ import annotations

from collections.abc import Iterator

from whybounce.serving.intake.events.provider import Event, Provider, bare, first, joined, moment, text
from whybounce.serving.intake.format import Skipped
from whybounce.serving.intake.record import BounceRecord, Outcome

_SPELLINGS = {
    "hardbounces": "hard_bounce", "hardbounce": "hard_bounce",
    "softbounces": "soft_bounce", "softbounce": "soft_bounce",
    "invalid": "invalid_email", "invalidemail": "invalid_email", "blocked": "blocked", "deferred": "deferred",
    "error": "error", "spam": "spam", "complaint": "complaint", "delivered": "delivered",
}  # fmt: skip
"""Events as the webhooks (``hard_bounce``) and the interface (``hardBounces``) spell them, folded."""
_OUTCOMES = {
    "delivered": Outcome.DELIVERED, "deferred": Outcome.DEFERRED, "spam": Outcome.NOT_A_BOUNCE,
    "complaint": Outcome.NOT_A_BOUNCE,
}  # fmt: skip
_OTHERS = {
    "request", "requests", "opened", "uniqueopened", "click", "clicks", "unsubscribed", "proxyopen", "uniqueproxyopen",
    "loadedbyproxy", "listaddition", "contactdeleted", "contactupdated", "inboundemailprocessed", "sent",
}  # fmt: skip


def _folded(event: Event) -> str:
    return (text(event.get("event")) or "").lower().replace("_", "").replace(" ", "").replace("-", "")


def _is_event(event: Event) -> bool:
    # message-id and date are Brevo's; SendGrid says smtp-id, Mailgun has its own beside it.
    named = any(name in event for name in ("message-id", "messageId", "ts_event", "ts_epoch", "sending_ip"))
    return "email" in event and named and _folded(event) in (_SPELLINGS.keys() | _OTHERS)


def _read(event: Event, where: str) -> Iterator[BounceRecord | Skipped]:
    theirs = _SPELLINGS.get(_folded(event))
    if theirs is None:
        return
    outcome = _OUTCOMES.get(theirs, Outcome.BOUNCED)
    diagnostic = text(event.get("reason")) or ""
    if outcome in (Outcome.NOT_A_BOUNCE, Outcome.DELIVERED):
        diagnostic = ""
    elif theirs == "invalid_email" and not diagnostic:
        diagnostic = "invalid email address"
    failed = outcome in (Outcome.BOUNCED, Outcome.DEFERRED)
    yield BounceRecord(
        outcome,
        diagnostic,
        text(event.get("email")),
        message_id=bare(first(event.get("message-id"), event.get("messageId"))),
        campaign=first(event.get("camp_id"), event.get("campaign name"), joined(event.get("tags")), event.get("tag")),
        occurred_at=moment(first(event.get("ts_epoch"), event.get("ts_event"), event.get("ts"), event.get("date"))),
        theirs=theirs if failed else None,
        vocabulary="brevo" if failed else None,
        kind="feedback_report" if outcome is Outcome.NOT_A_BOUNCE else None,
        source=where,
    )


PROVIDER = Provider(
    "brevo", "Brevo", "brevo", "event and email beside message-id or ts_event", _is_event, _read, ("events",)
)
