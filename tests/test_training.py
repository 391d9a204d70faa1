"""Training: expansion, own examples, folds, calibration, thresholds."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn.naive_bayes import MultinomialNB

from whybounce.model.decision import HARD
from whybounce.model.diagnostic import parse
from whybounce.model.errors import DataError, MissingExtraError
from whybounce.model.features import document
from whybounce.model.rules import KINDS, Rule, RuleSet, default_rules
from whybounce.training import extras
from whybounce.training import fit as fitting
from whybounce.training.corpus import Template, load_corpus
from whybounce.training.expand import Example, expand, variants
from whybounce.training.labelled import Labelled
from whybounce.training.own import own_examples
from whybounce.training.thresholds import (
    MOST_LEFT_TO_RULES,
    REVIEW_BELOW,
    Case,
    HeldOut,
    cases_of,
    choose,
    held_out_figures,
)
from whybounce.training.train import Trained, fingerprint, group, hold_out, merge


def template(text: str, reason: str = "invalid_recipient", **fields: str) -> Template:
    given: dict[str, str] = {"family": "acme", "source": "Acme", "phase": "rcpt", "lang": "en"} | fields
    return Template(text=text, reason=reason, also=None, **given)


def example(
    doc: str, reason: str = "invalid_recipient", weight: float = 1.0, family: str = "acme", text: str = ""
) -> Example:
    return Example(doc, reason, None, family, "Acme", "en", weight, text or doc, text or doc, plain=True)


# Expansion

LONG = "550 5.1.1 <{rcpt}>: the user that you are writing to is not known on this server, sorry about that"


def test_the_first_variant_is_the_template_itself() -> None:
    found = list(variants(template(LONG), random.Random(1)))
    assert found[0] == (LONG, 1.0)
    assert len(found) > 2
    assert all(0 < weight < 1 for _, weight in found[1:])
    assert len({text for text, _ in found}) == len(found)


def test_variants_keep_words_of_the_template() -> None:
    for seed in range(50):
        for text, _ in variants(template(LONG), random.Random(seed)):
            assert "the user that you" in text


def test_variants_drop_and_falsify_codes() -> None:
    texts = [text for seed in range(50) for text, _ in variants(template(LONG), random.Random(seed))]
    codes = {parse(text.replace("{rcpt}", "a@example.com")).reply_code for text in texts}
    assert None in codes
    assert codes > {None, 550}
    assert all(code is None or code // 100 == 5 for code in codes)  # a wrong code is of the right class
    assert any(text.startswith("SMTP error from") or text.startswith("host {host}") for text in texts)


@pytest.mark.parametrize("text", ["550", "550 5.1.1", "4.2.2", "421 4.7.0 -"])
def test_codes_alone_have_no_variants(text: str) -> None:
    assert list(variants(template(text), random.Random(1))) == [(text, 1.0)]


def test_expansion_fills_slots_and_masks() -> None:
    examples = expand([template(LONG)], seed=1)
    assert examples[0].plain
    assert examples[0].doc == document(parse(examples[0].text))
    assert sum(found.plain for found in examples) == 1
    for found in examples:
        assert "{" not in found.text
        assert "example" not in found.doc or "ADDR" in found.doc
        assert found.template == LONG
        assert (found.reason, found.family, found.lang) == ("invalid_recipient", "acme", "en")


def test_expansion_joins_equal_documents() -> None:
    first, second = template("550 gone away for good"), template("550  gone away, for good!")
    alone, both = expand([first]), expand([first, second])
    assert len({(found.doc, found.reason) for found in both}) == len(both)
    assert next(found for found in both if found.plain).weight >= 2.0
    assert sum(found.weight for found in both) > sum(found.weight for found in alone)
    other = expand([first, template("550 gone away for good", "closed_account")])
    assert Counter(found.reason for found in other if found.plain) == {"invalid_recipient": 1, "closed_account": 1}


def test_expansion_is_repeatable_and_local() -> None:
    first, second = template(LONG), template("452 4.2.2 mailbox of {rcpt} is full", "mailbox_full")
    assert expand([first, second], seed=3) == expand([first, second], seed=3)
    assert [found.text for found in expand([first, second], seed=3)][: len(expand([first], seed=3))] == [
        found.text for found in expand([first], seed=3)
    ]
    assert [found.text for found in expand([first], seed=3)] != [found.text for found in expand([first], seed=4)]


def test_expansion_reports_progress() -> None:
    seen: list[tuple[int, int]] = []
    expand([template("a b c"), template("d e f")], progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]


# Own examples


def test_own_examples() -> None:
    rows = [
        Labelled(
            "550 5.1.1 <a@example.com>: unknown",
            "invalid_recipient",
            also=("closed_account",),
            slices=(("lang", "en"),),
        ),
        Labelled("550 5.1.1 <b@example.org>: unknown", "invalid_recipient"),
        Labelled("552 full", "mailbox_full"),
    ]
    found = own_examples(rows, name="mine", weight=2.0)
    assert [(row.reason, row.weight, row.also) for row in found] == [
        ("invalid_recipient", 2.0, "closed_account"),  # twice the same text: log2(2) on top, shared by their slices
        ("invalid_recipient", 2.0, None),
        ("mailbox_full", 2.0, None),
    ]
    assert {row.family for row in found} == {"own-mine"}
    assert found[0].lang == "en"
    assert found[0].doc == document(parse("550 5.1.1 <c@example.net>: unknown"))
    assert own_examples([], name="mine", weight=1.0) == []


def test_merging_adds_weights_and_keeps_the_order() -> None:
    merged = merge(
        [example("a", weight=1), example("b"), example("a", weight=0.5), example("a", reason="mailbox_full")]
    )
    assert [(row.doc, row.reason, row.weight) for row in merged] == [
        ("a", "invalid_recipient", 1.5),
        ("b", "invalid_recipient", 1.0),
        ("a", "mailbox_full", 1.0),
    ]


def test_the_fingerprint_changes_with_the_data_and_the_seed() -> None:
    rows = [template("a"), template("b")]
    own = [example("c", weight=1.0), example("\ud800")]
    prints = [
        fingerprint(rows, own, 1), fingerprint(rows, own, 2), fingerprint(rows[::-1], own, 1), fingerprint(rows[:1], own, 1),
        fingerprint(rows, own[:1], 1), fingerprint(rows, [example("c", weight=2.0), own[1]], 1), fingerprint([], [], 1),
        fingerprint([template("a", "mailbox_full"), rows[1]], own, 1),
    ]  # fmt: skip
    assert len(set(prints)) == len(prints)
    assert fingerprint(rows, own, 1) == prints[0]


# Folds


def test_a_family_is_never_in_both_parts() -> None:
    families = [f"family-{number % 7}" for number in range(70)]
    tested: list[int] = []
    for train_rows, test_rows in fitting.family_folds(families, 3, seed=1):
        assert {families[row] for row in train_rows}.isdisjoint({families[row] for row in test_rows})
        assert len(train_rows) + len(test_rows) == len(families)
        tested += test_rows.tolist()
    assert sorted(tested) == list(range(70))


def test_the_seed_deals_the_families() -> None:
    families = [f"family-{number}" for number in range(40)]
    deals = [[test.tolist() for _, test in fitting.family_folds(families, 4, seed=seed)] for seed in (1, 1, 2)]
    assert deals[0] == deals[1] != deals[2]


def test_groups() -> None:
    assert group(example("a", family="postfix")) == "postfix"
    assert group(example("a", family="postfix", text="x")) == group(example("b", family="postfix", text="y"))
    for family in ("generic-mailbox-full", "lang-de", "own-mine"):
        same = {group(example(doc, family=family, text="the same template")) for doc in ("a", "b", "c")}
        assert len(same) == 1
        dealt = {group(example("a", family=family, text=f"template {number}")) for number in range(200)}
        assert 10 <= len(dealt) <= 20
        assert all(name.startswith("dealt-") for name in dealt)


def test_no_template_is_both_in_training_and_in_test(few_templates: list[Template]) -> None:
    examples = expand(few_templates, seed=1)
    families = [group(row) for row in examples]
    for train_rows, test_rows in fitting.family_folds(families, 3, seed=1):
        in_training = {examples[row].template for row in train_rows}
        assert in_training.isdisjoint({examples[row].template for row in test_rows})


def test_held_out_scores_come_from_a_model_that_never_saw_the_family() -> None:
    # Each family has a word of its own, which alone tells the reason: held out, it must be of no use.
    reasons = ["mailbox_full", "greylisted", "invalid_recipient"]
    families = {f"family{name}": reasons[number % 3] for number, name in enumerate("abcdef")}
    examples = [
        example(f"{family}word{number % 2} {family}\t=none", reason, family=family)
        for family, reason in families.items()
        for number in range(6)
    ]
    steps: list[tuple[str, int, int]] = []
    held_out = hold_out(examples, folds=6, seed=1, report=lambda *step: steps.append(step))
    assert held_out.labels == ("greylisted", "invalid_recipient", "mailbox_full")
    np.testing.assert_allclose(held_out.probabilities.sum(axis=1), 1, atol=1e-6)
    truth = np.array([held_out.labels.index(row.reason) for row in examples])
    assert held_out.probabilities[np.arange(len(examples)), truth].max() <= 0.5 + 1e-6
    assert steps[-1] == ("holding families out", 6, 6)


# Fitting and calibrating


def test_fitting_respects_weights() -> None:
    docs = ["mailbox over quota\t=none", "mailbox over quota\t=none", "user is unknown\t=none"]
    labels = ["mailbox_full", "message_too_large", "invalid_recipient"]
    heavy = [fitting.fit(docs, labels, weights).predict(docs[:1])[0] for weights in ([9.0, 1.0, 1.0], [1.0, 9.0, 1.0])]
    assert heavy == ["mailbox_full", "message_too_large"]


def test_selection_keeps_no_more_features_than_asked_for() -> None:
    docs = [f"word{number} other{number}\t=none" for number in range(20)]
    pipeline = fitting.fit(docs, ["mailbox_full", "greylisted"] * 10, [1.0] * 20, features=7)
    assert pipeline.named_steps["classify"].n_features_in_ == 7


@pytest.mark.parametrize("labels", [["mailbox_full", "greylisted"], ["mailbox_full", "greylisted", "mail_loop"]])
def test_a_share_of_the_scores_is_naive_bayes(labels: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    docs = [f"{words} word{number}\t=none" for number in range(6) for words in ("is full", "is grey", "is looping")]
    rows = [(doc, label) for doc, label in zip(docs, ["mailbox_full", "greylisted", "mail_loop"] * 6, strict=True)]
    known = [(doc, label) for doc, label in rows if label in labels]
    few, truth, weights = [doc for doc, _ in known], [label for _, label in known], [1.0] * len(known)
    mixed = fitting.logits(fitting.fit(few, truth, weights), few)
    monkeypatch.setattr(fitting, "BAYES_SHARE", 0.0)
    alone = fitting.fit(few, truth, weights)
    bayes = MultinomialNB(alpha=fitting.BAYES_SMOOTHING, fit_prior=False).fit(alone[:-1].transform(few), truth)
    scores = 0.2 * bayes.predict_joint_log_proba(alone[:-1].transform(few))
    # Scores count against each other only.
    difference = mixed - fitting.logits(alone, few) - scores
    np.testing.assert_allclose(difference - difference.mean(axis=1, keepdims=True), 0, atol=1e-4)


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 3.0])
def test_the_temperature_is_found_and_improves_the_loss(true_temperature: float) -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(4000, 5)) * 2
    truth = np.array([rng.choice(5, p=row) for row in softmax(scores, axis=1)])
    weights = np.ones(len(truth))
    wrong = scores * true_temperature
    found = fitting.temperature(wrong, truth, weights)
    assert found == pytest.approx(true_temperature, rel=0.1)

    def loss(values: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> float:
        return -float(log_softmax(values, axis=1)[np.arange(len(truth)), truth].mean())

    assert loss(wrong / found) <= loss(wrong) + 1e-9
    if true_temperature != 1.0:
        assert loss(wrong / found) < loss(wrong) - 0.01


def test_applying_a_temperature_is_dividing_the_scores() -> None:
    docs = ["mailbox is full\t=552", "user is unknown\t=550", "greylisted for now\t=450"]
    pipeline = fitting.fit(docs * 3, ["mailbox_full", "invalid_recipient", "greylisted"] * 3, [1.0] * 9)
    before = fitting.logits(pipeline, docs)
    probabilities = fitting.apply_temperature(pipeline, 2.5).predict_proba(docs)
    np.testing.assert_allclose(probabilities, softmax(before / 2.5, axis=1), atol=1e-5)


# Thresholds


def cases(rows: list[tuple[str, str, dict[str, float]]], rules: RuleSet) -> list[Case]:
    """(text, true reason, probabilities) as if a model had given them."""
    labels = ("greylisted", "invalid_recipient", "mailbox_full")
    examples = [example(document(parse(text)), reason, text=text) for text, reason, _ in rows]
    table = np.array([[given.get(label, 0.0) for label in labels] for _, _, given in rows])
    return cases_of(HeldOut(examples, labels, table, 1.0), rules)


def test_what_a_veto_is_worth_is_measured() -> None:
    greylisting = Rule("a.greylisted", "greylisted", "grey", ("x",), ("y",))
    sure = {"invalid_recipient": 0.9, "mailbox_full": 0.1}
    texts = [(f"grey list {word}", "greylisted", sure) for word in ("one", "two", "three")]
    assert choose(cases(texts, RuleSet((greylisting,)))).confidence["veto"] == pytest.approx(4 / 5)
    assert choose(cases(texts, RuleSet(()))).confidence["veto"] == pytest.approx(1 / 2)  # nothing is known


def test_the_hard_threshold_rises_when_good_addresses_are_called_hard() -> None:
    shaky = {"invalid_recipient": 0.55, "mailbox_full": 0.45}
    careless = [("some words that say little", "mailbox_full", shaky)] * 5
    careful = choose(cases(careless, RuleSet(())))
    assert careful.hard_threshold > 0.55
    right = [("some words that say little", "invalid_recipient", shaky)] * 5
    assert choose(cases(right, RuleSet(()))).hard_threshold <= 0.55


def test_a_wrong_unsure_model_leaves_it_to_the_rules() -> None:
    unsure = {"greylisted": 0.4, "mailbox_full": 0.3, "invalid_recipient": 0.3}
    rows = [("452 4.2.2 the mailbox is full", "mailbox_full", unsure)] * 5
    right = [("452 4.2.2 the mailbox is full", "mailbox_full", {"mailbox_full": 0.4, "greylisted": 0.3})] * 5
    wrong, fine = (
        held_out_figures(given, choose(given))
        for given in (cases(rows, default_rules()), cases(right, default_rules()))
    )
    assert (wrong["model"]["accuracy"], wrong["both"]["accuracy"]) == (0, 1)
    assert (fine["model"]["accuracy"], fine["both"]["accuracy"]) == (1, 1)
    assert choose(cases(right, RuleSet(()))).threshold == 0  # ties go to the model


def test_thresholds_of_a_trained_model(small: Trained) -> None:
    manifest = small.manifest
    assert 0 <= manifest.threshold <= MOST_LEFT_TO_RULES
    assert 0.5 <= manifest.hard_threshold <= 0.9
    assert manifest.review_below == REVIEW_BELOW
    kinds = {f"{kind}_{how}" for kind in KINDS for how in ("agree", "alone")}
    assert set(manifest.confidence) == {*kinds, "veto"}
    assert all(0 < share < 1 for share in manifest.confidence.values())
    both, model = (manifest.metrics["held_out_families"][name] for name in ("both", "model"))
    assert both["accuracy"] >= model["accuracy"] - 0.05
    assert both["rows"] == model["rows"] > 100


def test_the_shipped_model_beats_chance_by_far_on_unseen_families() -> None:
    from whybounce.model.artifact import SHIPPED, read_manifest

    both = read_manifest(SHIPPED).metrics["held_out_families"]["both"]
    assert both["accuracy"] >= 0.7
    assert both["good_called_hard"] <= 0.05
    assert set(both["reasons"]) >= HARD


# Reading the corpus


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "the corpus has no template files"),
        ({"a.jsonl": '{"text": "x", "reason": "nope"}'}, "unknown reasons: nope"),
    ],
)
def test_a_corpus_that_cannot_be_used(tmp_path: Path, files: dict[str, str], message: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text + "\n", "utf-8")
    with pytest.raises(DataError, match=message):
        load_corpus(sorted(tmp_path.iterdir()))


def test_a_corpus_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "x {rcpt}", "reason": "mailbox_full", "family": "f", "lang": "en"}\n', "utf-8")
    assert load_corpus([path]) == [Template("x {rcpt}", "mailbox_full", None, "f", None, None, "en")]  # type: ignore[arg-type]


def test_a_missing_extra_names_the_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'whybounce\[train\]'"):
        extras.datasets_module()
