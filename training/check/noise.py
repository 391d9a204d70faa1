"""Labels that a model doubts which did not see them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import softmax

from whybounce.model.diagnostic import parse
from whybounce.model.rules import default_rules
from whybounce.training.corpus import Template
from whybounce.training.expand import Example, expand
from whybounce.training.fit import logits, temperature
from whybounce.training.own import own_examples
from whybounce.training.sources.reader import Progress
from whybounce.training.sources.row import Labelled
from whybounce.training.train import fit_examples, merge

SURE = 0.8
"""Confidence of the other reason from which on a label is suspected."""

FEWEST = 10
"""Distinct texts below which there is nothing to learn from them."""


def suspects(
    rows: Sequence[Labelled],
    corpus: Sequence[Template],
    *,
    folds: int,
    seed: int,
    examples: int,
    progress: Progress | None = None,
) -> dict[str, Any] | None:
    """Find labels that models contradict which were trained on the corpus and on the other folds.

    Returns
    -------
    dict or None
        ``templates`` and ``rows`` count the suspected ones, ``examples`` shows them,
        the most rows with the most confident doubt first; ``rule`` says what the rules
        read, where they read anything. None when there is too little to learn from.
    """

    def report(done: int) -> None:
        if progress:
            progress("doubting labels", done, folds)

    own = own_examples([row for row in rows if not row.ambiguous], name="check")
    base = expand(list(corpus), seed=seed, disguises=1)
    labels = sorted({example.reason for example in own} | {example.reason for example in base})
    if len({example.doc for example in own}) < FEWEST or len(labels) < 3:
        return None
    fold = np.array([zlib.crc32(f"{seed}/{example.doc}".encode("utf-8", "replace")) % folds for example in own])
    scores = np.full((len(own), len(labels)), -20.0)
    for number in range(folds):
        report(number)
        held = np.flatnonzero(fold == number)
        seen = merge([*base, *(own[index] for index in np.flatnonzero(fold != number))])
        if not len(held) or len({example.reason for example in seen}) < 3:
            continue
        pipeline = fit_examples(seen)
        columns = np.array([labels.index(str(label)) for label in pipeline.named_steps["classify"].classes_])
        scores[np.ix_(held, columns)] = logits(pipeline, [own[index].doc for index in held])
    report(folds)
    truth = np.array([labels.index(example.reason) for example in own])
    weights = np.array([example.weight for example in own])
    chance = softmax(scores / temperature(scores, truth, weights), axis=1)
    best = chance.argmax(axis=1)
    doubted = [
        index
        for index in np.flatnonzero((best != truth) & (chance.max(axis=1) >= SURE))
        if labels[best[index]] != own[index].also
    ]
    doubted.sort(key=lambda index: -own[index].rows * chance[index, best[index]])
    return {
        "looked_at": len(own),
        "templates": len(doubted),
        "rows": round(sum(own[index].rows for index in doubted)),
        "examples": [
            _shown(own[index], labels[best[index]], float(chance[index, best[index]])) for index in doubted[:examples]
        ],
    }


def _shown(example: Example, predicted: str, confidence: float) -> dict[str, Any]:
    rule = default_rules().decide(parse(example.text))
    return {
        "template": example.template,
        "label": example.reason,
        "predicted": predicted,
        "confidence": round(confidence, 3),
        "rule": rule.reason if rule else None,
        "rows": round(example.rows),
    }
