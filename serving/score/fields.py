"""The columns that scoring adds: every field of a prediction, with its Arrow type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields as fields_of
from typing import Any

import pyarrow as pa

from whybounce.model.errors import DataError
from whybounce.model.prediction import Prediction

PREFIX = "bounce_"
"""What the names of the added columns begin with, so that ``reply_code`` of the input stays."""

TYPES: dict[str, Any] = {
    "retryable": pa.bool_(),
    "confidence": pa.float64(),
    "alternatives": pa.list_(pa.struct([("reason", pa.string()), ("confidence", pa.float64())])),
    "evidence": pa.list_(
        pa.struct([("kind", pa.string()), ("text", pa.string()), ("id", pa.string()), ("weight", pa.float64())])
    ),
    "reply_code": pa.int32(),
    "retry_after_seconds": pa.int32(),
    "truncated": pa.bool_(),
    "degraded": pa.bool_(),
}
FIELDS: tuple[str, ...] = tuple(field.name for field in fields_of(Prediction))
"""Names of all fields, without prefix, in their order."""

OF_THE_TEXT = frozenset({"retry_after_seconds", "truncated"})
"""Fields that the template does not tell; see ``whybounce.model.predictor.Remembered``."""

_NESTED = {"alternatives", "evidence"}


def type_of(name: str) -> Any:
    """The Arrow type of a field."""
    return TYPES.get(name, pa.string())


def schema_of(names: Sequence[str], prefix: str) -> Any:
    """The Arrow schema of the added columns."""
    return pa.schema([pa.field(prefix + name, type_of(name)) for name in names])


def chosen(names: Sequence[str] | None) -> tuple[str, ...]:
    """Check the names of fields; all of them for None.

    Raises
    ------
    DataError
        Naming the fields there are.
    """
    if names is None:
        return FIELDS
    for name in names:
        if name not in FIELDS:
            raise DataError(f"there is no field {name!r}; choose among {', '.join(FIELDS)}")
    if not names:
        raise DataError(f"no field is chosen; choose among {', '.join(FIELDS)}")
    return tuple(dict.fromkeys(names))


def values(name: str, predictions: Sequence[Prediction]) -> Any:
    """One field of many predictions as an Arrow array."""
    found: list[Any] = [getattr(one, name) for one in predictions]
    if name == "alternatives":
        found = [[{"reason": item.reason, "confidence": item.confidence} for item in one] for one in found]
    elif name == "evidence":
        found = [
            [{"kind": item.kind, "text": item.text, "id": item.id, "weight": item.weight} for item in one]
            for one in found
        ]
    elif name not in TYPES:
        found = [None if one is None else str(one) for one in found]
    return pa.array(found, type_of(name))


def dictionary_of(name: str) -> bool:
    """Whether few values of a field come again and again, so that a file keeps each once."""
    return name not in TYPES
