"""Scoring from plain arrays is what scikit-learn would have said, and training is repeatable."""

from __future__ import annotations

import random
from io import BytesIO

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from whybounce.data.slots import fill
from whybounce.model.artifact import SHIPPED
from whybounce.model.classifier import TextClassifier
from whybounce.model.diagnostic import parse
from whybounce.model.errors import ArtifactError
from whybounce.model.features import char_features, char_ngrams, code_features, document, word_features
from whybounce.model.predictor import BounceClassifier
from whybounce.training.corpus import Template
from whybounce.training.fit import fit
from whybounce.training.train import Trained, train

HOSTILE = [
    "", "\t", "\x00", "\ud800", "550", "=550", "=", "5.1.1 4.2.2", "a", "ADDR", "ADDR IP HOST", "^ $", "user user user",
    "用户不存在", "é\u0301", "x" * 5000, "user unknown " * 500, "%s", "=5xx =550 =x.1.1", "\u202eabc", "a\tb\tc",
]  # fmt: skip


@pytest.fixture(scope="session")
def scorer(classifier: BounceClassifier) -> TextClassifier:
    assert classifier.classifier is not None
    return classifier.classifier


@pytest.fixture(scope="session")
def pipeline(classifier: BounceClassifier) -> Pipeline:
    """The shipped pipeline as scikit-learn itself reads it."""
    assert classifier.manifest is not None
    return joblib.load(SHIPPED / classifier.manifest.model_file)


def documents_of(corpus: list[Template], count: int) -> list[str]:
    rng = random.Random(3)
    return [document(parse(fill(template.text, rng))) for template in rng.sample(corpus, count)]


def assert_equal(scorer: TextClassifier, pipeline: Pipeline, docs: list[str]) -> None:
    expected = pipeline.predict_proba(docs)
    found = scorer.score(docs).probabilities
    assert found.shape == expected.shape == (len(docs), len(scorer.labels))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


def test_scores_equal_those_of_scikit_learn_over_the_corpus(
    scorer: TextClassifier, pipeline: Pipeline, corpus: list[Template]
) -> None:
    assert_equal(scorer, pipeline, documents_of(corpus, 1000))


@pytest.mark.parametrize("make", [lambda text: text, lambda text: document(parse(text))], ids=["raw", "parsed"])
def test_scores_equal_those_of_scikit_learn_on_hostile_texts(
    scorer: TextClassifier, pipeline: Pipeline, make: object
) -> None:
    assert callable(make)
    assert_equal(scorer, pipeline, [str(make(text)) for text in HOSTILE])


@settings(max_examples=50, deadline=None)
@given(docs=st.lists(st.text(max_size=80), min_size=1, max_size=5))
def test_scores_equal_those_of_scikit_learn_on_any_text(
    scorer: TextClassifier, pipeline: Pipeline, docs: list[str]
) -> None:
    assert_equal(scorer, pipeline, docs)


@settings(max_examples=60, deadline=None)
@given(
    docs=st.lists(
        st.sampled_from([*HOSTILE, "user unknown\t=550 =5xx", "mailbox full\t=452"]) | st.text(max_size=60),
        min_size=1,
        max_size=40,
    )
)
def test_a_document_is_read_the_same_alone_and_among_others(scorer: TextClassifier, docs: list[str]) -> None:
    together = scorer.score(docs)
    labels = [scorer.labels[place % len(scorer.labels)] if place % 5 else None for place in range(len(docs))]
    spoken = together.contributions(labels)
    for place, (doc, row) in enumerate(zip(docs, together.probabilities, strict=True)):
        alone = scorer.score([doc])
        assert alone.probabilities[0].tobytes() == row.tobytes()
        assert alone.contributions([labels[place]])[0] == spoken[place]


def test_the_scorer_tells_texts_apart(scorer: TextClassifier) -> None:
    docs = [document(parse(text)) for text in ("550 5.1.1 user unknown", "552 5.2.2 mailbox full", "421 greylisted")]
    best = [scorer.labels[int(scorer.probabilities(doc).argmax())] for doc in docs]
    assert best == ["invalid_recipient", "mailbox_full", "greylisted"]


# Contributions


def test_contributions_are_what_features_add(scorer: TextClassifier) -> None:
    doc = document(parse("550 5.1.1 user unknown"))
    found = scorer.contributions(doc, "invalid_recipient")
    assert 0 < len(found) <= 6
    gains = [gain for _, gain in found]
    assert gains == sorted(gains, reverse=True)
    assert min(gains) > 0
    known = {*word_features(doc), *char_features(doc), *code_features(doc)}
    assert {name for name, _ in found} <= known
    assert any("unknown" in name or name.startswith("=") for name, _ in found)
    assert len(scorer.contributions(doc, "invalid_recipient", top=2)) == 2


def test_contributions_add_up_to_the_score(scorer: TextClassifier, pipeline: Pipeline) -> None:
    doc = document(parse("552 5.2.2 mailbox full"))
    coefficients = pipeline.named_steps["classify"].coef_
    vector = pipeline[:-1].transform([doc]).toarray()[0]
    column = scorer.labels.index("mailbox_full")
    gains = vector * (coefficients[column] - coefficients.mean(axis=0))
    found = scorer.contributions(doc, "mailbox_full", top=10_000)
    assert sum(gain for _, gain in found) >= gains.sum() - 1e-3
    assert found[0][1] >= gains.max() - 1e-4


def test_contributions_of_nothing(scorer: TextClassifier) -> None:
    assert scorer.contributions("", "mailbox_full") == []
    with pytest.raises(ValueError, match="not among the labels"):
        scorer.contributions("x", "no such label")


# What is no classifier


@pytest.mark.parametrize("thing", [None, 3, {"a": 1}, Pipeline([("classify", LogisticRegression())])])
def test_other_objects_are_refused(thing: object) -> None:
    with pytest.raises(ArtifactError, match="holds no whybounce pipeline"):
        TextClassifier(thing)


def test_of_two_labels_the_probabilities_are_those_of_scikit_learn() -> None:
    docs = ["user unknown\t=550", "no such user\t=550", "mailbox full\t=452", "over quota\t=552"]
    fitted = fit(docs, ["invalid_recipient"] * 2 + ["mailbox_full"] * 2, [1.0] * 4)
    two = TextClassifier(fitted)
    np.testing.assert_allclose(two.score(docs).probabilities, fitted.predict_proba(docs), atol=1e-6)
    assert two.contributions(docs[0], "invalid_recipient")


def test_an_unfitted_pipeline_is_refused(small: Trained) -> None:
    pipeline = joblib.load(BytesIO(small.payload))
    pipeline.steps[-1] = ("classify", LogisticRegression())
    with pytest.raises(ArtifactError, match="holds no whybounce pipeline"):
        TextClassifier(pipeline)


# Features


def test_documents_hold_words_and_marks() -> None:
    doc = document(parse("host mx.example.net[192.0.2.1] said: 550 5.1.1 User unknown (in reply to RCPT TO command)"))
    words, marks = doc.split("\t")
    assert words == "user unknown"
    assert marks.split() == ["=550", "=5xx", "=5.1.1", "=x.1.1", "=x.1", "=550/5.1.1", "=rcpt"]
    assert document(parse("user unknown")) == "user unknown\t=none"
    assert document(parse("")) == "\t=none"


def test_features() -> None:
    doc = "user unknown\t=550 =rcpt"
    assert {"user", "unknown", "user unknown", "^ user", "unknown $"} <= set(word_features(doc))
    assert code_features(doc) == ["=550", "=rcpt"]
    assert {" u", "us", "user ", "er "} <= set(char_features(doc))
    assert char_ngrams("ADDR") == ()
    assert char_ngrams("a") == (" a", "a ", " a ")
    assert char_features("\t=550") == []


# Training is repeatable


def test_the_same_templates_and_seed_give_the_same_model(few_templates: list[Template], small: Trained) -> None:
    again = train(few_templates, folds=2)
    assert again.manifest.data["fingerprint"] == small.manifest.data["fingerprint"]
    assert again.manifest == small.manifest
    first, second = (TextClassifier(joblib.load(BytesIO(made.payload))) for made in (small, again))
    for text in ["550 5.1.1 user unknown", "452 quota", "xyzzy", ""]:
        doc = document(parse(text))
        np.testing.assert_array_equal(first.probabilities(doc), second.probabilities(doc))


@pytest.mark.slow
def test_another_seed_gives_another_fingerprint(few_templates: list[Template], small: Trained) -> None:
    other = train(few_templates, folds=2, seed=8)
    assert other.manifest.data["fingerprint"] != small.manifest.data["fingerprint"]
    assert other.manifest.data["seed"] == 8
