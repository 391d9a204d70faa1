"""Scoring tables of any size: Arrow record batches in, record batches out.

``Scorer.score`` is the whole of it; the resumable job of ``whybounce score`` and the
adapter for Apache Spark only carry batches to it and from it.
"""

from whybounce.model.errors import MissingExtraError

try:
    from whybounce.serving.score.fields import FIELDS, PREFIX
    from whybounce.serving.score.scorer import Scorer
except ModuleNotFoundError as error:
    raise MissingExtraError("score", "Scoring tables") from error

__all__ = ["FIELDS", "PREFIX", "Scorer"]
