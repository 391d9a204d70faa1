"""Reading labelled bounces from all their sources."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from whybounce.model.masking import mask
from whybounce.training.sources.places import Found, find
from whybounce.training.sources.reader import Options, Progress, Reader, Seen, records
from whybounce.training.sources.rejects import Rejects
from whybounce.training.sources.row import Labelled
from whybounce.training.sources.summary import Summary
from whybounce.training.sources.tally import Tally
from whybounce.training.sources.times import epoch_seconds


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was read.

    Attributes
    ----------
    rows, later : list of Labelled
        Joined by template; ``later`` holds the latest share by time, where it was asked for.
    templates, later_templates : list of str
        The templates of ``rows`` and of ``later``.
    since : float or None
        Time that ``later`` begins after, in seconds since 1970.
    summary : Summary
    """

    rows: list[Labelled]
    later: list[Labelled]
    templates: list[str]
    later_templates: list[str]
    since: float | None
    summary: Summary


def load(
    places: Iterable[str | Path],
    options: Options | None = None,
    *,
    rejects: Path | None = None,
    seen: Seen | None = None,
    progress: Progress | None = None,
) -> Loaded:
    """Read sources and join their rows by template.

    Parameters
    ----------
    places : iterable of str or Path
        Files, folders, names of the Hugging Face hub.
    options : Options, optional
    rejects : Path, optional
        JSON Lines file that every row that cannot be used is written to.
    seen : callable, optional
        Called with (source, row as it was read) for every row.
    progress : callable, optional
        Called with (name of the step, done, in all).

    Raises
    ------
    DataError
        When a source as a whole is unusable. Single bad rows are counted; see
        :meth:`Summary.refuse_above`.
    """
    chosen = options or Options()
    found = find(places)
    since = _cutoff(found, chosen, progress) if chosen.latest and chosen.columns.time else None
    earlier, later = Tally(), Tally()
    with Rejects(rejects) as refused:
        reader = Reader(chosen, refused)
        for row in reader.rows(found, seen=seen, progress=progress):
            late = since is not None and row.time is not None and row.time > since
            (later if late else earlier).add(mask(row.text), row)
    items, late_items = list(earlier.items()), list(later.items())
    return Loaded(
        rows=[row for _, row in items],
        later=[row for _, row in late_items],
        templates=[template for template, _ in items],
        later_templates=[template for template, _ in late_items],
        since=since,
        summary=reader.summary(found),
    )


def _cutoff(found: Found, options: Options, progress: Progress | None) -> float | None:
    """Return the time after which the latest share of the rows begins."""
    times = array("d")  # eight bytes a row: the only thing that grows with the rows
    for _, cells, record in records(found, options, progress):
        if record["row"] is not None and cells.time is not None:
            seconds = epoch_seconds(cells.time(record["row"]))
            if seconds is not None:
                times.append(seconds)
    if not times:
        return None
    return float(np.quantile(np.frombuffer(times), 1 - options.latest, method="lower"))
