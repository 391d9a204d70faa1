"""Receipts: disposition notifications (RFC 8098), and the ones that Outlook writes as text."""

from __future__ import annotations

import re2

from whybounce.serving.intake.messages.failure import Failure, clean_address, first_address, one_line
from whybounce.serving.intake.messages.header import Fields, fields_of
from whybounce.serving.intake.messages.mime import Mail
from whybounce.serving.intake.record import Outcome

# "Your message … was read on …", below a subject that begins with Read or Not read
_SUBJECT = re2.compile(
    r"(?i)^\s*(?:not read|ungelesen(?: gel(?:ö|oe)scht)?|nicht gelesen|non lu|no le(?:í|i)do|non letto|niet gelezen"
    r"|read|gelesen|lu|le(?:í|i)do|letto|gelezen|l(?:ä|a)st|lest|luettu|читано|прочитано|開封済み|已读)\s*[::]"
)
_DELETED = re2.compile(
    r"(?i)(?:was|were) deleted without being read"
    r"|wurde [^\n]{0,80}(?:ungelesen|ohne gelesen zu werden)[^\n]{0,20}gel(?:ö|oe)scht"
    r"|a (?:é|e)t(?:é|e) supprim(?:é|e) sans avoir (?:é|e)t(?:é|e) lu|se elimin(?:ó|o) sin"
)
_READ = re2.compile(
    r"(?i)(?:was|were) (?:read|opened|displayed) (?:on|at)|wurde (?:am|um) [^\n]{1,80} (?:gelesen|ge(?:ö|oe)ffnet)"
    r"|a (?:é|e)t(?:é|e) lu (?:le|à)|se ley(?:ó|o) el|(?:è|e) stato letto|is gelezen op"
)


def receipt(mail: Mail) -> list[Failure]:
    """Read the receipts; empty when there are none."""
    if mail.receipts:
        return [_notification(mail, fields_of(part)) for part in mail.receipts]
    if not _SUBJECT.match(mail.fields.get("Subject")[:200]):
        return []
    text = mail.text[:2000]
    what = "deleted" if _DELETED.search(text) else "displayed" if _READ.search(text) else None
    return [_receipt(first_address(mail.fields.get("From")), what)] if what else []


def _notification(mail: Mail, report: Fields) -> Failure:
    disposition = one_line(report.get("Disposition"))[:100]
    recipient = clean_address(report.get("Final-Recipient")) or first_address(mail.fields.get("From"))
    original = report.get("Original-Message-ID").strip().strip("<>")[:998]
    return _receipt(recipient, disposition, _host(report.get("Reporting-UA")), original or None)


def _receipt(recipient: str | None, what: str, agent: str | None = None, original: str | None = None) -> Failure:
    return Failure(
        recipient, f"Read receipt: {what}", Outcome.NOT_A_BOUNCE, reporting_mta=agent, kind="receipt",
        message_id=original,
    )  # fmt: skip


def _host(value: str) -> str | None:
    """Return the host of ``host; program``; a program alone is none."""
    words = value.partition(";")[0].split()
    return words[0][:255] if len(words) == 1 and "." in words[0] else None
