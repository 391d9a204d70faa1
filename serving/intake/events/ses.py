"""Amazon SES: notifications through SNS, raw or in their envelope, and event publishing.

``theirs`` is ``bounceType/bounceSubType``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from whybounce.serving.intake.events.provider import (
    MAX_RECIPIENTS,
    Event,
    Provider,
    bare,
    first,
    inside,
    moment,
    status,
    text,
    word,
)
from whybounce.serving.intake.format import Skipped
from whybounce.serving.intake.halves import loads
from whybounce.serving.intake.record import BounceRecord, Outcome

_KINDS = {
    "Bounce", "Complaint", "Delivery", "DeliveryDelay", "Reject", "Rendering Failure", "Send", "Open", "Click",
    "Subscription", "AmazonSnsSubscriptionSucceeded",
}  # fmt: skip
_ENVELOPES = {"Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"}
_BRIDGED = {
    "Email Bounced": "Bounce", "Email Complaint Received": "Complaint", "Email Delivered": "Delivery",
    "Email Delivery Delayed": "DeliveryDelay", "Email Rejected": "Reject", "Email Sent": "Send",
    "Email Rendering Failed": "Rendering Failure", "Email Opened": "Open", "Email Clicked": "Click",
    "Email Subscribed": "Subscription",
}  # fmt: skip
_DELAYS = {
    "InternalFailure": "Internal failure of the sending service, the message is delayed",
    "MailboxFull": "The recipient's mailbox is full",
    "SpamDetected": "The recipient's server has detected a large amount of spam from this account",
    "RecipientServerError": "A temporary error of the recipient's server",
    "IPFailure": "The sending IP address is blocked or throttled by the recipient's provider",
    "TransientCommunicationFailure": "Temporary communication failure during the SMTP conversation",
    "BYOIPHostNameLookupUnavailable": "The host name of the sending IP address could not be looked up",
    "SendingDeferral": "Sending was deferred",
}
"""What a delay type says, for delays that come without a diagnostic."""


def confirmation(value: Any) -> dict[str, str | None] | None:
    """Return what SNS asks to confirm, as data; None for anything else. Nothing is fetched."""
    if not isinstance(value, dict) or word(value.get("Type")) not in _ENVELOPES - {"Notification"}:
        return None
    return {
        "type": text(value.get("Type")),
        "topic_arn": text(value.get("TopicArn")),
        "subscribe_url": text(value.get("SubscribeURL")),
        "token": text(value.get("Token")),
        "message": text(value.get("Message")),
    }


def _kind(event: Event) -> str | None:
    found = text(event.get("eventType")) or text(event.get("notificationType"))
    return found or _BRIDGED.get(word(event.get("detail-type")))


def _is_event(event: Event) -> bool:
    if word(event.get("Type")) in _ENVELOPES and "TopicArn" in event:
        return True
    kind = _kind(event)
    return kind in _KINDS and (isinstance(event.get("mail"), dict) or "detail" in event or kind.startswith("Amazon"))


def _read(event: Event, where: str) -> Iterator[BounceRecord | Skipped]:
    envelope = None
    if word(event.get("Type")) in _ENVELOPES:
        if event["Type"] != "Notification":
            yield Skipped(where, "asks to confirm a subscription; open SubscribeURL yourself if you expected it")
            return
        envelope = text(event.get("MessageId"))
        try:
            inner = loads(event["Message"]) if isinstance(event.get("Message"), str) else event.get("Message")
        except (ValueError, RecursionError):
            if "Successfully validated" not in event["Message"][:200]:  # what SNS says when a topic is connected
                yield Skipped(where, "the Message of the SNS notification is no JSON")
            return
        if not isinstance(inner, dict) or not _is_event(inner) or word(inner.get("Type")) in _ENVELOPES:
            yield Skipped(where, "the Message of the SNS notification is no event of Amazon SES")
            return
        event = inner
    kind = _kind(event) or ""
    if isinstance(event.get("detail"), dict):
        event = event["detail"]
    if kind == "Bounce":
        yield from _bounces(event, where, envelope)
    elif kind in ("DeliveryDelay", "Delivery", "Complaint", "Reject"):
        yield from _others(event, kind, where, envelope)
    elif kind == "Rendering Failure":
        yield Skipped(where, "the message could not be made from its template; it was never sent")


def _bounces(event: Event, where: str, envelope: str | None) -> Iterator[BounceRecord | Skipped]:
    bounce = event.get("bounce")
    recipients = inside(bounce, "bouncedRecipients")
    if not isinstance(bounce, dict) or not isinstance(recipients, list):
        yield Skipped(where, "a bounce without bouncedRecipients")
        return
    kind, subtype = text(bounce.get("bounceType")), text(bounce.get("bounceSubType"))
    theirs = "/".join(part for part in (kind, subtype) if part) or None
    if kind == "Undetermined":
        theirs = kind
    for recipient in recipients[:MAX_RECIPIENTS]:
        action = (text(inside(recipient, "action")) or "").lower()
        given = text(inside(recipient, "diagnosticCode")) or ""
        yield BounceRecord(
            Outcome.DEFERRED if action == "delayed" else Outcome.BOUNCED,
            given.removeprefix("smtp; ").removeprefix("smtp;").strip() or _suppressed(subtype),
            text(inside(recipient, "emailAddress")),
            enhanced_status=status(inside(recipient, "status")),
            remote_host=_host(bounce.get("remoteMtaIp")),
            reporting_mta=_host(bounce.get("reportingMTA")),
            event_id=first(bounce.get("feedbackId"), envelope),
            occurred_at=moment(bounce.get("timestamp")),
            theirs=theirs,
            vocabulary="ses" if theirs else None,
            source=where,
            **_mail(event),
        )


def _suppressed(subtype: str | None) -> str:
    # Without these words a suppressed address would come without any.
    if subtype in ("Suppressed", "OnAccountSuppressionList"):
        return "The address is on the suppression list: not delivering to previously bounced address"
    return ""


def _others(event: Event, kind: str, where: str, envelope: str | None) -> Iterator[BounceRecord]:
    part_name = kind[0].lower() + kind[1:]
    part: Any = event.get(part_name)
    names = {"DeliveryDelay": "delayedRecipients", "Complaint": "complainedRecipients", "Delivery": "recipients"}
    recipients = inside(part, names.get(kind, "")) or inside(event, "mail", "destination")
    outcome = {"DeliveryDelay": Outcome.DEFERRED, "Delivery": Outcome.DELIVERED, "Complaint": Outcome.NOT_A_BOUNCE}.get(
        kind, Outcome.BOUNCED
    )
    for recipient in recipients[:MAX_RECIPIENTS] if isinstance(recipients, list) else [None]:
        address = recipient if isinstance(recipient, str) else inside(recipient, "emailAddress")
        theirs = None
        diagnostic = ""
        if kind == "DeliveryDelay":
            theirs = text(inside(part, "delayType"))
            given = text(inside(recipient, "diagnosticCode")) or ""
            diagnostic = given.removeprefix("smtp; ") or _DELAYS.get(theirs or "", "")
        elif kind == "Reject":
            diagnostic = text(inside(part, "reason")) or ""
        yield BounceRecord(
            outcome,
            diagnostic,
            text(address),
            enhanced_status=status(inside(recipient, "status")),
            reporting_mta=_host(inside(part, "reportingMTA")),
            event_id=first(inside(part, "feedbackId"), envelope),
            occurred_at=moment(inside(part, "timestamp")) or moment(inside(event, "mail", "timestamp")),
            theirs=theirs,
            vocabulary="ses" if theirs else None,
            kind="feedback_report" if kind == "Complaint" else None,
            source=where,
            **_mail(event),
        )


def _mail(event: Event) -> dict[str, Any]:
    mail = event.get("mail")
    tags = inside(mail, "tags")
    campaign = next(
        (inside(tags, name) for name in ("campaign", "Campaign", "ses:configuration-set") if inside(tags, name)), None
    )
    return {
        "message_id": bare(inside(mail, "commonHeaders", "messageId")) or bare(inside(mail, "messageId")),
        "campaign": first(*campaign[:20]) if isinstance(campaign, list) else text(campaign),
        "sent_at": moment(inside(mail, "timestamp")),
    }


def _host(value: Any) -> str | None:
    found = text(value)
    return found.rpartition(";")[2].strip() or None if found else None


PROVIDER = Provider(
    "ses", "Amazon SES", "ses", "notificationType or eventType beside mail, or an SNS envelope", _is_event, _read
)
