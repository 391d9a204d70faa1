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
from whybounce.model.predictor import AT_ONCE, Remembered
from whybounce.serving.http.schemas import DiagnosticIn
from whybounce.serving.http.service import Service

TURN_SECONDS = 0.005
"""How long one request keeps the others, and health, waiting."""


def encoded(remembered: Remembered, text: str) -> bytes:
    """Return the prediction for a text of a remembered template as JSON."""
    if remembered.names_a_time or len(text) > MAX_TEXT:
        remembered = remembered.exact(text)
    if remembered.encoded is None:
        remembered.encoded = orjson.dumps(remembered.prediction)
    return remembered.encoded


async def encoded_one(service: Service, text: str, fields: dict[str, Any] | None = None) -> bytes:
    """Predict one text as JSON and count it."""
    remembered = await service.together.recall(text, **(fields or {}))
    service.count(remembered)
    return encoded(remembered, text)


async def encoded_many(service: Service, items: Sequence[str | DiagnosticIn]) -> list[bytes]:
    """Predict many as JSON; other requests get their turns."""
    return list(map(encoded, await _recalled(service, items), map(_text, items)))


async def in_turns(service: Service, items: Sequence[DiagnosticIn]) -> list[Prediction]:
    """Predict many and count them; other requests get their turns."""
    found = await _recalled(service, items)
    return [remembered.of(item.diagnostic) for remembered, item in zip(found, items, strict=True)]


async def _recalled(service: Service, items: Sequence[str | DiagnosticIn]) -> list[Remembered]:
    # One model answers the whole of it, also when another one is promoted meanwhile.
    classifier = service.live.classifier
    found: list[Remembered] = []
    pause = monotonic() + TURN_SECONDS
    for start in range(0, len(items), AT_ONCE):
        if monotonic() > pause:
            await asyncio.sleep(0)
            pause = monotonic() + TURN_SECONDS
        part = items[start : start + AT_ONCE]
        texts = [item for item in part if isinstance(item, str)]
        plain = iter(classifier.recall_many(texts))
        found += [
            next(plain) if isinstance(item, str) else classifier.recall(item.diagnostic, **item.fields())
            for item in part
        ]
    service.count_all(found)
    return found


def _text(item: str | DiagnosticIn) -> str:
    return item if isinstance(item, str) else item.diagnostic
