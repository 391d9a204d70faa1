"""Bounces and delay notices of Gmail and Google Workspace, old and new."""

from __future__ import annotations

import re2

from whybounce.serving.intake.messages.blocks import cut_at, remote_host
from whybounce.serving.intake.messages.failure import (
    ADDRESS,
    Failure,
    all_addresses,
    first_address,
    one_line,
    paragraphs,
    recipients_of,
    status_in,
)
from whybounce.serving.intake.messages.mime import Mail
from whybounce.serving.intake.messages.phrases import SAID
from whybounce.serving.intake.record import Outcome

_REPLY = re2.compile(r"^\s*[45]\d\d[ -]\S")
_BY = re2.compile(r"(?i)\bby ([a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})+)")
_ONLY_ADDRESSES = re2.compile(rf"^(?:\s*{ADDRESS}\s*)+$")
_COPIES = ("----- original message -----", "----- message header follows", "----- forwarded message")
_LATE = ("delivery incomplete", "will retry", "has been delayed", "will be notified", "temporary problem")


def gmail(mail: Mail) -> list[Failure]:
    """Read what Gmail says in its text."""
    sender = mail.fields.get("From").lower()
    if "google" not in sender and "gmail" not in sender:
        return []
    if "mailer-daemon" not in sender and "X-Failed-Recipients" not in mail.fields:
        return []  # Google sends other mail too
    if "group you tried to contact" in " ".join(mail.text[:3000].lower().split()):
        return []
    text = cut_at(mail, mail.text, *_COPIES)
    late = any(words in text.lower()[:1500] for words in _LATE)
    diagnostic = _diagnostic(text)
    host = _BY.search(text)
    remote = host.group(1).rstrip(".") if host else remote_host(diagnostic)
    outcome, kind = (Outcome.DEFERRED, "delay") if late else (Outcome.BOUNCED, None)
    return [
        Failure(address, diagnostic, outcome, status_in(diagnostic), remote, kind=kind)
        for address in _recipients(mail, text)
    ]


def _recipients(mail: Mail, text: str) -> list[str]:
    if "X-Failed-Recipients" in mail.fields:
        return recipients_of(mail)
    for block in paragraphs(text):
        if _ONLY_ADDRESSES.match(block[:10_000]):
            return all_addresses(block)
    first = first_address(text)
    return [first] if first else []


def _diagnostic(text: str) -> str:
    """Return the answer of the other server, else the paragraph that says most."""
    said = list(SAID.finditer(text))
    if said:
        rest = text[said[-1].end() :].lstrip("\n")
        if rest.strip():
            return one_line(paragraphs(rest)[0])
    blocks = paragraphs(text)
    for lines in (block.splitlines() for block in reversed(blocks)):
        for number, line in enumerate(lines):
            if _REPLY.match(line[:100]):
                return one_line("\n".join(lines[number:]))
    blocks = [one_line(block) for block in blocks if not _ONLY_ADDRESSES.match(block[:10_000])]
    return max(blocks, key=len, default="")[:1000]
