"""Bounded memory for what a log tells of one message in several lines."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar, cast

from whybounce.serving.intake.format import Source
from whybounce.serving.intake.record import BounceRecord, Outcome

K = TypeVar("K")
V = TypeVar("V")

MESSAGES = 100_000
"""Messages that are remembered at a time; the oldest are forgotten first."""

PENDING = 100_000
"""Recipients that wait for another attempt and are remembered at a time."""


class Recent(OrderedDict[K, V], Generic[K, V]):
    """A dict that forgets its oldest keys when it holds more than ``limit``."""

    def __init__(self, limit: int = MESSAGES) -> None:
        super().__init__()
        self.limit = limit

    def __setitem__(self, key: K, value: V) -> None:
        """Set a key; the oldest one goes when there are too many."""
        super().__setitem__(key, value)
        if len(self) > self.limit:
            self.popitem(last=False)  # a plain dict would look for its first key among all that are gone


@dataclass(slots=True)
class Message:
    """What other lines of a log say about a message."""

    sender: str | None = None
    message_id: str | None = None
    campaign: str | None = None

    @property
    def is_notice(self) -> bool:
        """Whether it has the null sender: a notice of a mail server, no mail of the user's."""
        return self.sender == ""


class Pending:
    """Recipients that were put off, with the last thing that was said about each.

    A queue gives up on a message without repeating why: the last reply is the reason.
    """

    def __init__(self, limit: int = PENDING) -> None:
        self._limit = limit
        self._held = 0
        self._of: OrderedDict[str, dict[str, BounceRecord]] = OrderedDict()

    def add(self, message: str, record: BounceRecord) -> None:
        """Remember a deferral."""
        recipients = self._of.setdefault(message, {})
        recipient = record.recipient or ""
        if recipient not in recipients:
            self._held += 1
        recipients[recipient] = record
        while self._held > self._limit:
            self._held -= len(self._of.popitem(last=False)[1])

    def drop(self, message: str, recipient: str | None) -> BounceRecord | None:
        """Forget a recipient that got an answer; returns the last deferral."""
        recipients = self._of.get(message)
        if recipients is None:
            return None
        found = recipients.pop(recipient or "", None)
        if found is not None:
            self._held -= 1
            if not recipients:
                del self._of[message]
        return found

    def pop(self, message: str) -> list[BounceRecord]:
        """Forget a message; returns the last deferrals of its recipients."""
        found = self._of.pop(message, {})
        self._held -= len(found)
        return list(found.values())


@dataclass(slots=True)
class Queue:
    """The messages of a log that have not come to an end."""

    messages: Recent[str, Message] = field(default_factory=Recent)
    pending: Pending = field(default_factory=Pending)


def queue_of(source: Source, log: str) -> Queue:
    """Return what the files before this one left in the queue: a message may wait for days, logs rotate every day."""
    return cast("Queue", source.memory.setdefault(log, Queue()))


def given_up(
    deferred: Iterable[BounceRecord], *, source: str, occurred_at: object = None, **changes: object
) -> Iterator[BounceRecord]:
    """Turn last deferrals into bounces, at the time when the queue gave up."""
    for record in deferred:
        yield replace(
            record,
            outcome=Outcome.BOUNCED,
            occurred_at=occurred_at or record.occurred_at,  # type: ignore[arg-type]
            source=source,
            **changes,  # type: ignore[arg-type]
        )


def host_of(relay: str | None) -> str | None:
    """Return the host name of ``mx.example.net[192.0.2.1]:25`` and its relatives; None for no host."""
    name = (relay or "").strip().partition("[")[0].partition(" ")[0].rstrip(".:")
    return name if "." in name or (name.isalnum() and name not in ("none", "local", "virtual")) else None
