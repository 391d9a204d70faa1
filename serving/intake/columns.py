"""Which column of a table is which: by its name, else by what stands in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

COLUMNS: dict[str, tuple[str, ...]] = {
    "diagnostic": (
        "diagnostic", "diagnostic_code", "smtp_reply", "smtp_response", "dsn_diag", "bounce_message", "bounce_reason",
        "smtp_error", "smtp_message", "server_response", "text", "message", "reason", "response", "error",
        "error_message", "details", "description",
    ),
    "recipient": (
        "recipient", "recipient_address", "email", "e_mail", "email_address", "address", "rcpt", "rcpt_to", "to",
        "to_address", "subscriber", "contact",
    ),
    "occurred_at": (
        "occurred_at", "bounced_at", "timestamp", "time", "date", "datetime", "created_at", "bounce_date",
        "bounce_time", "logged_at",
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

SURE = 10
"""So many names of the diagnostic's column can mean nothing else."""

LOOKED_AT = 50
"""Rows that are looked at when names say nothing."""

REPLY = re.compile(r"(?:^|[\s:;(\[,'\"#])(?:[45]\d\d[ -]|[45]\.\d{1,3}\.\d{1,3}\b)")
ADDRESS = re.compile(r"<?[^\s<>@,;]{1,200}@[^\s<>@,;]{1,200}>?")
_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d.*)?")


def key(name: Any) -> str:
    """Fold a name: case, spaces and hyphens do not count."""
    return str(name).strip().lower().replace(" ", "_").replace("-", "_")


def columns(names: Sequence[str]) -> dict[str, str]:
    """Field → column, for the names that are known."""
    present = {key(name): name for name in reversed(names)}
    found: dict[str, str] = {}
    for field, spellings in COLUMNS.items():
        for spelling in spellings:
            if spelling in present and present[spelling] not in found.values():
                found[field] = present[spelling]
                break
    return found


def guessed(names: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, str]:
    """Field → column, for names in whatever language: by what the cells hold.

    Parameters
    ----------
    names : sequence of str
        The first line. One with a reply code in it is no line of names.
    rows : sequence of sequences of str
        The lines after it, ``LOOKED_AT`` at most.

    Returns
    -------
    dict
        Empty when no column holds diagnostics.
    """
    found = columns(names)
    if "diagnostic" in found:
        return found
    whole = [row for row in rows if len(row) == len(names)]
    if len(names) < 2 or len(set(names)) < len(names) or len(whole) < 0.9 * len(rows) or _holds(names, REPLY.search):
        return {}
    cells = {name: [row[place].strip() for row in whole] for place, name in enumerate(names)}
    free = {name: column for name, column in cells.items() if name not in found.values()}
    # A column of bare codes holds them too, one of sentences says more.
    texts = [name for name, column in cells.items() if _most(column, REPLY.search)]
    if not texts:
        return {}
    found = {field: name for field, name in found.items() if name not in texts}
    found["diagnostic"] = max(texts, key=lambda name: (sum(map(len, cells[name])), name))
    for field, looks in (("recipient", ADDRESS.fullmatch), ("occurred_at", _TIME.fullmatch)):
        alike = [name for name, column in free.items() if name not in texts and _most(column, looks)]
        if field not in found and len(alike) == 1:
            found[field] = alike[0]
    return found


def _holds(cells: Sequence[str], looks: Any) -> bool:
    return any(looks(cell[:2000]) for cell in cells)


def _most(cells: Sequence[str], looks: Any) -> bool:
    there = [cell for cell in cells if cell]
    return bool(there) and sum(1 for cell in there if looks(cell[:2000])) >= 0.5 * len(there)
