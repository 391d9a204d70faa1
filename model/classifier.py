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
from functools import lru_cache
from hashlib import blake2b
from itertools import chain

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline

from whybounce.model.errors import ArtifactError
from whybounce.model.features import char_features, char_ngrams, split

FloatArray = npt.NDArray[np.float32]

OWN_DOCUMENTS = "own_documents_"
"""Attribute of a pipeline: digests of the documents that the user's own rows label with one voice."""


def digest(doc: str) -> int:
    """64 bits of a document: what is kept of it where only equality matters."""
    return int.from_bytes(blake2b(doc.encode("utf-8", "replace"), digest_size=8).digest(), "big")


@dataclass(frozen=True, slots=True)
class Block:
    """One vectoriser of the union, as plain data.

    ``vocabulary`` maps a feature to its number; features of all blocks are numbered
    through. ``of_word``, where a feature never reaches over a word, remembers the
    numbers of a word's features.
    """

    analyzer: Callable[[str], list[str]]
    vocabulary: dict[str, int]
    weight: float
    of_word: Callable[[str], tuple[int, ...]] | None


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
            kept = select.get_support(indices=True)
            count = select.n_features_in_
            # A feature that the selection dropped still counts for the length of the
            # vector: it points to a row of zeros.
            self._rows = np.full(count, len(kept), dtype=np.intp)
            self._rows[kept] = np.arange(len(kept))
            self._coefficients = np.vstack([self._coefficients, np.zeros((1, len(self.labels)), np.float32)])
            self._blocks, self._idf = _blocks(union, count)
            self._own = frozenset(getattr(pipeline, OWN_DOCUMENTS, ()))
            self._names: list[str] = [feature for block in self._blocks for feature in block.vocabulary]
            # Scoring and explaining follow each other: the vector is made once.
            self._vector = lru_cache(maxsize=8)(self._read)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"the artifact holds no whybounce pipeline ({error}); train it again") from error

    def labelled_by_user(self, doc: str) -> bool:
        """Whether the user's own rows say with one voice what this document means."""
        return bool(self._own) and digest(doc) in self._own

    def probabilities(self, doc: str) -> FloatArray:
        """Return the probability of each label, shape ``(len(labels),)``."""
        features, values = self._vector(doc)
        scores = self._intercept + values @ self._coefficients[self._rows[features]]
        exponent = np.exp(scores - scores.max())
        return np.asarray(exponent / exponent.sum(), dtype=np.float32)

    def contributions(self, doc: str, label: str, *, top: int = 6) -> list[tuple[str, float]]:
        """Return the features of ``doc`` that speak most for a label, with log-odds.

        The weight of a feature is what it adds to the label's score beyond what it
        adds to the labels on average.
        """
        features, values = self._vector(doc)
        gains = values * self._coefficients[self._rows[features], self.labels.index(label)]
        best = np.argsort(-gains, kind="stable")[:top]
        return [(self._names[features[index]], float(gains[index])) for index in best if gains[index] > 0]

    def _read(self, doc: str) -> tuple[npt.NDArray[np.intp], FloatArray]:
        """The l2-normalised, sublinear tf-idf vector of each block: features and their values."""
        features: list[int] = []
        counts: list[int] = []
        ends: list[int] = []
        for block in self._blocks:
            counted: dict[int | None, int] = Counter(_numbers(block, doc))
            counted.pop(None, None)
            features += counted  # type: ignore[arg-type]
            counts += counted.values()
            ends.append(len(features))
        numbers = np.array(features, dtype=np.intp)
        values = self._idf[numbers]
        if counts and max(counts) > 1:
            values = values * (1.0 + np.log(counts))
        start = 0
        for block, end in zip(self._blocks, ends, strict=True):
            part = values[start:end]
            if end > start:
                part *= block.weight / math.sqrt(part @ part)
            start = end
        return numbers, values.astype(np.float32)


def _numbers(block: Block, doc: str) -> Iterable[int | None]:
    if block.of_word is None:
        return map(block.vocabulary.get, block.analyzer(doc))
    return chain.from_iterable(map(block.of_word, split(doc)[0]))


def _blocks(union: FeatureUnion, count: int) -> tuple[tuple[Block, ...], npt.NDArray[np.float64]]:
    weights = union.transformer_weights or {}
    idf = np.ones(count)
    blocks = []
    start = 0
    for name, vectorizer in union.transformer_list:
        if not isinstance(vectorizer, TfidfVectorizer):
            raise TypeError(f"{name} is not a TfidfVectorizer")
        ordered = sorted(vectorizer.vocabulary_, key=vectorizer.vocabulary_.__getitem__)
        vocabulary = {feature: start + index for index, feature in enumerate(ordered)}
        if vectorizer.use_idf:
            idf[start : start + len(ordered)] = vectorizer.idf_
        blocks.append(
            Block(
                vectorizer.analyzer,
                vocabulary,
                float(weights.get(name, 1.0)),
                _word_memo(vocabulary) if vectorizer.analyzer is char_features else None,
            )
        )
        start += len(ordered)
    return tuple(blocks), idf


def _word_memo(vocabulary: dict[str, int]) -> Callable[[str], tuple[int, ...]]:
    @lru_cache(maxsize=32768)
    def of_word(word: str) -> tuple[int, ...]:
        return tuple(vocabulary[gram] for gram in char_ngrams(word) if gram in vocabulary)

    return of_word
