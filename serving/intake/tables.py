"""Tables of diagnostics: CSV, TSV, JSON Lines, or one diagnostic a line.

Columns are found by their names, whatever their case; see ``COLUMNS``. A row is a bounce
unless a column says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial
from itertools import chain, islice
from typing import Any, BinaryIO

from whybounce.serving.intake.columns import COLUMNS, LOOKED_AT, REPLY, SURE, guessed, key
from whybounce.serving.intake.columns import columns as columns_of
from whybounce.serving.intake.format import GUESSED, HEAD_BYTES, Format, Group, Head, Read, Skipped, Source
from whybounce.serving.intake.halves import json_or_none
from whybounce.serving.intake.lines import bare, bounded, decoded, in_words, numbered
from whybounce.serving.intake.open import head
from whybounce.serving.intake.outcomes import meaning_of
from whybounce.serving.intake.record import BounceRecord, Outcome
from whybounce.serving.intake.rows import MAX_ROW, Bad, Rows, fitted, separator, split_returns
from whybounce.serving.intake.syslog import epoch, iso


def _claim(names: list[str]) -> float:
    column = columns_of(names).get("diagnostic")
    if column is None:
        return 0.0
    return 0.7 if key(column) in COLUMNS["diagnostic"][:SURE] else 0.5


def _recognise_table(delimiter: str, head: Head) -> float:
    first = next((line for line in head.lines if line.strip()), "")
    named = separator(first)
    if named is not None:
        if named != delimiter and (delimiter != "," or named in ";\t"):
            return 0.0
    elif delimiter not in first and not (delimiter == "," and _is_column_alone(first)):
        return 0.0
    names, rows = _beginning(delimiter, head)
    if any(len(name) >= 100 for name in names):
        return 0.0
    return _claim(names) or (GUESSED if guessed(names, rows) else 0.0)


def _beginning(delimiter: str, head: Head) -> tuple[list[str], list[list[str]]]:
    """Return the names and the first rows of a table; what is cut off at the end of the head is left out."""
    lines = head.lines[:-1] if len(head.data) >= HEAD_BYTES else head.lines
    if lines and (named := separator(lines[0])):
        delimiter, lines = named, lines[1:]
    found = (row for row in Rows([f"{line}\n" for line in lines], delimiter) if not isinstance(row, Bad) and any(row))
    rows = list(islice(found, LOOKED_AT + 1))
    return _named(rows[0]) if rows else [], rows[1:]


def _named(cells: list[str]) -> list[str]:
    return [name or f"column {place}" for place, name in enumerate(cells, start=1)]


def _is_column_alone(first: str) -> bool:
    return key(first.strip('"')) in COLUMNS["diagnostic"][:SURE]


def _recognise_json(head: Head) -> float:
    first = next((line for line in head.lines if line.strip()), "")
    if not first.startswith("{"):
        return 0.0
    row = json_or_none(first)
    if not isinstance(row, dict):
        return 0.0
    return _claim([name for name, value in row.items() if value is None or isinstance(value, str | int | float)])


def _recognise_text(head: Head) -> float:
    lines = [line for line in head.lines[:200] if line.strip()]
    if not lines or "\0" in head.text[:1000]:
        return 0.0
    hits = sum(1 for line in lines if REPLY.search(line[:2000]))
    return 0.5 if hits >= 0.5 * len(lines) else 0.0


def _read_table(delimiter: str, source: Source) -> Read:
    with closing(source.open()) as stream:
        lines = _lines(stream)
        first = next(lines, "")
        named = separator(first)
        rows = Rows(chain(["\n" if named else first], lines), named or delimiter)
        names: list[str] = []
        columns: dict[str, str] = {}
        for cells in rows:
            if names and not isinstance(cells, Bad):
                cells = fitted(cells, names, columns["diagnostic"], named or delimiter, rows.number)
            if isinstance(cells, Bad):
                yield Skipped(f"{source.name}:{cells.line}", cells.why, ends_early=cells.ends_early)
                continue
            if not any(cells):
                continue
            if not names:
                names = _named(cells)
                columns = guessed(names, _beginning(delimiter, head(source))[1])
                if "diagnostic" not in columns:
                    given = " ".join(", ".join(names[:20]).split())[:1000]
                    yield Skipped(
                        source.name, f"no column of {given} is known to be the diagnostic; name it diagnostic"
                    )
                    return
                continue
            yield _record(dict(zip(names, cells, strict=False)), columns, f"{source.name}:{rows.number}")


def _lines(stream: BinaryIO) -> Iterator[str]:
    """Yield lines; of one that is longer than any row so much that it is seen to be."""
    # What is not UTF-8 is read as Windows-1252, line by line.
    yield from split_returns(decoded(line).removeprefix("\ufeff") for line in bounded(stream, MAX_ROW + 1))


def _read_json(source: Source) -> Read:
    for number, line in numbered(source, MAX_ROW):
        if not line.strip():
            continue
        where = f"{source.name}:{number}"
        row = json_or_none(line)
        if isinstance(row, str):
            yield BounceRecord(Outcome.BOUNCED, row, source=where)
        elif not isinstance(row, dict):
            yield Skipped(where, "is no JSON object; one a line")
        else:
            columns = columns_of(list(row))
            if "diagnostic" not in columns and "outcome" not in columns:
                yield Skipped(where, "has no key that is known to be the diagnostic")
            else:
                yield _record(row, columns, where)


def _read_text(source: Source) -> Read:
    for number, line in numbered(source):
        if line.strip():
            yield BounceRecord(Outcome.BOUNCED, line, source=f"{source.name}:{number}")


def _record(row: Mapping[str, Any], columns: Mapping[str, str], where: str) -> BounceRecord:
    def text(field: str) -> str | None:
        return in_words(row.get(columns.get(field, "")))

    outcome, kind = meaning_of(text("outcome"))
    code = text("reply_code") or ""
    return BounceRecord(
        outcome,
        text("diagnostic") or "",
        bare(text("recipient")),
        reply_code=int(code) if len(code) == 3 and code.isascii() and code.isdigit() else None,
        enhanced_status=text("enhanced_status"),
        command=text("command"),
        remote_host=text("remote_host"),
        message_id=bare(text("message_id")),
        campaign=text("campaign"),
        event_id=text("event_id"),
        occurred_at=_time(text("occurred_at")),
        kind=kind,
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
        name, title, Group.TABLES,
        f"a first line of names with {', '.join(COLUMNS['diagnostic'][:3])} …, or a column of replies",
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
