"""Which predictions a person should look at, and collecting them while a service runs."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from whybounce.model.decision import has_words, rank
from whybounce.model.prediction import Prediction
from whybounce.model.predictor import BounceClassifier
from whybounce.training.feedback.records import Flag, Flagged, StoreError, Subject

log = logging.getLogger(__name__)

DISAGREEMENT = 0.5
"""What a disagreement of model and rules adds to the worth of a look."""

HARD_DISAGREEMENT = 1.0
"""What it adds when one of them says that the address is bad and the other does not."""

DEGRADED_REVIEW_BELOW = 0.5
"""Confidence under which an answer of the rules alone is unsure."""

MAX_PENDING = 20_000
"""Templates that wait in memory to be looked at; more of them are left out."""

MAX_KNOWN = 65_536
"""Templates whose flags are remembered."""


def judge(classifier: BounceClassifier, prediction: Prediction) -> Flag | None:
    """Say why a person should look at a prediction, or return None.

    It is *unsure* when its confidence is below the manifest's ``review_below``. Model
    and rules *disagree* when the model's own first choice is not the rules' verdict;
    a verdict from a reply code or from the class of a status code, which stands for
    many reasons, contradicts nobody.
    """
    subject = Subject.of_prediction(prediction)
    if not prediction.template:
        return None
    diagnostic = subject.diagnostic()
    rule = classifier.rules.decide(diagnostic)
    below = classifier.manifest.review_below if classifier.manifest else DEGRADED_REVIEW_BELOW
    unsure = prediction.confidence < below
    own = None
    if classifier.classifier is not None and has_words(diagnostic.words):
        own = rank(classifier.classifier.labels, classifier.classifier.probabilities(subject.document()))[0][0]
    specific = rule is not None and (rule.kind != "codes" or rule.rule_id.startswith("codes.status."))
    disagree = own is not None and rule is not None and specific and own != rule.reason
    if not unsure and not disagree:
        return None
    on_hard = (
        disagree and rule is not None and own is not None and _hard(classifier, own) != _hard(classifier, rule.reason)
    )
    return Flag(
        reason=prediction.reason,
        confidence=prediction.confidence,
        alternatives=tuple((other.reason, other.confidence) for other in prediction.alternatives),
        rules_reason=rule.reason if rule else None,
        why="both" if unsure and disagree else "unsure" if unsure else "disagree",
        stake=stake_of(prediction.confidence, disagree=disagree, on_hard=on_hard),
    )


def stake_of(confidence: float, *, disagree: bool, on_hard: bool) -> float:
    """Return what a look is worth for one message of a template.

    ``1 - confidence``, the chance that the answer is wrong, and
    :data:`DISAGREEMENT` or :data:`HARD_DISAGREEMENT` on top. The queue is ordered by
    this times the number of messages.
    """
    return round(1.0 - confidence, 4) + (HARD_DISAGREEMENT if on_hard else DISAGREEMENT if disagree else 0.0)


def _hard(classifier: BounceClassifier, reason: str) -> bool:
    return reason in classifier.taxonomy and classifier.taxonomy.is_hard(reason)


@dataclass(slots=True)
class _Pending:
    prediction: Prediction
    count: int


class Collector:
    """Gathers predictions cheaply and writes the flagged ones to the review queue when told to.

    :meth:`observe` is called for every template about once a second and only counts;
    :meth:`write` does the work and is meant for a thread of its own.

    Parameters
    ----------
    classifier : callable
        Returns the classifier that answers now.
    write : callable
        Takes the flagged templates; raises StoreError when it cannot keep them.
    """

    def __init__(
        self,
        classifier: Callable[[], BounceClassifier],
        write: Callable[[Iterable[Flagged]], None],
        *,
        max_pending: int = MAX_PENDING,
    ) -> None:
        self._classifier = classifier
        self._write = write
        self._max_pending = max_pending
        self._pending: dict[tuple[object, ...], _Pending] = {}
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._known: OrderedDict[tuple[object, ...], Flag | None] = OrderedDict()
        self._failing = False
        self.left_out = 0

    def observe(self, prediction: Prediction, count: int) -> None:
        """Count a prediction."""
        if count < 1:
            return
        key = (
            prediction.template,
            prediction.reply_code,
            prediction.enhanced_status,
            prediction.command,
            prediction.provider,
            prediction.model_version,
        )
        with self._lock:
            known = self._pending.get(key)
            if known is not None:
                known.count += count
            elif len(self._pending) < self._max_pending:
                self._pending[key] = _Pending(prediction, count)
            else:
                self.left_out += count

    def write(self) -> int:
        """Look at what was observed and write what is flagged; returns how many templates.

        What cannot be written now stays for the next time.
        """
        with self._writing:
            with self._lock:
                taken, self._pending = self._pending, {}
            now = datetime.now(UTC)
            classifier = self._classifier()
            flagged: list[Flagged] = []
            kept: dict[tuple[object, ...], _Pending] = {}
            for key, seen in taken.items():
                flag = self._flag(classifier, key, seen.prediction)
                if flag is not None:
                    kept[key] = seen
                    subject = Subject.of_prediction(seen.prediction)
                    flagged.append(Flagged(subject, flag, seen.count, now, seen.prediction.model_version))
            if not flagged:
                return 0
            try:
                self._write(flagged)
            except StoreError as error:
                if not self._failing:  # once, not every few seconds
                    log.warning("the review queue waits: %s", error)
                self._failing = True
                self._put_back(kept)
                return 0
            self._failing = False
            return len(flagged)

    def _flag(self, classifier: BounceClassifier, key: tuple[object, ...], prediction: Prediction) -> Flag | None:
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        # A model that was replaced meanwhile cannot be asked any more; its successor can, about the same text.
        same = prediction.model_version == classifier.model_version
        if not same:
            fields = Subject.of_prediction(prediction).fields()
            prediction = classifier.predict_template(prediction.template, **fields)
        flag = judge(classifier, prediction)
        if same:
            self._known[key] = flag
            if len(self._known) > MAX_KNOWN:
                self._known.popitem(last=False)
        return flag

    def _put_back(self, kept: dict[tuple[object, ...], _Pending]) -> None:
        with self._lock:
            for key, seen in kept.items():
                known = self._pending.get(key)
                if known is not None:
                    known.count += seen.count
                elif len(self._pending) < self._max_pending:
                    self._pending[key] = seen
                else:
                    self.left_out += seen.count
