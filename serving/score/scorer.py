"""From a record batch with diagnostics to one with predictions beside them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from whybounce.model.diagnostic import as_phase, provider_of_host
from whybounce.model.masking import MAX_TEXT, template_of
from whybounce.model.prediction import Prediction
from whybounce.model.predictor import BounceClassifier, Remembered
from whybounce.serving.score.columns import GIVEN, diagnostic_column
from whybounce.serving.score.fields import OF_THE_TEXT, PREFIX, chosen, dictionary_of, schema_of, values
from whybounce.serving.score.folding import fold

MOST_KNOWN = 262_144
"""Folded texts, and verdicts, that are remembered from batch to batch."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The predictions of a batch.

    Attributes
    ----------
    rows : numpy.ndarray of int32
        Row -> place in ``few``.
    few : list of Remembered
        The verdicts that the rows share.
    special : dict of int to Prediction
        Rows with a prediction of their own: texts that ask to wait, or that were cut.
    """

    rows: Any
    few: list[Remembered]
    special: dict[int, Prediction]


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
        self._places: dict[Any, int] = {}
        self._verdicts: list[Remembered] = []
        self._unjudged: list[Any] = []
        self._templates: dict[str, str] = {}

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
        if len(self._places) > MOST_KNOWN or len(self._templates) > MOST_KNOWN:
            self._places.clear()
            self._verdicts.clear()
            self._templates.clear()
        places = self._judged(batch, folded)
        self._verdicts += self.classifier.recall_templates(self._unjudged)
        self._unjudged.clear()
        used = np.flatnonzero(np.bincount(places, minlength=len(self._verdicts)))
        local = np.zeros(len(self._verdicts), dtype=np.int32)
        local[used] = np.arange(len(used), dtype=np.int32)
        rows = local[places]
        found = [self._verdicts[place] for place in used.tolist()]
        return Verdicts(rows, found, self._of_the_texts(texts, rows, found))

    def join(self, batch: Any, verdicts: Verdicts) -> Any:
        """Return the batch with the columns of its verdicts added."""
        rows = pa.array(verdicts.rows, pa.int32())
        columns = [self._column(name, verdicts, rows) for name in self.fields]
        added = [pa.field(self.prefix + name, one.type) for name, one in zip(self.fields, columns, strict=True)]
        return pa.RecordBatch.from_arrays([*batch.columns, *columns], schema=pa.schema([*batch.schema, *added]))

    def json(self, verdicts: Verdicts) -> list[bytes]:
        """Return for each row what is added to its JSON object, without braces."""
        few = [self._json(one.prediction) for one in verdicts.few]
        many = [few[row] for row in verdicts.rows.tolist()]
        for row, prediction in verdicts.special.items():
            many[row] = self._json(prediction)
        return many

    def _json(self, prediction: Prediction) -> bytes:
        whole = prediction.to_dict()
        part = {self.prefix + name: whole[name] for name in self.fields}
        return json.dumps(part, ensure_ascii=False)[1:-1].encode("utf-8", "replace")

    def _judged(self, batch: Any, folded: Any) -> Any:
        """Row -> place of its verdict."""
        templates = folded.dictionary.to_pylist()
        given = {name: batch.column(name) for name in GIVEN if name in batch.schema.names and name != self.column}
        given = {name: values for name, values in given.items() if values.null_count < len(values)}
        codes = folded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        if not given:
            return np.fromiter((self._place(text, ()) for text in templates), np.int64, len(templates))[codes]
        combined = codes
        kinds: list[list[Any]] = []
        for name, column in given.items():
            if pa.types.is_dictionary(column.type):
                column = column.cast(column.type.value_type)
            encoded = pc.dictionary_encode(column, null_encoding="encode")
            known = _known(name, encoded.dictionary.to_pylist())
            kinds.append(known)
            combined = combined * len(known) + encoded.indices.to_numpy(zero_copy_only=False)
        unique, inverse = np.unique(combined, return_inverse=True)
        places = np.empty(len(unique), np.int64)
        for row, number in enumerate(unique.tolist()):
            items = []
            for name, known in zip(reversed(given), reversed(kinds), strict=True):
                number, item = divmod(number, len(known))
                items.append((name, known[item]))
            places[row] = self._place(templates[number], tuple(item for item in items if item[1] is not None))
        return places[inverse]

    def _place(self, folded: str, given: tuple[tuple[str, Any], ...]) -> int:
        key = (folded, given) if given else folded
        place = self._places.get(key)
        if place is None:
            template = self._templates.get(folded)
            if template is None:
                template = self._templates[folded] = template_of(folded)
            known = (template, given, None)
            place = self._places.get(known)
            if place is None:
                place = self._places[known] = len(self._verdicts) + len(self._unjudged)
                said = dict(given)
                self._unjudged.append((template, *map(said.get, GIVEN)))
            self._places[key] = place
        return place

    def _of_the_texts(self, texts: Any, rows: Any, verdicts: list[Remembered]) -> dict[int, Prediction]:
        """Row -> its own prediction, for texts that ask to wait or were cut."""
        if OF_THE_TEXT.isdisjoint(self.fields):
            return {}
        timed = np.array([one.names_a_time for one in verdicts], dtype=bool)
        own = timed[rows] if len(verdicts) else np.zeros(len(rows), bool)
        own |= pc.greater(pc.utf8_length(texts), MAX_TEXT).to_numpy(zero_copy_only=False)
        places = np.flatnonzero(own)
        found: dict[int, Prediction] = {}
        seen: dict[tuple[int, str], Prediction] = {}
        for row, text in zip(places.tolist(), texts.take(pa.array(places)).to_pylist(), strict=True):
            key = (int(rows[row]), text)
            if key not in seen:
                seen[key] = verdicts[key[0]].of(text)
            if seen[key] is not verdicts[key[0]].prediction:
                found[row] = seen[key]
        return found

    def _column(self, name: str, verdicts: Verdicts, rows: Any) -> Any:
        few = values(name, [one.prediction for one in verdicts.few])
        if name in OF_THE_TEXT and verdicts.special:
            many = few.take(rows).to_pylist()
            for row, prediction in verdicts.special.items():
                many[row] = getattr(prediction, name)
            return pa.array(many, few.type)
        if self.dictionary and dictionary_of(name):
            encoded = few.dictionary_encode()
            return pa.DictionaryArray.from_arrays(encoded.indices.take(rows), encoded.dictionary)
        return few.take(rows)


def _encoded(texts: Any) -> Any:
    """Texts that fold to the same, as one dictionary array; long ones are cut as predictions cut them."""
    if len(texts) and pc.max(pc.binary_length(texts)).as_py() > MAX_TEXT:
        texts = pc.utf8_slice_codeunits(texts, 0, MAX_TEXT)
    if texts.offset:
        texts = pa.concat_arrays([texts])
    return pc.dictionary_encode(fold(texts))


def _known(name: str, found: list[Any]) -> list[Any]:
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
