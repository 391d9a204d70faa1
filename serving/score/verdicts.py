"""The predictions of a batch, each kept once, as columns and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from whybounce.model.prediction import Prediction
from whybounce.model.predictor import Remembered
from whybounce.serving.score.fields import OF_THE_TEXT, dictionary_of, schema_of, values


class Own(NamedTuple):
    """A verdict with what only one text says; its fields have the names of those of a prediction."""

    place: int
    """Of the verdict."""
    retry_after_seconds: int | None
    truncated: bool


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The predictions of a batch.

    Attributes
    ----------
    rows : numpy.ndarray of int32
        Row -> place in ``few`` and in ``table``.
    few : list of Remembered
        The verdicts that the rows share.
    table : pyarrow.RecordBatch
        The chosen fields of these.
    exact : numpy.ndarray of int32
        Row -> place in ``few`` and, after these, in ``own``.
    own : list of Own
        What texts get that ask to wait, or that were cut.
    """

    rows: Any
    few: list[Remembered]
    table: Any
    exact: Any
    own: list[Own]

    def columns(self, *, dictionary: bool) -> list[Any]:
        """Return the fields as one array each, with a value for each row.

        Parameters
        ----------
        dictionary : bool
            Return repeating texts, inside of lists too, as dictionary arrays.
        """
        rows = pa.array(self.rows, pa.int32())
        return [self._column(name, rows, dictionary) for name in self.table.schema.names]

    def _column(self, name: str, rows: Any, dictionary: bool) -> Any:
        few = self.table.column(name)
        if name in OF_THE_TEXT and self.own:
            own = pa.array([getattr(one, name) for one in self.own], few.type)
            return pa.concat_arrays([few, own]).take(pa.array(self.exact, pa.int32()))
        if not dictionary:
            return few.take(rows)
        if dictionary_of(name):
            encoded = few.dictionary_encode()
            return pa.DictionaryArray.from_arrays(encoded.indices.take(rows), encoded.dictionary)
        return (_texts_once(few) if pa.types.is_list(few.type) else few).take(rows)

    def json(self, prefix: str) -> list[bytes]:
        """Return for each row what is added to its JSON object, without braces."""
        names = self.table.schema.names
        texts = [_json(one.prediction, names, prefix) for one in self.few]
        texts += [
            _json(self.few[one.place].prediction, names, prefix, {name: getattr(one, name) for name in OF_THE_TEXT})
            for one in self.own
        ]
        return [texts[place] for place in self.exact.tolist()]


class Known:
    """Verdicts that are remembered from batch to batch, with their fields as columns.

    Parameters
    ----------
    fields : sequence of str
    """

    def __init__(self, fields: Sequence[str]) -> None:
        self.fields = tuple(fields)
        self.clear()

    def clear(self) -> None:
        """Forget them all."""
        self.verdicts: list[Remembered] = []
        self._table: Any = pa.RecordBatch.from_pylist([], schema=schema_of(self.fields, ""))

    def add(self, verdicts: Sequence[Remembered]) -> None:
        """Remember more; their places go on from those there are."""
        if verdicts:
            new = [values(name, [one.prediction for one in verdicts]) for name in self.fields]
            self.verdicts += verdicts
            self._table = pa.concat_batches([self._table, pa.RecordBatch.from_arrays(new, schema=self._table.schema)])

    def of(self, places: Any) -> tuple[Any, list[Remembered], Any]:
        """Return the verdicts at the places of rows, each once: rows, ``few`` and ``table`` of ``Verdicts``."""
        used = np.flatnonzero(np.bincount(places, minlength=len(self.verdicts)))
        local = np.zeros(len(self.verdicts), dtype=np.int32)
        local[used] = np.arange(len(used), dtype=np.int32)
        return local[places], [self.verdicts[place] for place in used.tolist()], self._table.take(pa.array(used))


def _texts_once(lists: Any) -> Any:
    """Return lists of structs with their texts as dictionary arrays."""
    inner = lists.values
    texts = [
        one.dictionary_encode() if pa.types.is_string(one.type) else one
        for one in (inner.field(place) for place in range(inner.type.num_fields))
    ]
    return pa.ListArray.from_arrays(lists.offsets, pa.StructArray.from_arrays(texts, [one.name for one in inner.type]))


def _json(prediction: Prediction, names: Sequence[str], prefix: str, own: Mapping[str, Any] | None = None) -> bytes:
    whole = {**prediction.to_dict(), **(own or {})}
    part = {prefix + name: whole[name] for name in names}
    return json.dumps(part, ensure_ascii=False)[1:-1].encode("utf-8", "replace")
