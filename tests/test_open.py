"""From paths to sources: packed, rotated, folders, Maildirs, standard input."""

from __future__ import annotations

import bz2
import gzip
import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from whybounce.model.errors import DataError
from whybounce.serving.intake import streams
from whybounce.serving.intake.format import Format, Group, Skipped, Source
from whybounce.serving.intake.formats import FormatError
from whybounce.serving.intake.open import from_bytes, from_stream, head, read, sources
from whybounce.serving.intake.record import BounceRecord, Outcome
from whybounce.serving.intake.unpacking import DamagedError, unpacked

TEXT = b"550 5.1.1 <a@example.com>: User unknown\n" * 1000


def content(source: Source) -> bytes:
    with source.open() as stream:
        return stream.read()


@pytest.mark.parametrize(
    "pack",
    [
        bytes,
        gzip.compress,
        bz2.compress,
        zstandard.compress,
        lambda data: gzip.compress(data[:500]) + gzip.compress(data[500:]),
        lambda data: zstandard.compress(data[:500]) + zstandard.compress(data[500:]),
        lambda data: data.decode().encode("utf-16"),
        lambda data: b"\xfe\xff" + data.decode().encode("utf-16-be"),
    ],
)
def test_packed_files_are_told_by_their_bytes(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(pack(TEXT))
    [source] = sources([path])
    assert content(source) == TEXT
    assert content(source) == TEXT  # a second time, from the beginning
    assert head(source).data == TEXT[:65536]


def checked(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, checked])
@pytest.mark.parametrize("harm", [lambda data: data[:-9], lambda data: data[:20] + b"\xff" * 40 + data[60:]])
def test_damaged_data_is_said_and_not_dropped(
    tmp_path: Path, pack: Callable[[bytes], bytes], harm: Callable[[bytes], bytes]
) -> None:
    import random

    path = tmp_path / "a.log"
    path.write_bytes(harm(pack(random.Random(1).randbytes(300_000))))
    [source] = sources([path])

    def count(source: Source) -> object:
        with source.open() as stream:
            while stream.read(1000):
                yield BounceRecord(Outcome.BOUNCED)

    format = Format("x", "X", Group.LOGS, "nothing", lambda _: 0.0, count)  # type: ignore[arg-type]
    *_, last = read(source, format)[1]
    assert isinstance(last, Skipped)
    assert last.ends_early
    assert "damaged or cut off after" in last.why


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, checked, zstandard.compress])
def test_a_file_may_end_anywhere(pack: Callable[[bytes], bytes]) -> None:
    """Wherever it is cut: what was whole before is given out, and the end is told."""
    whole = pack(TEXT)
    for size in range(4, len(whole)):
        given: list[bytes] = []
        with pytest.raises(DamagedError, match=r"cut.log: the .* data is damaged or cut off after"):
            given.extend(unpacked(io.BytesIO(whole[:size]), "cut.log"))
        assert TEXT.startswith(b"".join(given))
    assert unpacked(io.BytesIO(whole), "whole.log").read() == TEXT


def test_what_stands_before_an_early_end_is_given_out() -> None:
    lines = b"".join(b"%d\n" % (n**5) for n in range(100_000))
    for pack in (gzip.compress, bz2.compress, zstandard.compress):
        given: list[bytes] = []
        with pytest.raises(DamagedError):
            given.extend(unpacked(io.BytesIO(pack(lines)[:-30]), "x"))
        # bzip2 packs 900 kB at a time, zstd 128 kB; gzip bit by bit.
        assert sum(map(len, given)) > len(lines) - {gzip.compress: 1000, bz2.compress: 900_000}.get(pack, 131_072)


def test_frames_that_hold_nothing_and_frames_to_skip() -> None:
    skipped = b"\x50\x2a\x4d\x18" + b"\4\0\0\0" + b"abcd"
    data = zstandard.compress(b"one ") + skipped + zstandard.compress(b"") + zstandard.compress(b"two") + skipped
    assert unpacked(io.BytesIO(data), "x").read() == b"one two"


def test_a_head_of_nothing_readable(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\x1f\x8bnonsense")
    with pytest.raises(DamagedError, match="a: the gzip data is damaged"):
        head(next(sources([tmp_path / "a"])))


@pytest.mark.parametrize(
    ("names", "ordered"),
    [
        (["mail.log", "mail.log.1", "mail.log.2.gz", "mail.log.10.gz"], ["mail.log.10.gz", "mail.log.2.gz", "mail.log.1", "mail.log"]),
        (["maillog", "maillog-20261101.zst", "maillog-20261025"], ["maillog-20261025", "maillog-20261101.zst", "maillog"]),
        (["mail.log", "mail.log.2026-11-02", "mail.log.2026-11-01.bz2"], ["mail.log.2026-11-01.bz2", "mail.log.2026-11-02", "mail.log"]),
        (["b.log", "a.log", "b.log.1"], ["b.log.1", "b.log", "a.log"]),
    ],
)  # fmt: skip
def test_rotated_files_in_time_order(tmp_path: Path, names: list[str], ordered: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    assert [Path(source.name).name for source in sources([tmp_path / name for name in names])] == ordered


def test_folders_are_searched_through(tmp_path: Path) -> None:
    for name in ("a.log", "a.log.1", "deep/er/b.eml", ".hidden", ".git/config"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "deep" / "back").symlink_to(tmp_path)
    found = [str(Path(source.name).relative_to(tmp_path)) for source in sources([tmp_path])]
    assert found == ["a.log.1", "a.log", "deep/er/b.eml"]


def test_a_maildir_is_one_source(tmp_path: Path) -> None:
    for folder in ("cur", "new", "tmp"):
        (tmp_path / folder).mkdir()
    (tmp_path / "new" / "200.a").write_bytes(b"Subject: two\n\nFrom here\n>From there")
    (tmp_path / "cur" / "100.b:2,S").write_bytes(gzip.compress(b"Subject: one\n\nx\n"))
    (tmp_path / "tmp" / "300.c").write_bytes(b"not delivered yet")
    [source] = sources([tmp_path])
    assert content(source) == (
        b"From cur/100.b:2,S Thu Jan  1 00:00:00 1970\nSubject: one\n\nx\n\n"
        b"From new/200.a Thu Jan  1 00:00:00 1970\nSubject: two\n\n>From here\n>>From there\n\n"
    )


@pytest.mark.parametrize("in_memory", [10, 10**7])
def test_a_stream_can_be_read_again(monkeypatch: pytest.MonkeyPatch, in_memory: int) -> None:
    monkeypatch.setattr(streams, "IN_MEMORY", in_memory)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(TEXT))))
    [source] = sources(["-"])
    assert source.name == "standard input"
    assert [content(source), content(source)] == [TEXT, TEXT]
    plain = from_stream("x", io.BytesIO(TEXT))
    assert content(plain) == TEXT
    assert content(from_bytes("x", gzip.compress(TEXT))) == gzip.compress(TEXT)


@pytest.mark.parametrize("path", ["missing.log", "a\x00b"])
def test_a_path_that_is_not_there(path: str) -> None:
    with pytest.raises(DataError, match="check"):
        list(sources([path]))


def test_no_format() -> None:
    with pytest.raises(FormatError, match="x: is in no known format; name it with --format"):
        read(from_bytes("x", b"\x00\x01\x02"))
    with pytest.raises(FormatError, match="there is no format 'nope'"):
        read(from_bytes("x", b""), "nope")


def test_a_bomb_takes_no_memory(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "bomb"
    with gzip.open(path, "wb") as out:
        for _ in range(64):
            out.write(b"\x00" * 2**20)
    [source] = sources([path])
    tracemalloc.start()
    try:
        with source.open() as stream:
            assert sum(len(piece) for piece in iter(lambda: stream.read(65536), b"")) == 64 * 2**20
        assert tracemalloc.get_traced_memory()[1] < 2**21
    finally:
        tracemalloc.stop()
