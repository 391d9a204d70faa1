"""What the classifier sees of a diagnostic: one document of words and code marks.

A document is ``words<TAB>marks``. The words are those of the innermost statement of
the masked template; the marks are the reply code, the enhanced status code, their
classes and the phase. Both are determined by the template and the fields that the
caller passed, so equal templates give equal documents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import pairwise
from operator import itemgetter

from whybounce.model.diagnostic import Diagnostic
from whybounce.model.tokens import FIRST_WIDE

CHAR_NGRAMS = (2, 5)
"""Shortest and longest character n-gram within a padded word."""


def document(diagnostic: Diagnostic) -> str:
    """Return the document of a parsed diagnostic."""
    return f"{diagnostic.words}\t{' '.join(code_marks(diagnostic))}"


def code_marks(diagnostic: Diagnostic) -> list[str]:
    """Marks for reply code, enhanced status code, class and phase."""
    marks: list[str] = []
    code, status = diagnostic.reply_code, diagnostic.enhanced_status
    if code is not None:
        marks += [f"={code}", f"={code // 100}xx"]
    if status is not None:
        _, subject, detail = status.split(".")
        marks += [f"={status}", f"=x.{subject}.{detail}", f"=x.{subject}"]
    if code is not None and status is not None:
        marks.append(f"={code}/{status}")
    if code is None and status is None:
        marks.append("=none")
    if diagnostic.command is not None:
        marks.append(f"={diagnostic.command}")
    return marks


def split(doc: str) -> tuple[list[str], list[str]]:
    """Return the words and the marks of a document."""
    words, _, marks = doc.partition("\t")
    return words.split(), marks.split()


def word_features(doc: str) -> list[str]:
    """Words and pairs of neighbouring words; scripts without spaces give pairs of characters."""
    words = word_parts(doc, split(doc)[0])
    return [*words, *word_pairs(words)]


def word_parts(doc: str, words: list[str]) -> list[str]:
    """Return the words of a document with runs of wide characters as pairs of them."""
    return words if doc.isascii() else [part for word in words for part in parts_of_word(word)]


def parts_of_word(word: str) -> tuple[str, ...]:
    """Return pairs of characters of a run of wide ones, else the word."""
    return _wide_pairs(word) if word[0] >= FIRST_WIDE else (word,)


def word_pairs(words: list[str]) -> Iterator[str]:
    """Yield the pairs of neighbouring words, with marks for the beginning and the end."""
    return map(" ".join, pairwise(("^", *words, "$")))


@lru_cache(maxsize=32768)
def _wide_pairs(run: str) -> tuple[str, ...]:
    return tuple(run[start : start + 2] for start in range(max(1, len(run) - 1)))


def char_features(doc: str) -> list[str]:
    """Character n-grams within words, mask words left out."""
    grams: list[str] = []
    for word in split(doc)[0]:
        grams += char_ngrams(word)
    return grams


def code_features(doc: str) -> list[str]:
    """The marks."""
    return split(doc)[1]


@lru_cache(maxsize=32768)
def char_ngrams(word: str) -> tuple[str, ...]:
    """Character n-grams of one word, padded with a space at both ends."""
    if word.isupper():
        return ()
    padded = f" {word} "
    return _slices(len(padded))(padded)


@lru_cache(maxsize=256)
def _slices(length: int) -> Callable[[str], tuple[str, ...]]:
    """Return what takes all n-grams out of a text of a length, in one call."""
    low, high = CHAR_NGRAMS
    found = [slice(start, start + size) for size in range(low, high + 1) for start in range(length - size + 1)]
    return itemgetter(*found) if len(found) > 1 else lambda text: tuple(text[one] for one in found)
