"""Bounce messages, events and logs to predict: what ``whybounce formats`` lists, told by its content."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, cast

from whybounce.serving.cli.output import printable, stderr
from whybounce.serving.cli.records import Record

if TYPE_CHECKING:
    from whybounce.serving.intake.format import Format, Source

STDIN = "-"


class Input:
    """One file, folder or standard input, and how it is to be read.

    Parameters
    ----------
    name : str
        A path, or ``-``.
    format : str or None
        A name of ``whybounce formats``; by default what the content looks like. Plain text and tables
        are left to ``records``, which keeps their ids.

    Raises
    ------
    FormatError
        No format has that name.
    DataError
        The path cannot be read.
    """

    def __init__(self, name: str, format: str | None) -> None:
        from whybounce.serving.intake.format import Group, Head
        from whybounce.serving.intake.formats import format_named, recognise
        from whybounce.serving.intake.open import STDIN_NAME, from_stream, head, sources

        self.stream: BinaryIO | None = None
        self._sources: list[Source] = []
        self._wanted: Format | None = format_named(format) if format is not None else None
        if name == STDIN:
            # Looked at without being taken, so that lines of text are answered as they come.
            stream = sys.stdin.buffer
            self.stream = cast("BinaryIO", stream if hasattr(stream, "peek") else io.BufferedReader(stream))
            found = self._wanted or recognise(Head("", self.stream.peek(1)))  # type: ignore[attr-defined]
            if found is not None and (self._wanted or found.group is not Group.TABLES):
                self._sources = [from_stream(STDIN_NAME, self.stream)]
            return
        self._sources = list(sources([name]))
        if self._wanted is None and len(self._sources) == 1 and self._sources[0].name == name:
            found = recognise(head(self._sources[0]))
            if found is None or found.group is Group.TABLES:
                self._sources = []

    def __bool__(self) -> bool:
        """Whether it is in a format of its own, and no plain text or table."""
        return bool(self._sources)

    def records(self) -> Iterator[Record]:
        """Yield what bounced, was deferred or is no bounce; deliveries have no diagnostic to judge."""
        from whybounce.serving.intake.format import Skipped
        from whybounce.serving.intake.open import read
        from whybounce.serving.intake.record import Outcome

        skipped: list[Skipped] = []
        number = 0
        for source in self._sources:
            for one in read(source, self._wanted)[1]:
                if isinstance(one, Skipped):
                    number += 1
                    skipped = skipped or [one]
                elif one.outcome is not Outcome.DELIVERED:
                    yield Record(one.diagnostic, one.fields(), bounce=one)
        if skipped:
            where, why = printable(skipped[0].source), printable(skipped[0].why)
            stderr.print(f"left out: {number:,}; the first: {where} {why}", markup=False)
