"""The lines of a text file, counted so that reading can go on later."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from whybounce.model.errors import DataError
from whybounce.serving.intake.unpacking import DamagedError, unpacked
from whybounce.serving.score.chunks import MOST_BYTES, Position

MAX_LINE = 16 * 1024 * 1024
_LONE_RETURN = re.compile(rb"(?<=\r)(?!\n)")


class Lines:
    """The lines of a text file, packed or not, with what is done of it.

    Parameters
    ----------
    path : Path
    at : Position
        Where to begin once ``go_on`` is called; the lines before can be read until then.
    returns : bool
        Whether a carriage return alone ends a line as well.
    """

    def __init__(self, path: Path, at: Position, *, returns: bool = False) -> None:
        self.path = path
        self._returns = returns
        self._raw: BinaryIO = path.open("rb")
        self._size = path.stat().st_size or 1
        self.stream = unpacked(self._raw, str(path))
        self.offset = 0
        self.number = 0
        self.cut: str | None = None
        self._start = at
        self._taken = 0

    def go_on(self) -> None:
        """Skip what is done already."""
        rest = self._start.offset - self.offset
        if rest <= 0:
            return
        if self.stream is self._raw:
            self.stream.seek(self._start.offset)
        else:
            while rest > 0 and (piece := self.stream.read(min(rest, 1 << 20))):
                rest -= len(piece)
        self._taken = self.offset = self._start.offset
        self.number = self._start.row

    def __iter__(self) -> Iterator[bytes]:
        while line := self.stream.readline(MAX_LINE + 1):
            if len(line) > MAX_LINE:
                raise DataError(f"{self.path}: a line is longer than {MAX_LINE} bytes; is this a text file?")
            lone = self._returns and line.find(b"\r", 0, -2) >= 0
            for piece in _LONE_RETURN.split(line) if lone else (line,):
                self.number += 1
                self.offset += len(piece)
                yield piece.removeprefix(b"\xef\xbb\xbf") if self.number == 1 else piece

    def until_cut(self) -> Iterator[bytes]:
        """Yield lines; packed data that ends too early ends them, see ``cut_off``."""
        try:
            yield from self
        except DamagedError as error:
            self.cut_off(error)

    def cut_off(self, error: DamagedError) -> None:
        """Take an early end for the end and note it in ``cut``; raises it where nothing stands before it."""
        if self.number == 0:
            raise error
        self.cut = str(error)

    def enough(self) -> bool:
        """Whether the lines since the last chunk are as many bytes as a chunk should have."""
        return self.offset - self._taken >= MOST_BYTES

    def take(self) -> Position:
        """End a chunk here."""
        self._taken = self.offset
        if self.cut is not None:  # going on here would only meet it again
            return Position(self._start.file + 1)
        return Position(self._start.file, self.number, self.offset)

    @property
    def share(self) -> float:
        """How much of the file is read, 0 to 1."""
        return min(1.0, self._raw.tell() / self._size)

    def rejected(self, why: str, content: str, number: int | None = None) -> dict[str, Any]:
        """Describe a line that cannot be used; the one read last by default."""
        return {
            "source": str(self.path),
            "line": self.number if number is None else number,
            "why": why,
            "content": content.rstrip("\r\n"),
        }

    def close(self) -> None:
        """Close the file."""
        self.stream.close()
        self._raw.close()
