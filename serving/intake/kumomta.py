"""KumoMTA log records: one JSON object a line, usually packed with zstd.

The campaign is the one in the queue name (``campaign:tenant@domain``), else ``campaign`` in
``meta``. A message that expires bounces for the last reason that was logged for it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from whybounce.serving.intake.format import Format, Group, Head, Read, Skipped, Source
from whybounce.serving.intake.halves import json_or_none
from whybounce.serving.intake.joining import Pending, host_of, queue_of
from whybounce.serving.intake.lines import bare, numbered, said
from whybounce.serving.intake.record import BounceRecord, Outcome
from whybounce.serving.intake.syslog import epoch, iso

_OUTCOMES = {
    "Delivery": Outcome.DELIVERED, "Bounce": Outcome.BOUNCED, "AdminBounce": Outcome.BOUNCED,
    "Expiration": Outcome.BOUNCED, "OOB": Outcome.BOUNCED, "TransientFailure": Outcome.DEFERRED,
    "Feedback": Outcome.NOT_A_BOUNCE,
}  # fmt: skip
_OTHERS = {
    "Reception", "Rejection", "Delayed", "Any", "AdminRebind", "DeferredInjectionRebind", "XferOut", "XferIn",
}  # fmt: skip
_MOST = 1000
"""Recipients of one record that are read."""


def is_record(row: Any) -> bool:
    """Whether a JSON value is a record of the log."""
    return (
        isinstance(row, dict)
        and isinstance(row.get("type"), str)
        and (row["type"] in _OUTCOMES or row["type"] in _OTHERS)
        and len({"id", "recipient", "queue", "response", "timestamp", "num_attempts"}.intersection(row)) >= 4
    )


def _recognise(head: Head) -> float:
    return 1.0 if any(is_record(json_or_none(line)) for line in head.lines[:20] if line.startswith("{")) else 0.0


def _read(source: Source) -> Read:
    pending = queue_of(source, "kumomta").pending
    for number, line in numbered(source):
        if not line.strip():
            continue
        where = f"{source.name}:{number}"
        row = json_or_none(line)
        if not isinstance(row, dict) or not isinstance(row.get("type"), str):
            yield Skipped(where, "is no JSON object with a type" if row is not None else "is no JSON")
            continue
        for found in records(row, where):
            yield found if isinstance(found, Skipped) else _joined(found, row, pending)


def records(row: dict[str, Any], where: str) -> Read:
    """Read one record, a recipient at a time; an expired one does not know yet why it was put off."""
    outcome = _OUTCOMES.get(row["type"])
    if outcome is None:
        if row["type"] not in _OTHERS:
            yield Skipped(where, f"record of unknown type {row['type'][:40]!r}")
        return
    recipients = row.get("recipient")
    for recipient in recipients[:_MOST] if isinstance(recipients, list) else [recipients]:
        yield _record(row, outcome, recipient, where)


def _joined(record: BounceRecord, row: dict[str, Any], pending: Pending) -> BounceRecord:
    message = str(row.get("id", ""))
    if record.outcome is Outcome.DEFERRED:
        pending.add(message, record)
        return record
    last = pending.drop(message, record.recipient)
    if row["type"] != "Expiration" or last is None or not last.diagnostic:
        return record
    return replace(
        last, outcome=Outcome.BOUNCED, occurred_at=record.occurred_at, source=record.source,
        theirs=record.theirs or last.theirs, vocabulary=record.vocabulary or last.vocabulary,
    )  # fmt: skip


def _record(row: dict[str, Any], outcome: Outcome, recipient: Any, where: str) -> BounceRecord:
    answered = outcome in (Outcome.BOUNCED, Outcome.DEFERRED)
    response = row.get("response") if answered else None
    response = response if isinstance(response, dict) else {}
    peer = row.get("peer_address")
    theirs = row.get("bounce_classification")
    if isinstance(theirs, dict):  # {"UserDefined": "name"}
        theirs = next(iter(theirs.values()), None)
    theirs = said(theirs) if answered else None
    code = response.get("code")
    return BounceRecord(
        outcome,
        said(response.get("content")) or "",
        said(recipient),
        reply_code=code if isinstance(code, int) and 200 <= code <= 599 else None,
        enhanced_status=_status(response.get("enhanced_code")),
        command=said(response.get("command")),
        remote_host=host_of(said(peer.get("name"))) if isinstance(peer, dict) else None,
        message_id=bare(said(_inside(row, "headers", "message-id"))),
        campaign=_campaign(row),
        event_id=said(row.get("id")),
        sent_at=_time(row.get("created")),
        occurred_at=_time(row.get("timestamp")),
        theirs=theirs,
        vocabulary="kumomta" if theirs else None,
        kind="feedback_report" if outcome is Outcome.NOT_A_BOUNCE else None,
        source=where,
    )


def _campaign(row: dict[str, Any]) -> str | None:
    queue = row.get("queue")
    if isinstance(queue, str):
        campaign, colon, _ = queue.partition("@")[0].partition(":")
        if colon and campaign.strip():
            return campaign.strip()
    return said(_inside(row, "meta", "campaign")) or said(_inside(row, "headers", "x-campaign"))


def _inside(row: dict[str, Any], part: str, name: str) -> Any:
    inner = row.get(part)
    if not isinstance(inner, dict):
        return None
    return next((value for key, value in inner.items() if key.lower() == name), None)


def _status(code: Any) -> str | None:
    if not isinstance(code, dict):
        return None
    parts = [code.get(name) for name in ("class", "subject", "detail")]
    return ".".join(map(str, parts)) if all(isinstance(part, int) for part in parts) else None


def _time(value: Any) -> Any:
    return iso(value) if isinstance(value, str) else epoch(value)


FORMAT = Format(
    name="kumomta",
    title="KumoMTA log",
    group=Group.LOGS,
    recognised_by="JSON lines with type (Delivery, Bounce, TransientFailure, …), queue, response and num_attempts",
    recognise=_recognise,
    read=_read,
)
