"""The figures: against cases computed by hand, against scikit-learn, and on real diagnostics."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from whybounce.model.errors import DataError
from whybounce.model.predictor import BounceClassifier
from whybounce.model.taxonomy import TAXONOMY
from whybounce.training.evaluate import evaluate
from whybounce.training.labelled import Labelled, read_labelled
from whybounce.training.metrics import Answer, answer, calibration_error, figures, slice_accuracy, systems

REAL = Path(__file__).parent.parent.parent / "shared" / "corpora" / "real-dev.jsonl"


def measured(pairs: list[tuple[str, str]], confidence: float = 0.9) -> dict[str, Any]:
    rows = [Labelled("x", truth) for truth, _ in pairs]
    return figures(rows, [Answer(said, confidence, "model") for _, said in pairs])


def test_figures_by_hand() -> None:
    found = measured(
        [
            ("invalid_recipient", "invalid_recipient"),
            ("invalid_recipient", "mailbox_full"),
            ("mailbox_full", "mailbox_full"),
            ("mailbox_full", "bad_domain"),
            ("greylisted", "greylisted"),
        ]
    )
    assert found["rows"] == 5
    assert found["accuracy"] == pytest.approx(3 / 5)
    # F1: invalid 2·1·½/(1+½) = 2/3; mailbox_full ½; greylisted 1; bad_domain is never true, so it does not count
    assert found["macro_f1"] == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert found["good_called_hard"] == pytest.approx(1 / 3)
    assert found["hard_recall"] == pytest.approx(1 / 2)
    assert found["reasons"]["invalid_recipient"] == pytest.approx(
        {"precision": 1, "recall": 0.5, "f1": 2 / 3, "support": 2}
    )
    assert found["reasons"]["mailbox_full"] == pytest.approx({"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 2})
    assert set(found["reasons"]) == {"invalid_recipient", "mailbox_full", "greylisted"}
    assert found["decided_by"] == {"model": 5, "rules": 0, "default": 0}


def test_confusing_one_hard_reason_with_another_is_no_good_address_called_hard() -> None:
    found = measured([("bad_domain", "invalid_recipient"), ("mailbox_full", "mailbox_full")])
    assert (found["good_called_hard"], found["hard_recall"], found["accuracy"]) == (0, 1, 0.5)


def test_shares_of_nothing_are_none() -> None:
    assert measured([("bad_domain", "bad_domain")])["good_called_hard"] is None
    assert measured([("greylisted", "greylisted")])["hard_recall"] is None
    assert measured([("greylisted", "greylisted")], confidence=0.5)["sure_right"] is None


def test_other_acceptable_labels() -> None:
    rows = [Labelled("x", "greylisted", also=("server_busy",)), Labelled("x", "greylisted")]
    found = figures(rows, [Answer("server_busy", 0.5, "rules"), Answer("server_busy", 0.5, "default")])
    assert (found["accuracy"], found["accuracy_with_also"]) == (0, 0.5)
    assert found["decided_by"] == {"model": 0, "rules": 1, "default": 1}


def test_sure_answers() -> None:
    rows = [Labelled("x", "greylisted")] * 4
    said = [("greylisted", 0.95), ("mailbox_full", 0.99), ("mailbox_full", 0.9499), ("mailbox_full", 0.1)]
    found = figures(rows, [Answer(reason, confidence, "model") for reason, confidence in said])
    assert (found["sure_share"], found["sure_right"]) == (0.5, 0.5)


@pytest.mark.parametrize("seed", range(5))
def test_figures_against_scikit_learn(seed: int) -> None:
    rng = random.Random(seed)
    truth = rng.choices(TAXONOMY.reasons[:12], k=300)
    said = [reason if rng.random() < 0.6 else rng.choice(TAXONOMY.reasons) for reason in truth]
    found = measured(list(zip(truth, said, strict=True)))
    labels = sorted(set(truth))
    assert found["accuracy"] == pytest.approx(accuracy_score(truth, said))
    assert found["macro_f1"] == pytest.approx(f1_score(truth, said, labels=labels, average="macro", zero_division=0))
    precision = precision_score(truth, said, labels=labels, average=None, zero_division=0)
    recall = recall_score(truth, said, labels=labels, average=None, zero_division=0)
    for number, label in enumerate(labels):
        assert found["reasons"][label]["precision"] == pytest.approx(precision[number])
        assert found["reasons"][label]["recall"] == pytest.approx(recall[number])
        assert found["reasons"][label]["support"] == truth.count(label)


@pytest.mark.parametrize(
    ("confidence", "right", "error"),
    [
        ([1.0, 1.0], [True, True], 0.0),
        ([1.0, 1.0], [False, False], 1.0),
        ([0.75, 0.75, 0.75, 0.75], [True, True, True, False], 0.0),
        ([0.75, 0.75], [True, True], 0.25),
        ([0.05, 0.95], [False, True], 0.05),
        ([0.15, 0.95, 0.95], [True, True, False], (0.85 + 2 * 0.45) / 3),
        ([0.0], [False], 0.0),
    ],
)
def test_calibration_error(confidence: list[float], right: list[bool], error: float) -> None:
    assert calibration_error(np.array(confidence), np.array(right)) == pytest.approx(error)


def test_slices() -> None:
    rows = [
        Labelled("a", "greylisted", slices=(("lang", "de"), ("provider", "x"))),
        Labelled("b", "greylisted", slices=(("lang", "de"),)),
        Labelled("c", "greylisted", slices=(("lang", "en"),)),
        Labelled("d", "greylisted"),
    ]
    said = [Answer(reason, 0.5, "model") for reason in ("greylisted", "mailbox_full", "greylisted", "mailbox_full")]
    assert slice_accuracy(rows, said) == {
        "lang": {"de": {"rows": 2, "accuracy": 0.5}, "en": {"rows": 1, "accuracy": 1.0}},
        "provider": {"x": {"rows": 1, "accuracy": 1.0}},
    }


# A whole evaluation

ROWS = [
    Labelled("550 5.1.1 User unknown", "invalid_recipient", slices=(("lang", "en"),)),
    Labelled("552 5.2.2 Mailbox full", "mailbox_full"),
    Labelled("552 5.2.2 Mailbox full", "spam_content", also=("mailbox_full",)),
    Labelled("450 4.7.1 Greylisted", "virus_detected", ambiguous=True),
]


def test_evaluation(classifier: BounceClassifier) -> None:
    seen: list[tuple[int, int]] = []
    found = evaluate(classifier, ROWS, source="mine", progress=lambda done, total: seen.append((done, total)))
    assert (found["source"], found["rows"], found["ambiguous_left_out"]) == ("mine", 4, 1)
    assert (found["model_version"], found["degraded"]) == (classifier.model_version, False)
    assert list(found["systems"]) == ["both", "model", "rules"]
    assert seen == [(number, 9) for number in range(1, 10)]
    for system in found["systems"].values():
        assert system["rows"] == 3
        assert system["accuracy"] == pytest.approx(2 / 3)
        assert system["accuracy_with_also"] == 1
    assert found["systems"]["both"]["slices"] == {"lang": {"en": {"rows": 1, "accuracy": 1.0}}}
    assert [(row["label"], row["predicted"], row["also"]) for row in found["mistakes"]] == [
        ("spam_content", "mailbox_full", ["mailbox_full"])
    ]


def test_evaluation_without_a_model(rules_only: BounceClassifier) -> None:
    found = evaluate(rules_only, ROWS)
    assert list(found["systems"]) == ["both", "rules"]
    assert found["degraded"] is True
    assert found["model_version"] is None


def test_mistakes_come_the_most_confident_first(classifier: BounceClassifier) -> None:
    texts = ["550 5.1.1 User unknown", "552 5.2.2 Mailbox full", "450 4.7.1 Greylisted", "xyzzy", "421 x y z"]
    found = evaluate(classifier, [Labelled(text, "virus_detected") for text in texts])
    confidences = [row["confidence"] for row in found["mistakes"]]
    assert len(confidences) == 5
    assert confidences == sorted(confidences, reverse=True)


@pytest.mark.parametrize("rows", [[], [Labelled("x", "greylisted", ambiguous=True)]])
def test_nothing_to_measure(classifier: BounceClassifier, rows: list[Labelled]) -> None:
    with pytest.raises(DataError, match="mine: every row is ambiguous; nothing can be measured"):
        evaluate(classifier, rows, source="mine")


def test_systems(classifier: BounceClassifier) -> None:
    found = systems(classifier)
    assert found["both"] is classifier
    assert found["rules"].degraded
    assert found["rules"].rules is classifier.rules
    assert found["model"].model_only
    predicted = answer(classifier.predict_one("550 5.1.1 User unknown"))
    assert (predicted.reason, predicted.decided_by) == ("invalid_recipient", "model")


# The real input that the main job must run on


@pytest.mark.skipif(not REAL.is_file(), reason=f"{REAL} is not there")
def test_real_diagnostics(classifier: BounceClassifier) -> None:
    found = evaluate(classifier, read_labelled(REAL), source=REAL.name)
    both = found["systems"]["both"]
    # Only figures in the message: a failing test must not print somebody's diagnostics.
    shown = {name: both[name] for name in ("accuracy", "macro_f1", "good_called_hard")}
    reached = both["accuracy"] >= 0.80 and both["macro_f1"] >= 0.70 and both["good_called_hard"] <= 0.02
    del found, both
    assert reached, shown
