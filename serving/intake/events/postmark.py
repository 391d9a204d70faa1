"""Postmark webhooks and its bounce interface. ``theirs`` is ``Type``; the diagnostic stands in ``Details``."""

from __future__ import annotations

from collections.abc import Iterator

from whybounce.serving.intake.events.provider import Event, Provider, bare, first, inside, moment, text, word
from whybounce.serving.intake.format import Skipped
from whybounce.serving.intake.record import BounceRecord, Outcome

_NO_BOUNCES = {
    "Unsubscribe": None, "Subscribe": None, "AutoResponder": "vacation", "OpenRelayTest": None,
    "ChallengeVerification": "challenge", "SpamComplaint": "feedback_report",
}  # fmt: skip
_KINDS = {"Bounce", "Delivery", "SpamComplaint", "Open", "Click", "SubscriptionChange", "SMTPApiError"}


def _is_event(event: Event) -> bool:
    if "RecordType" in event:
        return word(event["RecordType"]) in _KINDS
    return "Type" in event and "TypeCode" in event and "Email" in event


def _read(event: Event, where: str) -> Iterator[BounceRecord | Skipped]:
    record = event.get("RecordType", "Bounce")
    if record in ("Open", "Click", "SubscriptionChange"):
        return
    theirs = _label(first(event.get("Type"), event.get("TypeCode"))) if record != "Delivery" else None
    outcome, kind = Outcome.BOUNCED, None
    # Description says what the type may mean, with examples; it is no word about this bounce.
    diagnostic = text(event.get("Details")) or ""
    if record == "Delivery":
        outcome, diagnostic = Outcome.DELIVERED, ""
    elif record == "SpamComplaint" or theirs in _NO_BOUNCES:
        outcome = Outcome.NOT_A_BOUNCE
        kind = "feedback_report" if record == "SpamComplaint" else _NO_BOUNCES[theirs or ""]
    elif theirs == "Transient":
        outcome = Outcome.DEFERRED  # Postmark goes on trying
    yield BounceRecord(
        outcome,
        diagnostic,
        first(event.get("Email"), event.get("Recipient")),
        message_id=bare(event.get("MessageID")),
        campaign=first(event.get("Tag"), inside(event, "Metadata", "campaign"), event.get("MessageStream")),
        event_id=text(event.get("ID")),
        occurred_at=moment(first(event.get("BouncedAt"), event.get("DeliveredAt"))),
        theirs=theirs,
        vocabulary="postmark" if theirs else None,
        kind=kind,
        source=where,
    )


def _label(given: str | None) -> str | None:
    if given is None or not given.isdigit():
        return given
    from whybounce.data.crosswalk import crosswalk

    mapping = crosswalk("postmark").to_ours(given)
    return mapping.label if mapping else given


PROVIDER = Provider(
    "postmark", "Postmark", "postmark", "RecordType, or Type beside TypeCode and Email", _is_event, _read, ("Bounces",)
)
