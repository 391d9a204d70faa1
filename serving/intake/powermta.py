"""PowerMTA accounting files (CSV): deliveries, bounces, transient failures, later bounces, complaints.

The first line names the columns, which every site chooses by itself; files that were put
together name them again. ``jobId`` is the campaign, ``bounceCat`` PowerMTA's own class.
"""

from __future__ import annotations

import csv

from whybounce.serving.intake.format import Format, Group, Head, Read, Skipped, Source
from whybounce.serving.intake.joining import host_of
from whybounce.serving.intake.lines import bare, numbered
from whybounce.serving.intake.record import BounceRecord, Outcome
from whybounce.serving.intake.syslog import epoch, iso

_OUTCOMES = {
    "d": Outcome.DELIVERED, "b": Outcome.BOUNCED, "rb": Outcome.BOUNCED, "t": Outcome.DEFERRED,
    "tq": Outcome.DEFERRED, "f": Outcome.NOT_A_BOUNCE,
}  # fmt: skip
"""Type of a row → outcome; ``r`` (received) and ``rs`` (status reports) say nothing of a delivery."""

_COLUMNS = {"timelogged", "rcpt", "dsndiag", "dsnstatus", "bouncecat", "vmta", "dlvsourceip", "orig"}


def _header(line: str) -> list[str] | None:
    if not line.lstrip('"').lower().startswith("type"):
        return None
    columns = [name.strip().lower() for name in _cells(line)]
    return (
        columns if columns[:1] == ["type"] and "rcpt" in columns and len(_COLUMNS.intersection(columns)) >= 2 else None
    )


def _cells(line: str) -> list[str]:
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return []


def _recognise(head: Head) -> float:
    return 1.0 if any(_header(line) for line in head.lines[:5]) else 0.0


def _read(source: Source) -> Read:
    columns: list[str] = []
    for number, line in numbered(source):
        if not line.strip() or line.startswith("#"):
            continue
        named = _header(line)
        if named is not None:
            columns = named
            continue
        where = f"{source.name}:{number}"
        cells = _cells(line)
        if not columns:
            yield Skipped(where, "no line before names the columns; accounting files begin with type,…")
            continue
        row = dict(zip(columns, (cell.strip() for cell in cells), strict=False))
        kind = row.get("type", "").lower()
        outcome = _OUTCOMES.get(kind)
        if outcome is None:
            if kind not in ("r", "rs", "a", "p"):
                yield Skipped(where, f"row of unknown type {kind[:20]!r}")
            continue
        yield _record(row, outcome, where)


def _record(row: dict[str, str], outcome: Outcome, where: str) -> BounceRecord:
    given = outcome in (Outcome.BOUNCED, Outcome.DEFERRED)
    status = row.get("dsnstatus", "").partition(" ")[0] or None
    theirs = row.get("bouncecat") or None
    time = row.get("timelogged")
    return BounceRecord(
        outcome,
        (row.get("dsndiag") or row.get("dsnstatus") or "") if given else "",
        bare(row.get("rcpt")),
        enhanced_status=status if given and status and not status.endswith(".0.0") else None,
        remote_host=host_of(row.get("dsnmta")),
        reporting_mta=row.get("dsnreportingmta") or None,
        message_id=bare(row.get("header_message-id")),
        campaign=row.get("jobid") or row.get("header_x-campaign") or None,
        event_id=row.get("envid") or None,
        sent_at=iso(row.get("timequeued")) or epoch(row.get("timequeued") or None),
        occurred_at=iso(time) or epoch(time or None),
        theirs=theirs if given else None,
        vocabulary="powermta" if given and theirs else None,
        kind="feedback_report" if outcome is Outcome.NOT_A_BOUNCE else None,
        source=where,
    )


FORMAT = Format(
    name="powermta",
    title="PowerMTA accounting file",
    group=Group.LOGS,
    recognised_by="a first line of column names that begins with type and has rcpt, dsnDiag, bounceCat, …",
    recognise=_recognise,
    read=_read,
)
