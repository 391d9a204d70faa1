"""The model that answers now, and the verdicts that are remembered for it."""

from __future__ import annotations

from dataclasses import dataclass

from whybounce.model.predictor import BounceClassifier


@dataclass(frozen=True, slots=True)
class Loaded:
    """A classifier and what belongs to it alone, swapped as one."""

    classifier: BounceClassifier


class LiveModel:
    """Holds the loaded model; a request reads ``current`` once and keeps it to its end."""

    def __init__(self, classifier: BounceClassifier, error: str | None = None) -> None:
        self.current = Loaded(classifier)
        self.error = error
        """Why the promoted model does not answer, when it does not."""

    @property
    def classifier(self) -> BounceClassifier:
        """The classifier that answers now."""
        return self.current.classifier

    def swap(self, classifier: BounceClassifier) -> None:
        """Answer with another classifier from the next request on."""
        self.current = Loaded(classifier)
