"""The golden set, the behaviour that must hold, and the gate before a promotion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from whybounce.data.slots import fill
from whybounce.model.errors import DataError
from whybounce.model.prediction import Prediction
from whybounce.model.predictor import BounceClassifier
from whybounce.model.taxonomy import TAXONOMY
from whybounce.training import behaviour
from whybounce.training.behaviour import INVARIANCES, blocklist_links, invariances
from whybounce.training.corpus import Template
from whybounce.training.gate import UNCHANGED, judge
from whybounce.training.golden import GoldenCase, golden_cases
from whybounce.training.sources.row import Labelled
from whybounce.training.train import Trained

CASES = golden_cases()
TEXTS = [case.text for case in CASES]


@pytest.fixture(scope="module")
def weak(small: Trained, tmp_path_factory: pytest.TempPathFactory) -> BounceClassifier:
    """A model of a few templates, without the rules' help."""
    from whybounce.model.artifact import publish

    folder = tmp_path_factory.mktemp("weak") / "artifact"
    publish(folder, small.payload, small.manifest)
    loaded = BounceClassifier.load(folder, strict=True)
    return BounceClassifier(classifier=loaded.classifier, manifest=loaded.manifest, model_only=True)


def test_golden_set_is_large_and_covers_every_reason() -> None:
    assert len(CASES) >= 500
    assert len({case.id for case in CASES}) == len(CASES)
    assert len(set(TEXTS)) >= 0.99 * len(TEXTS)
    counts = Counter(case.reason for case in CASES)
    assert set(counts) == set(TAXONOMY.reasons)
    assert min(counts.values()) >= 10
    assert {"wrapped", "foreign", "trap", "code-lies", "code-only", "vendor", "multi"} <= {
        tag for case in CASES for tag in case.tags
    }
    assert all(case.why and set(case.also) <= set(TAXONOMY.reasons) - {case.reason} for case in CASES)


def test_golden_set_is_not_trained_on(corpus: list[Template]) -> None:
    import random

    from whybounce.model.masking import template_of

    trained = {template_of(fill(row.text, random.Random(1))) for row in corpus}
    # What every server writes ("user unknown", a provider's standard text) stands in both; the rest must be new.
    new = [case for case in CASES if template_of(case.text) not in trained]
    assert len(new) >= 500


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_hard_verdicts_of_the_golden_set(case: GoldenCase, classifier: BounceClassifier) -> None:
    """No good address is suppressed: a sure hard verdict is a right one, or at least hard by its label."""
    prediction = classifier.predict_one(case.text)
    if prediction.action != "suppress" or case.accepts(prediction.reason):
        return
    hard = TAXONOMY.is_hard(case.reason) or any(TAXONOMY.is_hard(other) for other in case.also)
    assert hard or case.id in KNOWN_FALSE_HARD


KNOWN_FALSE_HARD = {"mailbox_full-15"}
"""Cases on which the shipped model is known to be wrong; a new one is a failure."""


def test_shipped_model_on_the_golden_set(classifier: BounceClassifier) -> None:
    right = [case.accepts(given.reason) for case, given in zip(CASES, classifier.predict(TEXTS), strict=True)]
    assert sum(right) / len(right) >= 0.96


def test_invariances_of_the_shipped_model(classifier: BounceClassifier) -> None:
    found = invariances(classifier, TEXTS)
    assert found.all_unchanged >= UNCHANGED, found.broken
    for change, fewest in (
        ("addresses", 80),
        ("IPs", 80),
        ("hosts", 80),
        ("upper case", 400),
        ("lower case", 400),
        ("wrapping", 200),
        ("ids", 15),
    ):
        assert found.tried[change] >= fewest
        assert found.unchanged(change) >= UNCHANGED, [broken for broken in found.broken if broken.change == change]


def test_ids_do_not_matter_in_any_text(classifier: BounceClassifier) -> None:
    """Few of the cases hold an id, so every one is given one, as servers write them."""
    forms = (
        "{} (id 4Wk7Tz9QxB1c)",
        "{} a1b2c3d4e5f6-20020a05aa si77 - gsmtp",
        "queued as 9F31C2A04B77: {}",
        "{} [7Xq2ZpR91kLm]",
    )
    texts = [forms[number % len(forms)].format(text) for number, text in enumerate(TEXTS)]
    found = invariances(classifier, texts)
    assert found.tried["ids"] >= 600
    assert found.unchanged("ids") >= UNCHANGED, [broken for broken in found.broken if broken.change == "ids"]


def test_a_link_to_a_blocklist_makes_no_bad_address(classifier: BounceClassifier) -> None:
    found = blocklist_links(classifier, TEXTS)
    assert found.tried["blocklist link"] >= 300
    assert found.broken == ()


@pytest.mark.parametrize("name", INVARIANCES)
def test_changes_change_what_they_say(name: str) -> None:
    import random

    text = (
        "550 <Jo@example.com>: mx4.in.example.net[192.0.2.9] says AB12CD34EF no such user, go away for good now please"
    )
    changed = INVARIANCES[name](text, random.Random(5))
    assert changed != text
    parts = {
        "addresses": "jo@example.com", "IPs": "192.0.2.9", "hosts": "mx4.in.example.net", "ids": "ab12cd34ef",
    }  # fmt: skip
    gone = parts.get(name)
    assert gone is None or gone not in changed.lower()
    for other, part in parts.items():
        # A change of hosts may also meet the domain of the address; else every part stays.
        assert other == name or part in changed.lower() or (name, other) == ("hosts", "addresses")


class Fickle:
    """Answers by something that must not matter."""

    taxonomy = TAXONOMY

    def predict(self, texts: Iterable[str]) -> list[Prediction]:
        base = BounceClassifier(classifier=None, manifest=None).predict_one("x")
        return [
            replace(base, reason="invalid_recipient" if "spamhaus" in text or text.isupper() else "mailbox_full")
            for text in texts
        ]


def test_broken_behaviour_is_found() -> None:
    fickle: Any = Fickle()
    texts = ["452 mailbox full", "452 4.2.2 quota <a@example.com>"]
    found = invariances(fickle, texts)
    assert found.unchanged("upper case") == 0.0
    assert found.unchanged("addresses") == 1.0
    assert {broken.change for broken in found.broken} == {"upper case"}
    assert (
        len(blocklist_links(fickle, ["452 mailbox full", "x", "452 quota"]).broken) == 2
    )  # the second link is another


def test_gate_passes_the_same_model(classifier: BounceClassifier) -> None:
    gate = judge(classifier, classifier)
    assert gate.passed, gate.failed
    assert gate.against == classifier.model_version
    assert {"golden set: macro-F1", "golden set: good addresses called hard", "verdicts unchanged, all of these"} <= {
        check.name for check in gate.checks
    }


def test_gate_refuses_a_weak_model_and_says_why(weak: BounceClassifier, classifier: BounceClassifier) -> None:
    gate = judge(weak, classifier)
    assert not gate.passed
    assert "golden set: macro-F1" in {check.name for check in gate.failed}
    assert gate.failures
    assert gate.failures[0]["check"] == "golden set"
    document = gate.to_dict()
    assert document["passed"] is False
    assert len(document["failures"]) <= 20
    assert judge(classifier, weak).passed


def test_gate_refuses_what_calls_good_addresses_bad(classifier: BounceClassifier) -> None:
    class Careless(BounceClassifier):
        def predict(self, texts: Iterable[str]) -> list[Prediction]:
            return [
                replace(given, reason="invalid_recipient") if given.reason == "server_busy" else given
                for given in super().predict(texts)
            ]

    careless = Careless(classifier=classifier.classifier, manifest=classifier.manifest)
    failed = {check.name for check in judge(careless, classifier).failed}
    assert "golden set: good addresses called hard" in failed


def test_rows_of_the_user_count(classifier: BounceClassifier, rules_only: BounceClassifier) -> None:
    rows = [Labelled(f"550 QZ{number} the pail of <a@example.com> overflows", "mailbox_full") for number in range(60)]
    gate = judge(classifier, classifier, rows=rows)
    assert {"your rows: right reason", "your rows: macro-F1"} <= {check.name for check in gate.checks}
    assert gate.passed


def test_broken_golden_set(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no golden set"):
        golden_cases(tmp_path)
    (tmp_path / "x.jsonl").write_text('{"id": "x"}\n', "utf-8")
    with pytest.raises(DataError, match=r"x.jsonl, line 1: not a golden case"):
        golden_cases(tmp_path / ".." / tmp_path.name)


def test_nothing_tried_is_nothing_broken(classifier: BounceClassifier) -> None:
    assert behaviour.invariances(classifier, []).all_unchanged == 1.0
