"""Verdicts as the bytes that go out.

A prediction depends on the masked template alone, but for ``retry_after_seconds`` and
``truncated``. What was encoded once for a template is therefore sent again as it is;
only a text that asks to wait, or one that was cut, is encoded for itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import monotonic
from typing import Any

import orjson

from whybounce.model.masking import MAX_TEXT
from whybounce.model.prediction import Prediction
from whybounce.model.predictor import Remembered
from whybounce.serving.http.schemas import DiagnosticIn
from whybounce.serving.http.service import Service

TURN_SECONDS = 0.005
"""How long one request keeps the others, and health, waiting."""


def encoded(remembered: Remembered, text: str) -> bytes:
    """Return the prediction for a text of a remembered template as JSON."""
    if remembered.names_a_time or len(text) > MAX_TEXT:
        prediction = remembered.of(text)
        if prediction is not remembered.prediction:
            return orjson.dumps(prediction)
    if remembered.encoded is None:
        remembered.encoded = orjson.dumps(remembered.prediction)
    return remembered.encoded


def encoded_one(service: Service, text: str, fields: dict[str, Any] | None = None) -> bytes:
    """Predict one text and count it."""
    remembered = service.live.classifier.recall(text, **fields) if fields else service.live.classifier.recall(text)
    service.count(remembered)
    return encoded(remembered, text)


async def encoded_many(service: Service, items: Sequence[str | DiagnosticIn]) -> list[bytes]:
    """Predict many; a text that comes again is not even masked again. Other requests get their turns."""
    recall = service.live.classifier.recall
    known: dict[str, tuple[Remembered, bytes]] = {}
    answers: list[bytes] = []
    pause = monotonic() + TURN_SECONDS
    for item in items:
        if monotonic() > pause:
            await asyncio.sleep(0)
            pause = monotonic() + TURN_SECONDS
        if isinstance(item, str):
            found = known.get(item)
            if found is None:
                remembered = recall(item)
                known[item] = found = (remembered, encoded(remembered, item))
        else:
            remembered = recall(item.diagnostic, **item.fields())
            found = (remembered, encoded(remembered, item.diagnostic))
        service.count(found[0])
        answers.append(found[1])
    return answers


async def in_turns(service: Service, items: Sequence[DiagnosticIn]) -> list[Prediction]:
    """Predict many and count them; other requests get their turns."""
    recall = service.live.classifier.recall
    found = []
    pause = monotonic() + TURN_SECONDS
    for item in items:
        if monotonic() > pause:
            await asyncio.sleep(0)
            pause = monotonic() + TURN_SECONDS
        remembered = recall(item.diagnostic, **item.fields())
        service.count(remembered)
        found.append(remembered.of(item.diagnostic))
    return found
