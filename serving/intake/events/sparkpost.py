"""SparkPost webhooks and its events interface. ``theirs`` is the name of ``bounce_class``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from whybounce.serving.intake.events.provider import Event, Provider, bare, code, first, moment, text, word
from whybounce.serving.intake.format import Skipped
from whybounce.serving.intake.record import BounceRecord, Outcome

_OUTCOMES = {
    "bounce": Outcome.BOUNCED, "out_of_band": Outcome.BOUNCED, "policy_rejection": Outcome.BOUNCED,
    "generation_rejection": Outcome.BOUNCED, "delay": Outcome.DEFERRED, "delivery": Outcome.DELIVERED,
    "spam_complaint": Outcome.NOT_A_BOUNCE,
}  # fmt: skip
_OTHERS = {
    "injection", "sms_status", "generation_failure", "open", "initial_open", "click", "amp_open", "amp_click",
    "amp_initial_open", "list_unsubscribe", "link_unsubscribe", "relay_injection", "relay_delivery", "relay_rejection",
    "relay_tempfail", "relay_permfail", "ab_test_completed", "ab_test_cancelled", "ingest_success", "ingest_error",
}  # fmt: skip
_NO_BOUNCES = {"60": "vacation", "80": None, "90": None, "100": "challenge"}


def _event(event: Event) -> Event:
    outer = event.get("msys")
    if not isinstance(outer, dict):
        return event
    return next((inner for inner in outer.values() if isinstance(inner, dict)), {})


def _is_event(event: Event) -> bool:
    if event.get("msys") == {}:
        return True  # what SparkPost sends to try a webhook
    inner = _event(event)
    return word(inner.get("type")) in (_OUTCOMES.keys() | _OTHERS) and (
        inner is not event or any(name in inner for name in ("rcpt_to", "raw_rcpt_to", "bounce_class", "customer_id"))
    )


def _read(event: Event, where: str) -> Iterator[BounceRecord | Skipped]:
    event = _event(event)
    outcome = _OUTCOMES.get(str(event.get("type")))
    if outcome is None:
        return
    failed = outcome in (Outcome.BOUNCED, Outcome.DEFERRED)
    number = text(event.get("bounce_class")) if failed else None
    kind = "feedback_report" if outcome is Outcome.NOT_A_BOUNCE else None
    if number in _NO_BOUNCES:
        outcome, kind = Outcome.NOT_A_BOUNCE, _NO_BOUNCES[number]
    diagnostic = first(event.get("raw_reason"), event.get("reason")) if failed else None
    theirs = _label(number)
    yield BounceRecord(
        outcome,
        diagnostic or "",
        first(event.get("raw_rcpt_to"), event.get("rcpt_to")),
        reply_code=code(event.get("error_code")) if failed else None,
        message_id=bare(event.get("message_id")),
        campaign=text(event.get("campaign_id")),
        event_id=text(event.get("event_id")),
        sent_at=moment(event.get("injection_time")),
        occurred_at=moment(event.get("timestamp")),
        theirs=theirs,
        vocabulary="sparkpost" if theirs else None,
        kind=kind,
        source=where,
    )


def _label(number: Any) -> str | None:
    if number is None:
        return None
    from whybounce.data.crosswalk import crosswalk

    mapping = crosswalk("sparkpost").to_ours(str(number))
    return mapping.label if mapping else str(number)


PROVIDER = Provider(
    "sparkpost",
    "SparkPost",
    "sparkpost",
    "msys, or type beside rcpt_to or bounce_class",
    _is_event,
    _read,
    ("results",),
)
