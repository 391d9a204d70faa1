"""The user's own labelled bounces as training examples, and the part of them kept for measuring."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from math import ceil, log2

from whybounce.model.diagnostic import parse
from whybounce.model.features import document
from whybounce.training.expand import Example
from whybounce.training.sources.row import Labelled

WEIGHT = 2.0
"""Weight of a distinct template of the user's own against one of the corpus."""

HOLDOUT = 0.2
"""Share of the own templates that is kept for measuring."""

AGREED = 0.9
"""Share of the rows of a document that must have one label for the rules to keep silent about it."""

FEWEST = 50
"""Own rows below which nothing is kept: there is too little to measure on."""


def own_examples(rows: Iterable[Labelled], *, name: str, weight: float = WEIGHT) -> list[Example]:
    """Turn labelled bounces into examples.

    A document that occurs ``n`` times weighs ``weight * (1 + log2(n))``: what is
    frequent counts for more, but the greatest sender of bounces does not drown the
    rest. Where labels contradict each other, they share that by their rows.

    Parameters
    ----------
    rows : iterable of Labelled
    name : str
        Becomes the family, ``own-name``.
    weight : float
        Of a document that occurs once; a template of the corpus has 1.
    """
    found: dict[tuple[str, str, tuple[tuple[str, str], ...]], Example] = {}
    occurs: defaultdict[str, float] = defaultdict(float)
    for row in rows:
        diagnostic = parse(row.text)
        doc = document(diagnostic)
        occurs[doc] += row.weight
        example = found.get((doc, row.label, row.slices))
        if example is not None:
            example.rows += row.weight
            continue
        found[doc, row.label, row.slices] = Example(
            doc=doc, reason=row.label, also=row.also[0] if row.also else None, family=f"own-{name}", source=name,
            lang=dict(row.slices).get("lang", ""), weight=weight, text=row.text, template=diagnostic.template,
            plain=True, rows=row.weight, slices=row.slices,
        )  # fmt: skip
    for example in found.values():
        example.weight = weight * (1 + log2(max(1.0, occurs[example.doc]))) * example.rows / occurs[example.doc]
    return list(found.values())


def agreed(own: Iterable[Example]) -> set[str]:
    """Return the documents that nearly all of their rows give one label."""
    rows: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for example in own:
        rows[example.doc][example.reason] += example.rows
    return {doc for doc, counts in rows.items() if max(counts.values()) >= AGREED * sum(counts.values())}


def as_rows(examples: Iterable[Example]) -> tuple[Labelled, ...]:
    """Turn examples back into labelled rows, to measure on them."""
    return tuple(
        Labelled(
            text=example.text,
            label=example.reason,
            also=(example.also,) if example.also else (),
            slices=example.slices,
            weight=example.rows,
        )
        for example in examples
    )


def split(own: Sequence[Example], share: float, seed: int) -> tuple[list[Example], list[Example]]:
    """Keep a share of the documents of each reason apart; a document is never on both sides.

    Parameters
    ----------
    own : sequence of Example
    share : float
        Between 0 and 1.
    seed : int
        Same examples and seed, same split, in whatever order they come.

    Returns
    -------
    (rest, kept)
    """
    by_reason: defaultdict[str, list[str]] = defaultdict(list)
    label: dict[str, str] = {}
    for example in sorted(own, key=lambda example: (-example.rows, example.reason)):
        label.setdefault(example.doc, example.reason)  # of a contradiction the most frequent label
    for doc, reason in label.items():
        by_reason[reason].append(doc)
    kept: set[str] = set()
    for docs in by_reason.values():
        docs.sort(key=lambda doc: (zlib.crc32(f"{seed}/{doc}".encode("utf-8", "replace")), doc))
        # Of a reason with one document only, nothing: it could not be learnt.
        kept.update(docs[: min(ceil(share * len(docs)), len(docs) - 1)])
    return [example for example in own if example.doc not in kept], [example for example in own if example.doc in kept]


def seen_or_new(later: Sequence[Labelled], earlier: Sequence[Example]) -> tuple[Labelled, ...]:
    """Mark later rows by whether their document occurred earlier."""
    known = {example.doc for example in earlier}
    return tuple(
        Labelled(
            row.text, row.label, row.also, row.ambiguous,
            (*row.slices, ("template", "seen before" if document(parse(row.text)) in known else "new")),
            row.weight, row.time,
        )
        for row in later
    )  # fmt: skip
