"""The trained text classifier: a scikit-learn pipeline, scored from plain arrays.

scikit-learn fits, calibrates and stores the model. Its ``predict_proba`` spends most
of a single call on validation and on building sparse matrices, so prediction runs over
the same numbers taken out of the fitted pipeline; a test holds the two equal.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline

from whybounce.model.errors import ArtifactError
from whybounce.model.features import char_features, char_ngrams, code_features, split

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.intp]

OWN_DOCUMENTS = "own_documents_"
"""Attribute of a pipeline: digests of the documents that the user's own rows label with one voice."""


MOST = 16 * 1024
"""A feature comes no more often in a text: that has no more characters."""
_SUBLINEAR = 1.0 + np.log(np.maximum(1, np.arange(MOST + 1)))


def digest(doc: str) -> int:
    """64 bits of a document: what is kept of it where only equality matters."""
    return int.from_bytes(blake2b(doc.encode("utf-8", "replace"), digest_size=8).digest(), "big")


@dataclass(frozen=True, slots=True)
class Block:
    """One vectoriser of the union, as plain data.

    ``vocabulary`` maps a feature to its number; features of all blocks are numbered
    through, and those of this one end before ``end``. ``of_word``, where a feature never
    reaches over a word, remembers the numbers of a word's features.
    """

    analyzer: Callable[[str], list[str]]
    vocabulary: dict[str, int]
    weight: float
    end: int
    of_word: Callable[[str], IntArray] | None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a document is to the classifier.

    Attributes
    ----------
    features : numpy.ndarray of int, shape (n,)
        The selected features that it has, ascending.
    values : numpy.ndarray of float32, shape (n,)
        Their tf-idf, sublinear, each block with the length of its weight.
    coefficients : numpy.ndarray of float32, shape (n, labels)
    """

    features: IntArray
    values: FloatArray
    coefficients: FloatArray


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
            # A feature that the selection dropped still counts for the length of the vector.
            self._rows = np.full(count, -1, dtype=np.intp)
            self._rows[kept] = np.arange(len(kept))
            self._blocks, self._idf = _blocks(union, count)
            self._ends = np.array([block.end for block in self._blocks[:-1]], dtype=np.intp)
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
        read = self._vector(doc)
        scores = read.values @ read.coefficients
        scores += self._intercept
        scores -= scores.max()
        np.exp(scores, out=scores)
        scores /= scores.sum()
        return scores

    def contributions(self, doc: str, label: str, *, top: int = 6) -> list[tuple[str, float]]:
        """Return the features of ``doc`` that speak most for a label, with log-odds.

        The weight of a feature is what it adds to the label's score beyond what it
        adds to the labels on average.
        """
        read = self._vector(doc)
        gains = read.values * read.coefficients[:, self.labels.index(label)]
        best = (-gains).argsort(kind="stable")[:top]
        names = self._names
        return [
            (names[feature], gain)
            for feature, gain in zip(read.features[best].tolist(), gains[best].tolist(), strict=True)
            if gain > 0
        ]

    def _read(self, doc: str) -> Reading:
        words, marks = split(doc)
        pieces: list[IntArray] = []
        few: list[int | None] = []
        for block in self._blocks:
            if block.of_word is not None:
                pieces += map(block.of_word, words)
            elif block.analyzer is code_features:
                few += map(block.vocabulary.get, marks)
            else:
                few += map(block.vocabulary.get, block.analyzer(doc))
        pieces.append(np.array([number for number in few if number is not None], dtype=np.intp))
        numbers = np.concatenate(pieces)
        numbers.sort()
        # Equal numbers stand side by side: where another begins, and how many there are of each.
        new = np.empty(len(numbers), dtype=bool)
        new[:1] = True
        np.not_equal(numbers[1:], numbers[:-1], out=new[1:])
        features = numbers[new]
        values = self._idf[features]
        if len(features) < len(numbers):
            starts = new.nonzero()[0]
            counts = np.diff(starts, append=len(numbers))
            values *= _SUBLINEAR[counts]
        start = 0
        squares = values * values
        for block, end in zip(self._blocks, (*features.searchsorted(self._ends).tolist(), len(features)), strict=True):
            if end > start:
                values[start:end] *= block.weight / math.sqrt(squares[start:end].sum())
            start = end
        rows = self._rows[features]
        kept = rows >= 0
        return Reading(features[kept], values[kept].astype(np.float32), self._coefficients[rows[kept]])


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
                start + len(ordered),
                _word_memo(vocabulary) if vectorizer.analyzer is char_features else None,
            )
        )
        start += len(ordered)
    return tuple(blocks), idf


def _word_memo(vocabulary: dict[str, int]) -> Callable[[str], IntArray]:
    @lru_cache(maxsize=16384)
    def of_word(word: str) -> IntArray:
        return np.array([vocabulary[gram] for gram in char_ngrams(word) if gram in vocabulary], dtype=np.intp)

    return of_word
