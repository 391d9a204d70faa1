"""Lines of a text file: numbered, of bounded length, decoded by a stated rule.

A line that is no UTF-8 is read as Windows-1252, which includes Latin-1: logs that
were joined from several servers hold such lines, and what goes wrong at worst is an
accent. The caller is told which lines these were. With an encoding that the user
names there is no second guess: what does not fit is a bad line.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from whybounce.model.errors import DataError

MAX_LINE = 16 * 1024 * 1024
"""Characters of a line; of a longer one nothing is kept."""

SECOND_GUESS = "cp1252"
_SKIP = 1024 * 1024
_OPENERS: dict[str, Callable[..., object]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_DAMAGED = (OSError, EOFError, lzma.LZMAError, __import__("zlib").error)


class Line(NamedTuple):
    """A line with its number; ``problem`` says why it has no text.

    ``recoded``: it was no UTF-8. ``at``: bytes of the file read so far.
    """

    number: int
    text: str
    problem: str
    recoded: bool
    at: int


def read_lines(path: Path, *, encoding: str | None = None) -> Iterator[Line]:
    """Yield the lines of a text file, perhaps packed; at most :data:`MAX_LINE` characters are held at once.

    Raises
    ------
    DataError
        When the file is not a text file, cannot be read, or there is no such encoding.
    """
    opener = _OPENERS.get(path.suffix.lower(), open)
    try:
        with cast("BinaryIO", opener(path, "rb")) as raw:
            _look(path, raw, encoding)
            # Only in UTF-8 can bytes that do not fit be told apart again and be given a second guess.
            errors = "surrogateescape" if _is_utf8(encoding) else "replace"
            # newline="": a carriage return within a quoted field stays what it is.
            stream = io.TextIOWrapper(raw, encoding=encoding or "utf-8-sig", errors=errors, newline="")
            yield from _numbered(stream, raw, encoding)
    except DataError:
        raise
    except LookupError as error:
        raise DataError(f"{path}: {error}; name another --encoding") from error
    except _DAMAGED as error:
        because = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be read ({because}); check the file") from error


def _numbered(stream: io.TextIOWrapper, raw: BinaryIO, encoding: str | None) -> Iterator[Line]:
    number = 0
    at = 0
    while text := stream.readline(MAX_LINE + 1):
        number += 1
        if number % 1000 == 1:
            at = raw.tell()
        if len(text) > MAX_LINE:
            while text and not text.endswith(("\n", "\r")):
                text = stream.readline(_SKIP)
            yield Line(number, "", f"longer than {MAX_LINE:,} characters; is the file text?", False, raw.tell())
        elif text.isascii() and "\x00" not in text:
            yield Line(number, text, "", False, at)
        else:
            yield _decoded(number, text, encoding, at)


def _decoded(number: int, text: str, encoding: str | None, at: int) -> Line:
    if "\x00" in text:
        return Line(number, "", "holds null characters; is the file text?", False, at)
    if not _is_utf8(encoding):
        problem = f"not valid {encoding}; name the right --encoding" if "\ufffd" in text else ""
        return Line(number, "" if problem else text, problem, False, at)
    try:
        text.encode()
    except UnicodeEncodeError:
        if encoding is not None:
            return Line(number, "", "not valid UTF-8; leave --encoding away to read it as Windows-1252", False, at)
        recoded = text.encode("utf-8", "surrogateescape").decode(SECOND_GUESS, "replace")
        return Line(number, recoded, "", True, at)
    return Line(number, text, "", False, at)


def _is_utf8(encoding: str | None) -> bool:
    return encoding is None or codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")


def _look(path: Path, raw: BinaryIO, encoding: str | None) -> None:
    """Raise DataError for a file that is plainly no text; leaves the file at its start."""
    start = raw.read(4096)
    raw.seek(0)
    if not start:
        raise DataError(f"{path}: the file is empty; it needs a text and a label column")
    if encoding is None and start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DataError(f"{path}, line 1: UTF-16; name it with --encoding utf-16")
    if b"\x00" in start and not (encoding or "").lower().replace("_", "-").startswith(("utf-16", "utf-32")):
        line = start[: start.index(b"\x00")].count(b"\n") + 1
        raise DataError(f"{path}, line {line}: binary data; export it as text (.csv, .jsonl) or as .parquet")
