"""What the evaluated data are, and the bounce report that they make."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from whybounce.model.taxonomy import REPORT_LINES, Category, Taxonomy
from whybounce.training.labelled import Labelled
from whybounce.training.metrics import Answer, counted
from whybounce.training.report.cases import Cases
from whybounce.training.report.slices import number

Counts = defaultdict[tuple[str, str, str], int | float]
"""Rows by category, line and reason."""


def summary(rows: Sequence[Labelled], cases: Cases, *, source: str) -> dict[str, Any]:
    """Count rows, templates, duplicates and labels.

    Parameters
    ----------
    rows : sequence of Labelled
        All of them, the ambiguous ones too.
    cases : Cases
        The measured ones.
    source : str
    """
    labels: Counter[str] = Counter()
    for row in cases.rows:
        labels[row.label] += number(row.weight)  # type: ignore[assignment]
    by_template: dict[int, set[str]] = {}
    for row, template in zip(cases.rows, cases.cluster.tolist(), strict=True):
        by_template.setdefault(template, set()).add(row.label)
    weight = np.array([row.weight for row in cases.rows])
    sizes = np.bincount(cases.cluster, weights=weight)
    measured = counted(weight)
    return {
        "source": source,
        "fingerprint": fingerprint(rows),
        "rows": counted(np.array([row.weight for row in rows])),
        "ambiguous": counted(np.array([row.weight for row in rows if row.ambiguous])),
        "measured": measured,
        "duplicates": measured - len({(row.text, row.label) for row in cases.rows}),
        "templates": len(cases.templates),
        "largest_template": number(float(sizes.max())),
        "templates_with_several_labels": sum(len(found) > 1 for found in by_template.values()),
        "with_second_label": counted(np.array([row.weight for row in cases.rows if row.also])),
        "weighted": any(row.weight != 1.0 for row in cases.rows),
        "labels": [{"reason": label, "rows": count} for label, count in labels.most_common()],
    }


def fingerprint(rows: Sequence[Labelled]) -> str:
    """sha256 over texts and labels, in their order."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(f"\x1e{row.text}\x1f{row.label}\x1f{row.also}\x1f{row.ambiguous}".encode("utf-8", "replace"))
    return digest.hexdigest()


def bounce_report(cases: Cases, answers: Sequence[Answer], taxonomy: Taxonomy) -> dict[str, Any]:
    """Count the measured rows on the fifteen lines, as labelled and as answered."""
    labelled: Counts = defaultdict(int)
    answered: Counts = defaultdict(int)
    for place, (row, given) in enumerate(zip(cases.rows, answers, strict=True)):
        labelled[_place(cases, place, row.label, taxonomy)] += number(row.weight)
        answered[_place(cases, place, given.reason, taxonomy)] += number(row.weight)
    lines = [
        {
            "category": str(line.category),
            "line": str(line.group),
            "description": line.description,
            **_counts(labelled, answered, str(line.category), str(line.group)),
        }
        for line in REPORT_LINES
    ]
    on_a_line = {(str(line.category), str(line.group)) for line in REPORT_LINES}
    other = sorted(place for place in {*labelled, *answered} if place[:2] not in on_a_line)
    return {
        "lines": lines,
        "other": [{"reason": place[2], "labelled": labelled[place], "answered": answered[place]} for place in other],
        "categories": [
            {
                "category": str(category),
                "labelled": sum(count for place, count in labelled.items() if place[0] == category),
                "answered": sum(count for place, count in answered.items() if place[0] == category),
            }
            for category in Category
        ],
    }


def _place(cases: Cases, row: int, reason: str, taxonomy: Taxonomy) -> tuple[str, str, str]:
    group = str(taxonomy[reason].group) if reason in taxonomy else "(none)"
    return str(cases.category(row, reason, taxonomy)), group, reason


def _counts(labelled: Counts, answered: Counts, category: str, line: str) -> dict[str, Any]:
    reasons = sorted({place[2] for place in {*labelled, *answered} if place[:2] == (category, line)})
    rows = [
        {
            "reason": reason,
            "labelled": labelled[category, line, reason],
            "answered": answered[category, line, reason],
        }
        for reason in reasons
    ]
    return {
        "labelled": sum(row["labelled"] for row in rows),
        "answered": sum(row["answered"] for row in rows),
        "reasons": rows,
    }
