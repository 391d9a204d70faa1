"""Complaints of recipients: feedback reports (RFC 5965, 6591), and those that only forward the message."""

from __future__ import annotations

from whybounce.serving.intake.messages.failure import Failure, clean_address, first_address, one_line
from whybounce.serving.intake.messages.header import Fields, fields_of
from whybounce.serving.intake.messages.mime import Mail
from whybounce.serving.intake.record import Outcome

_HOTMAIL = "X-HmXmrOriginalRecipient"  # of Microsoft's junk mail reporting: the complaint has no report part
_MAX_RECIPIENTS = 1000


def feedback(mail: Mail) -> list[Failure]:
    """Read a feedback report; empty when a message is none."""
    if mail.feedback:
        return [one for part in mail.feedback for one in _report(mail, fields_of(part))]
    for fields in (mail.fields, mail.original):
        if _HOTMAIL in fields:
            return [_complaint(first_address(fields.get(_HOTMAIL)), "abuse")]
    if mail.fields.get("X-Loop").strip().lower() == "scomp":  # AOL before it used reports
        return [_complaint(first_address(mail.original.get("To")), "abuse")]
    return []


def _report(mail: Mail, report: Fields) -> list[Failure]:
    what = one_line(report.get("Feedback-Type"))[:40] or "abuse"
    named = [*report.all("Original-Rcpt-To"), *report.all("Removal-Recipient")]
    # Who complains may have been blacked out: "redacted" is no address.
    addresses = dict.fromkeys(found for value in named if (found := clean_address(value)) and "@" in found[1:-1])
    reporting = _host(report.get("Reporting-MTA"))
    if not addresses:
        return [_complaint(first_address(mail.original.get("To")), what, reporting)]
    return [_complaint(address, what, reporting) for address in list(addresses)[:_MAX_RECIPIENTS]]


def _complaint(recipient: str | None, what: str, reporting: str | None = None) -> Failure:
    return Failure(
        recipient, f"Feedback report: {what}", Outcome.NOT_A_BOUNCE, reporting_mta=reporting, kind="feedback_report"
    )


def _host(value: str) -> str | None:
    words = value.rpartition(";")[2].split()
    return words[0].strip("[]")[:255] if words else None
