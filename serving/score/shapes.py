"""The columns that JSON objects become."""

from __future__ import annotations

import base64
import json
from typing import Any

import pyarrow as pa


class Shape:
    """Columns found in the first objects, which all later ones have to fit.

    Parameters
    ----------
    schema : pyarrow.Schema, optional
        What an earlier run found.
    """

    def __init__(self, schema: Any = None) -> None:
        self.schema = schema

    def to_text(self) -> str | None:
        """The schema as text, for the state of a job."""
        return None if self.schema is None else base64.b64encode(self.schema.serialize()).decode()

    @classmethod
    def from_text(cls, text: str | None) -> Shape:
        """Undo ``to_text``."""
        return cls(None if text is None else pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text))))

    def batch(self, rows: list[dict[str, Any]]) -> tuple[Any, list[tuple[int, str]]]:
        """Return the objects as a record batch, and which do not fit, and why."""
        if self.schema is None:
            self.schema = _schema(rows)
        misfits = [(place, why) for place, row in enumerate(rows) if (why := self._unknown(row))]
        left = {place for place, _ in misfits}
        fitting = [(place, row) for place, row in enumerate(rows) if place not in left]
        try:
            return self._made([row for _, row in fitting]), misfits
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            good = []
            for place, row in fitting:
                try:
                    self._made([row])
                except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
                    misfits.append((place, f"does not fit the columns of the first rows ({error})"))
                else:
                    good.append(row)
            return self._made(good), misfits

    def _unknown(self, row: dict[str, Any]) -> str:
        new = next((name for name in row if name not in self.schema.names), None)
        return f"the key {new!r} is not in the first rows; score to .jsonl to keep such rows" if new is not None else ""

    def _made(self, rows: list[dict[str, Any]]) -> Any:
        return pa.RecordBatch.from_arrays(
            [_array([row.get(field.name) for row in rows], field.type) for field in self.schema], schema=self.schema
        )


def _schema(rows: list[dict[str, Any]]) -> Any:
    names = list(dict.fromkeys(name for row in rows for name in row))
    fields = []
    for name in names:
        found = [row.get(name) for row in rows]
        try:
            kind = pa.array(found).type
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeEncodeError):
            kind = pa.string()
        # A column without a value yet, and objects without keys, can hold anything as text.
        simple = not pa.types.is_null(kind) and "struct<>" not in str(kind)
        fields.append(pa.field(name, kind if simple else pa.string()))
    return pa.schema(fields)


def _array(found: list[Any], kind: Any) -> Any:
    if pa.types.is_string(kind):
        found = [None if one is None else _text(one) for one in found]
    return pa.array(found, kind)


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode("utf-8", "replace").decode()
