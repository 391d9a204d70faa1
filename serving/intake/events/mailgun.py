"""Mailgun webhooks and its events interface. ``theirs`` is ``severity/reason``.

Webhooks of the old kind are form fields, here as one object: ``theirs`` is their ``event/reason``.
"""

from __future__ import annotations

from collections.abc import Iterator

from whybounce.serving.intake.events.provider import (
    Event,
    Provider,
    bare,
    code,
    first,
    inside,
    joined,
    moment,
    status,
    text,
    word,
)
from whybounce.serving.intake.format import Skipped
from whybounce.serving.intake.record import BounceRecord, Outcome

_ABOUT_DELIVERY = {"failed", "rejected", "delivered", "complained"}
_FORMS = {
    "bounced": Outcome.BOUNCED, "dropped": Outcome.BOUNCED, "delivered": Outcome.DELIVERED,
    "complained": Outcome.NOT_A_BOUNCE,
}  # fmt: skip
_OTHERS = {"accepted", "opened", "clicked", "unsubscribed", "stored", "list_member_uploaded", "email_validation"}


def _event(event: Event) -> Event:
    inner = event.get("event-data")
    return inner if isinstance(inner, dict) else event


def _is_event(event: Event) -> bool:
    inner = _event(event)
    if _is_form(event):
        return True
    return word(inner.get("event")) in (_ABOUT_DELIVERY | _OTHERS) and (
        inner is not event
        or any(name in inner for name in ("delivery-status", "severity", "log-level", "recipient-domain"))
    )


def _is_form(event: Event) -> bool:
    return word(event.get("event")) in (_FORMS.keys() | _OTHERS) and any(
        name in event for name in ("message-headers", "X-Mailgun-Sid", "body-plain")
    )


def _read(event: Event, where: str) -> Iterator[BounceRecord | Skipped]:
    if _is_form(event):
        yield from _read_form(event, where)
        return
    event = _event(event)
    kind = event["event"]
    if kind not in _ABOUT_DELIVERY:
        return
    severity, reason = text(event.get("severity")), text(event.get("reason"))
    answer = event.get("delivery-status")
    outcome = {"delivered": Outcome.DELIVERED, "complained": Outcome.NOT_A_BOUNCE}.get(kind, Outcome.BOUNCED)
    if kind == "failed" and severity == "temporary":
        outcome = Outcome.DEFERRED
    diagnostic, theirs = "", None
    if kind == "failed":
        message, description = first(inside(answer, "message")) or "", first(inside(answer, "description")) or ""
        # "Too old" stands in one, what the server said in the other.
        diagnostic = message if description in message else f"{message} {description}".strip()
        theirs = "/".join(part for part in (severity, reason) if part) or None
    elif kind == "rejected":
        diagnostic = first(inside(event, "reject", "description"), inside(event, "reject", "reason")) or ""
    failed = kind == "failed"
    yield BounceRecord(
        outcome,
        diagnostic,
        first(event.get("recipient"), inside(event, "message", "headers", "to")),
        reply_code=code(inside(answer, "code")) if failed else None,
        enhanced_status=status(inside(answer, "enhanced-code")) if failed else None,
        remote_host=text(inside(answer, "mx-host")),
        message_id=bare(inside(event, "message", "headers", "message-id")),
        campaign=_campaign(event),
        event_id=text(event.get("id")),
        occurred_at=moment(event.get("timestamp")),
        theirs=theirs,
        vocabulary="mailgun" if theirs else None,
        kind="feedback_report" if kind == "complained" else None,
        source=where,
    )


def _read_form(event: Event, where: str) -> Iterator[BounceRecord]:
    kind = event["event"]
    outcome = _FORMS.get(kind)
    if outcome is None:
        return
    failed = outcome is Outcome.BOUNCED
    theirs = "/".join(part for part in (kind, text(event.get("reason"))) if part) if failed else None
    yield BounceRecord(
        outcome,
        (first(event.get("error"), event.get("description"), event.get("notification")) or "") if failed else "",
        text(event.get("recipient")),
        reply_code=code(event.get("code")) if failed else None,
        message_id=bare(first(event.get("Message-Id"), event.get("message-id"))),
        campaign=first(*(event.get(name) for name in ("campaign-name", "campaign-id", "tag", "X-Mailgun-Tag"))),
        event_id=text(event.get("token")),
        occurred_at=moment(event.get("timestamp")),
        theirs=theirs,
        vocabulary="mailgun" if theirs else None,
        kind="feedback_report" if outcome is Outcome.NOT_A_BOUNCE else None,
        source=where,
    )


def _campaign(event: Event) -> str | None:
    campaigns = event.get("campaigns")
    if isinstance(campaigns, list) and campaigns:
        return first(*(inside(item, "name") or inside(item, "id") for item in campaigns[:20]))
    return joined(event.get("tags"))


PROVIDER = Provider(
    "mailgun",
    "Mailgun",
    "mailgun",
    "event-data, or event beside delivery-status or log-level",
    _is_event,
    _read,
    ("items",),
)
