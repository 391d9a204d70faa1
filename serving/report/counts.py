"""What a report is made of: counts. Counts of parts add up to the counts of the whole.

No text, no time of reading and no order of records changes the result, so that reports
are reproducible, and ``a.merge(b)`` equals one count over the records of both.
"""

from __future__ import annotations

from typing import Any, NamedTuple

KEPT_EVENTS = 40
"""Bounces of one address that are kept, the latest ones."""

KEPT_PIECES = 5
"""Pieces of a source that could not be read, the first ones, of which it is kept where and why."""
KEPT_WORDS = 300
"""Characters of these."""

UNDATED = -1
Row = list[int]
"""Delivered, hard, soft, technical, other."""


class Verdict(NamedTuple):
    """What is counted of a prediction."""

    category: str
    group: str
    reason: str
    template: str
    action: str
    retryable: bool | None
    confidence: float


COMPLAINT = Verdict("other", "(none)", "not_a_bounce", "", "suppress", None, 1.0)
"""A feedback report: no bounce, but nobody should be mailed again who reported the mail as spam."""


class Event(NamedTuple):
    """A bounce of one address, or a complaint; ``time`` is in seconds since 1970, or ``UNDATED``."""

    time: int
    provider: str
    verdict: Verdict
    text: str


class Counts:
    """Everything that a report is made of.

    Attributes
    ----------
    sources : dict
        Name and format → records and pieces that were skipped.
    left_out : dict
        Name and format → the first of these pieces: where, and why.
    tells_deliveries : bool
        Whether any source says what was delivered.
    verdicts : dict
        Verdict → how many bounces, and the shortest of their texts.
    deferrals : dict
        Reason → how many attempts were put off for it.
    providers, domains, campaigns, hours : dict
        Name, or hour since 1970 → ``Row``.
    traffic : dict
        Provider and hour → delivered, bounced.
    spikes : dict
        Provider, reason and template → hour → bounces.
    addresses : dict
        Address → its bounces and complaints.
    deliveries : dict
        Address → seconds since 1970 of the latest delivery to it that has a date.
    """

    def __init__(self) -> None:
        self.sources: dict[tuple[str, str], list[int]] = {}
        self.left_out: dict[tuple[str, str], list[tuple[str, str]]] = {}
        self.tells_deliveries = False
        self.delivered = 0
        self.deferred = 0
        self.bounced = 0
        self.not_bounces = 0
        self.complaints = 0
        self.unnamed = 0
        self.model_versions: set[str] = set()
        self.verdicts: dict[Verdict, tuple[int, str]] = {}
        self.deferrals: dict[str, int] = {}
        self.providers: dict[str, Row] = {}
        self.domains: dict[str, Row] = {}
        self.campaigns: dict[str, Row] = {}
        self.hours: dict[int, Row] = {}
        self.traffic: dict[tuple[str, int], list[int]] = {}
        self.spikes: dict[tuple[str, str, str], dict[int, int]] = {}
        self.addresses: dict[str, list[Event]] = {}
        self.deliveries: dict[str, int] = {}

    def merge(self, other: Counts) -> Counts:
        """Add the counts of other records to these; returns itself."""
        for name in ("sources", "providers", "domains", "campaigns", "hours", "traffic"):
            _add_rows(getattr(self, name), getattr(other, name))
        for name in ("delivered", "deferred", "bounced", "not_bounces", "complaints", "unnamed"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for source, pieces in other.left_out.items():
            for piece in pieces:
                self.leave_out(source, *piece)
        self.tells_deliveries |= other.tells_deliveries
        self.model_versions |= other.model_versions
        for verdict, (count, text) in other.verdicts.items():
            self.count(verdict, count, text)
        for reason, count in other.deferrals.items():
            self.deferrals[reason] = self.deferrals.get(reason, 0) + count
        for spike, hours in other.spikes.items():
            mine = self.spikes.setdefault(spike, {})
            for hour, count in hours.items():
                mine[hour] = mine.get(hour, 0) + count
        for address, time in other.deliveries.items():
            self.deliveries[address] = max(time, self.deliveries.get(address, time))
        for address, events in other.addresses.items():
            self.addresses[address] = latest([*self.addresses.get(address, ()), *events])
        return self

    def leave_out(self, source: tuple[str, str], where: str, why: str) -> None:
        """Remember where something could not be read, and why; the first pieces of a source are kept."""
        known = self.left_out.setdefault(source, [])
        known.append((where[:KEPT_WORDS], why[:KEPT_WORDS]))
        if len(known) > 1:
            known.sort(key=lambda piece: (len(piece[0]), piece))  # line 9 comes before line 10
            del known[KEPT_PIECES:]

    def count(self, verdict: Verdict, count: int, text: str) -> None:
        """Add bounces with one verdict; the shortest text about them is kept."""
        known = self.verdicts.get(verdict)
        if known is None:
            self.verdicts[verdict] = (count, text)
        else:
            self.verdicts[verdict] = (known[0] + count, min(known[1], text, key=_shorter))


def latest(events: list[Event]) -> list[Event]:
    """Keep the latest events, in an order that does not depend on how they came."""
    return sorted(events, key=event_key)[-KEPT_EVENTS:]


def event_key(event: Event) -> Any:
    """What events are sorted by: time first."""
    return (event.time, event.provider, verdict_key(event.verdict), event.text)


def verdict_key(verdict: Verdict) -> Any:
    """What verdicts are sorted by; ``None`` can be compared with nothing else."""
    return tuple("" if part is None else str(part) for part in verdict)


def _shorter(text: str) -> tuple[bool, int, str]:
    return (not text, len(text), text)


def _add_rows(mine: dict[Any, Row], others: dict[Any, Row]) -> None:
    for key, row in others.items():
        known = mine.get(key)
        if known is None:
            mine[key] = list(row)
        else:
            for place, count in enumerate(row):
                known[place] += count
