"""What passes from reading to writing: chunks of rows, and where they end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from whybounce.serving.score.shapes import Shape

MOST_BYTES = 32 * 1024 * 1024
"""Bytes of a chunk, about: it has fewer rows where they are long."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where to go on: the next row of a file.

    Attributes
    ----------
    file : int
        Place of the file among those of the input.
    row : int
        Rows (lines, for text) of that file that are done.
    offset : int
        Bytes of that file, unpacked, that are done; 0 for Parquet.
    """

    file: int = 0
    row: int = 0
    offset: int = 0


@dataclass(slots=True)
class Chunk:
    """Some rows.

    Attributes
    ----------
    batch : pyarrow.RecordBatch
        The rows; of JSON Lines that stay JSON Lines, only the columns that are read.
    after : Position
        What comes next.
    share : float
        How much of its file is done, 0 to 1.
    lines : list of bytes, optional
        The objects as they stand in the file, for JSON Lines that stay JSON Lines.
    rejected : list of dict
        Rows that cannot be read: where, why and what they hold.
    cut : str or None
        That the file ends here and too early, in words; it is among the rejected as well.
    """

    batch: Any
    after: Position
    share: float
    lines: list[bytes] | None = None
    rejected: list[dict[str, Any]] = field(default_factory=list)
    cut: str | None = None


@dataclass(frozen=True, slots=True)
class Keys:
    """How JSON objects are read.

    Attributes
    ----------
    column : str or None
        The key of diagnostics; any of ``COLUMNS`` by default.
    added : frozenset of str
        Keys that scoring adds: no object may have one already.
    shape : Shape or None
        The columns that objects become; without one they stay lines.
    """

    column: str | None = None
    added: frozenset[str] = frozenset()
    shape: Shape | None = None


def is_code(value: Any) -> bool:
    """Whether a reply code is a number, or missing."""
    text = "" if value is None else str(value)
    return text == "" or (text.isascii() and text.isdigit() and len(text) <= 9)
