"""Joining rows to distinct templates as they come: memory grows with templates, not with rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from whybounce.training.sources.row import Labelled

_Key = tuple[str, str, tuple[str, ...], bool, tuple[tuple[str, str], ...]]


@dataclass(slots=True)
class _Group:
    first: Labelled
    weight: float
    time: float | None


class Tally:
    """Rows of equal template, label and slices, joined.

    Texts of one template always get one answer, so a joined row with the number of its
    rows as its weight trains and measures like all of them.
    """

    def __init__(self) -> None:
        self._groups: dict[_Key, _Group] = {}

    def __len__(self) -> int:
        return len(self._groups)

    def add(self, template: str, row: Labelled) -> None:
        """Count a row."""
        key = (template, row.label, row.also, row.ambiguous, row.slices)
        group = self._groups.get(key)
        if group is None:
            self._groups[key] = _Group(row, row.weight, row.time)
            return
        group.weight += row.weight
        if row.time is not None:
            group.time = row.time if group.time is None else max(group.time, row.time)

    def rows(self) -> list[Labelled]:
        """Return the joined rows in the order of first appearance."""
        return [row for _, row in self.items()]

    def items(self) -> Iterator[tuple[str, Labelled]]:
        """Yield the joined rows with their templates."""
        for (template, *_), group in self._groups.items():
            yield template, replace(group.first, weight=group.weight, time=group.time)
