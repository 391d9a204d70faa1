"""Reading what is to be scored: Parquet, JSON Lines, CSV and TSV, in chunks of rows."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from whybounce.model.errors import DataError
from whybounce.serving.intake.lines import decoded
from whybounce.serving.intake.streams import unpacked
from whybounce.serving.score.scorer import COLUMNS, GIVEN
from whybounce.serving.score.shapes import Shape

SUFFIXES = {".parquet": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "tsv"}
PACKED = (".gz", ".zst", ".bz2")
_DELIMITERS = {"csv": ",", "tsv": "\t"}
MAX_LINE = 16 * 1024 * 1024


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
    """

    batch: Any
    after: Position
    share: float
    lines: list[bytes] | None = None
    rejected: list[dict[str, Any]] = field(default_factory=list)


def kind_of(path: Path) -> str:
    """Return the kind of a file by its name, without the suffix of what packs it.

    Raises
    ------
    DataError
        Naming the kinds there are.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in PACKED:
        suffixes.pop()
    kind = SUFFIXES.get(suffixes[-1]) if suffixes else None
    if kind is None:
        raise DataError(f"{path}: is of no known kind; name it {', '.join('NAME' + suffix for suffix in SUFFIXES)}")
    return kind


def files_of(path: Path) -> list[Path]:
    """Return the files of an input, which may be a folder of files of one kind.

    Raises
    ------
    DataError
        When there is nothing, or files of several kinds.
    """
    if not path.exists():
        raise DataError(f"{path}: is not there; check the path")
    if not path.is_dir():
        return [path]
    found = sorted(
        one
        for one in path.rglob("*")
        if one.is_file() and not any(part.startswith((".", "_")) for part in one.relative_to(path).parts)
    )
    if not found:
        raise DataError(f"{path}: holds no files")
    kinds = {kind_of(one) for one in found}
    if len(kinds) > 1:
        raise DataError(f"{path}: holds files of several kinds ({', '.join(sorted(kinds))}); score one kind at a time")
    return found


def rows_of(files: list[Path]) -> int | None:
    """Return how many rows there are, when the files tell."""
    if kind_of(files[0]) != "parquet":
        return None
    return sum(_parquet(path).metadata.num_rows for path in files)


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


def chunks(files: list[Path], start: Position, size: int, keys: Keys) -> Iterator[Chunk]:
    """Yield the rows of files from a position on.

    Parameters
    ----------
    files : list of Path
        Of one kind.
    start : Position
    size : int
        Rows of a chunk, at most.
    keys : Keys
        For JSON Lines.

    Raises
    ------
    DataError
        For a file that cannot be read at all.
    """
    kind = kind_of(files[0])
    schema = None
    for place, path in enumerate(files):
        if place < start.file:
            continue
        at = start if place == start.file else Position(place)
        try:
            if kind == "parquet":
                file = _parquet(path)
                found = file.schema_arrow.remove_metadata()
                schema = schema or found
                if found != schema:
                    raise DataError(f"{path}: has other columns than {files[0]}; score them apart")
                yield from _of_parquet(file, at, size)
            elif kind == "jsonl":
                yield from _of_json_lines(path, at, size, keys)
            else:
                yield from _of_table(path, at, size, _DELIMITERS[kind])
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror or error}); check the file") from error
        except pa.ArrowInvalid as error:
            raise DataError(f"{path}: cannot be read ({error}); check the file") from error


def _parquet(path: Path) -> Any:
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path}: is no Parquet file that can be read ({error}); write it again") from error


def _of_parquet(file: Any, at: Position, size: int) -> Iterator[Chunk]:
    with file:
        total = file.metadata.num_rows
        groups = list(range(file.num_row_groups))
        row = 0
        while groups and row + file.metadata.row_group(groups[0]).num_rows <= at.row:
            row += file.metadata.row_group(groups.pop(0)).num_rows
        skip = at.row - row
        for batch in file.iter_batches(size, row_groups=groups) if groups else ():
            part = batch.slice(skip) if skip else batch
            skip = max(0, skip - batch.num_rows)
            row += batch.num_rows
            if part.num_rows:
                yield Chunk(part.replace_schema_metadata(None), Position(at.file, row), row / total)


class _Lines:
    """The lines of a text file, with what is done of it."""

    def __init__(self, path: Path, at: Position) -> None:
        self.path = path
        self._raw: BinaryIO = path.open("rb")
        self._size = path.stat().st_size or 1
        self.stream = unpacked(self._raw, str(path))
        self.offset = 0
        self.number = 0
        self._start = at

    def go_on(self) -> None:
        """Skip what is done already."""
        rest = self._start.offset - self.offset
        if rest <= 0:
            return
        if self.stream is self._raw:
            self.stream.seek(self._start.offset)
        else:
            while rest > 0 and (piece := self.stream.read(min(rest, 1 << 20))):
                rest -= len(piece)
        self.offset, self.number = self._start.offset, self._start.row

    def __iter__(self) -> Iterator[bytes]:
        while line := self.stream.readline(MAX_LINE + 1):
            if len(line) > MAX_LINE:
                raise DataError(f"{self.path}: a line is longer than {MAX_LINE} bytes; is this a text file?")
            self.number += 1
            self.offset += len(line)
            yield line.removeprefix(b"\xef\xbb\xbf") if self.number == 1 else line

    def after(self) -> Position:
        return Position(self._start.file, self.number, self.offset)

    @property
    def share(self) -> float:
        return min(1.0, self._raw.tell() / self._size)

    def rejected(self, why: str, line: str) -> dict[str, Any]:
        return {"source": str(self.path), "line": self.number, "why": why, "content": line.rstrip("\r\n")}

    def close(self) -> None:
        self.stream.close()
        self._raw.close()


def _of_json_lines(path: Path, at: Position, size: int, keys: Keys) -> Iterator[Chunk]:
    lines = _Lines(path, at)
    try:
        lines.go_on()
        rows: list[dict[str, Any]] = []
        kept: list[tuple[int, bytes]] = []
        rejected: list[dict[str, Any]] = []
        for data in lines:
            text = decoded(data).strip()
            if not text:
                continue
            row, why = _object(text, keys.column)
            if row is None:
                rejected.append(lines.rejected(why, text))
            else:
                if not keys.added.isdisjoint(row):
                    taken = sorted(keys.added.intersection(row))[0]
                    raise DataError(
                        f"{path}, line {lines.number}: there is a key {taken!r} already; "
                        "choose another --prefix for what is added"
                    )
                rows.append(row)
                kept.append((lines.number, text.encode("utf-8", "replace")))
            if len(rows) >= size or len(rejected) >= size:
                yield _json_chunk(lines, rows, kept, rejected, keys)
                rows, kept, rejected = [], [], []
        if rows or rejected:
            yield _json_chunk(lines, rows, kept, rejected, keys)
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
    if not _codes(row.get("reply_code")):
        return None, f"reply_code {row['reply_code']!r} is not a number"
    return row, ""


def _codes(value: Any) -> bool:
    text = "" if value is None else str(value)
    return text == "" or (text.isascii() and text.isdigit() and len(text) <= 9)


def _json_chunk(
    lines: _Lines, rows: list[dict[str, Any]], kept: list[tuple[int, bytes]], rejected: list[dict[str, Any]], keys: Keys
) -> Chunk:
    if keys.shape is not None:
        batch, misfits = keys.shape.batch(rows)
        for place, why in misfits:
            number, line = kept[place]
            rejected.append({"source": str(lines.path), "line": number, "why": why, "content": line.decode()})
        return Chunk(batch, lines.after(), lines.share, None, rejected)
    columns: dict[str, list[Any]] = {
        name: [None if row.get(name) in (None, "") else str(row[name]) for row in rows] for name in GIVEN
    }
    names = (keys.column,) if keys.column else COLUMNS
    columns[keys.column or COLUMNS[0]] = [row[next(one for one in names if one in row)] for row in rows]
    batch = pa.RecordBatch.from_pydict(
        {name: pa.array(_valid(found), pa.large_string()) for name, found in columns.items()}
    )
    return Chunk(batch, lines.after(), lines.share, [line for _, line in kept], rejected)


def _valid(texts: list[Any]) -> list[Any]:
    # JSON can name halves of characters, which Arrow has no place for.
    return [None if text is None else text.encode("utf-8", "replace").decode() for text in texts]


def header_of(path: Path) -> Any:
    """Return the schema of a CSV or TSV file: texts under the names of its first line."""
    lines = _Lines(path, Position())
    try:
        return _strings(_names(lines, csv.reader(map(decoded, lines), delimiter=_DELIMITERS[kind_of(path)])), []).schema
    finally:
        lines.close()


def _names(lines: _Lines, reader: Any) -> list[str]:
    names = next(reader, [])
    if not names:
        raise DataError(f"{lines.path}: is empty; the first line names the columns")
    if len(set(names)) < len(names):
        raise DataError(f"{lines.path}: two columns have one name; rename one")
    return list(names)


def _of_table(path: Path, at: Position, size: int, delimiter: str) -> Iterator[Chunk]:
    lines = _Lines(path, at)
    texts = (decoded(line) for line in lines)
    try:
        names = _names(lines, csv.reader(texts, delimiter=delimiter))
        lines.go_on()
        reader = csv.reader(texts, delimiter=delimiter)
        rows: list[list[str | None]] = []
        rejected: list[dict[str, Any]] = []
        code = names.index("reply_code") if "reply_code" in names else None
        while True:
            try:
                cells = next(reader, None)
            except csv.Error as error:
                rejected.append(lines.rejected(f"{error}; check the quoting", ""))
                reader = csv.reader(texts, delimiter=delimiter)
                continue
            if cells is None:
                break
            if not cells:
                continue
            why = ""
            if len(cells) > len(names):
                why = f"{len(cells)} cells under {len(names)} names"
            elif code is not None and code < len(cells) and not _codes(cells[code]):
                why = f"reply_code {cells[code]!r} is not a number"
            if why:
                rejected.append(lines.rejected(why, delimiter.join(cells)))
            else:
                rows.append([*cells, *[None] * (len(names) - len(cells))])
            if len(rows) >= size or len(rejected) >= size:
                yield Chunk(_strings(names, rows), lines.after(), lines.share, None, rejected)
                rows, rejected = [], []
        if rows or rejected:
            yield Chunk(_strings(names, rows), lines.after(), lines.share, None, rejected)
    finally:
        lines.close()


def _strings(names: list[str], rows: list[list[str | None]]) -> Any:
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    arrays = [pa.array(column, pa.large_string()) for column in columns]
    return pa.RecordBatch.from_arrays(arrays, names=names)
