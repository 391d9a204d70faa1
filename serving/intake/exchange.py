"""Exchange message tracking: the server's own logs, and what Get-MessageTrackingLog exports.

``FAIL`` bounces, ``DEFER`` puts off, ``DELIVER`` and ``SEND`` deliver; handing over to another
server of the same organisation does not count, as it is logged there again.
"""

from __future__ import annotations

import csv
import re
from datetime import datetime

from whybounce.serving.intake.format import Format, Group, Head, Read, Skipped, Source
from whybounce.serving.intake.joining import host_of
from whybounce.serving.intake.lines import bare, numbered, said
from whybounce.serving.intake.record import BounceRecord, Outcome
from whybounce.serving.intake.syslog import iso

_OUTCOMES = {
    "FAIL": Outcome.BOUNCED, "DEFER": Outcome.DEFERRED, "DELIVER": Outcome.DELIVERED, "SEND": Outcome.DELIVERED,
    "SENDEXTERNAL": Outcome.DELIVERED,
}  # fmt: skip
# Name of an exported property → that of the log's column.
_EXPORTED = {
    "timestamp": "date-time", "eventid": "event-id", "recipients": "recipient-address",
    "recipientstatus": "recipient-status", "messageid": "message-id", "sender": "sender-address",
    "returnpath": "return-path", "serverhostname": "server-hostname", "connectorid": "connector-id",
    "sourcecontext": "source-context",
}  # fmt: skip
_LOST = "System.String[]"
"""What Export-Csv makes of a list."""
_ERROR = re.compile(r"\{(?:LED|MSG)=([^{}]*)\}")
_HOST = re.compile(r"\{FQDN=([^{}]*)\}")
_DATES = ("%m/%d/%Y %I:%M:%S %p", "%d.%m.%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%Y/%m/%d %H:%M:%S")


def _cells(line: str, delimiter: str = ",") -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


def _delimiter(line: str) -> str:
    """What divides exported columns: where the comma is in numbers, PowerShell takes semicolons."""
    return ";" if line.count(";") > line.count(",") else ","


def _header(line: str) -> list[str] | None:
    if line.startswith("#Fields:"):
        columns = [name.strip().lower() for name in _cells(line[8:].strip())]
    else:
        columns = [name.strip().lower() for name in _cells(line, _delimiter(line))]
        columns = [_EXPORTED.get(name, name) for name in columns]
    return columns if {"event-id", "recipient-address"} <= set(columns) else None


def _recognise(head: Head) -> float:
    return 1.0 if any(_header(line) for line in head.lines[:10]) else 0.0


def _read(source: Source) -> Read:
    columns: list[str] = []
    delimiter = ","
    for number, line in numbered(source):
        if not columns or line.startswith(("#", "date-time", '"')):
            named = _header(line)
            if named is not None:
                columns, delimiter = named, "," if line.startswith("#") else _delimiter(line)
                continue
        if not line.strip() or line.startswith("#"):
            continue
        where = f"{source.name}:{number}"
        if not columns:
            yield Skipped(where, "no line before names the columns; tracking logs begin with #Fields:")
            continue
        row = {
            name: "" if cell == _LOST else cell for name, cell in zip(columns, _cells(line, delimiter), strict=False)
        }
        outcome = _OUTCOMES.get(row.get("event-id", "").strip().upper())
        if outcome is None or row.get("return-path", "").strip() == "<>" or _is_internal(row):
            continue
        if _LOST in line and not row["recipient-address"]:
            yield Skipped(
                where, "was exported without its recipients; export them as text, with -join in Select-Object"
            )
            continue
        yield from _records(row, outcome, where)


def _is_internal(row: dict[str, str]) -> bool:
    return "intra-organization" in row.get("connector-id", "").lower()


def _records(row: dict[str, str], outcome: Outcome, where: str) -> Read:
    recipients = [name.strip() for name in re.split("[;|]", row.get("recipient-address", "")) if name.strip()]
    statuses = _statuses(row.get("recipient-status", ""), len(recipients))
    failed = outcome in (Outcome.BOUNCED, Outcome.DEFERRED)
    general = _diagnostic(row.get("source-context", "")) if failed else ""
    # One status may stand for thousands of recipients: it is looked at once.
    read = {status: (_diagnostic(status) if failed else "", _HOST.search(status)) for status in set(statuses)}
    for recipient, status in zip(recipients, statuses, strict=True):
        text, found = read[status]
        yield BounceRecord(
            outcome,
            text or general if failed else "",
            recipient,
            remote_host=host_of(found[1]) if found else None,
            reporting_mta=said(row.get("server-hostname")),
            message_id=bare(row.get("message-id")),
            event_id=said(row.get("internal-message-id")),
            occurred_at=_time(row.get("date-time")),
            source=where,
        )


def _statuses(text: str, count: int) -> list[str]:
    """One status for each recipient; one that cannot be divided stands for all."""
    if count <= 1:
        return [text] * count
    # "];[" and "};{LRT=" divide statuses, as a status holds semicolons itself.
    for mark in ("];", "};{LRT="):
        parts = text.split(mark)
        if len(parts) == count:
            return parts
    parts = text.split(";")
    return [part.strip() for part in parts] if len(parts) == count else [text] * count


def _diagnostic(status: str) -> str:
    """The error in ``[{LED=550 5.1.1 …};{FQDN=…}]``; else the text itself."""
    found: list[str] = [text.strip() for text in _ERROR.findall(status) if text.strip()]
    if found:
        return found[0]
    return "" if status.strip(" []").startswith("{") else status.strip()


def _time(stamp: str | None) -> datetime | None:
    found = iso(stamp)
    if found is not None:
        return found
    for form in _DATES:
        try:
            return datetime.strptime((stamp or "").strip(), form)  # the zone is not said
        except ValueError:
            continue
    return None


FORMAT = Format(
    name="exchange",
    title="Exchange message tracking",
    group=Group.LOGS,
    recognised_by="#Fields: or a first line with event-id and recipient-address (EventId and Recipients when exported)",
    recognise=_recognise,
    read=_read,
)
