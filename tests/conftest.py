"""What several test files share: the shipped classifier, a small trained one, its templates."""

from __future__ import annotations

from pathlib import Path

import pytest

from whybounce.model.artifact import publish
from whybounce.model.predictor import BounceClassifier
from whybounce.training.corpus import Template, load_corpus
from whybounce.training.train import Trained, train

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def classifier() -> BounceClassifier:
    """The shipped model; it must load."""
    return BounceClassifier.load(strict=True)


@pytest.fixture(scope="session")
def rules_only() -> BounceClassifier:
    """What answers when no model can be loaded."""
    return BounceClassifier(classifier=None, manifest=None, degraded_because="a test wants it so")


@pytest.fixture(scope="session")
def odd(classifier: BounceClassifier) -> list[str]:
    """Texts that the shipped model is unsure of, whichever model that is."""
    from whybounce.training.feedback.review import judge

    nouns = ("thing", "quux", "bananas", "zorb", "pear", "wibble", "lantern", "turnip", "gasket", "plinth")
    texts = [f"554 {how} {noun}" for noun in nouns for how in ("weird unheard-of", "the", "went", "some sort of")]
    found = [text for text in texts if judge(classifier, classifier.predict_one(text))]
    assert len(found) >= 3
    return found


@pytest.fixture(scope="session")
def corpus() -> list[Template]:
    return load_corpus()


@pytest.fixture(scope="session")
def few_templates(corpus: list[Template]) -> list[Template]:
    """Six templates of each reason, spread over the files."""
    by_reason: dict[str, list[Template]] = {}
    for template in corpus:
        by_reason.setdefault(template.reason, []).append(template)
    return [row for rows in by_reason.values() for row in rows[:: max(1, len(rows) // 6)][:6]]


@pytest.fixture(scope="session")
def small(few_templates: list[Template]) -> Trained:
    """A model of a few templates: quick to train, small, and good enough to be handled."""
    return train(few_templates, folds=2)


@pytest.fixture
def folder(small: Trained, tmp_path: Path) -> Path:
    """A published artifact that a test may damage."""
    path = tmp_path / "artifact"
    publish(path, small.payload, small.manifest)
    return path
