"""What a format is: how it is recognised, and how it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, BinaryIO

from whybounce.serving.intake.record import BounceRecord

HEAD_BYTES = 65536
"""How much of a source a format may look at to recognise it."""

GUESSED = 0.6
"""What a table claims whose columns are told by what stands in them; more than lines of text do."""


class Group(StrEnum):
    """What kind of thing a format is."""

    MESSAGES = "messages"
    EVENTS = "events"
    LOGS = "logs"
    TABLES = "tables"


@dataclass(frozen=True)
class Head:
    """The beginning of a source, unpacked.

    Attributes
    ----------
    name : str
        File name; empty for standard input. A hint only: the content decides.
    data : bytes
        The first ``HEAD_BYTES`` at most.
    """

    name: str
    data: bytes

    @cached_property
    def text(self) -> str:
        """The data as text; what is not UTF-8 is read as Windows-1252 or replaced."""
        try:
            return self.data.decode("utf-8-sig")
        except UnicodeDecodeError:
            return self.data.decode("cp1252", errors="replace")

    @cached_property
    def lines(self) -> list[str]:
        """The lines that are whole, without their ends; the last one may be cut."""
        return self.text.splitlines()


@dataclass(frozen=True, slots=True)
class Source:
    """Something to read: a file, a part of a request, standard input.

    Attributes
    ----------
    name : str
        As it is shown to people and as it stands in ``BounceRecord.source``.
    open : callable
        Returns a new binary stream over the unpacked bytes, from the beginning.
    modified : datetime or None
        When it was written, in UTC: what tells the year of syslog times that have none.
    memory : dict
        What readers remember from one file of a rotated log to the next: its files share it.
    """

    name: str
    open: Callable[[], BinaryIO]
    modified: datetime | None = None
    memory: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A piece of a source that could not be read; never silently dropped.

    Attributes
    ----------
    source : str
        ``name:line`` or ``name``.
    why : str
        One line that says what is wrong.
    ends_early : bool
        Whether the source ends here, and too early: nobody knows how much is missing.
    """

    source: str
    why: str
    ends_early: bool = False


Read = Iterator[BounceRecord | Skipped]


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes
    ----------
    name : str
        As in ``--format``: lower case, hyphens.
    title : str
        For people: ``Postfix log``.
    group : Group
    recognised_by : str
        What gives it away, in words, for ``whybounce formats``.
    recognise : callable
        ``Head`` → how sure it is, 0 (not this) to 1 (certainly). Must not raise.
    read : callable
        ``Source`` → records and what was skipped, in order, as a stream in constant memory.
        Lines that say nothing of a delivery are passed over without a word.
    """

    name: str
    title: str
    group: Group
    recognised_by: str
    recognise: Callable[[Head], float]
    read: Callable[[Source], Read]
