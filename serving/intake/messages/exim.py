"""Bounces of Exim and its warnings about delays, as text; newer ones have a report as well."""

from __future__ import annotations

import re2

from whybounce.serving.intake.messages.blocks import STILL, cut_at, failure, reporting_host
from whybounce.serving.intake.messages.failure import ADDRESS, Failure
from whybounce.serving.intake.messages.header import Fields
from whybounce.serving.intake.messages.mime import Mail

_COPY = ("------ this is a copy of", "------ the body of the message is", "--- the header of the original")
_LISTS = re2.compile(
    r"(?i)the following address(?:\(es\)|es)? failed|address(?:es)? to which the message has not yet been delivered"
    r"|the following address(?:\(es\)|es)? (?:had|have)|following recipient\(?s\)? failed"
)
_ADDRESS = re2.compile(rf"^ {{1,3}}{ADDRESS}\s*:?\s*$")
# What is no address: ``pipe to |command``, ``save to /file``; below it stands of whom that is.
_DELIVERY = re2.compile(r"^ {2}(?:pipe to \||save to /|\||/)\S.*$")
_PARENT = re2.compile(rf"^\s+\(?(?:ultimately )?generated (?:from|by) {ADDRESS}\)?\s*$")
_NOTES = re2.compile(r"(?i)^\s*(?:reporting-mta:|no action is required)")
_SENT = re2.compile(r"(?im)^the date of the message is:[ \t]{0,20}(\S.{5,100})$")
_WHY = re2.compile(r"(?i)(?:reason|last error|delay reason)[^:\n]{0,40}:\s*([^\n]{3,500})")


def exim(mail: Mail) -> list[Failure]:
    """Read Exim's bounces and its warnings about delays."""
    fields = mail.fields
    made_here = "with local (exim" in (fields.all("Received") or [""])[-1].lower()
    marked = "X-Failed-Recipients" in fields or made_here
    if (
        not marked
        and "exim" not in f"{fields.get('Received')} {fields.get('X-Mailer')}".lower()
        and "mail delivery software" not in mail.text[:4000].lower()
    ):
        return []
    text = cut_at(mail, mail.text, *_COPY)
    heading = _LISTS.search(text)
    if not heading and not marked:  # administrators write texts of their own
        return []
    flat = " ".join(text[:4000].lower().split())
    delayed = any(words in flat for words in STILL)
    _date_of_original(mail, text)
    reporting = reporting_host(mail, text)
    why = _WHY.search(text) if delayed else None
    cause = why.group(1) if why else ""
    found = []
    for address, inner in _blocks(text[heading.end() :].splitlines()[1:] if heading else text.splitlines()):
        found.append(failure(address, inner if inner.strip() else cause, reporting=reporting, delayed=delayed))
    return found


def _blocks(lines: list[str]) -> list[tuple[str, str]]:
    """Return address and text: a line that is indented a little, and what is indented deeper below."""
    found: list[tuple[str | None, list[str]]] = []
    for line in lines:
        head = _ADDRESS.match(line[:1000])
        if head or _DELIVERY.match(line[:1000]):
            found.append((head.group(1) if head else None, []))
        elif found and _NOTES.match(line[:1000]):
            break
        elif found and line.startswith((" ", "\t")):
            parent = _PARENT.match(line[:1000])
            if parent is None:
                found[-1][1].append(line)
            elif found[-1][0] is None:
                found[-1] = (parent.group(1), found[-1][1])
        elif found and line.strip():
            break
    return [(address, "\n".join(kept)) for address, kept in found[:10_000] if address]


def _date_of_original(mail: Mail, text: str) -> None:
    """A warning names the date of the message without returning it."""
    sent = _SENT.search(text[:4000])
    if sent and not mail.original:
        mail.original = Fields([("Date", sent.group(1).strip())])
