"""What arrives among bounces and is none: feedback reports, receipts, auto-replies, challenges."""

from __future__ import annotations

import re2

from whybounce.serving.intake.messages.failure import Failure, clean_address, first_address, one_line
from whybounce.serving.intake.messages.mime import Fields, Mail, fields_of
from whybounce.serving.intake.record import Outcome

_MAX_REPLY = 2000  # characters of an auto-reply: what it says stands at the beginning

_CHALLENGES = re2.compile(
    r"(?i)(confirm|verify|validate|authenticate|prove).{0,60}(you are (a |not )|your (e-?mail|message|address|identity)"
    r"|human|sender)|challenge[- /]response|to (complete|finish) (the )?delivery|awaiting (your )?(confirm|approv)"
    r"|request (from|to) .{0,40}approved sender|whitelist(ed)? (yourself|your address)"
    r"|anti-?spam (confirmation|verification)"
    r"|(bitte )?best(ä|ae)tigen sie ihre (nachricht|absender|e-?mail)|pending (your )?(confirmation|verification)"
)
_AWAY = re2.compile(
    r"(?i)out of (the )?office|auto(matic|mated|-)?[ -]?(repl|respon|answer)|vacation|on (annual )?leave|on holiday"
    r"|away from (my|the) (desk|office|e-?mail)|abwesen|automatische antwort|nicht im (b(ü|ue)ro|haus)|absence"
    r"|r(é|e)ponse automatique|fuera de (la )?oficina|respuesta autom(á|a)tica|ausente|fuori (sede|ufficio)"
    r"|risposta automatica|afwezig|automatisch antwoord|frånvar|fraværende|poissa|自動(返信|応答)|不在|自动(回复|答复)"
    r"|no longer (with|work|employed|at)|has left|\booo\b|thank you for (your (e-?mail|message)|contacting)"
)


def read(mail: Mail) -> list[Failure]:
    """Return the records of a notice that is no bounce; empty when it is none."""
    if mail.feedback:
        return [_feedback(mail, fields_of(part)) for part in mail.feedback]
    if mail.receipts:
        return [_receipt(mail, fields_of(part)) for part in mail.receipts]
    return []


def automatic(mail: Mail) -> list[Failure]:
    """Recognise auto-replies and challenges: by what their header says, or by their words."""
    fields = mail.fields
    subject = fields.get("Subject")
    body = mail.text[:_MAX_REPLY]
    marked = _is_marked(fields)
    if _CHALLENGES.search(f"{subject}\n{body}") and (marked or _CHALLENGES.search(subject)):
        return [_notice(mail, "challenge", f"Challenge-response: {subject}; {body}")]
    if marked or (_AWAY.search(subject) and not _from_daemon(fields)):
        return [_notice(mail, "vacation", f"Automatic reply: {subject}; {body}")]
    return []


def _is_marked(fields: Fields) -> bool:
    submitted = fields.get("Auto-Submitted").partition(";")[0].strip().lower()
    if submitted == "auto-replied" and not _from_daemon(fields):
        return True
    if any(
        name in fields for name in ("X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-Vacation", "X-AutoReply-From")
    ):
        return True
    if fields.get("Precedence").strip().lower() == "auto_reply" or fields.get("X-Precedence").lower() == "auto_reply":
        return True
    return submitted == "auto-generated" and bool(_AWAY.search(fields.get("Subject"))) and not _from_daemon(fields)


def _from_daemon(fields: Fields) -> bool:
    sender = fields.get("From").lower()
    return "mailer-daemon" in sender or "postmaster" in sender or "mail delivery s" in sender


def _notice(mail: Mail, kind: str, text: str) -> Failure:
    who = first_address(mail.fields.get("From")) or clean_address(mail.fields.get("From"))
    return Failure(who, one_line(text), Outcome.NOT_A_BOUNCE, kind=kind)


def _feedback(mail: Mail, report: Fields) -> Failure:
    what = one_line(report.get("Feedback-Type"))[:40] or "abuse"
    recipient = clean_address(report.get("Original-Rcpt-To")) or clean_address(report.get("Removal-Recipient"))
    if recipient is None:
        recipient = first_address(mail.original.get("To"))
    text = f"Feedback report: {what}"
    return Failure(
        recipient, text, Outcome.NOT_A_BOUNCE, reporting_mta=_host(report.get("Reporting-MTA")), kind="feedback_report"
    )


def _receipt(mail: Mail, report: Fields) -> Failure:
    disposition = one_line(report.get("Disposition"))[:100]
    recipient = clean_address(report.get("Final-Recipient")) or first_address(mail.fields.get("From"))
    return Failure(
        recipient, f"Read receipt: {disposition}", Outcome.NOT_A_BOUNCE,
        reporting_mta=_host(report.get("Reporting-UA")), kind="receipt",
    )  # fmt: skip


def _host(value: str) -> str | None:
    words = value.rpartition(";" if value.lower().startswith("dns") else "\0")[2].partition(";")[0].split()
    return words[0][:255] if words else None
