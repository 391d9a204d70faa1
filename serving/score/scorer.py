"""From a record batch with diagnostics to one with predictions beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from whybounce.model.diagnostic import as_phase, provider_of_host
from whybounce.model.masking import MAX_TEXT, template_of
from whybounce.model.predictor import BounceClassifier, Remembered
from whybounce.model.retry import HINT
from whybounce.serving.score.columns import GIVEN, diagnostic_column
from whybounce.serving.score.fields import OF_THE_TEXT, PREFIX, chosen, schema_of
from whybounce.serving.score.folding import fold
from whybounce.serving.score.verdicts import Known, Own, Verdicts

MOST_KNOWN = 262_144
"""Folded texts, and verdicts, that are remembered from batch to batch."""
MOST_CHARACTERS = 64 * 1024 * 1024
"""Characters of these, at most: they can be long."""

_ODD = r"[^ -\[\]-~]|  "
"""What is in a text that is not yet normalised; see ``whybounce.model.masking.normalise``."""


class Scorer:
    """Adds predictions to record batches.

    Parameters
    ----------
    classifier : BounceClassifier
    column : str, optional
        The column of diagnostics; by default the first of ``COLUMNS`` that the batch has.
    fields : sequence of str, optional
        Fields of the prediction to add; all by default.
    prefix : str
        What the names of the added columns begin with.
    dictionary : bool
        Return columns of repeating texts as dictionary arrays: smaller, and faster to write.
    """

    def __init__(
        self,
        classifier: BounceClassifier,
        *,
        column: str | None = None,
        fields: Sequence[str] | None = None,
        prefix: str = PREFIX,
        dictionary: bool = False,
    ) -> None:
        self.classifier = classifier
        self.column = column
        self.fields = chosen(fields)
        self.prefix = prefix
        self.dictionary = dictionary
        self._places: dict[tuple[str, ...], dict[tuple[Any, ...], int]] = {}
        self._verdicts: dict[tuple[Any, ...], int] = {}
        self._known = Known(self.fields)
        self._unjudged: list[Any] = []
        self._templates: dict[str, str] = {}
        self._characters = 0

    @property
    def added(self) -> Any:
        """The Arrow schema of the added columns, without dictionaries."""
        return schema_of(self.fields, self.prefix)

    def column_of(self, schema: Any) -> str:
        """Return the column of diagnostics of a schema, and check that nothing would be overwritten.

        Raises
        ------
        DataError
            See :func:`~whybounce.serving.score.columns.diagnostic_column`.
        """
        return diagnostic_column(schema, self.column, self.added.names)

    def score(self, batch: Any) -> Any:
        """Return the batch with the columns of the predictions added.

        Parameters
        ----------
        batch : pyarrow.RecordBatch
            A null diagnostic is an empty one. Codes that are no numbers are passed over.

        Returns
        -------
        pyarrow.RecordBatch
            As many rows, in their order; each as ``predict_one`` would answer.

        Raises
        ------
        DataError
            See ``column_of``.
        """
        return self.judge(batch, self.prepare(batch))

    def prepare(self, batch: Any) -> tuple[Any, Any]:
        """Do the part of the work that needs no lock: the texts of a batch, and what they fold to."""
        texts = pc.fill_null(batch.column(self.column_of(batch.schema)).cast(pa.large_string()), "")
        return texts, _encoded(texts)

    def judge(self, batch: Any, prepared: tuple[Any, Any]) -> Any:
        """Do the rest."""
        return self.join(batch, self.verdicts(batch, prepared))

    def verdicts(self, batch: Any, prepared: tuple[Any, Any]) -> Verdicts:
        """Judge the rows of a batch, each template once."""
        texts, folded = prepared
        held = len(self._verdicts) + sum(map(len, self._places.values()))
        if held > MOST_KNOWN or self._characters > MOST_CHARACTERS:
            self._places.clear()
            self._verdicts.clear()
            self._templates.clear()
            self._known.clear()
            self._characters = 0
        places = self._judged(batch, folded)
        self._known.add(self.classifier.recall_templates(self._unjudged))
        self._unjudged.clear()
        rows, few, table = self._known.of(places)
        return Verdicts(rows, few, table, *self._of_the_texts(texts, rows, few))

    def join(self, batch: Any, verdicts: Verdicts) -> Any:
        """Return the batch with the columns of its verdicts added."""
        columns = verdicts.columns(dictionary=self.dictionary)
        added = [pa.field(self.prefix + name, one.type) for name, one in zip(self.fields, columns, strict=True)]
        return pa.RecordBatch.from_arrays([*batch.columns, *columns], schema=pa.schema([*batch.schema, *added]))

    def _judged(self, batch: Any, folded: Any) -> Any:
        """Row -> place of its verdict."""
        templates = folded.dictionary.to_pylist()
        given = {name: batch.column(name) for name in GIVEN if name in batch.schema.names and name != self.column}
        given = {name: values for name, values in given.items() if values.null_count < len(values)}
        codes = folded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        keys: list[tuple[Any, ...]] = [(text,) for text in templates]
        for name, column in given.items():
            if pa.types.is_dictionary(column.type):
                column = column.cast(column.type.value_type)
            encoded = pc.dictionary_encode(column, null_encoding="encode")
            said = _said(name, encoded.dictionary.to_pylist())
            numbers = codes * len(said) + encoded.indices.to_numpy(zero_copy_only=False)
            unique, codes = np.unique(numbers, return_inverse=True)
            keys = [(*keys[number // len(said)], said[number % len(said)]) for number in unique.tolist()]
        # Fields are told apart by the columns there are; without any, by none.
        names = tuple(given)
        places = self._places.setdefault(names, {})
        found = list(map(places.get, keys))
        for at, place in enumerate(found):
            if place is None:
                found[at] = places[keys[at]] = self._place(keys[at], names)
        return np.array(found, np.int64)[codes]

    def _place(self, key: tuple[Any, ...], names: tuple[str, ...]) -> int:
        known = dict(zip(names, key[1:], strict=True))
        template = self._templates.get(key[0])
        if template is None:
            template = self._templates[key[0]] = template_of(key[0])
            self._characters += len(key[0]) + len(template)
        # Folded texts and templates have places of their own: a text can look like a template and mean another.
        verdict = (template, *map(known.get, GIVEN))
        place = self._verdicts.get(verdict)
        if place is None:
            place = self._verdicts[verdict] = len(self._known.verdicts) + len(self._unjudged)
            self._unjudged.append(verdict)
        return place

    def _of_the_texts(self, texts: Any, rows: Any, verdicts: list[Remembered]) -> tuple[Any, list[Own]]:
        """``exact`` and ``own`` of the verdicts: for texts that ask to wait or were cut."""
        own: list[Own] = []
        if OF_THE_TEXT.isdisjoint(self.fields) or not verdicts:
            return rows, own
        timed = np.array([one.names_a_time for one in verdicts], dtype=bool)[rows]
        timed |= pc.greater(pc.utf8_length(texts), MAX_TEXT).to_numpy(zero_copy_only=False)
        asked = np.flatnonzero(timed)
        hints = pc.dictionary_encode(_from_the_hint(texts.take(pa.array(asked))).to_arrow())
        known = hints.dictionary.to_pylist()
        # Each text of each verdict once.
        pairs = rows[asked].astype(np.int64) * max(1, len(known)) + hints.indices.to_numpy(zero_copy_only=False)
        unique, back = np.unique(pairs, return_inverse=True)
        places = np.empty(len(unique), dtype=np.int32)
        for at, pair in enumerate(unique.tolist()):
            place, hint = divmod(pair, len(known))
            wait, truncated = verdicts[place].own(known[hint])
            places[at] = place
            if wait is not None or truncated:
                places[at] = len(verdicts) + len(own)
                own.append(Own(place, wait, truncated))
        exact = rows.copy()
        exact[asked] = places[back]
        return exact, own


def _from_the_hint(texts: Any) -> pl.Series:
    """Drop what stands before a request to wait: the recipient, often, and so fewer texts are different."""
    series = pl.Series(texts)
    cut = series.str.extract(rf"(?is)(?:{HINT.pattern}).*", 0).fill_null(series)
    odd = series.str.contains(_ODD) | (series.str.len_chars() > MAX_TEXT)
    return pl.select(pl.when(odd).then(series).otherwise(cut)).to_series()


def _encoded(texts: Any) -> Any:
    """Texts that fold to the same, as one dictionary array; long ones are cut as predictions cut them."""
    if len(texts) and pc.max(pc.binary_length(texts)).as_py() > MAX_TEXT:
        texts = pc.utf8_slice_codeunits(texts, 0, MAX_TEXT)
    if texts.offset:
        texts = pa.concat_arrays([texts])
    return pc.dictionary_encode(fold(texts))


def _said(name: str, found: list[Any]) -> list[Any]:
    """What is given besides the text, as the predictor takes it; None for what says nothing."""
    if name == "reply_code":
        return [_code(one) for one in found]
    texts = [None if one in (None, "") else str(one) for one in found]
    if name == "command":
        return [as_phase(one) for one in texts]
    if name == "remote_host":
        return [provider_of_host(one) for one in texts]
    return texts


def _code(value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer():  # as pandas keeps numbers that may be missing
        value = int(value)
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
