"""The shapes that plain text bounces share: an address with what happened to it below or beside it."""

from __future__ import annotations

import itertools

import re2

from whybounce.serving.intake.messages.failure import ADDRESS, Failure, one_line, status_in, temporary
from whybounce.serving.intake.messages.header import fields_of
from whybounce.serving.intake.messages.mime import Mail
from whybounce.serving.intake.messages.phrases import any_of
from whybounce.serving.intake.record import Outcome

# <a@example.com>: text, and Postfix's <a@example.com> (expanded from <b@example.org>): text
_ANGLE = re2.compile(r"^\s{0,3}<([^<>\s]{0,320})>(?:\s*\((?:expanded|generated|orig)[^()]*\))?:[ \t]?(.*)$")
_INDENTED = re2.compile(rf"^\s{{1,8}}{ADDRESS}\s*:?\s*$")
_HOST = re2.compile(
    r"(?i)\bhost ([a-z0-9.-]{1,253}\.[a-z][a-z0-9-]*)|\bwhile talking to ([a-z0-9.-]{1,253}[a-z0-9])"
    r"|\bby ([a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})+\.?) ?\["
    r"|\bconnected to ([0-9.]{7,15}) but|\b([0-9.]{7,15}) (?:does not like|failed (?:after|on))"
    r"|giving up on ([0-9.]{7,15})"
)

STILL = (
    "not yet been delivered",
    "has been delayed",
    "will be retried",
    "not need to do anything",
    "not need to take any",
)
"""Words of a text about a delay."""
_HOST_IN_GREETING = re2.compile(
    r"(?i)(?:(?:mail system|postfix program) at host|qmail-send(?: program)? \w{1,12}|delivery software at"
    r"|program at|mail server at|on the queue on|message from)\s+([a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})+)"
)
_RECEIVED_BY = re2.compile(r"(?i)(?:^|\s)by ([a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})+)")


def reporting_host(mail: Mail, text: str) -> str | None:
    """Return the host that wrote a bounce: its text names it, or the hop at which the bounce began."""
    match = _HOST_IN_GREETING.search(text[:1000])
    if match is None:
        hop = (mail.fields.all("Received") or [""])[-1][:1000]
        began_here = hop.startswith(("by ", "from localhost ")) or " with local " in hop
        match = _RECEIVED_BY.search(hop) if began_here else None
    return match.group(1) if match else None


def failure(recipient: str | None, text: str, *, reporting: str | None = None, delayed: bool = False) -> Failure:
    """Build what is known from an address and the text below it."""
    diagnostic = one_line(text)
    outcome = Outcome.DEFERRED if delayed else Outcome.BOUNCED
    return Failure(
        recipient, diagnostic, outcome, status_in(diagnostic), remote_host(diagnostic), reporting,
        kind="delay" if delayed else None,
    )  # fmt: skip


def remote_host(text: str) -> str | None:
    """Return the host that a text says it talked to."""
    match = _HOST.search(text[:4000])
    return next(group for group in match.groups() if group).rstrip(".") if match else None


def angle_blocks(text: str) -> list[tuple[str, str]]:
    """Return address and text of blocks that begin with ``<address>:`` and end with a blank line."""
    found: list[tuple[str, list[str]]] = []
    open_block = False
    for line in text.splitlines():
        match = _ANGLE.match(line[:2000])
        if match:
            found.append((match.group(1), [match.group(2)]))
            open_block = True
        elif not line.strip():
            # qmail leaves a blank line between an address and its text at times
            open_block = open_block and not any(part.strip() for part in found[-1][1])
        elif open_block:
            found[-1][1].append(line)
    return [(address, "\n".join(lines)) for address, lines in found[:10_000]]


def indented_blocks(lines: list[str]) -> list[tuple[str, str]]:
    """Return address and text of blocks: an indented line of an address, and what is indented deeper below."""
    found: list[tuple[str, list[str]]] = []
    for line in lines:
        match = _INDENTED.match(line[:1000])
        if match and (not found or len(line) - len(line.lstrip()) <= 4):
            found.append((match.group(1), []))
        elif found and line.startswith((" ", "\t")):
            found[-1][1].append(line)
        elif found and line.strip():
            break
    return [(address, "\n".join(kept)) for address, kept in found[:10_000]]


def cut_at(mail: Mail, text: str, *marks: str) -> str:
    """Return the text before the copy of the original; that copy's header becomes ``mail.original``."""
    low = text.lower()
    places = [place for mark in marks if (place := low.find(mark)) >= 0]
    if not places:
        return text
    place = min(places)
    if not mail.original:
        _, _, rest = text[place:].partition("\n")
        mail.original = fields_of(rest)
    return text[:place]


_HEADER = any_of(
    "return-path", "received", "message-id", "from", "to", "date", "subject", "mime-version", "dkim-signature",
    before="^", after=":",
)  # fmt: skip
_FOLLOWS = re2.compile(r"(?i)\n[^\n]{0,100}\b(?:original|returned|header|copy|message)[^\n]{0,100}\s*$")

_MAX_HEADER = 16 * 1024


def cut_header(mail: Mail, text: str) -> str:
    """Return the text before the header of the original, where that follows without a mark that is known."""
    for match in itertools.islice(_HEADER.finditer(text), 20):
        fields = fields_of(text[match.start() : match.start() + _MAX_HEADER])
        known = sum(name in fields for name in ("Message-ID", "Received", "From", "To", "Date", "Subject"))
        if match.start() and known >= 3 and ("Message-ID" in fields or "Received" in fields):
            mail.original = mail.original or fields
            before = text[: match.start()].rstrip()
            return _FOLLOWS.sub("", before) or before
    return text


__all__ = ["angle_blocks", "cut_at", "cut_header", "failure", "indented_blocks", "remote_host", "temporary"]
