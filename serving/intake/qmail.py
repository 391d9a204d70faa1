"""The log of qmail-send, with TAI64N labels (multilog) or through syslog (splogger).

The sentences of a report are logged in one line: spaces as ``_``, line ends as ``/``.
Passed over are notices (``from <>``) and double bounces.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from whybounce.serving.intake.format import Format, Group, Head, Read, Source
from whybounce.serving.intake.joining import Recent
from whybounce.serving.intake.lines import numbered
from whybounce.serving.intake.record import BounceRecord, Outcome
from whybounce.serving.intake.syslog import Clock, epoch

_LINE = re.compile(
    r"(?:^|@(?P<tai>[0-9a-f]{24}) |[: ](?P<seconds>\d{9,11})(?:\.\d{1,9})? |^(?P<bare>\d{9,11})(?:\.\d{1,9})? )"
    r"(?:(?P<new>new msg )(?P<n>\d+)|info msg (?P<info>\d+): bytes \d+ from <(?P<sender>[^>]*)>"
    r"|starting delivery (?P<start>\d+): msg (?P<msg>\d+) to (?:local|remote) (?P<recipient>\S+)"
    r"|delivery (?P<delivery>\d+): (?P<result>success|failure|deferral): ?(?P<text>.*)"
    r"|(?P<end>end msg )(?P<e>\d+))"
)
_OUTCOMES = {"success": Outcome.DELIVERED, "failure": Outcome.BOUNCED, "deferral": Outcome.DEFERRED}
_TAI_EPOCH = 2**62 + 10
"""Label of 1970-01-01 UTC; like qmail's own tools we leave later leap seconds out."""


def _recognise(head: Head) -> float:
    lines = [line for line in head.lines[:400] if line.strip()]
    hits = sum(1 for line in lines if _LINE.search(line))
    return 0.88 + 0.1 * hits / len(lines) if hits else 0.0


def _read(source: Source) -> Read:
    clock = Clock(source)
    known: tuple[Recent[str, str], Recent[str, tuple[str, str]]] = source.memory.setdefault(
        "qmail", (Recent(), Recent())
    )
    senders, deliveries = known
    for number, line in numbered(source):
        match = _LINE.search(line)
        if match is None:
            continue
        if match["info"]:
            senders[match["info"]] = match["sender"]
        elif match["start"]:
            deliveries[match["start"]] = (match["msg"], match["recipient"])
        elif match["end"]:
            senders.pop(match["e"], None)
        elif match["delivery"]:
            message, recipient = deliveries.pop(match["delivery"], ("", None))
            if senders.get(message) in ("", "#@[]"):
                continue
            outcome = _OUTCOMES[match["result"]]
            yield BounceRecord(
                outcome,
                "" if outcome is Outcome.DELIVERED else sentences(match["text"]),
                recipient,
                occurred_at=_time(match, line, clock),
                source=f"{source.name}:{number}",
            )


def _time(match: re.Match[str], line: str, clock: Clock) -> datetime | None:
    if match["tai"]:
        try:
            return datetime.fromtimestamp(int(match["tai"][:16], 16) - _TAI_EPOCH, UTC)
        except (ValueError, OverflowError, OSError):
            return None
    if match["seconds"] or match["bare"]:
        return epoch(match["seconds"] or match["bare"])
    return clock(line)


def sentences(text: str) -> str:
    """Undo what qmail-send does to a report before it logs it; the slashes of URLs stay."""
    words = text.replace("_", " ").split(" ")
    return " ".join(word if "://" in word else word.replace("/", " ") for word in words).strip()


FORMAT = Format(
    name="qmail",
    title="qmail-send log",
    group=Group.LOGS,
    recognised_by='lines such as "delivery 12: failure: …" after a TAI64N label or a syslog time',
    recognise=_recognise,
    read=_read,
)
