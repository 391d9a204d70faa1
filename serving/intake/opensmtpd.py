"""The log of OpenSMTPD, from 5.4 to today.

Counted are deliveries: ``mta delivery … result="PermFail" stat="…"`` of 6.4 and later,
``mta event=delivery …`` of 5.9 to 6.3, ``delivery: PermFail for …`` before, and the same of
``mda``. Passed over are notices (``from=<>``).
"""

from __future__ import annotations

import re

from whybounce.serving.intake.format import Format, Group, Head, Read, Source
from whybounce.serving.intake.joining import host_of
from whybounce.serving.intake.lines import bare, between, numbered
from whybounce.serving.intake.record import BounceRecord, Outcome
from whybounce.serving.intake.syslog import Clock

_DELIVERY = re.compile(
    r"(?:\b(?:mta|mda) (?:event=)?delivery |\bdelivery: (?P<result>Ok|TempFail|PermFail|Loop|Expired) for )"
)
_SESSION = re.compile(r" smtpd\[\d{1,10}\]: (?:[0-9a-f]{16} )?(?:smtp|mta|mda|smtp-in:|smtp-out:|delivery:) ?")
_OUTCOMES = {
    "Ok": Outcome.DELIVERED, "PermFail": Outcome.BOUNCED, "Loop": Outcome.BOUNCED, "Expired": Outcome.BOUNCED,
    "TempFail": Outcome.DEFERRED,
}  # fmt: skip


def _recognise(head: Head) -> float:
    lines = head.lines[:400]
    if any(" smtpd[" in line and _DELIVERY.search(line) for line in lines):
        return 0.95
    return 0.6 if any(_SESSION.search(line) for line in lines) else 0.0


def _read(source: Source) -> Read:
    clock = Clock(source)
    for number, line in numbered(source):
        match = _DELIVERY.search(line)
        if match is None:
            continue
        rest = line[match.end() :]
        sender = between(rest, "from=<", ">")
        result = match["result"] or between(rest, 'result="', '"') or ""
        outcome = _OUTCOMES.get(result)
        if outcome is None or sender == "":
            continue
        relay = (between(rest, "relay=", ", ") if match["result"] else between(rest, 'relay="', '"')) or ""
        recipient = bare(between(rest, " to=<", ">"))
        yield BounceRecord(
            outcome,
            "" if outcome is Outcome.DELIVERED else _stat(rest, result),
            recipient,
            remote_host=_host(relay),
            occurred_at=clock(line),
            source=f"{source.name}:{number}",
        )


def _stat(rest: str, result: str) -> str:
    text = rest.partition(" stat=")[2].removeprefix('"').removesuffix('"')
    # The word alone says it when the server gave no text.
    return text.strip() or {"Loop": "Loop detected", "Expired": "Message expired in the queue"}.get(result, "")


def _host(relay: str) -> str | None:
    """``192.0.2.1 (mx.example.net)`` → the name."""
    name = between(relay, "(", ")")
    return host_of(name) if name else None


FORMAT = Format(
    name="opensmtpd",
    title="OpenSMTPD log",
    group=Group.LOGS,
    recognised_by='lines of smtpd[…] with "mta delivery", "mta event=delivery" or "delivery: … for"',
    recognise=_recognise,
    read=_read,
)
