"""Templates with contradicting labels, and templates that are nearly the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neighbors import NearestNeighbors

from whybounce.training.sources.reader import Progress
from whybounce.training.sources.row import Labelled

MOST = 20_000
"""Templates that are compared with each other: the most frequent."""

ALIKE = 0.9
"""Cosine of the tf-idf vectors of words from which on two templates count as nearly the same."""

NEIGHBOURS = 5
_CHUNK = 2000


def conflicts(rows: Sequence[Labelled], templates: Sequence[str], *, examples: int) -> dict[str, Any]:
    """Find templates that have several labels.

    ``rows`` in the result counts those whose label is not their template's most
    frequent one. A label that stands among a row's other acceptable ones contradicts
    nothing.
    """
    labels: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    accepted: defaultdict[str, set[str]] = defaultdict(set)
    for row, template in zip(rows, templates, strict=True):
        labels[template][row.label] += row.weight
        accepted[template].update(row.also)
    found = []
    for template, counts in labels.items():
        first = max(counts, key=lambda label: counts[label])
        against = sum(count for label, count in counts.items() if label != first and label not in accepted[template])
        if against:
            ordered = sorted(counts.items(), key=lambda item: -item[1])
            found.append((against, template, {label: round(count) for label, count in ordered}))
    found.sort(key=lambda item: -item[0])
    return {
        "templates": len(found),
        "rows": round(sum(against for against, _, _ in found)),
        "examples": [{"template": template, "labels": counts} for _, template, counts in found[:examples]],
    }


def near_duplicates(
    rows: Sequence[Labelled], templates: Sequence[str], *, examples: int, progress: Progress | None = None
) -> dict[str, Any]:
    """Find pairs of templates whose words are nearly the same.

    Codes and masks are no words here: templates that differ in those only have a
    similarity of 1. Pairs with different labels come first in the examples.
    """
    weight: defaultdict[str, float] = defaultdict(float)
    label: dict[str, str] = {}
    for row, template in zip(rows, templates, strict=True):
        weight[template] += row.weight
        label.setdefault(template, row.label)
    names = sorted((name for name in weight if _words(name)), key=lambda name: -weight[name])[:MOST]
    pairs = _pairs(names, progress)
    differing = [pair for pair in pairs if label[pair[1]] != label[pair[2]]]
    shown = sorted(differing, key=lambda pair: -pair[0]) + sorted(pairs, key=lambda pair: -pair[0])
    return {
        "looked_at": len(names),
        "templates": len({name for _, *pair in pairs for name in pair}),
        "pairs": len(pairs),
        "with_other_label": len(differing),
        "examples": [
            {"templates": [first, second], "labels": [label[first], label[second]], "similarity": round(alike, 3)}
            for alike, first, second in list(dict.fromkeys(shown))[:examples]
        ],
    }


def _words(template: str) -> list[str]:
    return [word for word in template.split() if not word.isupper() and not word[0].isdigit()]


def _pairs(names: list[str], progress: Progress | None) -> list[tuple[float, str, str]]:
    if len(names) < 2:
        return []
    vectors = TfidfVectorizer(analyzer=_words, dtype=np.float32).fit_transform(names)
    search = NearestNeighbors(n_neighbors=min(NEIGHBOURS + 1, len(names)), metric="cosine", algorithm="brute")
    search.fit(vectors)
    found: dict[tuple[int, int], float] = {}
    for start in range(0, len(names), _CHUNK):
        if progress:
            progress("comparing templates", start, len(names))
        distances, neighbours = search.kneighbors(vectors[start : start + _CHUNK])
        for row, (gaps, others) in enumerate(zip(distances, neighbours, strict=True), start=start):
            for gap, other in zip(gaps.tolist(), others.tolist(), strict=True):
                if other != row and gap <= 1 - ALIKE:
                    found[min(row, other), max(row, other)] = min(1.0, 1 - gap)
    if progress:
        progress("comparing templates", len(names), len(names))
    return [(alike, names[first], names[second]) for (first, second), alike in found.items()]
