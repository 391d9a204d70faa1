"""JSON values of a stream, one at a time: lines, arrays of any length, or objects without anything between."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any, BinaryIO

from whybounce.serving.intake.format import Skipped, Source
from whybounce.serving.intake.halves import whole

MAX_VALUE = 16 * 1024 * 1024
"""Characters of one value."""

_CHUNK = 65536
_FIRST = 8192
_BETWEEN = " \t\r\n,[]\ufeff\x1e"
_MARGIN = 12
"""So near the end of what was read, a mistake may only be a word or an escape that goes on."""

NO_OBJECT = "is no JSON object"
NO_END = "has no end that is near, and something before it had none; mend that first"
TOO_DEEP = "is nested too deeply to be read"
TOO_LONG = f"is longer than {MAX_VALUE // 1024 // 1024} million characters; no event is, send its parts one by one"


def values(source: Source) -> Iterator[tuple[str, Any] | Skipped]:
    """Yield ``name:line`` and each object; the elements of an outer array are values of their own.

    Memory stays at one value, whatever the length of the stream, and the time is linear in it.
    What cannot be read is skipped up to the end of its line.
    """
    with closing(source.open()) as stream:
        window = _Window(stream)
        while window.seek_value():
            where = f"{source.name}:{window.line}"
            found = window.decode()
            if isinstance(found, str):
                yield Skipped(where, found)
                window.skip_line()
            else:
                yield where, found


class _Window:
    """The part of a stream that is looked at, and where in it."""

    def __init__(self, stream: BinaryIO) -> None:
        self.line = 1
        self._stream = stream
        self._reader = codecs.getincrementaldecoder("utf-8")("replace")
        self._decode = json.JSONDecoder().raw_decode
        self._held = ""
        self._at = 0
        self._ended = False
        self._most = MAX_VALUE

    def seek_value(self) -> bool:
        """Go on to what begins a value; False at the end."""
        while True:
            at, held = self._at, self._held
            while at < len(held) and held[at] in _BETWEEN:
                at += 1
            self.line += held.count("\n", self._at, at)
            self._at = at
            if at < len(held):
                return True
            if self._ended:
                return False
            self._fill(_CHUNK)

    def decode(self) -> Any:
        """Return the value that begins here and go behind it; a text says why there is none."""
        if self._held[self._at] != "{":
            return NO_OBJECT  # an array's bracket is passed over, a text or a number is no event
        size = _FIRST
        while True:
            # Of a piece, because an error counts the lines in front of it.
            piece = self._held[self._at : self._at + size]
            try:
                value, end = self._decode(piece)
                value = whole(value, piece[:end])
            except json.JSONDecodeError as error:
                if not _cut_off(error, piece):
                    return NO_OBJECT
                if len(piece) > self._most:
                    # What is inside may be as long and as little whole: all of it together must not cost more.
                    why = TOO_LONG if self._most == MAX_VALUE else NO_END
                    self._most = max(_FIRST, len(piece) // 4)
                    return why
                # What is not whole is decoded again when twice as much is there: the time stays linear.
                size *= 2
                while len(self._held) - self._at < size and not self._ended:
                    self._fill(size)
                if len(self._held) - self._at <= len(piece):
                    self._most = max(_FIRST, min(self._most, len(piece) // 4))
                    return NO_OBJECT
                continue
            except ValueError:  # a number of thousands of digits
                return NO_OBJECT
            except RecursionError:
                return TOO_DEEP
            self.line += piece.count("\n", 0, end)
            self._at += end
            return value

    def skip_line(self) -> None:
        """Go behind the end of the line."""
        while (newline := self._held.find("\n", self._at)) < 0:
            self._at = len(self._held)
            if self._ended:
                return
            self._fill(_CHUNK)
        self._at = newline + 1
        self.line += 1

    def _fill(self, size: int) -> None:
        data = self._stream.read(size)
        self._ended = not data
        self._held = self._held[self._at :] + self._reader.decode(data, final=self._ended)
        self._at = 0


def _cut_off(error: json.JSONDecodeError, piece: str) -> bool:
    return error.msg.startswith("Unterminated string") or error.pos >= len(piece) - _MARGIN
