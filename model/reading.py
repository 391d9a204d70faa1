"""Documents as numbers: the tf-idf vectors of a fitted union, many documents at a time.

A call of numpy costs as much for one document as for fifty, so everything that is not
text is done for many at once. Each document's numbers are summed by themselves and in
one order, so a document is read the same alone and among others, to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat

import numpy as np
import numpy.typing as npt

from whybounce.model.features import (
    char_features,
    char_ngrams,
    code_features,
    parts_of_word,
    split,
    word_features,
    word_pairs,
    word_parts,
)

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

MOST = 16 * 1024
"""A feature comes no more often in a text: that has no more characters."""
_SUBLINEAR = (1.0 + np.log(np.maximum(1, np.arange(MOST + 1)))).astype(np.float32)

_TINY = 1e-30

WORDS_KEPT = 16384
"""Words whose features are remembered."""

Analyzer = Callable[[str], list[str]]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """One vectoriser of the union, as plain data.

    Attributes
    ----------
    analyzer : callable
        Document -> its features.
    numbers : mapping
        Feature -> its number within this vectoriser, from 0 on.
    idf : numpy.ndarray or None
        The weight of each feature; None where all weigh 1.
    weight : float
        The length of this part of a vector.
    """

    analyzer: Analyzer
    numbers: Mapping[str, int]
    idf: npt.NDArray[np.floating] | None
    weight: float


@dataclass(frozen=True, slots=True)
class Readings:
    """What documents are to the classifier: sparse rows.

    Attributes
    ----------
    starts : numpy.ndarray of int, shape (documents + 1,)
        Where the features of each document begin in the other arrays.
    rows : numpy.ndarray of int, shape (n,)
        The selected features, numbered from 1 on, ascending within a document; 0 for those that the
        selection dropped, which only count for the length of the vector.
    values : numpy.ndarray of float32, shape (n,)
        Their tf-idf, sublinear, each block with the length of its weight.
    """

    starts: IntArray
    rows: IntArray
    values: FloatArray

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def documents(self) -> IntArray:
        """The document that each feature belongs to, shape (n,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))


class Reader:
    """Reads documents.

    A feature is kept as one number that holds both its place in the vector and its row
    among the selected ones: a table to look the row up in would be a cache miss for
    every feature.

    Parameters
    ----------
    vocabularies : sequence of Vocabulary
        The blocks of a vector, in their order; features are numbered through.
    kept : numpy.ndarray of int
        The numbers of the selected features, ascending. One that the selection dropped still
        counts for the length of the vector.
    """

    def __init__(self, vocabularies: Sequence[Vocabulary], kept: IntArray) -> None:
        self._count = sum(len(one.numbers) for one in vocabularies)
        self._idf: FloatArray = np.ones(self._count, dtype=np.float32)
        self._weights = np.array([one.weight for one in vocabularies])
        rows = np.zeros(self._count, dtype=np.int64)
        rows[kept] = np.arange(1, len(kept) + 1)
        self._bits = len(kept).bit_length()
        self._mask = (1 << self._bits) - 1
        codes = ((np.arange(self._count, dtype=np.int64) << self._bits) | rows).tolist()
        self._lookups: list[tuple[Analyzer, dict[str, int]]] = []
        within_words: dict[str, int] = {}
        self._of_words: dict[str, int] = {}
        self._of_marks: dict[str, int] = {}
        ends = []
        start = 0
        for one in vocabularies:
            end = start + len(one.numbers)
            if one.idf is not None:
                self._idf[start:end] = one.idf
            coded = {feature: codes[start + number] for feature, number in one.numbers.items()}
            if one.analyzer is char_features and not within_words:
                # These never reach over a word, so those of a word are remembered; as are the words themselves.
                within_words = coded
            elif one.analyzer is word_features and not self._of_words:
                self._of_words = coded
            elif one.analyzer is code_features and not self._of_marks:
                self._of_marks = coded
            else:
                self._lookups.append((one.analyzer, coded))
            start = end
            ends.append(end)
        self._ends = np.array(ends[:-1], dtype=np.int64)
        self._of_word = _word_memo(within_words, self._of_words)

    def read(self, docs: Sequence[str]) -> Readings:
        """Return the vectors of documents, in their order."""
        codes = self._codes(docs)
        codes.sort()
        # Equal ones stand side by side: where another begins, and how many there are of each.
        new = np.empty(len(codes), dtype=bool)
        new[:1] = True
        np.not_equal(codes[1:], codes[:-1], out=new[1:])
        begins = new.nonzero()[0]
        found = codes[begins]
        features = found >> self._bits
        # One document is read without what tells many apart.
        owner = features // self._count if len(docs) > 1 else None
        if owner is not None:
            features -= owner * self._count
        values = self._idf[features]
        if len(begins) < len(codes):
            ends = np.empty_like(begins)
            ends[:-1] = begins[1:]
            ends[-1:] = len(codes)
            values *= _SUBLINEAR[ends - begins]
        segment = self._ends.searchsorted(features, side="right")
        if owner is not None:
            segment += owner * len(self._weights)
        lengths = np.sqrt(np.bincount(segment, values * values, len(docs) * len(self._weights)))
        # A block without features has no length, and nothing to scale.
        np.maximum(lengths, _TINY, out=lengths)
        weights = self._weights if owner is None else np.tile(self._weights, len(docs))
        values *= (weights / lengths).astype(np.float32)[segment]
        if owner is None:
            starts = np.array([0, len(features)])
        else:
            starts = np.zeros(len(docs) + 1, dtype=np.int64)
            np.bincount(owner, minlength=len(docs)).cumsum(out=starts[1:])
        return Readings(starts, found & self._mask, values)

    def _codes(self, docs: Sequence[str]) -> IntArray:
        """The features of all documents, with repeats; those of a document lie above those of the one before."""
        pieces: list[IntArray] = []
        few: list[int] = []
        of_pieces: list[int] = []
        of_few: list[int] = []
        for doc in docs:
            words, marks = split(doc)
            own = list(map(self._of_word, words))
            of_pieces.append(sum(map(len, own)))
            pieces += own
            before = len(few)
            few.extend(map(self._of_words.get, word_pairs(word_parts(doc, words)), repeat(-1)))
            few.extend(map(self._of_marks.get, marks, repeat(-1)))
            for analyzer, codes in self._lookups:
                few.extend(map(codes.get, analyzer(doc), repeat(-1)))
            of_few.append(len(few) - before)
        looked_up = np.array(few, dtype=np.int64)
        known = looked_up >= 0
        found = np.concatenate([looked_up[known], *pieces])
        if len(docs) > 1:
            above = np.arange(len(docs), dtype=np.int64) * (self._count << self._bits)
            found += np.concatenate([np.repeat(above, of_few)[known], np.repeat(above, of_pieces)])
        return found


def _word_memo(within: dict[str, int], whole: dict[str, int]) -> Callable[[str], IntArray]:
    """Return what gives the features that a word has by itself: of its characters, and it as a whole."""

    @lru_cache(maxsize=WORDS_KEPT)
    def of_word(word: str) -> IntArray:
        # The n-grams need not be remembered twice.
        found = [*map(within.get, char_ngrams.__wrapped__(word)), *map(whole.get, parts_of_word(word))]
        return np.array([code for code in found if code is not None], dtype=np.int64)

    return of_word
