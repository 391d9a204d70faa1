"""Mutators that know structure: lines, JSON values, MIME parts; and one that knows nothing."""

from __future__ import annotations

import base64
import json
import random
import re
from typing import Any

_ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 10**30, 1e308, float("nan"), float("inf"), "", " ", "\ud800", "\x00", "5.1.1", "550",
    "a@example.com", "<a@example.com>", [], {}, [[]], [None], {"": ""}, ["a", "b"], "9999-12-31T23:59:59-12:00",
    "0001-01-01T00:00:00+14:00", 253402300799999, -62135596800, "Fri, 31 Dec 9999 23:59:59 -1200", "{", '{"a": 1}',
)  # fmt: skip
_BITS = (
    b"\0", b"\r", b"\n", b"\r\n", b"\n\n", b"\t", b" ", b'"', b"'", b"<", b">", b"<>", b"(", b")", b"[", b"]", b"{", b"}",
    b",", b";", b":", b"::", b"@", b"=", b"=?utf-8?b?", b"?=", b"\\", b"\\u0000", b"\\ud800", b"%", b"/", b"|", b"\xff",
    b"\xfe\xff", b"\xff\xfe", b"\xef\xbb\xbf", "\u2028".encode(), "\u0130".encode(), "\u0660".encode(), "\u00b2".encode(),
    b"\x85", b"\x0b", b"\x0c", b"\x1c", b"\x1e", b"0", b"9" * 30, b"-1", b"1e999", b"a@example.com", b"From ", b"\nFrom ",
    b"\n>From ", b"--", b"\n\t", b"\n ", b"550 5.1.1 ", b"421 4.7.0 ", b"x" * 300,
)  # fmt: skip


def havoc(data: bytes, rng: random.Random, tokens: list[bytes]) -> bytes:
    """Change bytes with no thought of what they mean."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 5)):
        start = rng.randrange(len(out) + 1)
        end = min(len(out), start + rng.choice((0, 0, 1, 1, 2, 5, 20, 80)))
        what = rng.randrange(6)
        if what == 0:
            out[start:end] = b""
        elif what == 1:
            out[start:start] = out[start:end] * rng.choice((1, 2, 9))
        elif what == 2:
            out[start:end] = rng.randbytes(rng.randint(1, 4))
        elif what == 3 and tokens:
            out[start:end] = rng.choice(tokens)
        elif what == 4:
            out[start:end] = rng.choice(_BITS)
        else:
            other = rng.randrange(len(out) + 1)
            out[start:start] = out[other : other + rng.choice((1, 8, 60))]
    return bytes(out)


def lines(data: bytes, rng: random.Random, seeds: list[bytes]) -> bytes:
    """Splice, double, swap, join and cut lines."""
    rows = data.split(b"\n")
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(len(rows))
        what = rng.randrange(7)
        if what <= 1:
            rows.insert(place, rng.choice(rng.choice(seeds).split(b"\n")))
        elif what == 2:
            rows.insert(place, rows[rng.randrange(len(rows))])
        elif what == 3 and len(rows) > 1:
            del rows[place]
        elif what == 4:
            other = rng.randrange(len(rows))
            rows[place], rows[other] = rows[other], rows[place]
        elif what == 5:
            rows[place] = _words(rows[place], rng, rng.choice(rng.choice(seeds).split(b"\n")))
        else:
            rows[place : place + 2] = [b"".join(rows[place : place + 2])]
    return b"\n".join(rows)


def _words(row: bytes, rng: random.Random, other: bytes) -> bytes:
    """Put a word or field of another line in the place of one of this line."""
    mine, theirs = re.split(rb"([ ,;|\t]+)", row), re.split(rb"[ ,;|\t]+", other)
    mine[rng.randrange(len(mine))] = rng.choice([*theirs, rng.choice(_BITS)])
    return b"".join(mine)


def json_values(data: bytes, rng: random.Random, seeds: list[bytes]) -> bytes:
    """Change values, keys and the shape of JSON, as one value or a value a line."""
    try:
        return _dumped(_changed(json.loads(data), rng, _foreign(rng, seeds)), rng)
    except (ValueError, RecursionError):
        pass
    rows = data.split(b"\n")
    place = rng.randrange(len(rows))
    try:
        rows[place] = _dumped(_changed(json.loads(rows[place]), rng, _foreign(rng, seeds)), rng).replace(b"\n", b" ")
    except (ValueError, RecursionError):
        return lines(data, rng, seeds)
    return b"\n".join(rows)


def _dumped(value: Any, rng: random.Random) -> bytes:
    text = json.dumps(value, ensure_ascii=rng.random() < 0.7, indent=rng.choice((None, None, 1)))
    return text.encode("utf-8", "surrogatepass")


def _foreign(rng: random.Random, seeds: list[bytes]) -> Any:
    try:
        value = json.loads(rng.choice(rng.choice(seeds).splitlines() or [b""]))
    except (ValueError, RecursionError):
        return None
    return rng.choice([value, *_nodes(value)])


def _nodes(value: Any) -> list[Any]:
    found: list[Any] = []
    waiting = [value]
    while waiting and len(found) < 1000:
        node = waiting.pop()
        found.append(node)
        waiting.extend(node.values() if isinstance(node, dict) else node if isinstance(node, list) else ())
    return found


def _changed(value: Any, rng: random.Random, foreign: Any) -> Any:
    holders = [node for node in _nodes(value) if isinstance(node, dict | list) and node]
    if not holders:
        return rng.choice([*_ODD, [value], foreign])
    for _ in range(rng.randint(1, 3)):
        holder = rng.choice(holders)
        key = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder))) if holder else None
        if key is None:
            continue
        what = rng.randrange(8)
        if what <= 2:
            holder[key] = rng.choice(_ODD)
        elif what == 3:
            holder[key] = foreign
        elif what == 4:
            holder[key] = rng.choice(([holder[key]], {"a": holder[key]}, json.dumps(holder[key]), str(holder[key])))
        elif what == 5:
            del holder[key]
        elif what == 6 and isinstance(holder, dict):
            holder[rng.choice([name for node in holders if isinstance(node, dict) for name in node])] = holder[key]
        elif isinstance(holder, list):
            holder.extend(holder[:50])
        else:
            holder[key] = holder[rng.choice(list(holder))]
    return value


_BOUNDARY = re.compile(rb"(?m)^(--[^\r\n]{1,70})\r?$")


def mime(data: bytes, rng: random.Random, seeds: list[bytes]) -> bytes:
    """Splice header fields and parts of messages, encode parts anew, wrap a message in another."""
    what = rng.randrange(7)
    other = rng.choice(seeds)
    if what <= 1:
        return _field_spliced(data, rng, other)
    parts = _BOUNDARY.split(data)
    if what == 2 and len(parts) >= 3:
        theirs = _BOUNDARY.split(other)
        parts[rng.randrange(0, len(parts), 2)] = rng.choice(theirs[::2])
        return b"".join(parts)
    if what == 3 and len(parts) >= 3:
        place = rng.randrange(0, len(parts), 2)
        head, blank, body = parts[place].partition(b"\n\n")
        parts[place] = head + b"\nContent-Transfer-Encoding: base64" + blank + base64.encodebytes(body)
        return b"".join(parts)
    if what == 4:
        top = b"From: a@example.com\nMIME-Version: 1.0\nContent-Type: " + rng.choice(
            (b"message/rfc822", b"message/delivery-status", b'multipart/report; boundary="zz"', b"message/global")
        )
        return top + b"\n\n--zz\nContent-Type: message/rfc822\n\n" + data + b"\n--zz--\n"
    if what == 5:
        head, _, body = data.partition(b"\n\n")
        return head + b"\n\n" + lines(body, rng, seeds)
    return lines(data, rng, seeds)


def _field_spliced(data: bytes, rng: random.Random, other: bytes) -> bytes:
    mine, blank, body = data.partition(b"\n\n")
    rows, theirs = mine.split(b"\n"), other.partition(b"\n\n")[0].split(b"\n")
    place = rng.randrange(len(rows))
    row = rng.choice(theirs)
    rows[place : place + rng.choice((0, 1))] = [rng.choice((row, rows[place].partition(b":")[0] + b":" + row))]
    return b"\n".join(rows) + blank + body
