"""What a provider of events is, and what its modules share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from io import BytesIO
from typing import Any

from whybounce.serving.intake.events.values import values
from whybounce.serving.intake.format import Format, Group, Head, Read, Skipped, Source
from whybounce.serving.intake.lines import in_words
from whybounce.serving.intake.record import BounceRecord

Event = dict[str, Any]

MAX_RECIPIENTS = 10_000


@dataclass(frozen=True, slots=True)
class Provider:
    """A system that sends events.

    Attributes
    ----------
    name, title : str
        As in ``/v1/events/{name}``, and for people.
    vocabulary : str or None
        Crosswalk of its own classification.
    recognised_by : str
        What gives its events away, in words.
    is_event : callable
        Whether an object is an event of it. Must not raise.
    read : callable
        Event and its place → records; ``Skipped`` for what cannot be read, nothing for events that
        are not about a delivery. Must not raise, whatever the object holds.
    containers : tuple of str
        Keys under which its interfaces list events.
    """

    name: str
    title: str
    vocabulary: str | None
    recognised_by: str
    is_event: Callable[[Event], bool]
    read: Callable[[Event, str], Iterator[BounceRecord | Skipped]]
    containers: tuple[str, ...] = ()

    def records(self, value: Any, where: str) -> Read:
        """Read one value: an event, or an object or array that lists events."""
        for event in self.unpacked(value):
            if not isinstance(event, dict):
                yield Skipped(where, "is no JSON object")
            elif not self.is_event(event):
                yield Skipped(where, f"is no event of {self.title}: it lacks {self.recognised_by}")
            else:
                yield from self.read(event, where)

    def unpacked(self, value: Any) -> Iterator[Any]:
        """Yield the events that a value lists, or the value."""
        for outer in value if isinstance(value, list) else [value]:
            inner = next(
                (outer[key] for key in self.containers if isinstance(outer, dict) and isinstance(outer.get(key), list)),
                None,
            )
            if inner is None:
                yield outer
            else:
                yield from inner

    def format(self) -> Format:
        """Return the file format of these events."""
        return Format(
            self.name, f"{self.title} events", Group.EVENTS, f"JSON objects with {self.recognised_by}",
            self._recognise, self._read,
        )  # fmt: skip

    def _recognise(self, head: Head) -> float:
        if not head.text.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
            return 0.0
        seen = 0
        for found in _first_values(head, self.containers):
            for event in self.unpacked(found):
                seen += 1
                # Somebody's own table may use words of a provider; its diagnostic must not get lost.
                if isinstance(event, dict) and self.is_event(event) and "diagnostic" not in event:
                    return 0.9
                if seen >= 20:
                    return 0.0
        return 0.0

    def _read(self, source: Source) -> Read:
        for found in values(source):
            if isinstance(found, Skipped):
                yield found
            else:
                yield from self.records(found[1], found[0])


def _first_values(head: Head, containers: tuple[str, ...]) -> Iterator[Any]:
    pieces = [head.data]
    for key in containers:  # a list of events may go on behind the head, and its object with it
        before, found, after = head.data.partition(b'"%s"' % key.encode())
        if found and b"}" not in before:
            pieces.append(after.lstrip(b" \t\r\n:"))
    for piece in pieces:
        for value in values(Source("", partial(BytesIO, piece))):
            if not isinstance(value, Skipped):
                yield value[1]


# Reading what may be anything

text = in_words


def word(value: Any) -> str:
    """Return a string as it is, to be looked up; an empty one for anything else."""
    return value if isinstance(value, str) else ""


def inside(event: Any, *path: str) -> Any:
    """Follow keys into an object; None where it does not go on."""
    for key in path:
        event = event.get(key) if isinstance(event, dict) else None
    return event


def code(value: Any) -> int | None:
    """Return an SMTP reply code given as a number or as text; None for numbers of the provider's own."""
    found = text(value)
    if found is None or not found[:3].isascii() or not found[:3].isdigit() or found[3:4].isalnum():
        return None
    return int(found[:3]) if 200 <= int(found[:3]) <= 599 else None


def status(value: Any) -> str | None:
    """Return an enhanced status code (RFC 3463); None for other text and for x.0.0, which says nothing."""
    found = text(value)
    if found is None:
        return None
    parts = found.split(".")
    if (
        len(parts) != 3
        or parts[0] not in ("2", "4", "5")
        or not all(p.isascii() and p.isdigit() and len(p) < 4 for p in parts)
    ):
        return None
    return None if parts[1:] == ["0", "0"] else found


def moment(value: Any) -> datetime | None:
    """Read a time: seconds or milliseconds since 1970, ISO 8601, or as in mail."""
    found = text(value)
    if found is None:
        return None
    try:
        number = float(found)
    except ValueError:
        number = None
    try:
        if number is not None:
            return datetime.fromtimestamp(number / 1000 if abs(number) > 1e11 else number, UTC)
        return datetime.fromisoformat(found)
    except (ValueError, OverflowError, OSError):
        pass
    try:
        return parsedate_to_datetime(found[:100])
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def bare(value: Any) -> str | None:
    """Return a Message-ID without its angle brackets."""
    return (text(value) or "").strip("<> ") or None


def first(*candidates: Any) -> str | None:
    """Return the first candidate that says something."""
    return next((found for candidate in candidates if (found := text(candidate))), None)


def joined(value: Any) -> str | None:
    """Return a name, or several with commas: tags and categories come as both."""
    if isinstance(value, list):
        return ", ".join(found for item in value[:20] if (found := text(item))) or None
    return text(value)
