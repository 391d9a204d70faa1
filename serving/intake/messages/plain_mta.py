"""Bounces in plain text of the classic mail servers: qmail, Yahoo, Postfix, Exim, Sendmail."""

from __future__ import annotations

import re2

from whybounce.serving.intake.messages.blocks import angle_blocks, cut_at, failure, indented_blocks
from whybounce.serving.intake.messages.failure import ADDRESS, Failure, first_address, one_line, recipients_of
from whybounce.serving.intake.messages.mime import Mail

_HOST_IN_GREETING = re2.compile(
    r"(?i)(?:mail system at host|qmail-send program at|delivery software at|program at|mail server at|from)\s+"
    r"([a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})+)"
)
_COPY = (
    "--- below this line is",
    "--- the header of the original",
    "--- header of the original",
    "--- original message",
)
_EXIM_COPY = ("------ this is a copy of", "------ the body of the message is", "--- the header of the original")
_STILL = (
    "not yet been delivered",
    "has been delayed",
    "will be retried",
    "not need to do anything",
    "not need to take any",
)


def _reporting(text: str) -> str | None:
    match = _HOST_IN_GREETING.search(text[:1000])
    return match.group(1) if match else None


def qmail(mail: Mail) -> list[Failure]:
    """Read qmail's QSBMF and those that look like it (netqmail, s/qmail, notqmail, Indimail)."""
    text = mail.text
    low = text[:3000].lower()
    if (
        "qmail" not in low
        and "i've given up" not in low
        and "--- below this line is a copy of the m" not in text.lower()
    ):
        return []
    if "yahoo" in mail.fields.get("From").lower() or "message from yahoo" in " ".join(low.split()):
        return []
    return _angles(mail, cut_at(mail, text, *_COPY))


def yahoo(mail: Mail) -> list[Failure]:
    """Read the bounces that Yahoo sends."""
    low = " ".join(mail.text[:2000].lower().split())
    if "yahoo" not in mail.fields.get("From").lower() and "message from yahoo" not in low:
        return []
    return _angles(mail, cut_at(mail, mail.text, *_COPY))


def postfix(mail: Mail) -> list[Failure]:
    """Read the text part of Postfix, with or without the reports that belong to it."""
    if "this is the mail system at host" not in mail.text[:2000].lower() and "postfix" not in mail.text.lower()[:3000]:
        return []
    return _angles(mail, cut_at(mail, mail.text, "--- original message", "--- below this line"))


def _angles(mail: Mail, text: str) -> list[Failure]:
    delayed = any(words in " ".join(text.lower()[:3000].split()) for words in ("not delivered yet", *_STILL))
    reporting = _reporting(text)
    return [failure(address, inner, reporting=reporting, delayed=delayed) for address, inner in angle_blocks(text)]


_EXIM_LISTS = re2.compile(
    r"(?i)the following address(?:\(es\)|es)? failed|address(?:es)? to which the message has not yet been delivered"
    r"|the following address(?:\(es\)|es)? (?:had|have)|following recipient\(?s\)? failed"
)
_EXIM_PARENT = re2.compile(r"^\s*\(?(?:generated from|ultimately generated from) [^)\n]*\)?\s*$")
_EXIM_REMOTE = re2.compile(r"(?i)\bhost ([a-z0-9.-]{1,253})(?: \[|:|\s)")


def exim(mail: Mail) -> list[Failure]:
    """Read Exim's bounces and its warnings about delays."""
    low = mail.text[:4000].lower()
    if "exim" not in " ".join((mail.fields.get("Received") + mail.fields.get("X-Mailer")).lower().split()) and (
        "mail delivery software" not in low and "X-Failed-Recipients" not in mail.fields
    ):
        return []
    text = cut_at(mail, mail.text, *_EXIM_COPY)
    match = _EXIM_LISTS.search(text)
    if not match:
        return []
    delayed = any(words in " ".join(low.split()) for words in _STILL)
    lines = [line for line in text[match.end() :].splitlines()[1:] if not _EXIM_PARENT.match(line[:1000])]
    blocks = indented_blocks([line for line in lines if line.strip() or line.startswith("  ")])
    found = []
    for address, inner in blocks:
        inner = inner.partition("\nNo action is required")[0]
        inner = _without_notice(inner)
        found.append(
            failure(address, inner or (_why(text) if delayed else ""), reporting=_reporting(low), delayed=delayed)
        )
    return found


def _without_notice(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.strip().lower().startswith("reporting-mta:"))


def _why(text: str) -> str:
    """Return what a delay warning says of the cause, if anything."""
    match = re2.search(r"(?i)(?:reason|last error|delay reason)[^:\n]{0,40}:\s*([^\n]{3,500})", text)
    return str(match.group(1)) if match else ""


_SENDMAIL_LISTS = re2.compile(
    r"(?i)-----\s*the following address(?:es)?\s+(?:had|have)\s+(?:(permanent fatal|transient non-fatal"
    r"|delivery|successful)[^-\n]*)-----"
)
_TRANSCRIPT = re2.compile(r"(?i)-----\s*transcript of session follows\s*-----")
_SENDMAIL_HOST = re2.compile(r"(?i)while talking to \[?([a-z0-9.-]{1,253}[a-z0-9])")
_LINE_ADDRESS = re2.compile(rf"^\s*{ADDRESS}\s*$")
_REASON = re2.compile(r"(?s)\(reason: (.*?)\)\s*$")


def sendmail(mail: Mail) -> list[Failure]:
    """Read Sendmail's list of addresses and its transcript of the session."""
    text = cut_at(
        mail, mail.text, "----- original message follows", "----- message header follows", "----- unsent message"
    )
    session = _TRANSCRIPT.search(text)
    listed = _SENDMAIL_LISTS.search(text)
    if not session and not listed:
        return []
    transcript = text[session.end() :].split("-----")[0] if session else ""
    host = _SENDMAIL_HOST.search(transcript)
    reporting = _reporting(text)
    delayed = (
        bool(listed and (listed.group(1) or "").lower().startswith("transient")) or "warning: " in text.lower()[:300]
    )
    found: list[Failure] = []
    for address, reason in _sendmail_addresses(text[listed.end() :].split("-----")[0] if listed else ""):
        said = reason or _said_of(transcript, address)
        one = failure(address, said, reporting=reporting, delayed=delayed)
        found.append(Failure(one.recipient, one.diagnostic, one.outcome, one.status,
                             host.group(1) if host else one.remote_mta, reporting, one.kind))  # fmt: skip
    if not found and transcript.strip():
        who = first_address(transcript) or next(iter(recipients_of(mail)), None)
        found.append(failure(who, _said_of(transcript, who or ""), reporting=reporting, delayed=delayed))
    return found


def _sendmail_addresses(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        match = _LINE_ADDRESS.match(line[:1000])
        if match and "(" not in line:
            found.append((match.group(1), []))
        elif found and line.strip():
            found[-1][1].append(line)
    pairs = []
    for address, lines in found[:10_000]:
        reason = _REASON.search(one_line("\n".join(lines)))
        pairs.append((address, reason.group(1) if reason else ""))
    return pairs


def _said_of(transcript: str, address: str) -> str:
    """Return the server's answer about an address: its ``<<<`` lines, or the line that ends the session."""
    lines = transcript.splitlines()
    name = address.lower()
    at = next((n for n, line in enumerate(lines) if name and name in line.lower() and line.startswith(">>>")), None)
    start = at + 1 if at is not None else 0
    said = []
    for line in lines[start:]:
        if line.startswith("<<<"):
            said.append(line[3:].strip())
        elif said:
            break
    if said:
        return " ".join(said)
    about = [line for line in lines if name and name in line.lower() and not line.startswith(">>>")]
    return one_line("\n".join(about or [line for line in lines if not line.startswith((">>>", "..."))]))
