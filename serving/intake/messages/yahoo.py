"""Failure notices of Yahoo, Yahoo Japan and AOL."""

from __future__ import annotations

import re2

from whybounce.serving.intake.messages.blocks import angle_blocks, failure
from whybounce.serving.intake.messages.failure import Failure
from whybounce.serving.intake.messages.header import fields_of
from whybounce.serving.intake.messages.mime import Mail

_SENDER = re2.compile(r"(?i)mailer-daemon@(?:[a-z0-9-]+\.)*(?:yahoo|aol)\.[a-z.]{2,6}\b")
_GREETING = re2.compile(r"(?i)message from\s+((?:[a-z0-9-]+\.)*yahoo\.[a-z.]{2,6}[a-z])\b")
# "--- Below this line is a copy of the message.", "--- Original message follows.", in the sender's language
_COPY = re2.compile(r"(?m)^--- \S.*$")


def yahoo(mail: Mail) -> list[Failure]:
    """Read addresses and what was said about each."""
    greeting = _GREETING.search(mail.text[:2000])
    if not greeting and not _SENDER.search(mail.fields.get("From")[:1000]):
        return []
    text = mail.text
    copy = _COPY.search(text)
    if copy:
        mail.original = mail.original or fields_of(text[copy.end() :])
        text = text[: copy.start()]
    reporting = greeting.group(1) if greeting else None
    return [failure(address, inner, reporting=reporting) for address, inner in angle_blocks(text)]
