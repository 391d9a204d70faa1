"""Byte streams that sources are made of: spooling, a Maildir as one mailbox."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from whybounce.serving.intake.unpacking import CHUNK, DamagedError, unpacked

IN_MEMORY = 8 * 1024 * 1024
"""Bytes of a stream that are kept in memory before it goes to disk."""


UNREADABLE = "unreadable: "
"""Stands in the separator of what a message of a Maildir lacks, before the cause: all of it, or its end."""


class Spool:
    """A stream that can be read once, kept so that it can be read again: in memory, or on disk when it is long."""

    def __init__(self, stream: BinaryIO) -> None:
        self._memory = stream.read(IN_MEMORY)
        self._file: BinaryIO | None = None
        more = stream.read(CHUNK)
        if more:
            self._file = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - lives as long as this
            self._file.write(self._memory)
            self._memory = b""
            while more:
                self._file.write(more)
                more = stream.read(CHUNK)
            self._file.flush()

    def open(self) -> BinaryIO:
        """Return a new stream from the beginning."""
        if self._file is None:
            return io.BytesIO(self._memory)
        return _buffered(_View(self))

    def __del__(self) -> None:
        file = getattr(self, "_file", None)  # missing when reading the stream failed
        if file is not None:
            file.close()

    def _at(self, position: int, size: int) -> bytes:
        return b"" if self._file is None else os.pread(self._file.fileno(), size, position)


class _View(io.RawIOBase):
    """One reader of a spool, with a position of its own."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence == 0:
            self._position = offset
        elif whence == 1:
            self._position += offset
        else:
            raise io.UnsupportedOperation("the end is not known")
        return self._position

    def readinto(self, buffer: Any) -> int:
        data = self._spool._at(self._position, len(buffer))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def maildir_stream(path: Path) -> BinaryIO:
    """Return a Maildir as one mailbox in mbox form (mboxrd), oldest message first.

    The separator names the file, ``From cur/1790000000.M1P2.host``, for messages about it.
    """
    return _buffered(_Pieces(_mbox_of(path)))


def _mbox_of(path: Path) -> Iterator[bytes]:
    # Maildir file names begin with the seconds since 1970.
    names = sorted(
        (entry.name, folder)
        for folder in ("cur", "new")
        for entry in os.scandir(path / folder)
        if is_file(entry) and not entry.name.startswith(".")
    )
    refused: list[tuple[str, str]] = []
    read = False
    for name, folder in names:
        place = f"{folder}/{name.replace(' ', '_')}"
        try:
            stream = unpacked((path / folder / name).open("rb"), str(path / folder / name))
        except FileNotFoundError:  # a mail reader has moved it in the meantime
            continue
        except OSError as error:
            refused.append((place, f"cannot be read ({error.strerror}); check its permissions"))
            continue
        read = True
        with stream:
            yield f"From {place} Thu Jan  1 00:00:00 1970\n".encode("utf-8", "replace")
            end = b"\n"
            try:
                for line in iter(lambda stream=stream: stream.readline(CHUNK), b""):  # type: ignore[misc]
                    quoted = end == b"\n" and line.lstrip(b">").startswith(b"From ")
                    yield b">" + line if quoted else line
                    end = line[-1:]
            except DamagedError as error:  # one message of many
                why = str(error).removeprefix(f"{path / folder / name}: ")
                refused.append((place, " ".join(why.split())))
            yield b"\n" if end == b"\n" else b"\n\n"
    if refused and not read:
        place, why = refused[0]
        raise DamagedError(f"{path}: none of its messages can be read; the first: {place} {why}")
    for place, why in refused:  # empty messages; the separator says why they are
        yield f"From {place} Thu Jan  1 00:00:00 1970 {UNREADABLE}{why}\n\n".encode("utf-8", "replace")


def is_file(entry: os.DirEntry[str]) -> bool:
    """Whether an entry of a folder is a file or a link to one; links that lead in circles are none."""
    try:
        return entry.is_file()
    except OSError:
        return False


class _Pieces(io.RawIOBase):
    """A stream over an iterator of byte strings."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            try:
                self._rest = next(self._pieces)
            except StopIteration:
                return 0
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

    def close(self) -> None:
        if not self.closed:
            self._pieces.close()  # type: ignore[attr-defined]
        super().close()


def _buffered(raw: io.RawIOBase) -> BinaryIO:
    return io.BufferedReader(raw, CHUNK)
