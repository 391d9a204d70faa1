"""The log of Postfix.

Counted are deliveries: lines with ``to=<…>`` and ``status=…``. When the queue gives up
(``status=expired``), every recipient that was still waiting bounces for the last reason
that was logged for it. Passed over are notices (``from=<>``), probes of addresses,
forwarding to another queue id, and the way through a content filter on this machine,
after which the same mail comes again.
"""

from __future__ import annotations

import re
from datetime import datetime

from whybounce.serving.intake.format import Format, Group, Head, Read, Skipped, Source
from whybounce.serving.intake.joining import Message, Pending, Recent, given_up, host_of, queue_of
from whybounce.serving.intake.lines import bare, between, id_before, numbered
from whybounce.serving.intake.record import BounceRecord, Outcome
from whybounce.serving.intake.syslog import Clock

_OUTCOMES = {
    "sent": Outcome.DELIVERED,
    "bounced": Outcome.BOUNCED,
    "deferred": Outcome.DEFERRED,
    "SOFTBOUNCE": Outcome.DEFERRED,
}
CAMPAIGN_HEADERS = (
    "x-campaign-id", "x-campaignid", "x-campaign", "x-mailing-id", "x-newsletter-id", "x-job-id", "feedback-id",
    "list-id",
)  # fmt: skip
"""Headers that name a campaign, the first being the surest; logged by ``header_checks`` with INFO."""

_TAG = re.compile(r" postfix[\w.-]*/[\w/-]{1,64}\[\d{1,10}\]: | postfix[\w.-]*/[\w/-]{1,64} (?:\d{1,10}|-) ")


def _recognise(head: Head) -> float:
    lines = head.lines[:400]
    tagged = sum(1 for line in lines if _TAG.search(line[:200]))
    if tagged:
        return 0.9 + 0.1 * tagged / len(lines)
    return 0.85 if any(_is_delivery(line) for line in lines) else 0.0


def _is_delivery(line: str) -> bool:
    mark = line.find(": to=<")
    return mark > 0 and any(line.find(f", status={status} (", mark) > 0 for status in ("sent", "bounced", "deferred"))


def _read(source: Source) -> Read:
    clock = Clock(source)
    queue = queue_of(source, "postfix")
    messages, pending = queue.messages, queue.pending
    for number, line in numbered(source):
        mark = line.find(": to=<")
        if mark > 0:
            found = _delivery(line, mark, clock, messages, pending, source.name, number)
            if found is not None:
                yield found
        elif line.endswith(": removed"):
            queue_id = id_before(line, len(line) - 9)
            messages.pop(queue_id, None)
            pending.pop(queue_id)
        elif (mark := line.find(": from=<")) > 0:
            queue_id = id_before(line, mark)
            if line.find("expired, returned to sender", mark) > 0:
                waiting = pending.pop(queue_id)
                where = f"{source.name}:{number}"
                if waiting:
                    yield from given_up(waiting, source=where, occurred_at=clock(line))
                elif not (message := messages.get(queue_id)) or not message.is_notice:
                    yield Skipped(where, f"{queue_id} expired, and no line before says for whom it was waiting")
            elif line.endswith("(queue active)"):
                end = line.find(">,", mark)
                if end > 0:
                    _known(messages, queue_id).sender = line[mark + 8 : end]
        elif (mark := line.find(": message-id=")) > 0:
            _known(messages, id_before(line, mark)).message_id = bare(line[mark + 13 :])
        elif (mark := line.find(": info: header ")) > 0:
            _campaign(line, mark, messages)


def _known(messages: Recent[str, Message], queue_id: str) -> Message:
    message = messages.get(queue_id)
    if message is None:
        message = messages[queue_id] = Message()
    return message


def _delivery(
    line: str,
    mark: int,
    clock: Clock,
    messages: Recent[str, Message],
    pending: Pending,
    name: str,
    number: int,
) -> BounceRecord | None:
    end = line.find(">, ", mark)
    at = line.find(", status=", end)
    if end < 0 or at < 0:
        return None
    status, _, text = line[at + 9 :].partition(" ")
    outcome = _OUTCOMES.get(status)
    if outcome is None:
        return None
    queue_id = id_before(line, mark)
    recipient = line[mark + 6 : end].strip() or None  # "to=<>" names nobody
    fields = line[end:at]
    relay = between(fields, ", relay=", ",")
    if outcome is Outcome.DELIVERED and _goes_on(text, relay):
        pending.drop(queue_id, recipient)
        return None
    message = messages.get(queue_id)
    if message is not None and message.is_notice:
        return None
    when: datetime | None = clock(line)
    where = f"{name}:{number}"
    message_id, campaign = (message.message_id, message.campaign) if message is not None else (None, None)
    if outcome is Outcome.DELIVERED:
        pending.drop(queue_id, recipient)
        return BounceRecord(
            outcome, recipient=recipient, remote_host=host_of(relay), message_id=message_id, campaign=campaign,
            occurred_at=when, source=where,
        )  # fmt: skip
    record = BounceRecord(
        outcome, text.removeprefix("(").removesuffix(")"), recipient,
        enhanced_status=_said(between(fields, ", dsn=", ",")), remote_host=host_of(relay), message_id=message_id,
        campaign=campaign, occurred_at=when, source=where,
    )  # fmt: skip
    if outcome is Outcome.DEFERRED:
        pending.add(queue_id, record)
    else:
        pending.drop(queue_id, recipient)
    return record


def _goes_on(text: str, relay: str | None) -> bool:
    """Whether a "sent" is the way to another queue of this machine, where the mail is logged again."""
    if text.startswith("(forwarded as "):
        return True
    return "queued as " in text and (relay or "").partition("[")[2].startswith(("127.", "::1]", "0:0:0:0:0:0:0:1]"))


def _said(status: str | None) -> str | None:
    """Postfix fills in x.0.0 where the server gave no code: that says nothing."""
    return status if status and not status.endswith(".0.0") else None


def _campaign(line: str, mark: int, messages: Recent[str, Message]) -> None:
    header, _, value = line[mark + 15 :].partition(": ")
    if header.lower() not in CAMPAIGN_HEADERS:
        return
    queue_id = id_before(line, mark)
    value = value.rpartition("; from=<")[0] or value
    value = value.rpartition(" from ")[0] or value
    message = _known(messages, queue_id)
    if message.campaign is None or header.lower() != "list-id":
        message.campaign = value.strip()[:200] or None


FORMAT = Format(
    name="postfix",
    title="Postfix log",
    group=Group.LOGS,
    recognised_by="syslog lines of postfix/… or lines with to=<…> and status=sent, bounced or deferred",
    recognise=_recognise,
    read=_read,
)
