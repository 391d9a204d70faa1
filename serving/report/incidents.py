"""Incidents: one template at one provider, suddenly. Such hard bounces may be false.

In December 2020 Gmail answered "no such user" for hours about accounts that were there.
What gives such an hour away is not how much came back (a mailing brings all its bounces
within an hour) but how large a part of what was sent, against the same provider at other
times, or against all others at the same time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from whybounce.model.taxonomy import TAXONOMY, Taxonomy
from whybounce.serving.report.counts import UNDATED, Counts
from whybounce.serving.report.policy import Incidents


@dataclass(frozen=True, slots=True)
class Incident:
    """Hours in which one template at one provider was out of proportion."""

    provider: str
    reason: str
    template: str
    first: int
    last: int
    count: int
    hard: bool

    @property
    def start(self) -> str:
        """The beginning of the first hour (ISO 8601)."""
        return _written(self.first)

    @property
    def end(self) -> str:
        """The end of the last hour."""
        return _written(self.last + 1)

    def holds(self, provider: str, reason: str, template: str, time: int) -> bool:
        """Whether a bounce belongs to it."""
        return (
            (provider, reason, template) == (self.provider, self.reason, self.template)
            and time != UNDATED
            and self.first <= time // 3600 <= self.last
        )

    @property
    def warning(self) -> str:
        """What a person should know."""
        said = f"{self.count:,} bounces with one text at {self.provider} within a short time"
        if self.hard:
            return (
                f"{said}: probably a fault there. These addresses may well exist; they are held back, try again later."
            )
        return f"{said}: probably a fault or a block there."


def find(counts: Counts, limits: Incidents, taxonomy: Taxonomy = TAXONOMY) -> list[Incident]:
    """Return the incidents, in the order of provider and time."""
    everything: dict[int, list[int]] = {}
    at: dict[str, dict[int, list[int]]] = {}
    for (provider, hour), row in counts.traffic.items():
        at.setdefault(provider, {})[hour] = row
        whole = everything.setdefault(hour, [0, 0])
        whole[0] += row[0]
        whole[1] += row[1]
    found = []
    for (provider, reason, template), hours in sorted(counts.spikes.items()):
        peaks = sorted(hour for hour, count in hours.items() if hour != UNDATED and count >= limits.least)
        for run in _runs(peaks):
            total = sum(hours[hour] for hour in run)
            if counts.tells_deliveries:
                odd = _stands_out(hours, run, at[provider], everything, limits)
            else:
                odd = _dominates(hours, run, everything, limits)
            if odd:
                hard = reason in taxonomy and taxonomy.is_hard(reason)
                found.append(Incident(provider, reason, template, run[0], run[-1], total, hard))
    return found


def _stands_out(
    hours: dict[int, int], run: list[int], here: dict[int, list[int]], everything: dict[int, list[int]],
    limits: Incidents,
) -> bool:  # fmt: skip
    """By the share of what was sent: against other hours here, else against others in these hours."""
    inside = set(run)
    sent = _sent(here, inside)
    came_back = sum(hours[hour] for hour in run)
    share = came_back / sent if sent else 0.0
    if share < limits.share:
        return False
    others = _sent(here, here.keys() - inside)
    if others >= limits.known:
        usual = sum(count for hour, count in hours.items() if hour not in inside) / others
        return share >= limits.factor * usual
    elsewhere = _sent(everything, inside) - sent
    if elsewhere < limits.known:
        return False
    # How often anything at all came back elsewhere is the cautious measure.
    bounced = sum(everything[hour][1] for hour in inside) - sum(here[hour][1] for hour in inside)
    return share >= limits.factor * bounced / elsewhere


def _dominates(hours: dict[int, int], run: list[int], everything: dict[int, list[int]], limits: Incidents) -> bool:
    """By the share of all bounces, where nobody says what was delivered."""
    inside = set(run)
    bounces = sum(everything[hour][1] for hour in inside)
    others = sum(row[1] for hour, row in everything.items() if hour not in inside)
    if others < limits.known or not bounces:
        return False
    share = sum(hours[hour] for hour in run) / bounces
    usual = sum(count for hour, count in hours.items() if hour not in inside) / others
    return share >= max(limits.share, 0.5) and share >= limits.factor * usual


def _sent(rows: dict[int, list[int]], hours: Iterable[int]) -> int:
    return sum(sum(rows[hour]) for hour in hours if hour in rows)


def _runs(hours: list[int]) -> list[list[int]]:
    """Hours that follow each other, together."""
    runs: list[list[int]] = []
    for hour in hours:
        if runs and hour - runs[-1][-1] == 1:
            runs[-1].append(hour)
        else:
            runs.append([hour])
    return runs


def _written(hour: int) -> str:
    return datetime.fromtimestamp(hour * 3600, UTC).strftime("%Y-%m-%dT%H:%M")
