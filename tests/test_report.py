"""The evidence: intervals, tests and curves against other computations, the verdict, the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2
from sklearn.metrics import accuracy_score, f1_score

from whybounce.model.diagnostic import parse
from whybounce.model.prediction import Evidence
from whybounce.model.taxonomy import REPORT_LINES, TAXONOMY
from whybounce.training.evaluate import measure_answers
from whybounce.training.labelled import Labelled
from whybounce.training.metrics import Answer, Outcome, outcome
from whybounce.training.report.cases import code_family
from whybounce.training.report.curves import calibration, costs, coverage
from whybounce.training.report.measure import About
from whybounce.training.report.significance import METRICS, interval, mcnemar, mcnemar_of, resample, share_interval

LABELS = ("invalid_recipient", "bad_domain", "mailbox_full", "spam_content", "greylisted")
TEXTS = [f"550 5.1.1 word{chr(97 + number // 26)}{chr(97 + number % 26)} wrong" for number in range(26 * 26)]


def made(pairs: Sequence[tuple[str, str]], *, confidence: Sequence[float] | None = None) -> Outcome:
    rows = [Labelled("x", truth) for truth, _ in pairs]
    sure = confidence or [0.9] * len(pairs)
    return outcome(rows, [Answer(said, sure[number], "model") for number, (_, said) in enumerate(pairs)])


def some(seed: int, size: int, right: float = 0.7) -> list[tuple[str, str]]:
    rng = np.random.default_rng(seed)
    truth = rng.choice(LABELS, size)
    return [(str(label), str(label) if rng.random() < right else str(rng.choice(LABELS))) for label in truth]


pairs_of = st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=1, max_size=40)


# Intervals


def test_bootstrap_against_drawing_rows_one_by_one() -> None:
    pairs = some(1, 150)
    drawn = resample({"both": made(pairs)}, np.arange(150), resamples=4000)["both"]
    rng = np.random.default_rng(5)
    found: dict[str, list[float]] = {"accuracy": [], "macro_f1": []}
    for _ in range(1500):
        chosen = [pairs[index] for index in rng.integers(0, 150, 150)]
        truth, said = zip(*chosen, strict=True)
        found["accuracy"].append(accuracy_score(truth, said))
        found["macro_f1"].append(f1_score(truth, said, labels=sorted(set(truth)), average="macro", zero_division=0))
    for metric, values in found.items():
        for quantile in (0.025, 0.5, 0.975):
            assert np.quantile(drawn[metric], quantile) == pytest.approx(np.quantile(values, quantile), abs=0.015)


def test_bootstrap_of_shares_by_hand() -> None:
    # Two templates: a draw has 0, 1 or 2 of each, so accuracy is 0, 1/2 or 1 with 1/4, 1/2, 1/4.
    found = made([("greylisted", "greylisted"), ("invalid_recipient", "greylisted")])
    drawn = resample({"both": found}, np.array([0, 1]), resamples=4000)["both"]
    values, counts = np.unique(drawn["accuracy"], return_counts=True)
    assert values.tolist() == [0, 0.5, 1]
    assert (counts / 4000).tolist() == pytest.approx([0.25, 0.5, 0.25], abs=0.03)
    # No draw without a good address says anything about good addresses.
    assert np.isnan(drawn["good_called_hard"]).mean() == pytest.approx(0.25, abs=0.03)
    assert set(drawn["hard_recall"][~np.isnan(drawn["hard_recall"])]) == {0.0}


def test_the_same_template_again_is_no_new_evidence() -> None:
    pairs = some(2, 60)
    once = resample({"both": made(pairs)}, np.arange(60))["both"]["accuracy"]
    again = resample({"both": made(pairs * 9)}, np.tile(np.arange(60), 9))["both"]["accuracy"]
    apart = resample({"both": made(pairs * 9)}, np.arange(540))["both"]["accuracy"]
    assert again.std() == pytest.approx(once.std(), rel=0.1)
    assert apart.std() == pytest.approx(once.std() / 3, rel=0.1)


def test_a_weight_is_as_good_as_repetition() -> None:
    pairs = some(3, 30)
    rows = [Labelled("x", truth, weight=3.0) for truth, _ in pairs]
    weighted = outcome(rows, [Answer(said, 0.9, "model") for _, said in pairs])
    one = resample({"both": weighted}, np.arange(30))["both"]
    other = resample({"both": made([pair for pair in pairs for _ in range(3)])}, np.repeat(np.arange(30), 3))["both"]
    for metric in METRICS:
        assert np.nanmean(one[metric]) == pytest.approx(np.nanmean(other[metric]), abs=0.01)
        assert np.nanstd(one[metric]) == pytest.approx(np.nanstd(other[metric]), rel=0.15, abs=0.005)


def test_bootstrap_is_paired_and_seeded() -> None:
    pairs = some(4, 80)
    outcomes = {"both": made(pairs), "twin": made(pairs)}
    drawn = resample(outcomes, np.arange(80))
    for metric in METRICS:
        np.testing.assert_array_equal(drawn["both"][metric], drawn["twin"][metric])
    np.testing.assert_array_equal(drawn["both"]["accuracy"], resample(outcomes, np.arange(80))["both"]["accuracy"])
    other = resample(outcomes, np.arange(80), seed=8)["both"]["accuracy"]
    assert not np.array_equal(drawn["both"]["accuracy"], other)


@settings(max_examples=40, deadline=None)
@given(pairs=pairs_of, other=pairs_of, seed=st.integers(0, 5))
def test_intervals_hold_their_estimates(pairs: Any, other: Any, seed: int) -> None:
    size = min(len(pairs), len(other))
    rows = [Labelled(TEXTS[number // 2], truth) for number, (truth, _) in enumerate(pairs[:size])]
    answers = {
        "both": [Answer(said, 0.9, "model") for _, said in pairs[:size]],
        "current": [Answer(said, 0.9, "model") for _, said in other[:size]],
    }
    found = measure_answers(rows, answers, resamples=60, seed=seed).document
    for system in (found["systems"]["both"], found["current"]):
        for metric in METRICS:
            check(system[metric], system["intervals"][metric], 0, 1)
    for difference in found["contrasts"]["current"]["metrics"].values():
        check(difference["value"], difference["interval"], -1, 1)
    for dimension in ("provider", "lang", "code_family", "decided_by"):
        for entry in found["slices"][dimension]:
            check(entry["accuracy"], entry["interval"], 0, 1)
            check(entry["gain"]["value"], entry["gain"]["interval"], -1, 1)


def check(value: float | None, found: dict[str, float] | None, least: float, most: float) -> None:
    assert (value is None) == (found is None)
    if value is not None and found is not None:
        assert least - 1e-9 <= found["low"] <= value <= found["high"] <= most + 1e-9


def test_no_interval_of_nothing() -> None:
    assert interval(np.array([np.nan, np.nan]), 0.5) is None
    assert interval(np.array([0.1, 0.2]), None) is None
    assert share_interval(np.array([], dtype=bool), np.array([]), np.array([], dtype=int)) is None


@pytest.mark.parametrize(("hits", "rows"), [(8, 10), (0, 5), (5, 5), (1, 1), (430, 1000)])
def test_wilson_against_scipy(hits: int, rows: int) -> None:
    found = share_interval(np.arange(rows) < hits, np.ones(rows), np.arange(rows))
    known = binomtest(hits, rows).proportion_ci(method="wilson")
    assert found == pytest.approx({"low": known.low, "high": known.high})


def test_wilson_counts_templates() -> None:
    hits = np.arange(10) < 8
    once = share_interval(hits, np.ones(10), np.arange(10))
    assert share_interval(np.repeat(hits, 4), np.ones(40), np.repeat(np.arange(10), 4)) == pytest.approx(once)
    assert share_interval(hits, np.full(10, 4.0), np.arange(10)) == pytest.approx(once)


def test_nothing_wrong_in_a_few_rows_is_no_certainty() -> None:
    rows = [Labelled(TEXTS[number], "mailbox_full" if number < 6 else "bad_domain") for number in range(9)]
    found = measured(rows, [Answer(row.label, 0.9, "model") for row in rows])["systems"]["both"]
    for metric, hits, among in (("accuracy", 9, 9), ("good_called_hard", 0, 6), ("hard_recall", 3, 3)):
        known = binomtest(hits, among).proportion_ci(method="wilson")
        assert found["intervals"][metric] == pytest.approx({"low": known.low, "high": known.high})


# McNemar's test


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [
        (0, 0, 1.0),
        (3, 3, 1.0),
        (1, 5, 2 * (1 + 6) / 2**6),
        (0, 6, 2 / 2**6),
        (10, 14, binomtest(10, 24).pvalue),
        (10, 15, chi2.sf((5 - 1) ** 2 / 25, 1)),
        (100, 150, chi2.sf(49**2 / 250, 1)),
        (50, 50, 1.0),
    ],
)
def test_mcnemar(first: int, second: int, p: float) -> None:
    assert mcnemar(first, second)["p_value"] == pytest.approx(p)


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_is_symmetric(first: int, second: int) -> None:
    one, other = mcnemar(first, second), mcnemar(second, first)
    assert one["p_value"] == other["p_value"]
    assert one["method"] == other["method"]
    assert 0 <= float(one["p_value"]) <= 1


def test_mcnemar_over_rows_and_templates() -> None:
    truth = ["greylisted"] * 8
    first = made([(label, "greylisted" if number < 6 else "spam_content") for number, label in enumerate(truth)])
    second = made([(label, "greylisted" if number > 3 else "spam_content") for number, label in enumerate(truth)])
    found = mcnemar_of(first, second, np.array([0, 0, 0, 1, 2, 2, 3, 3]))
    assert (found["rows"]["first_only"], found["rows"]["second_only"]) == (4, 2)
    assert (found["templates"]["first_only"], found["templates"]["second_only"]) == (2, 1)


# Curves

confident = st.lists(
    st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS), st.floats(0, 1)), min_size=1, max_size=60
)


@given(confident)
def test_coverage_falls_and_costs_add_up(rows: list[tuple[str, str, float]]) -> None:
    found = made([(truth, said) for truth, said, _ in rows], confidence=[value for _, _, value in rows])
    points = coverage(found)
    shares = [point["coverage"] for point in points]
    assert shares[0] == 1
    assert shares == sorted(shares, reverse=True)
    for point in points:
        kept = [truth == said for truth, said, value in rows if value >= point["threshold"]]
        assert point["rows"] == len(kept)
        assert point["accuracy"] == (pytest.approx(sum(kept) / len(kept)) if kept else None)
    cost = costs(found, review_below=None)
    for point in (cost["default"], *cost["thresholds"]):
        parts = [point[name] for name in ("good_suppressed", "good_kept", "bad_suppressed", "bad_kept")]
        assert sum(parts) == pytest.approx(10_000)
        assert min(parts) >= 0
    lost = [point["good_suppressed"] for point in cost["thresholds"]]
    kept_bad = [point["bad_kept"] for point in cost["thresholds"]]
    assert lost == sorted(lost, reverse=True)
    assert kept_bad == sorted(kept_bad)


def test_costs_by_hand() -> None:
    rows = [Labelled("x", label) for label in ("invalid_recipient",) * 2 + ("mailbox_full",) * 2]
    answers = [
        Answer("bad_domain", 0.9, "model"),
        Answer("invalid_recipient", 0.3, "model", unsure=True),
        Answer("bad_domain", 0.6, "model"),
        Answer("spam_content", 0.9, "model"),
    ]
    found = costs(outcome(rows, answers), review_below=0.4)
    assert found["default"] == {
        "good_suppressed": 2500, "good_kept": 2500, "bad_suppressed": 2500, "bad_kept": 2500,
    }  # fmt: skip
    at = {point["threshold"]: point for point in found["thresholds"]}
    assert (at[0.0]["bad_suppressed"], at[0.0]["good_suppressed"]) == (5000, 2500)
    assert (at[0.7]["bad_suppressed"], at[0.7]["good_suppressed"]) == (2500, 0)


def test_calibration_bins_make_the_error() -> None:
    pairs = some(6, 200)
    confidence = np.random.default_rng(1).random(200).tolist()
    bins = calibration(made(pairs, confidence=confidence))
    assert sum(row["rows"] for row in bins) == 200
    gaps = [row["rows"] / 200 * abs(row["confidence"] - row["accuracy"]) for row in bins]
    found = measure_answers(
        [Labelled("x", truth) for truth, _ in pairs],
        {"both": [Answer(said, value, "model") for (_, said), value in zip(pairs, confidence, strict=True)]},
        resamples=10,
    ).document
    assert found["calibration"]["error"] == pytest.approx(sum(gaps))
    assert found["calibration"]["bins"] == bins


# Slices, mistakes, data


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("550 5.1.1 User unknown", "5.1.x"),
        ("452 4.2.2 Mailbox full", "4.2.x"),
        ("550 User unknown", "550 alone"),
        ("User unknown", "no code"),
        ("421 4.7.28 slow down", "4.7.x"),
    ],
)
def test_code_family(text: str, family: str) -> None:
    assert code_family(parse(text)) == family


def measured(rows: list[Labelled], said: list[Answer], **others: list[Answer]) -> dict[str, Any]:
    return measure_answers(rows, {"both": said, **others}, about=About(source="mine"), resamples=200).document


def test_slices_by_hand() -> None:
    rows = [
        Labelled("550 5.1.1 no such user", "invalid_recipient", slices=(("provider", "north"), ("lang", "en"))),
        Labelled("550 5.1.1 no such person", "invalid_recipient", slices=(("provider", "north"), ("lang", "en"))),
        Labelled("552 mailbox full", "mailbox_full", slices=(("provider", "south"), ("lang", "de"))),
    ]
    said = [
        Answer("invalid_recipient", 0.9, "model"),
        Answer("mailbox_full", 0.9, "rules"),
        Answer("bad_domain", 0.9, "rules"),
    ]
    found = measured(rows, said, rules=[Answer("mailbox_full", 0.5, "rules")] * 3)["slices"]
    picked = {
        name: {row["name"]: (row["rows"], row["accuracy"], row["rules_accuracy"]) for row in found[name]}
        for name in ("provider", "lang", "code_family", "decided_by")
    }
    assert picked == {
        "provider": {"north": (2, 0.5, 0), "south": (1, 0, 1)},
        "lang": {"en": (2, 0.5, 0), "de": (1, 0, 1)},
        "code_family": {"5.1.x": (2, 0.5, 0), "552 alone": (1, 0, 1)},
        "decided_by": {"rules": (2, 0, 0.5), "model": (1, 1, 0)},
    }
    assert found["provider"][1]["good_called_hard"] == 1
    assert found["provider"][0]["good_called_hard"] is None
    assert found["provider"][0]["hard_recall"] == 0.5


def test_rare_slices_are_joined() -> None:
    rows = [Labelled(TEXTS[number], "greylisted", slices=(("provider", f"p{number % 60}"),)) for number in range(100)]
    found = measured(rows, [Answer("greylisted", 0.9, "model")] * 100)["slices"]["provider"]
    assert len(found) == 41
    assert sum(row["rows"] for row in found) == 100
    assert "all others" in [row["name"] for row in found]


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        ("550 5.1.1 <a@example.com>: the mailbox of the recipient does not exist on this server", "en"),
        ("550 Das Postfach des Empfängers ist nicht vorhanden", "de"),
        ("550 почтовый ящик переполнен, попробуйте позже", "ru"),
        ("550 5.1.1", "unknown"),
    ],
)
def test_language_is_detected_where_no_row_names_it(text: str, lang: str) -> None:
    found = measured([Labelled(text, "greylisted")], [Answer("greylisted", 0.9, "model")])["slices"]
    assert found["lang_detected"] is True
    assert [row["name"] for row in found["lang"]] == [lang]


def test_mistakes_are_grouped_and_masked() -> None:
    rows = [
        Labelled("550 5.1.1 <a@example.com>: no such user", "greylisted"),
        Labelled("550 5.1.1 <b@example.org>: no such user", "greylisted"),
        Labelled("552 full", "mailbox_full", also=("general_error",)),
        Labelled("550 gone", "invalid_recipient"),
    ]
    evidence = (Evidence("rule", "no such user", id="words.unknown"),)
    said = [
        Answer("invalid_recipient", 0.8, "model", evidence=evidence),
        Answer("invalid_recipient", 0.8, "model", evidence=evidence),
        Answer("general_error", 0.9, "model"),
        Answer("greylisted", 0.7, "rules"),
    ]
    found = measured(rows, said)["mistakes"]
    assert [(row["label"], row["predicted"], row["count"], row["cost"], row["accepted"]) for row in found] == [
        ("mailbox_full", "general_error", 1, "wrong reason", True),
        ("greylisted", "invalid_recipient", 2, "good address lost", False),
        ("invalid_recipient", "greylisted", 1, "bad address kept", False),
    ]
    assert found[1]["template"] == "550 5.1.1 ADDR no such user"
    assert found[1]["evidence"] == [{"kind": "rule", "text": "no such user", "id": "words.unknown", "weight": None}]


def test_bounce_report_of_the_data() -> None:
    rows = [
        Labelled("421 too busy", "server_busy"),
        Labelled("550 5.1.1 no such user", "invalid_recipient"),
        Labelled("452 4.2.2 full (in reply to RCPT TO command)", "server_busy", weight=3.0),
        Labelled("out of office", "not_a_bounce"),
    ]
    said = [Answer(row.label, 0.9, "model") for row in rows[:3]] + [Answer("no_information", 0.9, "model")]
    found = measured(rows, said)["bounce_report"]
    assert [(line["category"], line["line"]) for line in found["lines"]] == [
        (str(line.category), str(line.group)) for line in REPORT_LINES
    ]
    assert len(found["lines"]) == 15
    counts = {(line["category"], line["line"]): line["labelled"] for line in found["lines"] if line["labelled"]}
    assert counts == {
        ("technical", "Server is currently too busy"): 1,
        ("soft", "Server is currently too busy"): 3,
        ("hard", "Invalid recipient"): 1,
    }
    assert found["other"] == [
        {"reason": "no_information", "labelled": 0, "answered": 1},
        {"reason": "not_a_bounce", "labelled": 1, "answered": 0},
    ]
    assert {row["category"]: row["answered"] for row in found["categories"]} == {
        "hard": 1, "soft": 3, "technical": 1, "other": 1,
    }  # fmt: skip


def test_data_summary() -> None:
    rows = [
        Labelled("550 <a@example.com> unknown", "invalid_recipient"),
        Labelled("550 <b@example.com> unknown", "closed_account", also=("invalid_recipient",)),
        Labelled("552 full", "mailbox_full"),
        Labelled("552 full", "mailbox_full"),
        Labelled("552 full", "mailbox_full", ambiguous=True),
    ]
    found = measured(rows, [Answer(row.label, 0.9, "model") for row in rows])["data"]
    assert {name: value for name, value in found.items() if name not in ("fingerprint", "labels")} == {
        "source": "mine", "rows": 5, "ambiguous": 1, "measured": 4, "duplicates": 1, "templates": 2,
        "largest_template": 2, "templates_with_several_labels": 1, "with_second_label": 1, "weighted": False,
    }  # fmt: skip
    assert found["labels"][0] == {"reason": "mailbox_full", "rows": 2}
    other = measured(rows[:4], [Answer(row.label, 0.9, "model") for row in rows[:4]])["data"]
    assert other["fingerprint"] != found["fingerprint"]


def test_confusion_matrix() -> None:
    pairs = some(7, 120)
    found = measured(
        [Labelled(TEXTS[number], truth) for number, (truth, _) in enumerate(pairs)],
        [Answer(said, 0.9, "model") for _, said in pairs],
    )["confusion"]
    assert found["labels"] == [reason for reason in TAXONOMY.reasons if reason in LABELS]
    for row, truth in enumerate(found["labels"]):
        for column, said in enumerate(found["labels"]):
            assert found["counts"][row][column] == pairs.count((truth, said))
    wrong = sum(truth != said for truth, said in pairs)
    assert sum(cell["count"] for cell in found["confused"]) == wrong
    counts = [cell["count"] for cell in found["confused"]]
    assert counts == sorted(counts, reverse=True)


# The verdict


def verdict(old_right: float, new_right: float, *, size: int = 400, good_lost: int = 0) -> dict[str, Any]:
    """A verdict on texts of mailbox_full and bad_domain; ``good_lost`` good addresses are called hard by the new one."""
    rng = np.random.default_rng(0)
    rows = [Labelled(TEXTS[number], "mailbox_full" if number % 2 else "bad_domain") for number in range(size)]
    old = [Answer(row.label if rng.random() < old_right else "greylisted", 0.9, "model") for row in rows]
    new = [Answer(row.label if rng.random() < new_right else "greylisted", 0.9, "model") for row in rows]
    for number in range(1, 2 * good_lost, 2):
        new[number] = Answer("bad_domain", 0.9, "model")
    headline: dict[str, Any] = measured(rows, new, current=old)["headline"]
    return headline


def test_verdicts() -> None:
    assert verdict(0.6, 0.9)["level"] == "better"
    assert verdict(0.9, 0.6)["level"] == "worse"
    assert verdict(0.8, 0.8)["level"] == "same"
    assert verdict(0.7, 0.9, good_lost=30)["level"] == "mixed"
    assert "good_called_hard" in verdict(0.7, 0.9, good_lost=30)["losses"]
    assert verdict(0.9, 0.9, good_lost=30)["level"] == "worse"


def test_a_verdict_says_what_it_means() -> None:
    found = verdict(0.6, 0.9)
    assert found["title"] == "Better than the current model"
    assert "Of 10,000 bounces like these" in found["sentences"][0]
    assert any("larger than chance explains" in sentence for sentence in found["sentences"])
    assert found["advice"] == "Switch from the current model to this model."
    same = verdict(0.8, 0.8)
    assert same["title"] == "No evidence of a difference from the current model"
    assert any("may be chance" in sentence for sentence in same["sentences"])


def test_numbers_of_the_verdict() -> None:
    rows = [Labelled(TEXTS[number], "bad_domain" if number < 4 else "mailbox_full") for number in range(10)]
    said = [Answer(label, 0.9, "model") for label in ["bad_domain"] * 3 + ["mailbox_full"] * 6 + ["bad_domain"]]
    found = measured(rows, said)["headline"]
    assert (found["right"], found["good_suppressed"], found["bad_kept"], found["bad"]) == (8000, 1000, 1000, 4000)
    assert found["level"] == "single"


def test_few_texts_are_said_to_be_few() -> None:
    assert any("Only 10 distinct texts" in caution for caution in verdict(0.5, 0.9, size=10)["cautions"])
    assert verdict(0.5, 0.9)["cautions"] == []
    same = measured([Labelled("552 full", "mailbox_full")] * 9 + [Labelled("x y z", "greylisted")], [Answer("greylisted", 1.0, "model")] * 10)  # fmt: skip
    assert any("one and the same text" in caution for caution in same["headline"]["cautions"])


def test_the_verdict_allows_for_looking_at_four_figures() -> None:
    # Equal systems: the verdict should be wrong about as seldom as one 95 % interval is.
    wrong = 0
    rows = [Labelled(TEXTS[number], LABELS[number % 5]) for number in range(250)]
    for seed in range(40):
        rng = np.random.default_rng(seed)
        old, new = (
            [Answer(row.label if rng.random() < 0.8 else str(rng.choice(LABELS)), 0.9, "model") for row in rows]
            for _ in range(2)
        )
        found = measure_answers(rows, {"both": new, "current": old}, resamples=400).document
        wrong += found["headline"]["level"] != "same"
    assert wrong <= 5
