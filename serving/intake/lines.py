"""Lines of a source, one at a time, whatever is in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import BinaryIO

from whybounce.serving.intake.format import Source

MAX_LINE = 1 << 20
"""Bytes of a line that are read."""


def decoded(data: bytes) -> str:
    """Bytes as text: UTF-8, and Windows-1252 for what is not."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def bounded(stream: BinaryIO, limit: int) -> Iterator[bytes]:
    """Yield lines; what an overlong one has beyond ``limit`` bytes is dropped."""
    readline = stream.readline
    while data := readline(limit):
        if len(data) == limit and data[-1] != 10:
            while (rest := readline(limit)) and rest[-1] != 10:
                pass
        yield data


def numbered(source: Source, limit: int | None = None) -> Iterator[tuple[int, str]]:
    """Yield line numbers from 1 and lines without their ends; the rest of an overlong line is dropped."""
    with closing(source.open()) as stream:
        for number, data in enumerate(bounded(stream, MAX_LINE if limit is None else limit), start=1):
            try:
                line = data.decode().rstrip("\r\n")
            except UnicodeDecodeError:
                line = decoded(data).rstrip("\r\n")
            yield number, line.removeprefix("\ufeff") if number == 1 else line


def between(text: str, before: str, after: str) -> str | None:
    """Return what stands between two marks; to the end when the second is missing, None without the first."""
    start = text.find(before)
    if start < 0:
        return None
    start += len(before)
    end = text.find(after, start)
    return text[start:] if end < 0 else text[start:end]


def id_before(line: str, mark: int) -> str:
    """Return the word that ends at a position: the queue id before ``: to=<``."""
    return line[line.rfind(" ", 0, mark) + 1 : mark]


def said(value: object) -> str | None:
    """Return a text without blanks around it; None for an empty one, and for what is no text."""
    return value.strip() or None if isinstance(value, str) else None


def in_words(value: object) -> str | None:
    """Return a text that says something, a number as a text; None for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return said(value)


def bare(text: str | None) -> str | None:
    """Return an address or a Message-ID without its angle brackets; None for an empty one."""
    return said((text or "").strip().removeprefix("<").removesuffix(">"))
