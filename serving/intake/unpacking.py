"""Packed and recoded files as the bytes that are in them: gzip, bzip2, zstd, UTF-16, an old Mac's ends of lines."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import zlib
from typing import Any, BinaryIO

from whybounce.model.errors import DataError, MissingExtraError

CHUNK = 65536

_PIECE = 512
"""Bytes of zstd that are unpacked at a time: the worst of them become 16 MB."""


class DamagedError(DataError):
    """Packed data that ends too early or is not what it says."""


def is_recoded(start: bytes) -> bool:
    """Whether bytes begin what :func:`unpacked` unpacks or recodes."""
    marks = (b"\x1f\x8b", b"BZh", b"\x28\xb5\x2f\xfd", codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    return start.startswith(marks) or ends_in_returns(start)


def unpacked(stream: BinaryIO, name: str) -> BinaryIO:
    """Return a stream over the unpacked bytes, whatever the file is called.

    gzip, bzip2 and zstd are told by their first bytes, UTF-16 by its byte order mark; where the beginning
    has carriage returns and no line feed, the former become the latter. Memory stays constant, however
    much comes out. Closing the result closes ``stream``.

    Raises
    ------
    MissingExtraError
        For zstd without the library for it.
    """
    start = stream.read(CHUNK)
    stream.seek(0)
    inner: Any
    if start[:2] == b"\x1f\x8b":
        kind, inner = "gzip", gzip.GzipFile(fileobj=stream, mode="rb")
    elif start[:3] == b"BZh":
        kind, inner = "bzip2", bz2.BZ2File(stream, "rb")
    elif start[:4] == b"\x28\xb5\x2f\xfd":
        kind, inner = "zstd", _zstd(stream)
    elif start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        kind, inner = "UTF-16", _Recoded(stream)
    elif ends_in_returns(start):
        kind, inner = "plain", _Plain(stream)
    else:
        return stream
    return _Reader(_Unpacking(inner, stream, kind, name), CHUNK)


def ends_in_returns(start: bytes) -> bool:
    """Whether the lines of a text that begins so end in carriage returns, and in nothing else."""
    return b"\r" in start[:-1] and b"\n" not in start


def _zstd(stream: BinaryIO) -> Any:
    try:
        import zstandard
    except ImportError as error:
        stream.close()
        raise MissingExtraError("report", "Reading zstd files") from error
    return _Frames(stream, zstandard.ZstdDecompressor(max_window_size=2**27))


class _Frames:
    """The frames of a zstd stream, one after the other.

    The reader of the library takes the end of the file for the end of the data wherever it comes.
    """

    def __init__(self, stream: BinaryIO, unpacker: Any) -> None:
        self._stream = stream
        self._unpacker = unpacker
        self._frame: Any = None
        self._packed = b""
        self._rest = memoryview(b"")

    def read1(self, size: int) -> memoryview:
        while not self._rest:
            data = self._packed or self._stream.read(_PIECE)
            if not data:
                if self._frame is not None:
                    raise EOFError("Compressed file ended before the end of a frame was reached")
                break
            if self._frame is None:
                self._frame = self._unpacker.decompressobj()
            self._rest = memoryview(self._frame.decompress(data))
            self._packed = b""
            if self._frame.eof:
                self._packed = self._frame.unused_data
                self._frame = None
        found, self._rest = self._rest[:size], self._rest[size:]
        return found

    def close(self) -> None:
        self._frame = None
        self._packed = b""
        self._rest = memoryview(b"")


def _broken() -> tuple[type[BaseException], ...]:
    broken: list[type[BaseException]] = [EOFError, OSError, ValueError, zlib.error]
    try:
        import zstandard
    except ImportError:
        pass
    else:
        broken.append(zstandard.ZstdError)
    return tuple(broken)


class _Reader(io.BufferedReader):
    """What was unpacked before the damage is read; the read after it meets the damage."""

    def read(self, size: int | None = -1) -> bytes:
        pieces: list[bytes] = []
        left = -1 if size is None else size
        while left != 0:
            try:
                piece = self.read1(left if left > 0 else CHUNK)
            except DamagedError:
                if not pieces:
                    raise
                break
            if not piece:
                break
            pieces.append(piece)
            left -= len(piece) if left > 0 else 0
        return b"".join(pieces)


class _Unpacking(io.RawIOBase):
    """Reads through a decompressor; what is wrong with the data becomes a ``DamagedError``."""

    def __init__(self, inner: Any, outer: BinaryIO, kind: str, name: str) -> None:
        self._inner = inner
        self._outer = outer
        self._kind = kind
        self._name = name
        self._given = 0
        self._returns: bool | None = None
        self._damage: DamagedError | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._damage is not None:
            raise self._damage
        try:
            # What is unpacked before an early end is given out first: read would lose it.
            data = self._inner.read1(min(len(buffer), CHUNK))
        except _broken() as error:
            self._damage = DamagedError(
                f"{self._name}: the {self._kind} data is damaged or cut off after {self._given:,} bytes "
                f"({error}); what comes after that could not be read, fetch the file again"
            )
            raise self._damage from error
        if self._returns is None:
            self._returns = ends_in_returns(bytes(data))
        buffer[: len(data)] = bytes(data).replace(b"\r", b"\n") if self._returns else data
        self._given += len(data)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._inner.close()
            self._outer.close()
        super().close()


class _Plain:
    """Bytes as they are."""

    def __init__(self, stream: BinaryIO) -> None:
        self.read1 = stream.read

    def close(self) -> None:
        """There is nothing of its own to close."""


class _Recoded:
    """UTF-16 read as UTF-8, as PowerShell and Exchange write it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-16")("replace")
        self._rest = b""

    def read1(self, size: int) -> bytes:
        while not self._rest:
            data = self._stream.read(CHUNK)
            self._rest = self._decoder.decode(data, final=not data).encode("utf-8", "replace")
            if not data:
                break
        found, self._rest = self._rest[:size], self._rest[size:]
        return found

    def close(self) -> None:
        self._rest = b""
