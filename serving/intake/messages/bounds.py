"""How much of a message is looked at: what makes Python's ``email`` slow or deep is cut off before it reads.

Very long messages, header fields of many kilobytes, hundreds of nested parts.
"""

from __future__ import annotations

import re
from itertools import islice

MAX_MESSAGE = 4 * 1024 * 1024
"""Bytes of a message that are read: reports come before the message that they return."""
MAX_TEXT = 256 * 1024
"""Characters of a part that are looked at."""
MAX_PARTS = 100
_MAX_BOUNDARIES = 400  # beyond that, and
_MAX_MESSAGES = 150  # beyond that many messages in messages, it may be nested deeper than Python's stack
MAX_FIELD = 64 * 1024
"""Bytes of one header field, or of a line with what is indented below it."""
_MAX_PARAMETERS = 8 * 1024  # of a Content-… field: email takes time that grows with its square
_MAX_MATCHES = 2_000_000  # lines times boundaries: email tries each boundary on each line
_MAX_PASSES = 20_000_000  # lines times messages in messages: email hands each line through all of them
_MAX_LINES = 400_000  # ends of line: each line is an object of its own
_MAX_GROUPS = 30_000  # blank lines, where there is a report: each begins a message of its own
MAX_REPORT = 2 * 1024 * 1024
"""Characters of a delivery status that are looked at: one may be of thousands of recipients."""


def fewer_lines(data: bytes) -> bytes:
    """Leave out the end when there is more than ``email`` can handle in little time and memory."""
    low = data.lower()
    limit = _MAX_LINES
    for word, work, most in ((b"boundary", _MAX_MATCHES, _MAX_BOUNDARIES), (b"message/", _MAX_PASSES, _MAX_MESSAGES)):
        number = low.count(word)
        if number > most:
            place = next(islice(re.finditer(word, low), most, None)).start()
            data, low, number = data[:place], low[:place], most
        limit = min(limit, work // max(1, number))
    if b"delivery-status" in low:
        blank = next(islice(re.finditer(rb"\n[\r\n]|\r\r", data), _MAX_GROUPS, None), None)
        data = data[: blank.start()] if blank else data
    if data.count(b"\n") + data.count(b"\r") <= limit:
        return data
    ends = re.finditer(rb"[\r\n]", data)  # a set of two characters: linear
    return data[: next(islice(ends, limit, None)).start()]


def bytes_bounded(data: bytes) -> bytes:
    """Shorten header fields, and lines with what is indented below them, to what can be handled."""
    if len(data) < _MAX_PARAMETERS:
        return data
    kept: list[bytes] = []
    left = 0
    for line in data.splitlines(keepends=True):
        if line[:1] not in b" \t" or line.isspace():
            left = _MAX_PARAMETERS if line[:8].lower() == b"content-" else MAX_FIELD
        if left <= 0:
            continue
        kept.append(line if len(line) <= left else line[:left] + b"\n")
        left -= len(line)
    return b"".join(kept)
