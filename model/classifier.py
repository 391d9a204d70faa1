"""The trained text classifier: a scikit-learn pipeline, scored from plain arrays.

scikit-learn fits, calibrates and stores the model. Its ``predict_proba`` spends most
of a single call on validation and on building sparse matrices, so prediction runs over
the same numbers taken out of the fitted pipeline; a test holds the two equal.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline

from whybounce.model.errors import ArtifactError

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Block:
    """One vectoriser of the union, as plain data.

    ``vocabulary`` maps a feature to ``(idf * block weight, row)``, where ``row`` is the
    row of the coefficient matrix or -1 when feature selection dropped the feature (it
    still counts for the length of the vector).
    """

    analyzer: Callable[[str], list[str]]
    vocabulary: dict[str, tuple[float, int]]
    weight: float


class TextClassifier:
    """Probabilities and explanations from a fitted pipeline.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline
        Steps ``features`` (a FeatureUnion of TfidfVectorizer), ``select``
        (SelectKBest) and ``classify`` (multinomial LogisticRegression whose
        coefficients carry the calibration temperature).

    Raises
    ------
    ArtifactError
        When the object is not such a pipeline.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        try:
            union: FeatureUnion = pipeline.named_steps["features"]
            select: SelectKBest = pipeline.named_steps["select"]
            classify: LogisticRegression = pipeline.named_steps["classify"]
            self.labels: tuple[str, ...] = tuple(str(label) for label in classify.classes_)
            # Less its mean over the labels, a coefficient gives the same softmax, and says by
            # itself how far a feature lifts one label above the others.
            centred = classify.coef_ - classify.coef_.mean(axis=0)
            self._coefficients: FloatArray = np.ascontiguousarray(centred.T, dtype=np.float32)
            self._intercept: FloatArray = classify.intercept_.astype(np.float32)
            rows = np.full(select.n_features_in_, -1, dtype=np.int64)
            rows[select.get_support(indices=True)] = np.arange(self._coefficients.shape[0])
            self._blocks = _blocks(union, rows)
            self._names = _names(self._blocks, len(self._coefficients))
            # Scoring and explaining follow each other: the vector is made once.
            self._vector = lru_cache(maxsize=8)(self._read)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"the artifact holds no whybounce pipeline ({error}); train it again") from error

    def probabilities(self, doc: str) -> FloatArray:
        """Return the probability of each label, shape ``(len(labels),)``."""
        rows, values = self._vector(doc)
        scores = self._intercept
        if len(rows):
            scores = scores + values @ self._coefficients[rows]
        exponent = np.exp(scores - scores.max())
        return np.asarray(exponent / exponent.sum(), dtype=np.float32)

    def contributions(self, doc: str, label: str, *, top: int = 6) -> list[tuple[str, float]]:
        """Return the features of ``doc`` that speak most for a label, with log-odds.

        The weight of a feature is what it adds to the label's score beyond what it
        adds to the labels on average.
        """
        column = self.labels.index(label)
        rows, values = self._vector(doc)
        gains = values * self._coefficients[rows, column]
        best = np.argsort(-gains, kind="stable")[:top]
        return [(self._names[rows[index]], float(gains[index])) for index in best if gains[index] > 0]

    def _read(self, doc: str) -> tuple[npt.NDArray[np.intp], FloatArray]:
        rows: list[int] = []
        values: list[float] = []
        for block in self._blocks:
            _extend(rows, values, block, doc)
        return np.asarray(rows, dtype=np.intp), np.asarray(values, dtype=np.float32)


def _blocks(union: FeatureUnion, rows: npt.NDArray[np.int64]) -> tuple[Block, ...]:
    weights = union.transformer_weights or {}
    blocks = []
    start = 0
    for name, vectorizer in union.transformer_list:
        if not isinstance(vectorizer, TfidfVectorizer):
            raise TypeError(f"{name} is not a TfidfVectorizer")
        size = len(vectorizer.vocabulary_)
        idf = vectorizer.idf_ if vectorizer.use_idf else np.ones(size)
        vocabulary = {
            feature: (float(idf[index]), int(rows[start + index])) for feature, index in vectorizer.vocabulary_.items()
        }
        blocks.append(Block(vectorizer.analyzer, vocabulary, float(weights.get(name, 1.0))))
        start += size
    return tuple(blocks)


def _names(blocks: tuple[Block, ...], count: int) -> list[str]:
    names = [""] * count
    for block in blocks:
        for feature, (_, row) in block.vocabulary.items():
            if row >= 0:
                names[row] = feature
    return names


def _extend(rows: list[int], values: list[float], block: Block, doc: str) -> None:
    """Append the l2-normalised, sublinear tf-idf vector of one block, dropped features left out."""
    vocabulary = block.vocabulary
    start = len(values)
    square = 0.0
    for feature, count in Counter(block.analyzer(doc)).items():
        entry = vocabulary.get(feature)
        if entry is None:
            continue
        value = entry[0] * (1.0 + math.log(count)) if count > 1 else entry[0]
        square += value * value
        if entry[1] >= 0:
            rows.append(entry[1])
            values.append(value)
    if square:
        scale = block.weight / math.sqrt(square)
        values[start:] = [value * scale for value in values[start:]]
