"""Everything that ``whybounce data check`` finds, as one document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from whybounce.training.check.languages import languages
from whybounce.training.check.noise import suspects
from whybounce.training.check.personal import PersonalData
from whybounce.training.check.similar import conflicts, near_duplicates
from whybounce.training.corpus import Template
from whybounce.training.sources.labels import advice
from whybounce.training.sources.load import load
from whybounce.training.sources.reader import Options, Progress
from whybounce.training.sources.row import Labelled
from whybounce.training.sources.summary import MAX_BAD

EXAMPLES = 20
"""Examples of each kind of finding."""


def check(
    places: Iterable[str | Path],
    options: Options | None = None,
    *,
    max_bad: float = MAX_BAD,
    corpus: Sequence[Template] = (),
    folds: int = 3,
    seed: int = 7,
    rejects: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Read labelled bounces and look for what is wrong with them.

    Parameters
    ----------
    places : iterable of str or Path
    options : Options, optional
    max_bad : float
        Share of bad rows that training would refuse above.
    corpus : sequence of Template
        Templates to learn from besides, when labels are doubted.
    folds : int
        Of the search for label noise; 0 leaves it away.
    seed : int
    rejects : Path, optional
        JSON Lines file that bad rows are listed in.
    progress : callable, optional

    Returns
    -------
    dict
        Of plain values. Texts are masked in it. ``training`` says whether ``train``
        would refuse the data, and why.

    Raises
    ------
    DataError
        When a source as a whole is unusable.
    """
    chosen = options or Options()
    personal = PersonalData()
    loaded = load(places, chosen, rejects=rejects, seen=personal.look, progress=progress)
    summary, rows, templates = loaded.summary, loaded.rows, loaded.templates
    refusal = summary.refusal(max_bad, chosen.taxonomy)
    found: dict[str, Any] = {
        "sources": list(summary.sources),
        "ignored": list(summary.ignored),
        "training": {"refuses": refusal is not None, "because": refusal},
        "rows": {
            "read": summary.read, "used": summary.used, "bad": summary.bad, "left_out": summary.left_out,
            "recoded": summary.recoded, "templates": len(set(templates)),
        },
        "problems": summary.problems,
        "rejects": [asdict(reject) for reject in summary.rejects],
        "rejects_file": None if summary.rejects_file is None else str(summary.rejects_file),
        "unknown_labels": summary.unknown_labels,
        "advice": advice(summary.unknown_labels, chosen.taxonomy) if summary.unknown_labels else None,
        "lossy": [asdict(item) for item in summary.lossy],
        "times": _times(rows),
        "personal": personal.found(),
    }  # fmt: skip
    found["reasons"], found["absent"] = _reasons(rows, templates, chosen)
    found["conflicts"] = conflicts(rows, templates, examples=EXAMPLES)
    found["near_duplicates"] = near_duplicates(rows, templates, examples=EXAMPLES, progress=progress)
    found["languages"] = languages(rows, templates, progress=progress)
    found["noise"] = None
    if folds and rows:
        found["noise"] = suspects(rows, corpus, folds=folds, seed=seed, examples=EXAMPLES, progress=progress)
    return found


def _reasons(rows: Sequence[Labelled], templates: Sequence[str], options: Options) -> tuple[list[dict[str, Any]], Any]:
    count: Counter[str] = Counter()
    distinct: dict[str, set[str]] = {}
    for row, template in zip(rows, templates, strict=True):
        count[row.label] += round(row.weight)
        distinct.setdefault(row.label, set()).add(template)
    counted = [
        {"reason": reason, "rows": number, "templates": len(distinct[reason])} for reason, number in count.most_common()
    ]
    return counted, [reason for reason in options.taxonomy.reasons if reason not in count]


def _times(rows: Sequence[Labelled]) -> dict[str, str] | None:
    times = [row.time for row in rows if row.time is not None]
    if not times:
        return None
    first, last = (datetime.fromtimestamp(value, UTC).isoformat() for value in (min(times), max(times)))
    return {"first": first, "last": last}
