"""What a reader of one kind of bounce message finds, before it becomes a record."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import re2

from whybounce.serving.intake.messages.mime import Mail
from whybounce.serving.intake.record import Outcome

MAX_DIAGNOSTIC = 16 * 1024


@dataclass(frozen=True, slots=True)
class Failure:
    """One recipient of a bounce message.

    Attributes
    ----------
    recipient : str or None
    diagnostic : str
        As the message has it, on one line.
    outcome : Outcome
    status : str or None
        Enhanced status code (RFC 3463).
    remote_mta, reporting_mta : str or None
        Host names.
    kind, message_id : str or None
        See ``BounceRecord``; ``message_id`` where the report names it itself.
    """

    recipient: str | None
    diagnostic: str
    outcome: Outcome = Outcome.BOUNCED
    status: str | None = None
    remote_mta: str | None = None
    reporting_mta: str | None = None
    kind: str | None = None
    message_id: str | None = None


_ADDRESS = re2.compile(r"[^\s<>()\[\],;:\"']{1,64}@[^\s<>()\[\],;:\"'@]{1,255}")
ADDRESS = r"<?([^\s<>()\[\],;:\"']{1,128}@[^\s<>()\[\],;:\"'@]{1,255})>?"
"""Pattern of an address, with or without angle brackets."""
_STATUS = re2.compile(r"(?:^|[^\d.])([245]\.\d{1,3}\.\d{1,3})(?:[^\d.]|\.?$|\.\D)")
_REPLY = re2.compile(r"(?:^|[^\d.])([45]\d\d)[ -]")


def one_line(text: str) -> str:
    """Join lines and runs of blanks."""
    return " ".join(text[: MAX_DIAGNOSTIC * 2].split())[:MAX_DIAGNOSTIC]


def clean_address(text: str | None) -> str | None:
    """Return an address without its type, angle brackets and comments; what is none comes back as it is."""
    text = one_line(text or "")
    kind, semicolon, rest = text.partition(";")
    if semicolon and "@" not in kind and " " not in kind.strip():
        text = rest.strip()
    start, end = text.rfind("<"), text.rfind(">")
    if 0 <= start < end:
        text = text[start + 1 : end]
    text = text.strip().strip("<>")
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":  # not the quotes of a local part
        text = text[1:-1]
    return text[:320] or None


def first_address(text: str) -> str | None:
    """Return the first address in a text."""
    found = _ADDRESS.search(text[:20_000])
    return found.group(0).rstrip(".") if found else None


def all_addresses(text: str) -> list[str]:
    """Return the addresses in a text, each once, in order."""
    return list(dict.fromkeys(found.rstrip(".") for found in _ADDRESS.findall(text[:20_000])))


def status_in(text: str) -> str | None:
    """Return the first enhanced status code that stands in a text."""
    found = _STATUS.search(text[:MAX_DIAGNOSTIC])
    return found.group(1) if found else None


def statuses_in(text: str) -> list[str]:
    """Return the enhanced status codes in a text, in order."""
    return list(_STATUS.findall(text[:MAX_DIAGNOSTIC]))


def temporary(text: str) -> bool:
    """Whether a text's first code is of class 4."""
    found = _REPLY.search(text[:MAX_DIAGNOSTIC])
    code = found.group(1) if found else status_in(text) or ""
    return code.startswith("4")


def recipients_of(mail: Mail) -> list[str]:
    """Return for whom the original was, when the text does not say: header fields name them."""
    for name in ("X-Failed-Recipients", "X-Actual-Recipient", "X-Original-To", "Delivered-To"):
        found = all_addresses(" ".join(mail.fields.all(name))) if name == "X-Failed-Recipients" else []
        found = found or all_addresses(" ".join(mail.original.all(name)))
        if found:
            return found
    to = all_addresses(" ".join(mail.original.all("To")))
    return to if len(to) == 1 else []


def paragraphs(text: str) -> list[str]:
    """Blocks of a text that blank lines separate."""
    blocks: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.strip():
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    return ["\n".join(block) for block in blocks if block]


def lines_until(lines: Iterable[str], *ends: str) -> list[str]:
    """Return the lines before one that begins as one of ``ends`` does."""
    kept: list[str] = []
    for line in lines:
        if line.strip().lower().startswith(ends):
            break
        kept.append(line)
    return kept
