"""Logs and tables, packed or not, through the reader of ``whybounce report``."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import random
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

import zstandard

from whybounce.model.errors import WhybounceError
from whybounce.model.predictor import BounceClassifier
from whybounce.serving.intake.columns import columns
from whybounce.serving.intake.format import Skipped, Source
from whybounce.serving.intake.formats import format_named
from whybounce.serving.intake.halves import loads
from whybounce.serving.intake.lines import numbered
from whybounce.serving.intake.open import from_bytes, from_stream, read
from whybounce.serving.intake.record import BounceRecord

from . import mutate, oracles
from .oracles import NAME, alike, chance, must, plain
from .said import said_in_json
from .target import FIXTURES, Items, Target

WRITTEN = datetime(2026, 12, 1, tzinfo=UTC)
_INTAKE = "whybounce.serving.intake"
_SHARED = tuple(f"{_INTAKE}.{name}" for name in ("lines", "joining", "syslog", "open", "streams", "format", "formats"))

_SAID = "550 5.1.1 <tail@example.net>: no such user"
_SYSLOG = "Nov 24 09:11:31 mx1 "
TAILS: dict[str, str] = {
    "postfix": f"{_SYSLOG}postfix/smtp[1]: F0ZZ7A1L: to=<tail@example.net>, relay=mx.example.net[192.0.2.9]:25, "
    f"delay=1, dsn=5.1.1, status=bounced (host mx.example.net[192.0.2.9] said: {_SAID} (in reply to RCPT TO command))",
    "exim": "2026-11-24 09:11:31 1zZzZz-0000000zZzZ-9999 ** tail@example.net R=dnslookup T=remote_smtp "
    f"H=mx.example.net [192.0.2.9]: SMTP error from remote mail server after RCPT TO:<tail@example.net>: {_SAID}",
    "sendmail": f"{_SYSLOG}sendmail[9]: 4F0ZZ7A1L: to=<tail@example.net>, delay=00:00:01, mailer=esmtp, "
    "relay=mx.example.net. [192.0.2.9], dsn=5.1.1, stat=User unknown",
    "opensmtpd": f"{_SYSLOG}smtpd[9]: 8f0e7a1f9ac2cd8a mta delivery evpid=f0a7a1f955bcd3d7 from=<f@example.com> "
    f'to=<tail@example.net> rcpt=<-> source="192.0.2.1" relay="192.0.2.9 (mx.example.net)" delay=1s '
    f'result="PermFail" stat="{_SAID}"',
    "qmail": "@400000006a1fd1a31dcd6500 starting delivery 970771: msg 970779 to remote tail@example.net\n"
    "@400000006a1fd1a31dcd6501 delivery 970771: failure: 192.0.2.9_does_not_like_recipient./Remote_host_said:_550_no/",
    "kumomta": '{"type":"Bounce","id":"F0ZZ7A1L","recipient":"tail@example.net","queue":"example.net","num_attempts":1,'
    '"response":{"code":550,"content":"no such user"},"timestamp":1796100000}',
    "jsonl": '{"diagnostic": "550 5.1.1 no such user", "recipient": "tail@example.net"}',
    "text": _SAID,
}
"""A bounce that has to be read whatever stands before it."""


def _parse(name: str, data: bytes) -> Items:
    return list(read(Source(NAME, from_bytes(NAME, data).open, WRITTEN), name)[1])


def _check(name: str, data: bytes, classifier: BounceClassifier) -> None:
    form = format_named(name)
    items = _parse(name, data)
    oracles.well_formed(items)
    oracles.judged(items, classifier)
    said = "\n".join(line for _, line in numbered(from_bytes(NAME, data)))
    if name in ("kumomta", "jsonl"):
        said += "\n".join(_said_in_lines(said))
    oracles.nothing_invented(items, said)
    if chance(data, 12):
        oracles.recognised(from_bytes(NAME, data))
        oracles.reported(items, form, classifier)
    if chance(data, 12, 1):
        alike(items, list(form.read(_written(oracles.dribbled(data)))), "pieces do not matter")
    if b"\r" not in data and len(data) < 100_000 and chance(data, 4, 2):
        alike(plain(items), plain(_parse(name, data.replace(b"\n", b"\r\n"))), "line ends do not matter")
    if chance(data, 4, 3):
        _cut(name, data, items)
    if name in TAILS and b"F0ZZ7A1L" not in data and b"tail@" not in data and chance(data, 4, 4):
        after = _parse(name, data + b"\n" + TAILS[name].encode())
        last = after[-1] if after else None
        found = isinstance(last, BounceRecord) and last.recipient in ("tail@example.net", None)
        must(found, "what follows is read", last)


def _written(source: Source) -> Source:
    return Source(source.name, source.open, WRITTEN)


def _said_in_lines(text: str) -> list[str]:
    found: list[str] = []
    for line in text.split("\n"):
        try:
            found.extend(said_in_json(loads(line)))
        except (ValueError, RecursionError):
            continue
    return found


def _cut(name: str, data: bytes, items: Items) -> None:
    """A log that is read while it is written: its whole lines say the same, the last one may say anything."""
    if not data or (name in _DELIMITERS and not _names_its_columns(data, _DELIMITERS[name])):
        return  # columns without a known name are guessed by the beginning of what there is
    place = zlib.crc32(data, 9) % len(data)
    got = _parse(name, data[:place])
    line = data.count(b"\n", 0, place) + 1
    whole = got[:-1] if name in _DELIMITERS else [item for item in got if _line(item) < line]
    if name in _DELIMITERS:
        # Where a quote stays open, what comes later says where its cell ends.
        clear = min(_before_a_quote(whole), _before_a_quote(items))
        whole, items = whole[:clear], items[:clear]
    alike(plain(whole), plain(items[: len(whole)]), "a cut line changes nothing before it")


def _before_a_quote(items: Sequence[BounceRecord | Skipped]) -> int:
    told = (place for place, item in enumerate(items) if isinstance(item, Skipped) and "quot" in item.why)
    return next(told, len(items))


_DELIMITERS = {"csv": ",", "csv-semicolon": ";", "tsv": "\t"}


def _names_its_columns(data: bytes, delimiter: str) -> bool:
    lines = (line for _, line in numbered(from_bytes(NAME, data)))
    try:
        names = next((row for row in csv.reader(lines, delimiter=delimiter) if any(row)), [])
    except csv.Error:
        return False
    return "diagnostic" in columns([name or f"column {place}" for place, name in enumerate(names, start=1)])


def _line(item: BounceRecord | Skipped) -> int:
    number = item.source.rpartition(":")[2]
    return int(number) if number.isdigit() else 0


def _seeds(name: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((FIXTURES / "logs" / name).iterdir()) if ".expected." not in path.name]


def _target(name: str, module: str) -> Target:
    how = mutate.json_values if name in ("kumomta", "jsonl") else mutate.lines
    return Target(
        name,
        (f"{_INTAKE}.{module}", *_SHARED),
        partial(_seeds, name),
        partial(_parse, name),
        partial(_check, name),
        how,
    )


# Packed: the first byte says how; the content, or what came of packing it, is damaged by what follows

_PACKERS = (
    lambda data: gzip.compress(data, 1, mtime=0), lambda data: bz2.compress(data, 1),
    lambda data: zstandard.compress(data, 1), lambda data: data.decode("utf-8", "replace").encode("utf-16"),
)  # fmt: skip


def _unwrapped(data: bytes) -> tuple[bytes, bytes | None]:
    """Return packed bytes, and what they hold when they are whole."""
    if not data or data[0] % 5 == 4:
        return data[1:], None
    content = data[1:]
    packed = _PACKERS[data[0] % 5](content)
    if data[0] < 128:
        if data[0] % 5 == 3:
            content = content.decode("utf-8", "replace").encode()
        return packed, content
    damaged = bytearray(packed)
    rng = random.Random(zlib.crc32(data))
    for _ in range(rng.randint(1, 4)):
        damaged[rng.randrange(len(damaged))] = rng.randrange(256)
    return bytes(damaged[: rng.randint(1, len(damaged))]) if rng.random() < 0.5 else bytes(damaged), None


def _parse_packed(data: bytes) -> Items:
    packed, _ = _unwrapped(data)
    try:
        return list(read(from_stream(NAME, io.BytesIO(packed)))[1])
    except WhybounceError:  # damaged at once, empty, or in no known format
        return []


def _check_packed(data: bytes, classifier: BounceClassifier) -> None:
    items = _parse_packed(data)
    oracles.well_formed(items)
    oracles.judged(items, classifier)
    packed, content = _unwrapped(data)
    if content is None or not content or content[:2] in (b"\x1f\x8b", b"BZ", b"\x28\xb5", b"\xff\xfe", b"\xfe\xff"):
        return
    alike(items, _parse_packed(b"\x04" + content), "packing changes nothing")
    if len(packed) > 20 and data[0] % 5 < 3:
        short = _parse_packed(b"\x04" + packed[: zlib.crc32(data) % len(packed)])
        records: Items = [item for item in short if isinstance(item, BounceRecord)]
        wanted: Items = [item for item in items if isinstance(item, BounceRecord)]
        if records and short and isinstance(short[-1], Skipped):  # the last line may be cut
            alike(plain(records[:-1]), plain(wanted[: len(records) - 1]), "what came before the damage is read")


def _seeds_packed() -> list[bytes]:
    names = ("postfix", "kumomta", "powermta", "exchange", "csv", "exim")
    plain_ones = [seed for name in names for seed in _seeds(name)[:2]]
    found = [bytes([how]) + seed for seed in plain_ones for how in (0, 1, 2, 3, 128, 131)]
    return found + [b"\x04" + pack(plain_ones[0]) for pack in _PACKERS]


def _mutate_packed(data: bytes, rng: random.Random, seeds: list[bytes]) -> bytes:
    if rng.random() < 0.2:
        return bytes([rng.randrange(256)]) + data[1:]
    return data[:1] + mutate.lines(data[1:], rng, [seed[1:] for seed in seeds])


TARGETS: tuple[Target, ...] = (
    _target("postfix", "postfix"),
    _target("exim", "exim"),
    _target("sendmail", "sendmail"),
    _target("qmail", "qmail"),
    _target("opensmtpd", "opensmtpd"),
    _target("powermta", "powermta"),
    _target("kumomta", "kumomta"),
    _target("exchange", "exchange"),
    _target("csv", "tables"),
    _target("csv-semicolon", "tables"),
    _target("tsv", "tables"),
    _target("jsonl", "tables"),
    _target("text", "tables"),
    Target("packed", _SHARED, _seeds_packed, _parse_packed, _check_packed, _mutate_packed),
)
