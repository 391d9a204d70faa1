"""The columns that scoring reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from whybounce.model.errors import DataError

COLUMNS = ("diagnostic", "diagnostic_code", "smtp_reply", "smtp_response", "text", "message", "reason", "response")
"""Names of the column of diagnostics, the surest first."""

GIVEN = ("reply_code", "enhanced_status", "command", "remote_host")
"""Columns that say what is known besides the text, if the batch has them: see ``predict_one``."""


def diagnostic_column(schema: Any, column: str | None, added: Sequence[str]) -> str:
    """Return the column of diagnostics of a schema, and check that nothing would be overwritten.

    Parameters
    ----------
    schema : pyarrow.Schema
    column : str or None
        The name, when it is given.
    added : sequence of str
        Names of the columns that will be added.

    Raises
    ------
    DataError
        Naming the columns there are, or the prefix that is needed.
    """
    names = schema.names
    column = column or next((name for name in COLUMNS if name in names), None)
    if column is None:
        raise DataError(f"which column holds the diagnostic? name one of {', '.join(names)} with --column")
    if column not in names:
        raise DataError(f"there is no column {column!r}; there are: {', '.join(names)}")
    taken = next((name for name in added if name in names), None)
    if taken is not None:
        raise DataError(f"there is a column {taken!r} already; choose another --prefix for what is added")
    if names.count(column) > 1:
        raise DataError(f"there are {names.count(column)} columns {column!r}; rename all but the one to read")
    kind = schema.field(column).type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
            or pa.types.is_null(kind)):  # fmt: skip
        raise DataError(f"column {column!r} holds {kind}, no text; name the column of diagnostics with --column")
    return column
