"""Counts as plain data and back, so that reports of several machines can be merged.

It holds addresses with the diagnostics about them: keep such a file as you keep your lists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from whybounce.model.errors import DataError
from whybounce.serving.report.counts import Counts, Event, Verdict, event_key, verdict_key

VERSION = 1
_NUMBERS = ("delivered", "deferred", "bounced", "not_bounces", "complaints", "unnamed")
_ROWS = ("providers", "domains", "campaigns")


def to_state(counts: Counts) -> dict[str, Any]:
    """Return everything that was counted, in an order of its own."""
    used = set(counts.verdicts) | {event.verdict for events in counts.addresses.values() for event in events}
    verdicts = sorted(used, key=verdict_key)
    place = {verdict: number for number, verdict in enumerate(verdicts)}
    return {
        "version": VERSION,
        "model_versions": sorted(counts.model_versions),
        "tells_deliveries": counts.tells_deliveries,
        **{name: getattr(counts, name) for name in _NUMBERS},
        "sources": [[*key, *row] for key, row in sorted(counts.sources.items())],
        "left_out": [[*key, *piece] for key, pieces in sorted(counts.left_out.items()) for piece in pieces],
        "verdicts": [list(verdict) for verdict in verdicts],
        "counted": [[place[verdict], *counts.verdicts[verdict]] for verdict in verdicts if verdict in counts.verdicts],
        "deferrals": dict(sorted(counts.deferrals.items())),
        **{name: dict(sorted(getattr(counts, name).items())) for name in _ROWS},
        "hours": [[hour, *row] for hour, row in sorted(counts.hours.items())],
        "traffic": [[*key, *row] for key, row in sorted(counts.traffic.items())],
        "spikes": [[*key, sorted(hours.items())] for key, hours in sorted(counts.spikes.items())],
        "deliveries": dict(sorted(counts.deliveries.items())),
        "addresses": {
            address: [
                [event.time, event.provider, place[event.verdict], event.text]
                for event in sorted(counts.addresses[address], key=event_key)
            ]
            for address in sorted(counts.addresses)
        },
    }


def from_state(document: Mapping[str, Any], name: str) -> Counts:
    """Read a report's state again.

    Raises
    ------
    DataError
        When ``document`` is no report with a state that this version knows.
    """
    state = document.get("state") if isinstance(document, Mapping) else None
    if not isinstance(state, Mapping):
        raise DataError(f"{name}: holds no counts to merge; write it with whybounce report … --output NAME.json")
    if state.get("version") != VERSION:
        raise DataError(f"{name}: was written by another version; run whybounce report on its sources again")
    try:
        return _counts(state)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise DataError(f"{name}: the counts in it are damaged ({error!r}); write it again") from error


def _verdict(row: Sequence[Any]) -> Verdict:
    category, group, reason, template, action = map(str, row[:5])
    return Verdict(category, group, reason, template, action, row[5], float(row[6]))


def _counts(state: Mapping[str, Any]) -> Counts:
    counts = Counts()
    counts.model_versions = {str(version) for version in state["model_versions"]}
    counts.tells_deliveries = bool(state["tells_deliveries"])
    for number in _NUMBERS:
        setattr(counts, number, int(state.get(number, 0) if number == "complaints" else state[number]))
    counts.sources = {(str(name), str(form)): [int(read), int(left)] for name, form, read, left in state["sources"]}
    for name, form, where, why in state.get("left_out", ()):  # reports written before have none
        counts.leave_out((str(name), str(form)), str(where), str(why))
    verdicts = [_verdict(row) for row in state["verdicts"]]
    counts.verdicts = {verdicts[place]: (int(count), str(text)) for place, count, text in state["counted"]}
    counts.deferrals = {str(reason): int(count) for reason, count in state["deferrals"].items()}
    for table in _ROWS:
        setattr(counts, table, {str(key): _row(row) for key, row in state[table].items()})
    counts.hours = {int(hour): _row(row) for hour, *row in state["hours"]}
    counts.traffic = {
        (str(provider), int(hour)): [int(sent), int(back)] for provider, hour, sent, back in state["traffic"]
    }
    counts.spikes = {
        (str(provider), str(reason), str(template)): {int(hour): int(count) for hour, count in hours}
        for provider, reason, template, hours in state["spikes"]
    }
    counts.deliveries = {str(address): int(time) for address, time in state.get("deliveries", {}).items()}
    counts.addresses = {
        str(address): [
            Event(int(time), str(provider), verdicts[place], str(text)) for time, provider, place, text in events
        ]
        for address, events in state["addresses"].items()
    }
    return counts


def _row(row: list[Any]) -> list[int]:
    found = [int(count) for count in row]
    if len(found) != 5:
        raise ValueError(f"{len(found)} figures instead of 5")
    return found
