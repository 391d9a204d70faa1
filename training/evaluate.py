"""Evaluating a classifier on labelled bounces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from whybounce.model.errors import DataError
from whybounce.model.predictor import BounceClassifier
from whybounce.training.labelled import Labelled
from whybounce.training.metrics import answer, figures, slice_accuracy, systems


def evaluate(
    classifier: BounceClassifier,
    rows: Sequence[Labelled],
    *,
    source: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Measure the model alone, the rules alone and both on the unambiguous rows.

    Parameters
    ----------
    classifier : BounceClassifier
    rows : sequence of Labelled
    source : str
        Named in the result.
    progress : callable, optional
        Called with (predictions done, predictions in all).

    Returns
    -------
    dict
        ``systems`` maps ``both``, ``model`` and ``rules`` to the figures of
        :func:`whybounce.training.metrics.figures`; ``mistakes`` lists the wrong answers
        of ``both``, the most confident first.

    Raises
    ------
    DataError
        When no unambiguous row is left.
    """
    clear = [row for row in rows if not row.ambiguous]
    if not clear:
        raise DataError(f"{source or 'the data'}: every row is ambiguous; nothing can be measured")
    contestants = systems(classifier)
    result: dict[str, Any] = {
        "source": source,
        "rows": len(rows),
        "ambiguous_left_out": len(rows) - len(clear),
        "model_version": classifier.model_version,
        "degraded": classifier.degraded,
        "systems": {},
    }
    done = 0
    for name, system in contestants.items():
        predictions = []
        for row in clear:
            predictions.append(system.predict_one(row.text))
            done += 1
            if progress:
                progress(done, len(clear) * len(contestants))
        answers = [answer(prediction) for prediction in predictions]
        result["systems"][name] = figures(clear, answers) | {"slices": slice_accuracy(clear, answers)}
        if name == "both":
            wrong = [
                {
                    "text": row.text, "label": row.label, "also": list(row.also), "predicted": prediction.reason,
                    "confidence": prediction.confidence, "decided_by": str(prediction.decided_by),
                }
                for row, prediction in zip(clear, predictions, strict=True)
                if prediction.reason != row.label
            ]  # fmt: skip
            result["mistakes"] = sorted(wrong, key=lambda item: -float(str(item["confidence"])))
    return result
