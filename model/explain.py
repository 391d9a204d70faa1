"""Showing which words of the original text decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from whybounce.model.diagnostic import Diagnostic, parse
from whybounce.model.masking import mask, normalise
from whybounce.model.prediction import Prediction
from whybounce.model.taxonomy import Action

if TYPE_CHECKING:
    from whybounce.model.predictor import BounceClassifier


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the normalised text, as half-open character offsets."""

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


def highlight(normalised: str, prediction: Prediction) -> list[Span]:
    """Find the tokens of a normalised text whose mask holds the evidence.

    An n-gram of whole words marks those words, a character n-gram the words that
    contain it, a code mark the code.
    """
    wanted_words: set[str] = set()
    grams: list[str] = []
    for piece in prediction.evidence:
        whole = piece.kind == "rule" or " " in piece.text.strip() or piece.text.strip() == piece.text
        if whole:
            wanted_words.update(word for word in piece.text.replace("/", " ").split() if not word.isupper())
        else:
            grams.append(piece.text)
    spans: list[Span] = []
    start = 0
    for token in normalise(normalised).split(" "):
        words = mask(token).split()
        if any(word in wanted_words or any(gram in f" {word} " for gram in grams) for word in words):
            spans.append(Span(start, start + len(token), token))
        start += len(token) + 1
    return spans
