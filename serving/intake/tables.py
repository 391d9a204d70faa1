"""Tables of diagnostics: CSV, TSV, JSON Lines, or one diagnostic a line.

Columns are found by their names, whatever their case; see ``COLUMNS``. A row is a bounce
unless a column says otherwise.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

from whybounce.serving.intake.format import Format, Group, Head, Read, Skipped, Source
from whybounce.serving.intake.joining import address_of
from whybounce.serving.intake.lines import bare_id, decoded, numbered
from whybounce.serving.intake.record import BounceRecord, Outcome
from whybounce.serving.intake.syslog import epoch, iso

COLUMNS: dict[str, tuple[str, ...]] = {
    "diagnostic": (
        "diagnostic", "diagnostic_code", "smtp_reply", "smtp_response", "dsn_diag", "bounce_message", "text",
        "message", "reason", "response", "error",
    ),
    "recipient": (
        "recipient", "recipient_address", "email", "email_address", "address", "rcpt", "rcpt_to", "to", "to_address",
    ),
    "occurred_at": (
        "occurred_at", "bounced_at", "timestamp", "time", "date", "datetime", "created_at", "bounce_date", "logged_at",
    ),
    "campaign": ("campaign", "campaign_id", "campaign_name", "mailing", "mailing_id", "newsletter", "job_id", "list"),
    "outcome": ("outcome", "event", "event_type", "status", "type", "result"),
    "reply_code": ("reply_code", "smtp_code", "code"),
    "enhanced_status": ("enhanced_status", "enhanced_code", "dsn_status", "dsn"),
    "command": ("command", "smtp_command"),
    "remote_host": ("remote_host", "remote_mta", "dsn_mta", "mx"),
    "message_id": ("message_id",),
    "event_id": ("event_id", "id"),
}  # fmt: skip
"""Field of a record → names of columns that hold it, the surest first."""

_SURE = 6
"""So many names of the diagnostic's column can mean nothing else."""
_OUTCOMES = {
    Outcome.DELIVERED: ("delivered", "delivery", "sent", "success", "ok"),
    Outcome.DEFERRED: ("deferred", "deferral", "delayed", "delay", "temporary_failure", "transient"),
    Outcome.NOT_A_BOUNCE: ("not_a_bounce", "autoreply", "vacation", "complaint"),
}
_OUTCOME_OF = {word: outcome for outcome, words in _OUTCOMES.items() for word in words}
_REPLY = re.compile(r"(?:^|[\s:;(\[,'\"#])(?:[45]\d\d[ -]|[45]\.\d{1,3}\.\d{1,3}\b)")


def _key(name: Any) -> str:
    return str(name).strip().lower().replace(" ", "_").replace("-", "_")


def _columns(names: list[str]) -> dict[str, str]:
    """Field → column, for the columns that there are."""
    present = {_key(name): name for name in reversed(names)}
    found: dict[str, str] = {}
    for field, spellings in COLUMNS.items():
        for spelling in spellings:
            if spelling in present and present[spelling] not in found.values():
                found[field] = present[spelling]
                break
    return found


def _claim(names: list[str]) -> float:
    column = _columns(names).get("diagnostic")
    if column is None:
        return 0.0
    return 0.7 if _key(column) in COLUMNS["diagnostic"][:_SURE] else 0.5


def _recognise_table(delimiter: str, head: Head) -> float:
    first = next((line for line in head.lines if line.strip()), "")
    if delimiter not in first and not (delimiter == "," and _is_column_alone(first)):
        return 0.0
    try:
        names = next(csv.reader([first], delimiter=delimiter), [])
    except csv.Error:
        return 0.0
    return _claim(names) if all(len(name) < 100 for name in names) else 0.0


def _is_column_alone(first: str) -> bool:
    return _key(first.strip('"')) in COLUMNS["diagnostic"][:_SURE]


def _recognise_json(head: Head) -> float:
    first = next((line for line in head.lines if line.strip()), "")
    if not first.startswith("{"):
        return 0.0
    row = _loads(first)
    if not isinstance(row, dict):
        return 0.0
    return _claim([name for name, value in row.items() if value is None or isinstance(value, str | int | float)])


def _recognise_text(head: Head) -> float:
    lines = [line for line in head.lines[:200] if line.strip()]
    if not lines or "\0" in head.text[:1000]:
        return 0.0
    hits = sum(1 for line in lines if _REPLY.search(line[:2000]))
    return 0.5 if hits >= 0.5 * len(lines) else 0.0


def _read_table(delimiter: str, source: Source) -> Read:
    with closing(source.open()) as stream:
        # Invalid bytes are read as Windows-1252, line by line.
        lines = (decoded(line).removeprefix("\ufeff") for line in iter(partial(stream.readline, 1 << 20), b""))
        rows = csv.reader(lines, delimiter=delimiter)
        names: list[str] = []
        columns: dict[str, str] = {}
        while True:
            try:
                cells = next(rows, None)
            except csv.Error as error:
                yield Skipped(f"{source.name}:{rows.line_num}", f"{error}; check the quoting")
                rows = csv.reader(lines, delimiter=delimiter)  # the old one would go on inside the quotes
                continue
            if cells is None:
                return
            if not any(cells):
                continue
            if not names:
                names = [name or f"column {place}" for place, name in enumerate(cells, start=1)]
                columns = _columns(names)
                if "diagnostic" not in columns:
                    given = " ".join(", ".join(names[:20]).split())[:1000]
                    yield Skipped(source.name, f"no column of {given} is known to be the diagnostic")
                    return
                continue
            yield _record(dict(zip(names, cells, strict=False)), columns, f"{source.name}:{rows.line_num}")


def _read_json(source: Source) -> Read:
    for number, line in numbered(source):
        if not line.strip():
            continue
        where = f"{source.name}:{number}"
        row = _loads(line)
        if isinstance(row, str):
            yield BounceRecord(Outcome.BOUNCED, row, source=where)
        elif not isinstance(row, dict):
            yield Skipped(where, "is no JSON object; one a line")
        else:
            columns = _columns(list(row))
            if "diagnostic" not in columns and "outcome" not in columns:
                yield Skipped(where, "has no key that is known to be the diagnostic")
            else:
                yield _record(row, columns, where)


def _read_text(source: Source) -> Read:
    for number, line in numbered(source):
        if line.strip():
            yield BounceRecord(Outcome.BOUNCED, line, source=f"{source.name}:{number}")


def _loads(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _record(row: Mapping[str, Any], columns: Mapping[str, str], where: str) -> BounceRecord:
    def text(field: str) -> str | None:
        value = row.get(columns.get(field, ""))
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return None
        return str(value).strip() or None

    code = text("reply_code") or ""
    return BounceRecord(
        _OUTCOME_OF.get(_key(text("outcome") or ""), Outcome.BOUNCED),
        text("diagnostic") or "",
        address_of(text("recipient") or ""),
        reply_code=int(code) if len(code) == 3 and code.isascii() and code.isdigit() else None,
        enhanced_status=text("enhanced_status"),
        command=text("command"),
        remote_host=text("remote_host"),
        message_id=bare_id(text("message_id")),
        campaign=text("campaign"),
        event_id=text("event_id"),
        occurred_at=_time(text("occurred_at")),
        source=where,
    )


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    found = iso(text)
    if found is None and text.isascii() and text.replace(".", "", 1).isdigit():
        seconds = float(text)
        found = epoch(seconds / 1000 if seconds > 1e11 else seconds)
    if found is None:
        try:
            found = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    return found


def _table(name: str, title: str, delimiter: str) -> Format:
    return Format(
        name, title, Group.TABLES, f"a first line of column names with one of {', '.join(COLUMNS['diagnostic'][:3])} …",
        partial(_recognise_table, delimiter), partial(_read_table, delimiter),
    )  # fmt: skip


FORMATS = (
    _table("csv", "Table with commas", ","),
    _table("csv-semicolon", "Table with semicolons", ";"),
    _table("tsv", "Table with tabs", "\t"),
    Format(
        "jsonl", "JSON Lines", Group.TABLES, "one JSON object a line with a key such as diagnostic or smtp_reply",
        _recognise_json, _read_json,
    ),
    Format(
        "text", "Diagnostics, one a line", Group.TABLES, "lines most of which hold a reply code or enhanced status",
        _recognise_text, _read_text,
    ),
)  # fmt: skip
