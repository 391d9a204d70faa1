"""Building, fitting and calibrating the classifier."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest, chi2
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import FeatureUnion, Pipeline

from whybounce.model.classifier import OWN_DOCUMENTS, digest
from whybounce.model.features import char_features, code_features, word_features

FEATURES = 60_000
"""Features that survive the chi-squared selection."""

REGULARISATION = 10.0
"""``C`` of the logistic regression."""

BAYES_SHARE = 0.2
"""Weight of a naive Bayes model in the scores, against 1 for the logistic regression.

Both are linear in the same features, so their sum is one linear model and costs nothing more.
The regression tells apart what the corpus holds; counts mislead less on wordings that it does not."""

BAYES_SMOOTHING = 0.01
"""What is added to each count of the naive Bayes model."""


@dataclass(frozen=True, slots=True)
class Effort:
    """When the solver stops: below a gradient, or after so many iterations."""

    tolerance: float
    iterations: int


QUICK = Effort(1e-3, 100)
STEADY = Effort(3e-4, 200)
"""A model that stops early moves by half a point when a few rows are added, anywhere; this one does not.

Published models are fitted so; the held-out families are scored by quick ones."""


def build_pipeline(*, features: int = FEATURES, c: float = REGULARISATION, effort: Effort = QUICK) -> Pipeline:
    """Return the unfitted pipeline over documents of :mod:`whybounce.model.features`."""
    options: dict[str, Any] = {"lowercase": False, "sublinear_tf": True, "dtype": np.float32}
    union = FeatureUnion(
        [
            ("words", TfidfVectorizer(analyzer=word_features, **options)),
            ("chars", TfidfVectorizer(analyzer=char_features, min_df=2, **options)),
            ("codes", TfidfVectorizer(analyzer=code_features, use_idf=False, **options)),
        ]
    )
    return Pipeline(
        [
            ("features", union),
            ("select", SelectKBest(chi2, k=features)),
            ("classify", LogisticRegression(C=c, max_iter=effort.iterations, tol=effort.tolerance)),
        ]
    )


def fit(
    docs: Sequence[str],
    labels: Sequence[str],
    weights: Sequence[float],
    *,
    features: int = FEATURES,
    effort: Effort = QUICK,
) -> Pipeline:
    """Fit the pipeline on weighted documents. Deterministic: the solver draws no random numbers."""
    pipeline = build_pipeline(features=features, effort=effort)
    union, select = pipeline.named_steps["features"], pipeline.named_steps["select"]
    vectors = union.fit_transform(docs)
    select.set_params(k=min(features, vectors.shape[1])).fit(vectors, labels)
    _keep(union, select.get_support())
    selected = select.set_params(k="all").fit_transform(union.fit_transform(docs), labels)
    classify: LogisticRegression = pipeline.named_steps["classify"]
    classify.fit(selected, labels, sample_weight=np.asarray(weights))
    bayes = MultinomialNB(alpha=BAYES_SMOOTHING).fit(selected, labels, sample_weight=np.asarray(weights))
    _add_bayes(classify, bayes)
    return pipeline


def _keep(union: FeatureUnion, support: npt.NDArray[np.bool_]) -> None:
    """Leave the vectorisers the selected features alone.

    One that is not selected would count for the length of a vector nevertheless, and a text that
    nobody has seen has few of those. Held-out families gain a point, and four fifths of the vocabulary go.
    """
    start = 0
    left = []
    for name, vectorizer in union.transformer_list:
        found = vectorizer.get_feature_names_out()
        chosen = found[support[start : start + len(found)]].tolist()
        start += len(found)
        if chosen:
            left.append((name, vectorizer.set_params(vocabulary=chosen)))
    union.transformer_list = left


def _add_bayes(classify: LogisticRegression, bayes: MultinomialNB) -> None:
    """Add the scores of a naive Bayes model of the same labels; no label is likelier beforehand."""
    words = bayes.feature_log_prob_
    # Of two labels scikit-learn keeps the score of the second against the first.
    scores = words - words.mean(axis=0) if len(classify.coef_) > 1 else words[1:] - words[:1]
    classify.coef_ = classify.coef_ + BAYES_SHARE * scores


def logits(pipeline: Pipeline, docs: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return the scores before the softmax, shape ``(len(docs), number of labels)``."""
    scores = np.asarray(pipeline.decision_function(docs), dtype=np.float64)
    # Of two labels scikit-learn gives the score of the second against the first.
    return scores if scores.ndim == 2 else np.column_stack([np.zeros_like(scores), scores])


def family_folds(
    families: Sequence[str], folds: int, seed: int
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Yield (train, test) indices; a family is never in both."""
    indices = np.arange(len(families))
    yield from GroupKFold(folds, shuffle=True, random_state=seed).split(indices, groups=list(families))


def temperature(
    scores: npt.NDArray[np.float64], truth: npt.NDArray[np.int64], weights: npt.NDArray[np.float64]
) -> float:
    """Return the temperature that minimises the log loss of held-out scores.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """

    def loss(log_temperature: float) -> float:
        likelihood = log_softmax(scores / np.exp(log_temperature), axis=1)
        return float(-(weights * likelihood[np.arange(len(truth)), truth]).sum())

    return float(np.exp(minimize_scalar(loss, bounds=(-2.0, 2.0), method="bounded").x))


def remember(pipeline: Pipeline, docs: Iterable[str]) -> Pipeline:
    """Note in a pipeline which documents the user's own rows label with one voice."""
    digests = sorted({digest(doc) for doc in docs})
    if digests:
        setattr(pipeline, OWN_DOCUMENTS, digests)
    return pipeline


def apply_temperature(pipeline: Pipeline, value: float) -> Pipeline:
    """Divide coefficients and intercept by the temperature, in single precision.

    softmax(x / T) of a linear model is the softmax of the model whose coefficients are
    divided by T, so calibration costs nothing at prediction time.
    """
    classify: LogisticRegression = pipeline.named_steps["classify"]
    classify.coef_ = np.asfortranarray(classify.coef_ / value, dtype=np.float32)
    classify.intercept_ = np.asarray(classify.intercept_ / value, dtype=np.float32)
    select: SelectKBest = pipeline.named_steps["select"]
    select.scores_ = np.where(select.get_support(), select.scores_, 0).astype(np.float32)
    select.pvalues_ = None
    return pipeline
