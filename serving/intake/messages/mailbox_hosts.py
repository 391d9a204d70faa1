"""Bounces of Exchange and Outlook, Gmail, Domino and Amazon SES, as far as their text carries them."""

from __future__ import annotations

import re2

from whybounce.serving.intake.messages.blocks import cut_at, failure, remote_host
from whybounce.serving.intake.messages.failure import (
    ADDRESS,
    Failure,
    first_address,
    lines_until,
    one_line,
    paragraphs,
    recipients_of,
    status_in,
)
from whybounce.serving.intake.messages.mime import Mail
from whybounce.serving.intake.record import Outcome

# Exchange and Outlook

_ADMINS = re2.compile(
    r"(?i)diagnostic information for administrators:|diagnose-?informationen f(?:ü|ue)r administratoren:"
    r"|informations de diagnostic (?:pour|destinées aux) (?:les )?administrateurs ?:"
    r"|informaci(?:ó|o)n de diagn(?:ó|o)stico para (?:los )?administradores:"
    r"|informazioni di diagnostica per (?:gli )?amministratori:"
)
_SERVER = re2.compile(
    r"(?i)(?:generating server|reporting server|generierender server|serveur de g(?:é|e)n(?:é|e)ration"
    r"|servidor de generaci(?:ó|o)n"
    r"|server di generazione) ?: *([^\s<>]{1,255})"
)
_CANNOT = re2.compile(
    r"(?i)(?:the following recipient\(s\) (?:could not|cannot|can't) be reached:"
    r"|die folgenden empf(?:ä|ae)nger konnten nicht erreicht werden:"
    r"|le ou les destinataires suivants n'ont pu [^:\n]*:)"
)
_ON = re2.compile(rf"^\s*'?{ADDRESS}'? (?:on|am|le) \S+.*$")
_ONLY_ADDRESS = re2.compile(rf"^\s*'?{ADDRESS}'?(?:\s*\(?<?mailto:[^\s]*)?\s*$")
_ORIGINAL_HEADERS = (
    "original message headers:", "kopfzeilen der ursprünglichen nachricht:", "ursprüngliche nachrichtenkopfzeilen:",
    "en-têtes de message d'origine", "encabezados del mensaje original:", "intestazioni originali del messaggio:",
)  # fmt: skip
_ANGLED = re2.compile(r"<([^\s<>#]{1,255}) #(\d\.\d\.\d{1,3}|\d{3} [^>]*)([^<>]*)>")
_REMOTE_SERVER = re2.compile(
    r"(?i)^\s*(?:remote server at )?([a-z0-9-]+(?:\.[a-z0-9-]+)+)(?:\s*\([^)]*\))?(?: returned| gave)"
)


def exchange(mail: Mail) -> list[Failure]:
    """Read Exchange from 5.5 to Online, when the NDR has no report part or one without words."""
    text = cut_at(mail, mail.text, *_ORIGINAL_HEADERS)
    match = _ADMINS.search(text)
    if match:
        return _for_administrators(text, match.end())
    match = _CANNOT.search(text)
    return _cannot_be_reached(text[match.end() :]) if match else []


def _for_administrators(text: str, start: int) -> list[Failure]:
    server = _SERVER.search(text[start:])
    reporting = server.group(1) if server else None
    found: list[tuple[str, list[str]]] = []
    for line in text[start:].splitlines():
        match = _ONLY_ADDRESS.match(line[:1000])
        if match:
            found.append((match.group(1), []))
        elif found and line.strip() and not _SERVER.match(line[:400].strip()):
            found[-1][1].append(line.strip())
    failures = []
    for address, lines in found[:10_000]:
        said = one_line("\n".join(lines)).strip("# ")
        one = failure(address, _quoted(said) or said, reporting=reporting)
        host = _REMOTE_SERVER.match(said)
        failures.append(Failure(address, one.diagnostic, one.outcome, one.status or status_in(said),
                                host.group(1) if host else one.remote_mta, reporting))  # fmt: skip
    return failures


def _quoted(text: str) -> str | None:
    match = re2.search(r"(?i)remote server returned '([^\n]{3,1000}?)'\s*$", text)
    return match.group(1).strip("# ").removeprefix("<").removesuffix(">") if match else None


def _cannot_be_reached(text: str) -> list[Failure]:
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        match = _ON.match(line[:1000]) or _ONLY_ADDRESS.match(line[:1000])
        if match:
            found.append((match.group(1), []))
        elif found and line.strip():
            found[-1][1].append(line.strip())
    failures = []
    for address, lines in found[:10_000]:
        said = one_line("\n".join(lines))
        angled = _ANGLED.search(said)
        inner = one_line(angled.group(3)) if angled else ""
        one = failure(address, inner[5:]) if angled and inner.lower().startswith("smtp;") else failure(address, said)
        reporting = angled.group(1) if angled else None
        status = angled.group(2) if angled and angled.group(2)[1:2] == "." else one.status
        failures.append(Failure(address, one.diagnostic, one.outcome, status, one.remote_mta, reporting))
    return failures


# Gmail

_GMAIL_SAID = re2.compile(
    r"(?i)(?:the error that the other server returned was|the response from the remote server was|the response was"
    r"|technical details of (?:permanent|temporary) failure|learn more here|la respuesta (?:del servidor remoto )?fue"
    r"|die antwort (?:des remoteservers )?(?:war|lautete)|la r(?:é|e)ponse (?:du serveur distant )?(?:(?:é"
    r"|e)tait|est))[^\n:]{0,20}:[ \t]*"
)
_GMAIL_BY = re2.compile(r"(?i)\bby ([a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})+)")


def gmail(mail: Mail) -> list[Failure]:
    """Read Gmail's bounces, old and new."""
    sender = mail.fields.get("From").lower()
    if "google" not in sender and "gmail" not in sender:
        return []
    text = cut_at(
        mail, mail.text, "----- original message -----", "----- message header follows", "----- forwarded message"
    )
    delayed = any(
        words in text.lower()[:1500]
        for words in ("delivery incomplete", "will retry", "has been delayed", "will be notified", "temporary problem")
    )
    said = list(_GMAIL_SAID.finditer(text))
    diagnostic = ""
    if said:
        rest = text[said[-1].end() :].lstrip("\n")
        diagnostic = one_line(paragraphs(rest)[0]) if rest.strip() else ""
    host = _GMAIL_BY.search(text)
    failed = recipients_of(mail) if "X-Failed-Recipients" in mail.fields else []
    who = failed or [found for found in [first_address(text)] if found]
    if not diagnostic:
        blocks = [one_line(block) for block in paragraphs(text) if not _ONLY_ADDRESS.match(block)]
        diagnostic = max(blocks, key=len, default="")[:1000]
    remote = host.group(1).rstrip(".") if host else remote_host(diagnostic)
    outcome = Outcome.DEFERRED if delayed else Outcome.BOUNCED
    return [
        Failure(address, diagnostic, outcome, status_in(diagnostic), remote, kind="delay" if delayed else None)
        for address in who
    ]


# Domino

_NOT_DELIVERED = re2.compile(r"(?is)was not delivered to:\s+(.{1,1000}?)\s+because:\s+(.{1,1000}?)(?:\n\s*\n|$)")


def domino(mail: Mail) -> list[Failure]:
    """Read Lotus Notes and Domino: ``was not delivered to … because …``."""
    match = _NOT_DELIVERED.search(mail.text)
    if not match:
        subject = mail.fields.get("Subject")
        if not subject.upper().startswith("DELIVERY FAILURE:"):
            return []
        return [failure(first_address(subject) or next(iter(recipients_of(mail)), None), subject[17:])]
    names = [line.strip() for line in match.group(1).splitlines() if line.strip()]
    return [failure(first_address(name) or name[:320], match.group(2)) for name in names[:1000]]


# Amazon SES

_SES = re2.compile(r"(?i)an error occurred while trying to deliver the mail to the following recipients?:")


def amazon_ses(mail: Mail) -> list[Failure]:
    """Read the text of Amazon SES; its report, when there is one, says more."""
    match = _SES.search(mail.text)
    if not match:
        return []
    found = []
    for line in lines_until(mail.text[match.end() :].splitlines(), "technical report", "--", "reporting-mta"):
        address = first_address(line)
        if address:
            found.append(failure(address, line.replace(address, "", 1).strip(" <>()-:;")))
    report = mail.text[match.end() :].partition("Technical report:")[2]
    said = re2.search(r"(?is)diagnostic-code: *(?:smtp;)? *(.{3,1000}?)(?:\n\S|\n\s*\n|$)", report)
    if said:
        found = [failure(one.recipient, said.group(1)) for one in found]
    return found
