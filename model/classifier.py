"""The trained text classifier: a scikit-learn pipeline, scored from plain arrays.

scikit-learn fits, calibrates and stores the model. Its ``predict_proba`` spends most
of a single call on validation and on building sparse matrices, so prediction runs over
the same numbers taken out of the fitted pipeline; a test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import Any

import numpy as np

from whybounce.model.errors import ArtifactError
from whybounce.model.reading import FloatArray, IntArray, Reader, Readings, Vocabulary

OWN_DOCUMENTS = "own_documents_"
"""Attribute of a pipeline: digests of the documents that the user's own rows label with one voice."""

Contributions = list[tuple[str, float]]
"""Features with the log-odds that they add, most first."""

_LOW = np.int64(0xFFFFFFFF)


def digest(doc: str) -> int:
    """64 bits of a document: what is kept of it where only equality matters."""
    return int.from_bytes(blake2b(doc.encode("utf-8", "replace"), digest_size=8).digest(), "big")


@dataclass(frozen=True, slots=True)
class Scores:
    """What the classifier makes of some documents.

    Attributes
    ----------
    probabilities : numpy.ndarray of float32, shape (documents, labels)
    labels : tuple of str
    readings : Readings
    products : numpy.ndarray of float32, shape (features, labels)
        What each feature of ``readings`` adds to each label's score.
    names : sequence of str
        The feature of each row.
    """

    probabilities: FloatArray
    labels: tuple[str, ...]
    readings: Readings
    products: FloatArray
    names: Sequence[str]

    def contributions(self, labels: Sequence[str | None], *, top: int = 6) -> list[Contributions]:
        """Return for each document the features that speak most for its label; nothing for None.

        The weight of a feature is what it adds to the label's score beyond what it
        adds to the labels on average.
        """
        columns = [-1 if label is None else self.labels.index(label) for label in labels]
        if len(columns) == 1:
            return [self._of_one(columns[0], top)]
        owner = self.readings.documents
        column = np.array(columns, dtype=np.int64)[owner]
        gains = self.products[np.arange(len(owner)), column]
        speaking = ((gains > 0) & (column >= 0)).nonzero()[0]
        return self._of_many(gains, speaking, owner[speaking], top)

    def _of_one(self, column: int, top: int) -> Contributions:
        if column < 0:
            return []
        gains = self.products[:, column]
        best = (-gains).argsort(kind="stable")[:top]
        rows = self.readings.rows[best].tolist()
        return [(self.names[row], gain) for row, gain in zip(rows, gains[best].tolist(), strict=True) if gain > 0]

    def _of_many(self, gains: FloatArray, speaking: IntArray, owner: IntArray, top: int) -> list[Contributions]:
        sizes = np.bincount(owner, minlength=len(self.readings))
        starts = np.cumsum(sizes) - sizes
        # One number for each that sorts by gain, then by feature: the bits of a positive float are in order.
        keys = gains[speaking].view(np.int32).astype(np.int64) << 32 | (_LOW - speaking)
        table = np.zeros((len(sizes), max(top, int(sizes.max(initial=0)))), dtype=np.int64)
        table[owner, np.arange(len(speaking)) - starts[owner]] = keys
        if table.shape[1] > top:
            table = np.partition(table, table.shape[1] - top, axis=1)[:, -top:]
        table.sort(axis=1)
        filled = table > 0
        place = _LOW - (table[filled] & _LOW)
        found = zip(self.readings.rows[place].tolist(), gains[place].tolist(), strict=True)
        said = [
            [(self.names[row], gain) for row, gain in islice(found, count)] for count in filled.sum(axis=1).tolist()
        ]
        for one in said:
            one.reverse()
        return said


class TextClassifier:
    """Probabilities and explanations from a fitted pipeline.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline, or its attributes
        Steps ``features`` (a FeatureUnion of TfidfVectorizer), ``select``
        (SelectKBest) and ``classify`` (multinomial LogisticRegression whose
        coefficients carry the calibration temperature). Only fitted attributes are
        read, so what :func:`whybounce.model.unpickle.attributes` returns will do.

    Raises
    ------
    ArtifactError
        When the object is not such a pipeline.
    """

    def __init__(self, pipeline: Any) -> None:
        try:
            steps = dict(pipeline.steps)
            union, select, classify = steps["features"], steps["select"], steps["classify"]
            self.labels: tuple[str, ...] = tuple(str(label) for label in classify.classes_)
            coefficients, intercept = classify.coef_, classify.intercept_
            if len(self.labels) == 2 and len(coefficients) == 1:
                # Of two labels scikit-learn keeps the score of the second against the first.
                coefficients = np.vstack([np.zeros_like(coefficients), coefficients])
                intercept = np.append(np.zeros_like(intercept), intercept)
            # Less its mean over the labels, a coefficient gives the same softmax, and says by
            # itself how far a feature lifts one label above the others.
            centred = coefficients - coefficients.mean(axis=0)
            self._coefficients: FloatArray = np.zeros((centred.shape[1] + 1, len(self.labels)), dtype=np.float32)
            self._coefficients[1:] = centred.T
            self._intercept: FloatArray = np.asarray(intercept, dtype=np.float32)
            vocabularies = _vocabularies(union)
            kept = _selected(select)
            if len(kept) != centred.shape[1]:
                raise ValueError("selection and coefficients are of different sizes")
            self._reader = Reader(vocabularies, kept)
            names = [name for one in vocabularies for name in sorted(one.numbers, key=one.numbers.__getitem__)]
            self._names: list[str] = ["", *(names[number] for number in kept.tolist())]
            self._own = frozenset(getattr(pipeline, OWN_DOCUMENTS, ()))
        except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
            raise ArtifactError(f"the artifact holds no whybounce pipeline ({error}); train it again") from error

    def labelled_by_user(self, doc: str) -> bool:
        """Whether the user's own rows say with one voice what this document means."""
        return bool(self._own) and digest(doc) in self._own

    def score(self, docs: Sequence[str]) -> Scores:
        """Read documents and score every label for them."""
        readings = self._reader.read(docs)
        starts = readings.starts[:-1]
        products = self._coefficients.take(readings.rows, axis=0)
        products *= readings.values[:, None]
        filled = starts < readings.starts[1:]
        if filled.all():
            scores = np.add.reduceat(products, starts, axis=0)
        else:
            scores = np.zeros((len(docs), len(self.labels)), dtype=np.float32)
            if filled.any():
                scores[filled] = np.add.reduceat(products, starts[filled], axis=0)
        scores += self._intercept
        scores -= scores.max(axis=1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=1, keepdims=True)
        return Scores(scores, self.labels, readings, products, self._names)

    def probabilities(self, doc: str) -> FloatArray:
        """Return the probability of each label for one document, shape ``(len(labels),)``."""
        row: FloatArray = self.score([doc]).probabilities[0]
        return row

    def contributions(self, doc: str, label: str, *, top: int = 6) -> Contributions:
        """Return the features of one document that speak most for a label; see :meth:`Scores.contributions`.

        Raises
        ------
        ValueError
            For a label that the classifier does not know.
        """
        if label not in self.labels:
            raise ValueError(f"{label!r} is not among the labels of the classifier")
        return self.score([doc]).contributions([label], top=top)[0]


def _vocabularies(union: Any) -> list[Vocabulary]:
    weights = union.transformer_weights or {}
    return [
        Vocabulary(
            vectorizer.analyzer,
            vectorizer.vocabulary_,
            vectorizer._tfidf.idf_ if vectorizer.use_idf else None,
            float(weights.get(name, 1.0)),
        )
        for name, vectorizer in union.transformer_list
    ]


def _selected(select: Any) -> IntArray:
    """What ``SelectKBest.get_support(indices=True)`` returns: the best, and of equals the later ones."""
    scores = np.where(np.isnan(select.scores_), np.finfo(select.scores_.dtype).min, select.scores_)
    count = len(scores) if select.k == "all" else int(select.k)
    return np.sort(np.argsort(scores, kind="stable")[len(scores) - count :])
