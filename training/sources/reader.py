"""From records to labelled rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from whybounce.model.taxonomy import TAXONOMY, Reason, Taxonomy
from whybounce.training.sources.columns import Cells, Columns, find_columns, several, truth
from whybounce.training.sources.labels import Labels, named_crosswalk
from whybounce.training.sources.places import Found, Source
from whybounce.training.sources.records import Record
from whybounce.training.sources.rejects import Reject, Rejects
from whybounce.training.sources.row import Labelled
from whybounce.training.sources.streams import stream
from whybounce.training.sources.summary import Lossy, Summary
from whybounce.training.sources.times import epoch_seconds

_LOOK_AHEAD = 200
_LOOK_AHEAD_CHARACTERS = 4 * 1024 * 1024
_WITHOUT_WORDS = frozenset((Reason.NO_INFORMATION, Reason.NOT_A_BOUNCE))
_EVERY = 2000
_LEFT_OUT = "left out: "

Progress = Callable[[str, int, int], None]
Seen = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Options:
    """How sources are to be read.

    Attributes
    ----------
    columns : Columns
    labels : str or None
        The vocabulary of the labels: a built-in crosswalk or a mapping file.
    taxonomy : Taxonomy
        The reasons that labels may have.
    encoding : str or None
        Of text files; UTF-8, line by line Windows-1252, when it is not named.
    split : str
        Of data sets of the hub.
    latest : float
        Share of the rows, the latest by their time, that is kept apart.
    """

    columns: Columns = field(default_factory=Columns)
    labels: str | None = None
    taxonomy: Taxonomy = TAXONOMY
    encoding: str | None = None
    split: str = "train"
    latest: float = 0.0


class Reader:
    """Turns records into labelled rows, and keeps the count.

    Parameters
    ----------
    options : Options
    rejects : Rejects
    """

    def __init__(self, options: Options, rejects: Rejects) -> None:
        self.options = options
        self.rejects = rejects
        self.labels = Labels(options.taxonomy, named_crosswalk(options.labels, options.taxonomy))
        self.read = 0
        self.recoded = 0
        self._lossy: Counter[tuple[str, str, str]] = Counter()
        self._slices: dict[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]] = {}

    def summary(self, found: Found) -> Summary:
        """Say what reading came to."""
        rejects = self.rejects
        return Summary(
            read=self.read,
            bad=rejects.bad,
            left_out=rejects.left_out,
            recoded=self.recoded,
            lossy=tuple(Lossy(*key, rows) for key, rows in self._lossy.most_common()),
            rejects=tuple(rejects.first),
            problems=dict(rejects.problems.most_common()),
            unknown_labels=dict(rejects.labels.most_common()),
            sources=tuple(source.name for source in found.sources),
            ignored=found.ignored,
            rejects_file=rejects.path if rejects.bad or rejects.left_out else None,
        )

    def rows(self, found: Found, *, seen: Seen | None = None, progress: Progress | None = None) -> Iterator[Labelled]:
        """Yield the good rows of all sources."""
        for source, cells, record in records(found, self.options, progress):
            row = record["row"]
            self.read += 1
            self.recoded += record["recoded"]
            if row is None:
                self._reject(source, record, record["problem"], cells)
                continue
            if seen:
                seen(source.name, row)
            labelled = self._labelled(cells, row)
            if isinstance(labelled, Labelled):
                yield labelled
            else:
                self._reject(source, record, labelled, cells)

    def _labelled(self, cells: Cells, row: dict[str, Any]) -> Labelled | str:
        """Return the labelled row, or what is wrong with it."""
        text, label = cells.text(row), cells.label(row)
        reading = self.labels.read(label)
        if not isinstance(text, str):
            return "no text"
        if reading.problem:
            return reading.problem
        if reading.reason is None:
            return f"{_LEFT_OUT}{reading.note}"
        if not text.strip() and reading.reason not in _WITHOUT_WORDS:
            return "no text"
        time = epoch_seconds(cells.time(row)) if cells.time else None
        if cells.time and time is None:
            return f"no point in time: {str(cells.time(row))[:40]!r}"
        also = [self.labels.read(other) for other in several(cells.also(row))] if cells.also else []
        wrong = next((other.problem for other in also if other.problem), "")
        if wrong:
            return f"{wrong} in the column of other labels"
        if reading.note:
            self._lossy[str(label), reading.reason, reading.note] += 1
        return Labelled(
            text=text,
            label=reading.reason,
            also=tuple(other.reason for other in also if other.reason),
            ambiguous=truth(cells.ambiguous(row)) if cells.ambiguous else False,
            slices=self._sliced(cells, row),
            time=time,
        )

    def _sliced(self, cells: Cells, row: dict[str, Any]) -> tuple[tuple[str, str], ...]:
        given = ((name, cell(row)) for name, cell in (("lang", cells.lang), ("provider", cells.provider)) if cell)
        found = tuple((name, str(value)) for name, value in given if value not in (None, ""))
        return self._slices.setdefault(found, found) if len(self._slices) < 10_000 else found

    def _reject(self, source: Source, record: Record, problem: str, cells: Cells) -> None:
        row = record["row"] or {}
        label, left_out = cells.label(row), problem.startswith(_LEFT_OUT)
        shown = None if label is None else str(label)[:200]
        self.rejects.add(
            Reject(source.name, record["line"], record.get("unit", source.unit), problem, left_out, shown),
            text=cells.text(row),
        )


def records(found: Found, options: Options, progress: Progress | None) -> Iterator[tuple[Source, Cells, Record]]:
    """Yield the records of all sources with their columns found, reporting progress in bytes."""
    total = sum(source.size for source in found.sources)
    before = 0
    for source in found.sources:
        incoming = stream(source, encoding=options.encoding, split=options.split)
        start = _start(incoming)
        present = _present(start)
        if present is None:
            # Nothing but bad lines so far, so there are no columns to look for.
            cells = find_columns(source.name, ("text", "label"), Columns())
        else:
            cells = find_columns(source.name, present, options.columns)
        for number, record in enumerate(chain(start, incoming)):
            if "columns" not in record:
                yield source, cells, record
            if progress and number % _EVERY == 0:
                progress("reading", min(before + record["at"], total), total)
        before += source.size
        if progress:
            progress("reading", before, max(total, before))


def _start(incoming: Iterator[Record]) -> list[Record]:
    """Take the first records, as many as it takes to know the columns and as memory may hold."""
    start: list[Record] = []
    size = 0
    for record in incoming:
        start.append(record)
        size += sum(len(value) for value in (record["row"] or {}).values() if isinstance(value, str))
        if "columns" in record or len(start) >= _LOOK_AHEAD or size > _LOOK_AHEAD_CHARACTERS:
            break
    return start


def _present(start: list[Record]) -> list[str] | None:
    if start and "columns" in start[0]:
        return list(start[0]["columns"])
    names = dict.fromkeys(name for record in start if record["row"] is not None for name in record["row"])
    return list(names) or None
