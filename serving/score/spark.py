"""Scoring on Apache Spark: the record batches of ``mapInArrow`` go through the same ``Scorer``.

The workers of the cluster need ``whybounce[score]`` in their Python; the program that plans the work needs
``whybounce[spark]``. Each Python worker loads the model once, with its first batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from whybounce.model.errors import MissingExtraError
from whybounce.model.predictor import BounceClassifier
from whybounce.serving.score.columns import diagnostic_column
from whybounce.serving.score.fields import PREFIX, chosen, schema_of
from whybounce.serving.score.scorer import Scorer

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True, slots=True)
class _Scoring:
    """What a Python worker does with a partition; sent to it by value, without the model."""

    artifact: str | None
    column: str
    fields: tuple[str, ...]
    prefix: str

    def __call__(self, batches: Iterable[Any]) -> Iterator[Any]:
        for batch in batches:
            if batch.num_rows:
                yield _scorer(self).score(batch)


@lru_cache(maxsize=4)
def _scorer(scoring: _Scoring) -> Scorer:
    # A worker lives for many partitions: what it has loaded and learnt stays.
    classifier = BounceClassifier.load(scoring.artifact, strict=True)
    return Scorer(classifier, column=scoring.column, fields=scoring.fields, prefix=scoring.prefix)


def score(
    frame: DataFrame,
    *,
    artifact: str | None = None,
    column: str | None = None,
    fields: Sequence[str] | None = None,
    prefix: str = PREFIX,
) -> DataFrame:
    """Add predictions to a Spark data frame.

    Nothing is computed yet: the result is planned, as every data frame is.

    Parameters
    ----------
    frame : pyspark.sql.DataFrame
    artifact : str, optional
        Folder of an artifact, as the workers see it; the shipped model by default. A name from
        ``--archives`` will do.
    column : str, optional
        The column of diagnostics; by default the first of the usual names. Columns named
        ``reply_code``, ``enhanced_status``, ``command`` and ``remote_host`` are used besides it.
    fields : sequence of str, optional
        Fields of the prediction to add; all by default.
    prefix : str
        What the names of the added columns begin with.

    Returns
    -------
    pyspark.sql.DataFrame
        The rows and columns of ``frame``, and the added columns.

    Raises
    ------
    MissingExtraError
        Without pyspark, or without the pandas that it asks for.
    DataError
        When there is no such column or field, or when a column would be overwritten.

    Notes
    -----
    A worker that finds no artifact fails the job: a cluster does not answer from the rules unasked.
    """
    try:
        import_module("pandas")  # nothing here uses it, but mapInArrow refuses without it
        from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema
        from pyspark.sql.types import StructType
    except ModuleNotFoundError as error:
        raise MissingExtraError("spark", "Scoring on Apache Spark") from error
    names = chosen(fields)
    added = schema_of(names, prefix)
    found = diagnostic_column(to_arrow_schema(frame.schema), column, added.names)
    schema = StructType([*frame.schema.fields, *from_arrow_schema(added).fields])
    return frame.mapInArrow(_Scoring(artifact, found, names, prefix), schema)
