"""Evaluating a classifier on labelled bounces, alone or against another one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from whybounce.model.diagnostic import Diagnostic
from whybounce.model.errors import DataError
from whybounce.model.predictor import BounceClassifier
from whybounce.model.taxonomy import TAXONOMY, Taxonomy
from whybounce.training.labelled import Labelled, batches
from whybounce.training.metrics import Answer, answer, merged_taxonomy, systems
from whybounce.training.report.cases import Cases, cases, diagnostic_of, parsed
from whybounce.training.report.measure import About, document
from whybounce.training.report.significance import RESAMPLES, SEED

BATCH = 5000
"""Texts that are predicted between two reports of progress."""

RULES_REVIEW_BELOW = 0.5
"""Confidence under which the rules alone advise review."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The JSON document, and the rows and answers that it was computed from."""

    document: dict[str, Any]
    cases: Cases
    answers: Mapping[str, Sequence[Answer]]


def evaluate(
    classifier: BounceClassifier,
    rows: Sequence[Labelled],
    *,
    current: BounceClassifier | None = None,
    about: About | None = None,
    source: str = "",
    resamples: int = RESAMPLES,
    seed: int = SEED,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure the model alone, the rules alone and both on the unambiguous rows.

    Takes what :func:`measure` takes; ``source`` is short for an ``about`` with that
    source.

    Returns
    -------
    dict
        ``systems`` maps ``both``, ``model`` and ``rules`` to the figures of
        :func:`whybounce.training.metrics.figures`; ``mistakes`` lists the wrong answers
        of ``both``, the most confident first, as masked templates; the rest is
        described in :mod:`whybounce.training.report.measure`.

    Raises
    ------
    DataError
        When no unambiguous row is left.
    """
    return measure(
        classifier, rows, current=current, about=about or About(source=source), resamples=resamples, seed=seed,
        progress=progress,
    ).document  # fmt: skip


def measure(
    classifier: BounceClassifier,
    rows: Sequence[Labelled],
    *,
    current: BounceClassifier | None = None,
    about: About | None = None,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    progress: Progress | None = None,
) -> Evaluation:
    """Let a classifier, its model, its rules and another classifier answer the rows.

    Parameters
    ----------
    classifier : BounceClassifier
    rows : sequence of Labelled
    current : BounceClassifier, optional
        Compare with this one. It must not have been trained on the rows either.
    about : About, optional
        Source and names; versions are filled in.
    resamples, seed : int
        Of the bootstrap.
    progress : callable, optional
        Called with (predictions done, predictions in all).

    Raises
    ------
    DataError
        When no unambiguous row is left.
    """
    about = about or About()
    clear = _clear(rows, about)
    texts = list(dict.fromkeys(row.text for row in clear))
    contestants = systems(classifier)
    if classifier.degraded:
        del contestants["rules"]  # the same answers
    if current is not None:
        contestants["current"] = current
    total = len(texts) * len(contestants)
    answers: dict[str, Sequence[Answer]] = {}
    found: dict[str, Diagnostic] = {}
    asked = texts
    for number, (name, system) in enumerate(contestants.items()):
        given: dict[str, Answer] = {}
        done = 0
        for batch in batches(asked, BATCH):
            for text, prediction in zip(batch, system.predict(batch), strict=True):
                given[prediction.template] = answer(prediction)
                if number == 0:
                    found[text] = diagnostic_of(prediction)
            done += len(batch)
            if progress:
                progress(number * len(texts) + done * len(texts) // len(asked), total)
        if number == 0:
            # Texts of one template get one answer from every system: the others are asked about one of them.
            asked = list({found[text].template: text for text in texts}.values())
        answers[name] = [given[found[row.text].template] for row in clear]
    if classifier.degraded:
        answers["rules"] = answers["both"]
    limits = classifier.manifest
    about = replace(
        about,
        model_version=classifier.model_version,
        degraded=classifier.degraded_because is not None,
        review_below=limits.review_below if limits else RULES_REVIEW_BELOW,
        current_version=current.model_version if current else None,
    )
    taxonomy = merged_taxonomy(classifier.taxonomy, current.taxonomy) if current else classifier.taxonomy
    grouped = cases(clear, [found[row.text] for row in clear])
    return _evaluation(rows, grouped, answers, about, taxonomy, resamples, seed)


def measure_answers(
    rows: Sequence[Labelled],
    answers: Mapping[str, Sequence[Answer]],
    *,
    about: About | None = None,
    taxonomy: Taxonomy = TAXONOMY,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Evaluation:
    """Measure answers that were given already, such as those of held-out folds.

    Parameters
    ----------
    rows : sequence of Labelled
    answers : mapping of str to sequence of Answer
        ``both`` and any of ``model``, ``rules`` and ``current``; an answer a row,
        ambiguous ones included.
    about, taxonomy, resamples, seed :
        As in :func:`measure`.

    Raises
    ------
    DataError
        When no unambiguous row is left, or a system has more or fewer answers than rows.
    """
    about = about or About()
    for name, given in answers.items():
        if len(given) != len(rows):
            raise DataError(f"{name} has {len(given)} answers for {len(rows)} rows; give one answer a row")
    clear = _clear(rows, about)
    kept = {
        name: [one for one, row in zip(given, rows, strict=True) if not row.ambiguous]
        for name, given in answers.items()
    }
    return _evaluation(rows, cases(clear, parsed(clear)), kept, about, taxonomy, resamples, seed)


def _clear(rows: Sequence[Labelled], about: About) -> list[Labelled]:
    clear = [row for row in rows if not row.ambiguous]
    if not clear:
        raise DataError(f"{about.source or 'the data'}: every row is ambiguous; nothing can be measured")
    return clear


def _evaluation(
    rows: Sequence[Labelled],
    grouped: Cases,
    answers: Mapping[str, Sequence[Answer]],
    about: About,
    taxonomy: Taxonomy,
    resamples: int,
    seed: int,
) -> Evaluation:
    measured = document(rows, grouped, answers, about=about, taxonomy=taxonomy, resamples=resamples, seed=seed)
    return Evaluation(measured, grouped, answers)
