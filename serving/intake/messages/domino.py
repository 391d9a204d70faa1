"""Delivery failures of Lotus Notes and HCL Domino."""

from __future__ import annotations

import re2

from whybounce.serving.intake.messages.blocks import cut_at, failure
from whybounce.serving.intake.messages.failure import ADDRESS, Failure, first_address, one_line, recipients_of
from whybounce.serving.intake.messages.mime import Mail

# "was not delivered to:", indented names, "because:", an indented reason; the same shape in every language
_SHAPE = re2.compile(
    r"(?m)^\S[^\n]{1,100}:[ \t]*\n\s*?\n?((?:[ \t]+\S[^\n]*\n)+)\s*?\n?^\S[^\n]{1,60}:[ \t]*\n\s*?\n?"
    r"([ \t]+\S(?:[^\n]|\n[ \t]*\S)*)"
)
_ENGLISH = re2.compile(r"(?is)was not delivered to:\s+(.+?)\s+because:\s+(.+?)(?:\n\s*\n|$)")
_SUBJECT = "delivery failure:"
_TOWARDS = re2.compile(r"(?i)(?:error transferring to|to smtp host|smtp host) ([a-z0-9.-]{1,253}[a-z0-9])")
_ONLY_ADDRESS = re2.compile(rf"^\s*{ADDRESS}\s*$")
_REASONS = re2.compile(r"(?is)-{3,}\s*failure reasons?\s*-{3,}\s+(.+?)(?:\n-{3,}|$)")


def domino(mail: Mail) -> list[Failure]:
    """Read names and reason from the text, or from the subject that repeats them."""
    subject = mail.fields.get("Subject")
    named = subject.lower().startswith(_SUBJECT)
    match = _ENGLISH.search(mail.text)
    if match is None and (named or "X-MIMETrack" in mail.fields):
        match = _SHAPE.search(mail.text + "\n")
    if match:
        names = [name for line in match.group(1).splitlines() if (name := _name(line))]
        return [_failure(name, match.group(2)) for name in names[:1000]]
    if named:
        who = first_address(subject) or next(iter(recipients_of(mail)), None)
        return [_failure(who, subject[len(_SUBJECT) :])]
    return _notes4(mail)


def _failure(name: str | None, reason: str) -> Failure:
    one = failure(name, reason)
    towards = _TOWARDS.search(one.diagnostic)
    remote = towards.group(1) if towards else one.remote_mta
    return Failure(one.recipient, one.diagnostic, one.outcome, one.status, remote)


def _name(line: str) -> str | None:
    """Return the address in a line; a Notes name ("First Last/Unit/Organisation@Domain") as it stands."""
    line = one_line(line)[:320]
    only = _ONLY_ADDRESS.match(line)
    if only:
        return str(only.group(1))
    return line if "/" in line else first_address(line) or line or None


def _notes4(mail: Mail) -> list[Failure]:
    """Read the SMTP MTA of Notes 4: reasons, and below each the addresses that it is about."""
    match = _REASONS.search(mail.text)
    if not match:
        return []
    cut_at(mail, mail.text, "--- returned message")
    words: list[str] = []
    reason: str | None = None
    found: list[tuple[str, str]] = []
    for line in match.group(1).splitlines():
        only = _ONLY_ADDRESS.match(line[:1000])
        if only:
            reason = one_line("\n".join(words)) if reason is None else reason
            found.append((only.group(1), reason))
        elif line.strip():
            if reason is not None:
                words, reason = [], None
            words.append(line)
    if not found:
        return [_failure(next(iter(recipients_of(mail)), None), "\n".join(words))]
    return [_failure(address, reason) for address, reason in found[:1000]]
