"""Files of messages: one message, or many in an mbox (a Maildir is opened as one)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import BinaryIO

import re2

from whybounce.serving.intake.format import Format, Group, Head, Read, Skipped, Source
from whybounce.serving.intake.messages.bounds import MAX_MESSAGE
from whybounce.serving.intake.messages.read import read_message
from whybounce.serving.intake.streams import UNREADABLE

_LINE = 64 * 1024
_FIELD = re2.compile(
    rb"(?im)^(return-path|received|delivered-to|from|to|subject|date|message-id|mime-version|content-type|auto-submitted"
    rb"|x-failed-recipients|x-original-to|reply-to|arc-seal|dkim-signature|authentication-results)[ \t]*:"
)
_NAME = re2.compile(rb"^[!-9;-~]{1,100}[ \t]*:")
_SEPARATOR = re2.compile(rb"^From \S+.{0,200}\d{4}\s*$|^From \S+\s+\w{3} \w{3} [ \d]\d \d\d:\d\d")
_QUOTED = re2.compile(rb"(?m)^>(>*From )")


def _header(data: bytes) -> int:
    """Return how many different well-known fields a header at the beginning has; 0 when it is none."""
    lines = data.replace(b"\r\n", b"\n").lstrip(b"\n").partition(b"\n\n")[0].split(b"\n")
    for line in lines[:50]:
        if line[:1] not in (b" ", b"\t") and not _NAME.match(line[:200]):
            return 0
    return len({name.lower() for name in _FIELD.findall(b"\n".join(lines[:300]))})


def _recognise_message(head: Head) -> float:
    known = _header(head.data.removeprefix(b"\xef\xbb\xbf"))
    return 0.95 if known >= 3 else 0.75 if known == 2 else 0.0


def _recognise_mbox(head: Head) -> float:
    first, _, rest = head.data.lstrip(b"\r\n").partition(b"\n")
    return 1.0 if _SEPARATOR.match(first[:400].rstrip(b"\r")) and _header(rest) else 0.0


def _read_message(source: Source) -> Read:
    with closing(source.open()) as stream:
        # One byte more than is read tells whether something was cut off.
        data = stream.read(MAX_MESSAGE + 1)
        yield from _records(data, source.name)
        if len(data) <= MAX_MESSAGE:
            stream.read(1)  # meets what is damaged behind it


def _read_mbox(source: Source) -> Read:
    with closing(source.open()) as stream:
        for number, separator, data in _messages(stream):
            place = separator.split()[1].decode("utf-8", "replace") if len(separator.split()) > 1 else ""
            in_maildir = place.startswith(("cur/", "new/"))
            where = f"{source.name}/{place}" if in_maildir else f"{source.name}:{number}"
            refused = separator.partition(UNREADABLE.encode())[2] if in_maildir and not data.strip() else b""
            if refused:
                yield Skipped(where, refused.decode("utf-8", "replace").strip())
                continue
            yield from _records(_QUOTED.sub(rb"\1", data), where)


def _records(data: bytes, where: str) -> Read:
    if not data.strip():
        yield Skipped(where, "is empty")
        return
    reading = read_message(data, where)
    yield from reading.records
    if reading.ends_early:
        what = "it could not be read what it is" if reading.kind is None else "what stands before that was read"
        yield Skipped(where, f"is cut off, in its header or in the middle of a part; {what}; fetch it again")
    elif reading.kind is None:
        yield Skipped(where, "is an ordinary message: neither a bounce nor an automatic one")


def _messages(stream: BinaryIO) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield line number, separator and bytes of each message; of a very long one the beginning."""
    kept = bytearray()  # lines of their own would take a hundred times as much when they are empty
    number = start = 0
    separator = b""
    blank = begins = True  # before the first line
    line = stream.readline(_LINE)
    while line:
        following = stream.readline(_LINE)
        whole = line.endswith(b"\n")
        if (
            line.startswith(b"From ")
            and _SEPARATOR.match(line[:400].rstrip())
            and (blank or (begins and _FIELD.match(following)))
        ):
            # A message that was cut has no blank line at its end: there a header must follow.
            if start:
                yield start, separator, bytes(kept)
            kept, start, separator = bytearray(), number + 1, line
        elif len(kept) <= MAX_MESSAGE:
            start = start or number + 1
            kept += line
        number += whole
        blank = whole and not line.strip()
        begins = whole
        line = following
    if start:
        yield start, separator, bytes(kept)


FORMATS = (
    Format(
        "message", "Bounce message (.eml)", Group.MESSAGES,
        "a header with fields such as From, Subject, Date and Received", _recognise_message, _read_message,
    ),
    Format(
        "mbox", "Mailbox of bounce messages (mbox, Maildir)", Group.MESSAGES,
        "a first line 'From sender date' and a header below it", _recognise_mbox, _read_mbox,
    ),
)  # fmt: skip
