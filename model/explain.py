"""Showing which words of the original text decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from whybounce.model.diagnostic import Diagnostic, parse
from whybounce.model.masking import MAX_TEXT, mask, normalise
from whybounce.model.prediction import Prediction
from whybounce.model.taxonomy import Action
from whybounce.model.tokens import is_enhanced_status
from whybounce.model.vocabulary import REPLY_CODES

if TYPE_CHECKING:
    from whybounce.model.predictor import BounceClassifier


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a text, as half-open offsets in code points."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A prediction with what it was made from.

    Attributes
    ----------
    prediction : Prediction
    diagnostic : Diagnostic
    highlights : tuple of Span
        The parts of ``diagnostic.normalised`` that carry the evidence.
    rules : tuple of str
        Ids of all rules that match, in order of precedence.
    advice : str
        The action as a sentence.
    """

    prediction: Prediction
    diagnostic: Diagnostic
    highlights: tuple[Span, ...]
    rules: tuple[str, ...]
    advice: str


def explain(classifier: BounceClassifier, text: str, prediction: Prediction, fields: Mapping[str, Any]) -> Explanation:
    """Explain a prediction of ``classifier`` for ``text``."""
    diagnostic = parse(text, **fields)
    return Explanation(
        prediction=prediction,
        diagnostic=diagnostic,
        highlights=tuple(highlight(diagnostic.normalised, prediction)),
        rules=tuple(rule.id for rule in classifier.rules.matches(diagnostic)),
        advice=Action(prediction.action).advice,
    )


def highlight(text: str, prediction: Prediction) -> list[Span]:
    """Find the words of a text that carry the evidence of its prediction.

    Words that stand together in the evidence are marked where they stand together in the
    text, a character n-gram marks the words that contain it, a code mark the code.

    Parameters
    ----------
    text : str
        The diagnostic, as it was given or normalised; what is cut of it is not marked.
    prediction : Prediction
    """
    tokens = [(start, end, mask(text[start:end]).split()) for start, end in _tokens(text[:MAX_TEXT])]
    words = [(word, place) for place, (_, _, masked) in enumerate(tokens) for word in masked]
    marked: set[int] = set()
    for phrase in _phrases(prediction):
        marked |= _places(phrase, words)
    spans: list[Span] = []
    for place in sorted(marked):
        start, end = _bare(text, *tokens[place][:2])
        if spans and not text[spans[-1].end : start].strip():
            start = spans.pop().start
        spans.append(Span(start, end, text[start:end]))
    return spans


def _phrases(prediction: Prediction) -> Iterator[list[str]]:
    for piece in prediction.evidence:
        if piece.kind != "code":
            words = piece.text.split(" ")
            # A character n-gram keeps its padding: " ful" begins a word.
            padded = piece.text != piece.text.strip() and len(words) == 2
            yield [piece.text] if padded else [word for word in words if word not in ("", "^", "$")]
        elif piece.text.endswith("xx") and prediction.reply_code:
            yield [str(prediction.reply_code)]
        elif piece.text.startswith("x.") and prediction.enhanced_status:
            yield [prediction.enhanced_status]
        else:
            yield from ([word] for word in piece.text.split("/"))


def _places(phrase: list[str], words: Sequence[tuple[str, int]]) -> set[int]:
    """Find the tokens of a phrase: as it stands, else over codes between, else word by word."""
    said = [item for item in words if item[0] not in REPLY_CODES and not is_enhanced_status(item[0])]
    for row in (words, said):
        size = len(phrase)
        found = {
            place
            for start in range(len(row) - size + 1)
            if all(row[start + step][0] == phrase[step] for step in range(size))
            for word, place in row[start : start + size]
            if not word.isupper()
        }
        if found:
            return found
    found = {place for word, place in words if word in phrase and not word.isupper()}
    if not found and len(phrase) == 1:
        found = {place for word, place in words if phrase[0] in f" {word} " and not word.isupper()}
    return found


def _tokens(text: str) -> Iterator[tuple[int, int]]:
    """Yield where the words of a text begin and end, as normalising parts them."""
    start = place = 0
    while place < len(text):
        escape = text[place] == "\\" and text[place + 1 : place + 2] in ("r", "n", "t")
        if not escape and not _parts(text[place]):
            place += 1
            continue
        if place > start:
            yield start, place
        place += 2 if escape else 1
        start = place
    if place > start:
        yield start, place


@lru_cache(maxsize=4096)
def _parts(char: str) -> bool:
    return " " in normalise(f"a{char}a")


def _bare(text: str, start: int, end: int) -> tuple[int, int]:
    """Leave the punctuation around a word unmarked."""
    first, last = start, end
    while first < last and not text[first].isalnum():
        first += 1
    while last > first and not text[last - 1].isalnum():
        last -= 1
    return (first, last) if first < last else (start, end)
