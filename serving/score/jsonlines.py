"""JSON Lines, read and written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from whybounce.model.errors import DataError
from whybounce.serving.intake.lines import decoded
from whybounce.serving.score.chunks import Chunk, Keys, Position, is_code
from whybounce.serving.score.columns import COLUMNS, GIVEN
from whybounce.serving.score.lines import Lines
from whybounce.serving.score.scorer import Scorer
from whybounce.serving.score.verdicts import Verdicts


def read(path: Path, at: Position, size: int, keys: Keys) -> Iterator[Chunk]:
    """Yield the objects of a file, ``size`` at most at a time."""
    lines = Lines(path, at)
    try:
        lines.go_on()
        rows: list[dict[str, Any]] = []
        kept: list[tuple[int, bytes]] = []
        rejected: list[dict[str, Any]] = []
        for data in lines.until_cut():
            text = decoded(data).strip()
            if not text:
                continue
            row, why = _object(text, keys.column)
            if row is None:
                rejected.append(lines.rejected(why, text))
            else:
                if not keys.added.isdisjoint(row):
                    taken = min(keys.added.intersection(row))
                    raise DataError(
                        f"{path}, line {lines.number}: there is a key {taken!r} already; "
                        "choose another --prefix for what is added"
                    )
                rows.append(row)
                kept.append((lines.number, text.encode("utf-8", "replace")))
            if len(rows) >= size or len(rejected) >= size or lines.enough():
                yield _chunk(lines, rows, kept, rejected, keys)
                rows, kept, rejected = [], [], []
        if lines.cut is not None:
            rejected.append(lines.rejected(lines.cut, ""))
        if rows or rejected:
            yield _chunk(lines, rows, kept, rejected, keys)
    finally:
        lines.close()


def _object(text: str, column: str | None) -> tuple[dict[str, Any] | None, str]:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError) as error:
        return None, f"not valid JSON ({error})"
    if not isinstance(row, dict):
        return None, "no JSON object"
    name = column or next((one for one in COLUMNS if one in row), None)
    if name is None or name not in row:
        return None, f"no key {column!r}" if column else "no key that is known to be the diagnostic; name it (--column)"
    if row[name] is not None and not isinstance(row[name], str):
        return None, f"{name!r} is not a text"
    if not is_code(row.get("reply_code")):
        return None, f"reply_code {row['reply_code']!r} is not a number"
    return row, ""


def _chunk(
    lines: Lines, rows: list[dict[str, Any]], kept: list[tuple[int, bytes]], rejected: list[dict[str, Any]], keys: Keys
) -> Chunk:
    if keys.shape is not None:
        batch, misfits = keys.shape.batch(rows)
        for place, why in misfits:
            number, line = kept[place]
            rejected.append(lines.rejected(why, line.decode(), number))
        return Chunk(batch, lines.take(), lines.share, None, rejected, lines.cut)
    columns: dict[str, list[Any]] = {
        name: [None if row.get(name) in (None, "") else str(row[name]) for row in rows] for name in GIVEN
    }
    names = (keys.column,) if keys.column else COLUMNS
    columns[keys.column or COLUMNS[0]] = [row[next(one for one in names if one in row)] for row in rows]
    batch = pa.RecordBatch.from_pydict(
        {name: pa.array(_valid(found), pa.large_string()) for name, found in columns.items()}
    )
    return Chunk(batch, lines.take(), lines.share, [line for _, line in kept], rejected, lines.cut)


def _valid(texts: list[Any]) -> list[Any]:
    # JSON can name halves of characters, which Arrow has no place for.
    return [None if text is None else text.encode("utf-8", "replace").decode() for text in texts]


class JsonLinesPart:
    """JSON Lines: the object of the row, and the fields of the prediction behind its own."""

    def __init__(self, path: Path, scorer: Scorer) -> None:
        self._scorer = scorer
        self._stream: BinaryIO = path.open("wb")

    def write(self, chunk: Chunk, verdicts: Verdicts) -> None:
        """Write rows."""
        lines = chunk.lines if chunk.lines is not None else _objects(chunk.batch)
        added = verdicts.json(self._scorer.prefix)
        # An object of the input has a diagnostic at least: it is never empty.
        self._stream.write(b"".join(b"%s, %s}\n" % (line[:-1], more) for line, more in zip(lines, added, strict=True)))

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


def _objects(batch: Any) -> list[bytes]:
    rows = batch.to_pylist()
    return [json.dumps(row, ensure_ascii=False, default=plain).encode("utf-8", "replace") for row in rows]


def plain(value: Any) -> Any:
    """Return what JSON has for a value that it does not know."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
