"""Everything that an input may be said to say, in each of the ways that it can be decoded."""

from __future__ import annotations

import base64
import contextlib
import email
import quopri
import re
from collections.abc import Iterator
from email.errors import MessageError
from email.header import decode_header
from email.message import Message
from email.policy import compat32
from typing import Any

from whybounce.serving.intake.halves import loads
from whybounce.serving.intake.messages.mime import _Part, _written
from whybounce.serving.intake.messages.text import as_text


def said_in_json(value: Any) -> Iterator[str]:
    """Yield every text and number in a JSON value, JSON inside texts as well."""
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, str):
            yield node
            if node.lstrip()[:1] in ("{", "["):
                with contextlib.suppress(ValueError, RecursionError):
                    waiting.append(loads(node))
        elif isinstance(node, int | float):
            yield str(node)


def said_in_message(data: bytes) -> str:
    """Everything that may be read in a message, decoded in each of the ways that a reader may choose."""
    views = [data, data.replace(b"\r", b"").replace(b"=\n", b""), data.replace(b"\n ", b"").replace(b"\n\t", b"")]
    headers: list[str] = []
    waiting: list[tuple[Any, int]] = [(email.message_from_bytes(data, _Part, policy=compat32), 0)]
    while waiting:
        part, depth = waiting.pop()
        if not isinstance(part, Message) or depth > 50:
            continue
        for _, value in part.raw_items():
            headers.append(str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
            headers.extend(_words(headers[-1]))
        payload = part.get_payload()
        if isinstance(payload, list):
            waiting.extend((inner, depth + 1) for inner in payload)
            views.extend(_again(part))
        else:
            leaf = part.get_payload(decode=True)
            if isinstance(leaf, bytes):
                views.append(leaf)
            if "base64" in str(part.get("content-transfer-encoding", "")).lower() and isinstance(payload, str):
                views.extend(_lenient(payload))
    texts = [*headers]
    for view in views:
        for charset in ("utf-8", "cp1252"):
            text = view.decode(charset, "replace")
            texts.extend((text, "\n".join(found for line in text.splitlines() for found in _words(line))))
    for part_charset in _charsets(data):
        texts.extend(view.decode(part_charset, "replace") for view in views)
    texts.extend([_ESCAPED.sub(_unescaped, text) for text in texts if "\\x{" in text])
    return "\n".join(texts)


_ESCAPED = re.compile(r"\\x\{([0-9a-fA-F]{1,6})\}")


def _unescaped(match: re.Match[str]) -> str:
    point = int(match[1], 16)
    return chr(point) if point < 0x110000 else match[0]


def _charsets(data: bytes) -> Iterator[str]:
    for name in set(re.findall(rb"(?i)charset\*?[^=\r\n]{0,5}=[\s\"']*([\w.:-]{2,40})", data)):
        try:
            if isinstance(b"a".decode(name.decode("ascii", "replace"), "replace"), str):
                yield name.decode()
        except (LookupError, ValueError, TypeError):
            continue


def _again(part: Message) -> Iterator[bytes]:
    """A part of type message/… whose body is encoded, which email does not undo."""
    pieces: list[str] = []
    for inner in part.get_payload():
        if isinstance(inner, Message):
            text = _written(inner)  # as email's own writer cannot write all that it reads
            yield quopri.decodestring(text)
            pieces.append(text.decode("ascii", "ignore"))
    yield from _lenient("\n".join(pieces))
    for piece in pieces:
        yield from _lenient(piece)


_BASE64 = re.compile(r"(?:[A-Za-z0-9+/=]{4,}\s*\n?)+")


def _lenient(payload: str) -> Iterator[bytes]:
    """Base64 with something else in it: all that looks like it, and each piece alone."""
    for piece in (payload, *_BASE64.findall(payload)[:50]):
        kept = re.sub(r"[^A-Za-z0-9+/]", "", piece)
        for start in (kept, *piece.split("=")):
            clean = re.sub(r"[^A-Za-z0-9+/]", "", start)
            yield base64.b64decode(clean[: len(clean) // 4 * 4])
            yield base64.b64decode(clean + "A" * (-len(clean) % 4))


def _words(text: str) -> list[str]:
    if "=?" not in text:
        return []
    try:
        pieces = decode_header(text)
    except (ValueError, MessageError):
        return []
    found = ["".join(piece if isinstance(piece, str) else as_text(piece, charset) for piece, charset in pieces)]
    for piece, charset in pieces:
        if isinstance(piece, str):
            found.append(piece)
            continue
        for name in (charset or "utf-8", "utf-8", "cp1252"):
            try:
                found.append(piece.decode(name, "replace"))
            except (LookupError, ValueError, TypeError):
                continue
    return found
