"""The log of Sendmail.

Counted are lines with ``to=…`` and ``stat=…``. ``reply=`` (8.16 and later) holds the whole
answer of the server and is read before ``stat``. When the queue gives up, every recipient
still waiting bounces for its last reason. Passed over are notices (``from=<>``) and the way
from the submission program to the server on this machine.
"""

from __future__ import annotations

import re

from whybounce.serving.intake.format import Format, Group, Head, Read, Source
from whybounce.serving.intake.joining import Message, Pending, Recent, given_up, host_of, queue_of
from whybounce.serving.intake.lines import bare, between, id_before, numbered
from whybounce.serving.intake.record import BounceRecord, Outcome
from whybounce.serving.intake.syslog import Clock

_PROGRAM = re.compile(r" (?:sendmail|sm-mta|sm-msp-queue|sm-mta-rx)\[\d{1,10}\]: ")
_GAVE_UP = ("annot send message for ", "annot send message within ", "essage timed out")


def _recognise(head: Head) -> float:
    lines = head.lines[:400]
    if any(_is_delivery(line) for line in lines):
        return 0.92
    return 0.9 if any(_PROGRAM.search(line[:120]) for line in lines) else 0.0


def _is_delivery(line: str) -> bool:
    mark = line.find(": to=")
    end = line.find(", stat=", mark)
    return mark > 0 and end > 0 and any(f", {name}=" in line[mark:end] for name in ("delay", "mailer", "dsn"))


def _read(source: Source) -> Read:
    clock = Clock(source)
    queue = queue_of(source, "sendmail")
    messages, pending = queue.messages, queue.pending
    for number, line in numbered(source):
        at = line.find(", stat=")
        where = f"{source.name}:{number}"
        if at > 0:
            mark = line.find(": to=", 0, at)
            if mark > 0:
                yield from _deliveries(line, mark, at, clock, messages, pending, where)
        elif (mark := line.find(": from=")) > 0:
            sender = bare((between(line[mark:], "from=", ", ") or "").removesuffix(","))
            queue_id = id_before(line, mark)
            messages[queue_id] = Message(
                "" if sender is None else sender, message_id=bare(between(line, ", msgid=", ", "))
            )
        elif (mark := line.find(": DSN: ")) > 0 and any(words in line for words in _GAVE_UP):
            # "QUEUEID: NOTICEID: DSN: Cannot send message for 5 days"
            queue_id = line[:mark].rpartition(": ")[0].rpartition(" ")[2]
            yield from given_up(pending.pop(queue_id), source=where, occurred_at=clock(line))


def _deliveries(
    line: str, mark: int, at: int, clock: Clock, messages: Recent[str, Message], pending: Pending, where: str
) -> Read:
    queue_id = id_before(line, mark)
    message = messages.get(queue_id) or Message()
    stat = line[at + 7 :]
    fields = line[mark + 2 : at]
    relay = between(fields, ", relay=", ", ")
    status = (between(fields, ", dsn=", ", ") or "").strip() or None
    outcome = _outcome(stat, status)
    if outcome is None or message.is_notice or _is_submission(stat, relay):
        return
    text = between(f"{fields}\n", ", reply=", "\n") or ""
    if not text and outcome is not Outcome.DELIVERED:
        text = stat.removeprefix("Deferred").removeprefix(": ").strip()
    for recipient in _recipients(fields):
        record = BounceRecord(
            outcome, "" if outcome is Outcome.DELIVERED else text, recipient,
            enhanced_status=None if outcome is Outcome.DELIVERED else _said(status), remote_host=host_of(relay),
            message_id=message.message_id, occurred_at=clock(line), source=where,
        )  # fmt: skip
        if outcome is Outcome.DEFERRED:
            pending.add(queue_id, record)
        else:
            pending.drop(queue_id, recipient)
        yield record


def _outcome(stat: str, status: str | None) -> Outcome | None:
    if stat.startswith("Sent"):
        return Outcome.DELIVERED
    if stat.startswith("queued"):
        return None
    if stat.startswith("Deferred"):
        return Outcome.DEFERRED
    return {"2": Outcome.DELIVERED, "4": Outcome.DEFERRED}.get((status or "5")[0], Outcome.BOUNCED)


def _said(status: str | None) -> str | None:
    return status if status and not status.endswith(".0.0") else None


def _is_submission(stat: str, relay: str | None) -> bool:
    return "Message accepted for delivery" in stat and (
        "[127.0.0.1]" in (relay or "") or (relay or "").startswith("localhost")
    )


def _recipients(fields: str) -> list[str]:
    value = between(fields, "to=", ", ") or ""
    found = [bare(part) for part in value.split(",")]
    return [address for address in found if address]


FORMAT = Format(
    name="sendmail",
    title="Sendmail log",
    group=Group.LOGS,
    recognised_by="syslog lines with to=…, dsn=… and stat=…, or of sendmail or sm-mta",
    recognise=_recognise,
    read=_read,
)
