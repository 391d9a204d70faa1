"""Two hundred rows of servers that nobody has seen: they are learnt, and nothing else suffers."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from whybounce.data.slots import fill
from whybounce.model.artifact import publish
from whybounce.model.masking import template_of
from whybounce.model.predictor import BounceClassifier
from whybounce.training.corpus import Template
from whybounce.training.golden import golden_cases
from whybounce.training.own import own_examples
from whybounce.training.sources.row import Labelled
from whybounce.training.train import Trained, train

ROWS = 200
HELD_OUT = 400


def traffic(templates: list[Template], rng: random.Random, count: int) -> list[Labelled]:
    """Bounces as they come: a few templates often, most of them rarely."""
    order = templates[:]
    rng.shuffle(order)
    weights = [1 / (place + 1) for place in range(len(order))]
    return [
        Labelled(fill(row.text, rng), row.reason, (row.also,) if row.also else ())
        for row in rng.choices(order, weights, k=count)
    ]


def error(classifier: BounceClassifier, rows: list[Labelled]) -> float:
    wrong = [
        given.reason != row.label and given.reason not in row.also
        for row, given in zip(rows, classifier.predict(row.text for row in rows), strict=True)
    ]
    return sum(wrong) / len(wrong)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["yahoo-aol-verizon"])
def test_an_unseen_family_is_learnt(
    family: str, corpus: list[Template], tmp_path_factory: pytest.TempPathFactory
) -> None:
    theirs = [row for row in corpus if row.family == family]
    others = [row for row in corpus if row.family != family]
    assert len(theirs) >= 60, Counter(row.family for row in corpus).most_common(12)
    rng = random.Random(11)
    rows = traffic(theirs, rng, ROWS + HELD_OUT)
    rng.shuffle(rows)
    mine, held_out = rows[:ROWS], rows[ROWS:]

    def loaded(trained: Trained, name: str) -> BounceClassifier:
        folder = tmp_path_factory.mktemp("unseen") / name
        publish(folder, trained.payload, trained.manifest)
        return BounceClassifier.load(folder, strict=True)

    before = loaded(train(others, folds=2), "before")
    after = loaded(train(others, own=own_examples(mine, name="mine"), holdout=0, folds=2), "after")
    was, now = error(before, held_out), error(after, held_out)
    assert was > 0.02, "the family was no news"
    assert now <= was / 2, (was, now)
    # What was met among the two hundred is easy; the family's other texts must not pay for it.
    met = {template_of(row.text) for row in mine}
    new = [row for row in held_out if template_of(row.text) not in met]
    assert len(new) >= 20
    assert error(after, new) <= error(before, new)
    cases = [case.labelled() for case in golden_cases()]
    # Every template once: as traffic, the most frequent one alone would be a tenth of all rows.
    rng = random.Random(5)
    elsewhere = [
        Labelled(fill(row.text, rng), row.reason, (row.also,) if row.also else ()) for row in rng.sample(others, 4000)
    ]
    for name, unrelated in (("golden set", cases), ("other families", elsewhere)):
        lost = error(after, unrelated) - error(before, unrelated)
        assert abs(lost) <= 0.005, (name, lost)
