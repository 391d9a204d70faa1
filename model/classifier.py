"""The trained text classifier: a scikit-learn pipeline, scored from plain arrays.

scikit-learn fits, calibrates and stores the model. Its ``predict_proba`` spends most
of a single call on validation and on building sparse matrices, so prediction runs over
the same numbers taken out of the fitted pipeline; a test holds the two equal.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

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
            self._coefficients: FloatArray = np.ascontiguousarray(classify.coef_.T, dtype=np.float32)
            self._intercept: FloatArray = classify.intercept_.astype(np.float32)
            rows = np.full(select.n_features_in_, -1, dtype=np.int64)
            rows[select.get_support(indices=True)] = np.arange(self._coefficients.shape[0])
            self._blocks = _blocks(union, rows)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"the artifact holds no whybounce pipeline ({error}); train it again") from error

    def probabilities(self, doc: str) -> FloatArray:
        """Return the probability of each label, shape ``(len(labels),)``."""
        rows: list[int] = []
        values: list[float] = []
        for block in self._blocks:
            for row, value in _vector(block, doc):
                rows.append(row)
                values.append(value)
        scores = self._intercept
        if rows:
            scores = scores + np.asarray(values, dtype=np.float32) @ self._coefficients[rows]
        exponent = np.exp(scores - scores.max())
        return np.asarray(exponent / exponent.sum(), dtype=np.float32)

    def contributions(self, doc: str, label: str, *, top: int = 6) -> list[tuple[str, float]]:
        """Return the features of ``doc`` that speak most for a label, with log-odds.

        The weight of a feature is what it adds to the label's score beyond what it
        adds to the labels on average.
        """
        column = self.labels.index(label)
        found: dict[str, float] = {}
        for block in self._blocks:
            names = {
                row: name for name, (_, row) in ((n, block.vocabulary.get(n, (0.0, -1))) for n in block.analyzer(doc))
            }
            for row, value in _vector(block, doc):
                weights = self._coefficients[row]
                gain = float(value * (weights[column] - weights.mean()))
                found[names[row]] = found.get(names[row], 0.0) + gain
        best = sorted(((name, gain) for name, gain in found.items() if gain > 0), key=lambda item: -item[1])
        return best[:top]


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


def _vector(block: Block, doc: str) -> Iterable[tuple[int, float]]:
    """The l2-normalised, sublinear tf-idf vector of one block, dropped features left out."""
    vocabulary = block.vocabulary
    entries = []
    square = 0.0
    for feature, count in Counter(block.analyzer(doc)).items():
        entry = vocabulary.get(feature)
        if entry is None:
            continue
        value = entry[0] * (1.0 + math.log(count)) if count > 1 else entry[0]
        square += value * value
        if entry[1] >= 0:
            entries.append((entry[1], value))
    scale = block.weight / math.sqrt(square) if square else 0.0
    return [(row, value * scale) for row, value in entries]
