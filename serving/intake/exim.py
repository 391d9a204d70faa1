"""The main log of Exim, as a file or through syslog.

``=>`` and ``->`` are deliveries, ``**`` failures, ``==`` deferrals. A failure that says
only that the retry time is over is joined with the reply that was last given. Passed over
are notices (``<= <>``) and queue runs that tried nothing ("retry time not reached").
"""

from __future__ import annotations

import re
from datetime import datetime

from whybounce.serving.intake.format import Format, Group, Head, Read, Source
from whybounce.serving.intake.joining import Message, Pending, host_of, queue_of
from whybounce.serving.intake.lines import bare, between, numbered
from whybounce.serving.intake.record import BounceRecord, Outcome
from whybounce.serving.intake.syslog import Clock, iso

_ID = r"(?P<id>[0-9A-Za-z]{6}-[0-9A-Za-z]{6}-[0-9A-Za-z]{2}|[0-9A-Za-z]{6}-[0-9A-Za-z]{11}-[0-9A-Za-z]{4})"
_LINE = re.compile(
    r"(?:^|\]: |: )"
    r"(?:(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?)(?: (?P<zone>[+-]\d{4}))? (?:\[\d{1,10}\] )?)?"
    rf"{_ID} (?P<flag><=|=>|->|>>|\*\*|==|Completed)(?: |$)"
)
_FLAGS = {"=>": Outcome.DELIVERED, "->": Outcome.DELIVERED, ">>": Outcome.DELIVERED, "**": Outcome.BOUNCED,
          "==": Outcome.DEFERRED}  # fmt: skip
_OVER = "retry timeout exceeded"


def _recognise(head: Head) -> float:
    lines = [line for line in head.lines[:400] if line.strip()]
    hits = sum(1 for line in lines if _LINE.search(line[:200]))
    return 0.9 + 0.1 * hits / len(lines) if hits else 0.0


def _read(source: Source) -> Read:
    clock = Clock(source)
    queue = queue_of(source, "exim")
    messages, pending = queue.messages, queue.pending
    for number, line in numbered(source):
        match = _LINE.search(line[:200])
        if match is None:
            continue
        flag, queue_id, rest = match["flag"], match["id"], line[match.end() :]
        if flag == "Completed":
            messages.pop(queue_id, None)
            pending.pop(queue_id)
        elif flag == "<=":
            sender = rest.partition(" ")[0]
            messages[queue_id] = Message(
                "" if sender == "<>" else sender, message_id=between(f"{rest} ", " id=", " ") or None
            )
        else:
            message = messages.get(queue_id) or Message()
            if message.is_notice:
                continue
            when = _time(match["time"], match["zone"]) if match["time"] else clock(line)
            record = _delivery(flag, rest, message, when, f"{source.name}:{number}", queue_id, pending)
            if record is not None:
                yield record


def _time(stamp: str, zone: str | None) -> datetime | None:
    return iso(stamp + (zone or ""))


def _delivery(
    flag: str, rest: str, message: Message, when: datetime | None, where: str, queue_id: str, pending: Pending
) -> BounceRecord | None:
    outcome = _FLAGS[flag]
    recipient, rest = _recipient(rest)
    fields, _, text = rest.partition(": ")
    host = host_of(between(f"{fields} ", " H=", " "))
    if outcome is Outcome.DELIVERED:
        pending.drop(queue_id, recipient)
        return BounceRecord(
            outcome, recipient=recipient, remote_host=host, message_id=message.message_id, occurred_at=when,
            source=where,
        )  # fmt: skip
    if outcome is Outcome.DEFERRED:
        if "retry time not reached" in rest:
            return None
        text = text or fields.rpartition(")")[2].strip()
    else:
        last = pending.drop(queue_id, recipient)
        if text.strip() == _OVER and last is not None and last.diagnostic:
            text = f"{last.diagnostic}: {_OVER}"
            host = host or last.remote_host
    record = BounceRecord(
        outcome, text.strip(), recipient, remote_host=host, message_id=message.message_id, occurred_at=when,
        source=where,
    )  # fmt: skip
    if outcome is Outcome.DEFERRED:
        pending.add(queue_id, record)
    return record


def _recipient(rest: str) -> tuple[str | None, str]:
    """Split the address off: ``a@example.com <b@example.com> R=… T=…``; files and pipes stand before ``<…>``."""
    first, space, after = rest.partition(" ")
    if first.endswith(":"):  # "** a@example.com: Unrouteable address"
        return bare(first[:-1]), f" : {after}" if after else ""
    if after.startswith("<") and "@" not in first:
        original, _, after = after[1:].partition(">")
        first = original.removesuffix(":")
        after = after.removeprefix(":")
        return bare(first), f" {after.strip()}"
    if after.startswith("<"):
        original, _, after = after[1:].partition(">")
        after = after if not after.startswith(":") else f" {after}"
    return bare(first), space + after


FORMAT = Format(
    name="exim",
    title="Exim main log",
    group=Group.LOGS,
    recognised_by="a message id such as 1tFabc-0000000ABcd-1234 or 1tFabc-000ABc-12 followed by <=, =>, ->, ** or ==",
    recognise=_recognise,
    read=_read,
)
