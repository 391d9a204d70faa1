"""From paths to sources: files, folders, Maildirs, standard input, packed or not."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from whybounce.model.errors import DataError
from whybounce.serving.intake.format import HEAD_BYTES, Format, Head, Read, Skipped, Source
from whybounce.serving.intake.formats import EmptyError, FormatError, format_named, recognise
from whybounce.serving.intake.streams import Spool, is_file, maildir_stream
from whybounce.serving.intake.unpacking import DamagedError, unpacked

STDIN = "-"
STDIN_NAME = "standard input"

_PACKED = (".gz", ".zst", ".bz2")
# File names are chosen by the user's own machine, and the pattern is linear.
_ROTATED = re.compile(r"(?P<base>.+?)(?:[.-](?P<date>\d{4}-?\d{2}-?\d{2}(?:[-.T]?\d{1,10})?)|\.(?P<number>\d{1,4}))")
# A log that is a folder of files named by their time, as KumoMTA's.
_SEGMENT = re.compile(r"\d{4}-?\d{2}-?\d{2}[-_.T]?\d{2}-?\d{2}[\w.-]{0,80}")


def sources(paths: Iterable[str | Path]) -> Iterator[Source]:
    """Yield what there is to read, rotated files of one log oldest first.

    Parameters
    ----------
    paths : iterable of str or Path
        Files, packed or not; folders, which are searched through; Maildirs, each of which
        is one source; ``-`` for standard input. A file that is named twice is read once.

    Raises
    ------
    DataError
        For a path that is not there or cannot be read.
    """
    given = [str(path) for path in paths]
    found = _Found()
    for name in _in_time(given):
        if name == STDIN:
            yield from_stream(STDIN_NAME, sys.stdin.buffer)
            continue
        path = Path(name)
        try:
            mode = path.stat().st_mode
            if stat.S_ISDIR(mode):
                yield from _of_folder(path, found)
            elif stat.S_ISREG(mode):
                yield from found.file(name)
            else:  # a pipe can be read once only
                with path.open("rb") as stream:
                    yield from_stream(name, stream)
        except OSError as error:
            raise DataError(f"{name}: cannot be read ({error.strerror}); check the path") from error
        except ValueError as error:  # a null character
            raise DataError(f"{name!r}: is no path; check it") from error


def from_stream(name: str, stream: BinaryIO) -> Source:
    """Return a source over a stream that can be read only once; it is kept on disk when it is long."""
    spool = Spool(stream)
    return Source(name, lambda: unpacked(spool.open(), name))


def from_bytes(name: str, data: bytes) -> Source:
    """Return a source over bytes in memory, such as the body of a request; they are not unpacked."""
    import io

    return Source(name, lambda: io.BytesIO(data))


_ARCHIVES = (
    ("a tar archive", 257, b"ustar"),
    ("a zip archive", 0, b"PK\x03\x04"),
    ("packed with xz", 0, b"\xfd7zXZ\x00"),
    ("packed with 7-Zip", 0, b"7z\xbc\xaf\x27\x1c"),
)
"""What it is, where its mark stands, and the mark: the text in a tar would be taken for one log."""


def head(source: Source) -> Head:
    """Read the beginning of a source; what is damaged further on does not matter yet."""
    pieces: list[bytes] = []
    size = 0
    try:
        with closing(source.open()) as stream:
            while size < HEAD_BYTES and (piece := stream.read(min(8192, HEAD_BYTES - size))):
                pieces.append(piece)
                size += len(piece)
    except DamagedError:
        if not pieces:
            raise
    return Head(source.name, b"".join(pieces))


def refuse_archive(beginning: Head) -> None:
    """Raise a ``DataError`` for an archive, which would be taken for one log or for nothing known."""
    for kind, place, magic in _ARCHIVES:
        if beginning.data[place : place + len(magic)] == magic:
            raise DataError(f"{beginning.name}: is {kind}, which is not read; unpack it and name what was in it")


def read(source: Source, format: Format | str | None = None) -> tuple[Format, Read]:
    """Find the format of a source and read it.

    Parameters
    ----------
    source : Source
    format : Format or str, optional
        What the user says it is; recognised by the content by default.

    Returns
    -------
    Format
    iterator of BounceRecord or Skipped
        Opens the source when it is first asked. Damaged compressed data ends it with a ``Skipped``.

    Raises
    ------
    FormatError
        No format recognises the source, or none is called ``format``.
    """
    if isinstance(format, str):
        format = format_named(format)
    if format is None:
        beginning = head(source)
        refuse_archive(beginning)
        format = recognise(beginning)
        if format is None and not beginning.data.strip():
            raise EmptyError(f"{source.name}: is empty")
    if format is None:
        raise FormatError(
            f"{source.name}: is in no known format; name it with --format (whybounce formats lists what there is)"
        )
    return format, _until_damaged(format, source)


def misread(source: Source, format: Format) -> str | None:
    """Say which format a source looks like when nothing was read of it in the one that was asked for."""
    found = recognise(head(source))
    if found is None or found.name == format.name:
        return None
    return (
        f"{source.name}: nothing in it is in the format {format.name}; "
        f"it looks like {found.name} ({found.title}): name that, or no format at all"
    )


def _until_damaged(format: Format, source: Source) -> Read:
    try:
        yield from format.read(source)
    except DamagedError as error:
        yield Skipped(source.name, str(error).removeprefix(f"{source.name}: "), ends_early=True)


def _opened(path: Path) -> BinaryIO:
    try:
        return unpacked(path.open("rb"), str(path))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the path") from error


class _Found:
    """Files that are given out once each, those of one log with one memory."""

    def __init__(self) -> None:
        self._seen: set[tuple[int, int]] = set()
        self._memories: dict[str, dict[str, Any]] = {}

    def file(self, name: str) -> Iterator[Source]:
        """Yield the source of a file, nothing for one that was there before."""
        status = Path(name).stat()
        identity = (status.st_dev, status.st_ino)
        if identity not in self._seen:
            self._seen.add(identity)
            base, age = _age(name)
            memory = self._memories.setdefault(base, {})
            yield Source(name, partial(_opened, Path(name)), _written(status.st_mtime, age[2][:8]), memory)


def _written(seconds: float, date: str) -> datetime | None:
    """When a file was written: as the file system says, but not after the date that its name says."""
    try:
        found = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError):  # a file system may say anything
        return None
    try:  # files that were copied are younger than their logs
        return min(found, datetime.strptime(date, "%Y%m%d").replace(tzinfo=UTC) + timedelta(days=1))
    except (ValueError, OverflowError):
        return found


def is_maildir(path: Path) -> bool:
    """Whether a folder is a Maildir: it has ``cur`` and ``new``."""
    return (path / "cur").is_dir() and (path / "new").is_dir()


def _of_folder(path: Path, found: _Found) -> Iterator[Source]:
    if is_maildir(path):
        yield Source(str(path), partial(maildir_stream, path))
    # A Maildir may hold others, as dot folders; links are not followed, as they may lead back.
    own = {"cur", "new", "tmp"} if is_maildir(path) else set()
    files, folders = [], []
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in own and (not entry.name.startswith(".") or is_maildir(Path(entry.path))):
                    folders.append(entry.path)
            elif is_file(entry) and not entry.name.startswith(".") and not own:
                files.append(entry.path)
    for name in _in_time(sorted(files)):
        yield from found.file(name)
    for name in sorted(folders):
        yield from _of_folder(Path(name), found)


def _in_time(names: list[str]) -> list[str]:
    """Order rotated files of one log by age; a log stands where its first file stood."""
    place: dict[str, int] = {}
    keyed = []
    for position, name in enumerate(names):
        base, age = _age(name)
        keyed.append((place.setdefault(base, position), age, position, name))
    return [name for *_, name in sorted(keyed)]


def _age(name: str) -> tuple[str, tuple[int, int, str]]:
    """Return the name of the log and a key that grows with time: numbers count down, dates up, none is now."""
    if name == STDIN:
        return name, (2, 0, "")
    folder, file = os.path.split(name)
    for suffix in _PACKED:
        file = file.removesuffix(suffix)
    if _SEGMENT.fullmatch(file):
        return os.path.join(folder, "*"), (0, 0, file.replace("-", ""))  # noqa: PTH118 - names, no paths
    match = _ROTATED.fullmatch(file)
    if match is None:
        return os.path.join(folder, file), (2, 0, "")  # noqa: PTH118 - names, no paths
    base = os.path.join(folder, match["base"])  # noqa: PTH118
    if match["date"] is not None:
        return base, (0, 0, match["date"].replace("-", ""))
    return base, (1, -int(match["number"]), "")
