"""A message taken apart within bounds: whatever is sent, it neither crashes nor stalls.

Python's ``email`` does the MIME. What makes it slow or deep is cut off before: very long
messages, header fields of many kilobytes, hundreds of nested parts.
"""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from email.errors import HeaderParseError, InvalidBase64LengthDefect
from email.generator import BytesGenerator
from email.header import decode_header
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from email.policy import Compat32, compat32
from itertools import islice

import re2

MAX_MESSAGE = 4 * 1024 * 1024
"""Bytes of a message that are read: reports come before the message that they return."""
MAX_TEXT = 256 * 1024
"""Characters of a part that are looked at."""
MAX_PARTS = 100
_MAX_BOUNDARIES = 400  # beyond that, and
_MAX_MESSAGES = 150  # beyond that many messages in messages, it may be nested deeper than Python's stack
MAX_FIELD = 64 * 1024
"""Bytes of one header field, or of a line with what is indented below it."""
_MAX_PARAMETERS = 8 * 1024  # of a Content-… field: email takes time that grows with its square
_MAX_WORDS = 4000  # characters in which encoded words are looked for, for the same reason
_MAX_MATCHES = 2_000_000  # lines times boundaries: email tries each boundary on each line
_MAX_PASSES = 20_000_000  # lines times messages in messages: email hands each line through all of them
_MAX_LINES = 400_000  # ends of line: each line is an object of its own
_MAX_GROUPS = 30_000  # blank lines, where there is a report: each begins a message of its own
MAX_REPORT = 2 * 1024 * 1024
"""Characters of a delivery status that are looked at: one may be of thousands of recipients."""

_ORIGINALS = {"message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers"}
_REPORTS = {"message/delivery-status", "message/global-delivery-status"}

_REPORT_BEGINS = re2.compile(r"(?i)^\s*reporting-mta[ \t]*:")
_BLOCK_ENDS = re2.compile(r"(?i)<(?:br|/p|/div|/tr|/h[1-6]|/li|/table|/title)\b[^<>]*>")
_UNSEEN = re2.compile(r"(?is)<(?:style|script)\b.*?</(?:style|script)\s*>|<!--.*?-->")
_HEADERS_IN_PRE = re2.compile(r"(?is)<pre\b[^<>]*>\s*[a-z-]{1,60}:\s[^<]*")
_FOLDS = re2.compile(r"\n[ \t]+")
_NO_BASE64 = re2.compile(rb"[^A-Za-z0-9+/]")
_TAGS = re2.compile(r"<[/!a-zA-Z][^<>]*>")
_SPACES = re2.compile(r"[ \t\r\x0c\x{a0}]+")
_BLANKS = re2.compile(r"\n\s*\n\s*")


class Fields:
    """Header fields by name, whatever their case; the first of a name counts."""

    def __init__(self, items: list[tuple[str, str]]) -> None:
        self.items = items
        self._first: dict[str, str] = {}
        for name, value in items:
            self._first.setdefault(name.lower(), value)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._first

    def __bool__(self) -> bool:
        return bool(self.items)

    def get(self, name: str) -> str:
        """Return the value, unfolded and decoded; empty when there is none."""
        return self._first.get(name.lower(), "")

    def all(self, name: str) -> list[str]:
        """Return the values of all fields of a name."""
        return [value for known, value in self.items if known.lower() == name.lower()]


@dataclass(slots=True)
class Mail:
    """What the readers of bounce messages look at.

    Attributes
    ----------
    fields : Fields
        Of the message itself.
    text : str
        What a person reads: the plain text parts, else the HTML as text.
    reports, feedback, receipts : list of str
        Delivery status (RFC 3464, 6533), feedback report (RFC 5965), disposition notification (RFC 8098).
    original : Fields
        Header of the message that came back; empty when it did not.
    kinds : list of str
        Content types of all parts in order.
    returned : Message or None
        What ``original`` is the header of.
    cut : bool
        Whether something was left out to stay within bounds.
    """

    fields: Fields
    text: str = ""
    reports: list[str] = field(default_factory=list)
    feedback: list[str] = field(default_factory=list)
    receipts: list[str] = field(default_factory=list)
    original: Fields = field(default_factory=lambda: Fields([]))
    kinds: list[str] = field(default_factory=list)
    cut: bool = False
    returned: Message | None = None

    def returned_bytes(self) -> bytes:
        """Return the message that came back or was forwarded, as bytes; empty when there is none."""
        return b"" if self.returned is None else _written(self.returned)


class _AsItCame(Compat32):
    """Writes fields as they were read: folding one anew takes time that grows with the square of its words."""

    verify_generated_headers = False

    def fold_binary(self, name: str, value: object) -> bytes:
        return f"{name}: {value}\n".encode("utf-8", "surrogateescape")


_AS_IT_CAME = _AsItCame()


def _written(message: Message) -> bytes:
    """Return a message as bytes, as far as ``email`` can write what it read."""
    out = io.BytesIO()
    with suppress(RecursionError, ValueError, LookupError, TypeError, AttributeError):
        BytesGenerator(out, mangle_from_=False, policy=_AS_IT_CAME).flatten(message)
    return out.getvalue()


def open_mail(data: bytes) -> Mail:
    """Take a message apart; never raises, and takes a few seconds at most."""
    whole = data[:MAX_MESSAGE]
    fewer = _fewer_lines(whole)
    cut = len(fewer) < len(data)
    bounded = bytes_bounded(fewer)
    message = _parsed(bounded)
    if message is None:
        header = BytesHeaderParser(policy=compat32).parsebytes(bounded[:MAX_TEXT])
        body = bounded[:MAX_TEXT].replace(b"\r\n", b"\n").partition(b"\n\n")[2]
        return Mail(_fields(header), _as_text(body, None), cut=True)
    mail = Mail(_fields(message), cut=cut)
    plain: list[str] = []
    rich: list[str] = []
    for number, part in enumerate(_parts(message)):
        if number == MAX_PARTS:
            mail.cut = True
            break
        kind = part.get_content_type()
        mail.kinds.append(kind)
        _sort(mail, kind, part, plain, rich)
    text = "\n".join(plain)
    mail.cut |= len(text) >= MAX_TEXT
    mail.text = text.strip()[:MAX_TEXT]
    if not mail.text:
        mail.text = text_of_html("\n".join(rich)[:MAX_TEXT])
    return mail


def _sort(mail: Mail, kind: str, part: Message, plain: list[str], rich: list[str]) -> None:
    if kind in _REPORTS:
        mail.reports.append(_raw(part, MAX_REPORT))
        mail.cut |= len(mail.reports[-1]) >= MAX_REPORT
    elif kind == "message/feedback-report":
        mail.feedback.append(_raw(part))
    elif kind in ("message/disposition-notification", "message/global-disposition-notification"):
        mail.receipts.append(_raw(part))
    elif kind in _ORIGINALS:
        if not mail.original:
            mail.original = _original(part)
            payload = part.get_payload()
            inner = payload[0] if isinstance(payload, list) and payload else None
            mail.returned = inner if isinstance(inner, Message) else None
    elif kind == "text/plain":
        text = _leaf(part)
        if _REPORT_BEGINS.match(text[:200]):  # some gateways give the report no type of its own
            mail.reports.append(text)
        elif part.get_content_disposition() != "attachment":
            plain.append(text)
    elif kind == "text/html":
        rich.append(_leaf(part))
    elif part.get_content_maintype() == "multipart":  # its boundary is not named, or never comes
        plain.append(_leaf(part))


def _fewer_lines(data: bytes) -> bytes:
    """Leave out the end when there is more than ``email`` can handle in little time and memory."""
    low = data.lower()
    limit = _MAX_LINES
    for word, work, most in ((b"boundary", _MAX_MATCHES, _MAX_BOUNDARIES), (b"message/", _MAX_PASSES, _MAX_MESSAGES)):
        number = low.count(word)
        if number > most:
            place = next(islice(re.finditer(word, low), most, None)).start()
            data, low, number = data[:place], low[:place], most
        limit = min(limit, work // max(1, number))
    if b"delivery-status" in low:
        blank = next(islice(re.finditer(rb"\n[\r\n]|\r\r", data), _MAX_GROUPS, None), None)
        data = data[: blank.start()] if blank else data
    if data.count(b"\n") + data.count(b"\r") <= limit:
        return data
    ends = re.finditer(rb"[\r\n]", data)  # a set of two characters: linear
    return data[: next(islice(ends, limit, None)).start()]


def _parsed(data: bytes) -> Message | None:
    try:
        return BytesParser(policy=compat32).parsebytes(data)
    except (RecursionError, ValueError, LookupError, HeaderParseError):
        return None


def bytes_bounded(data: bytes) -> bytes:
    """Shorten header fields, and lines with what is indented below them, to what can be handled."""
    if len(data) < _MAX_PARAMETERS:
        return data
    kept: list[bytes] = []
    left = 0
    for line in data.splitlines(keepends=True):
        if line[:1] not in b" \t" or line.isspace():
            left = _MAX_PARAMETERS if line[:8].lower() == b"content-" else MAX_FIELD
        if left <= 0:
            continue
        kept.append(line if len(line) <= left else line[:left] + b"\n")
        left -= len(line)
    return b"".join(kept)


def _parts(message: Message) -> Iterator[Message]:
    """Leaves in order; what is inside a returned message is not the bounce's."""
    waiting = [message]
    while waiting:
        part = waiting.pop()
        payload = part.get_payload()
        if part.get_content_maintype() == "multipart" and isinstance(payload, list):
            waiting.extend(inner for inner in reversed(payload[: MAX_PARTS + 1]) if isinstance(inner, Message))
        else:
            yield part


def _leaf(part: Message, limit: int = MAX_TEXT) -> str:
    payload = part.get_payload(decode=True)
    if any(isinstance(defect, InvalidBase64LengthDefect) for defect in part.defects):
        payload = _base64_cut_off(part)  # email gives up; what came before the cut can be read
    return _as_text(payload, part.get_content_charset(), limit) if isinstance(payload, bytes) else ""


def _base64_cut_off(part: Message) -> bytes:
    digits = _NO_BASE64.sub(b"", str(part.get_payload()).encode("ascii", "replace"))
    return base64.b64decode(digits[: len(digits) // 4 * 4])


def _raw(part: Message, limit: int = MAX_TEXT) -> str:
    """Return the text of a part that ``email`` may have taken for a message."""
    payload = part.get_payload()
    if not isinstance(payload, list):
        return _leaf(part, limit)
    out = io.BytesIO()
    for inner in payload:
        if out.tell() > limit or not isinstance(inner, Message):
            break
        out.write(_written(inner) + b"\n")
    data = out.getvalue()
    encoding = str(part.get("content-transfer-encoding", "")).strip().lower()
    if encoding in ("base64", "quoted-printable"):
        shell = Message()
        shell["Content-Transfer-Encoding"] = encoding
        shell.set_payload(data.strip().decode("ascii", "surrogateescape"))
        decoded = shell.get_payload(decode=True)
        if isinstance(decoded, bytes) and b":" in decoded:
            data = decoded
    return _as_text(data, part.get_content_charset(), limit)


def _original(part: Message) -> Fields:
    payload = part.get_payload()
    if isinstance(payload, list):
        if payload and isinstance(payload[0], Message) and payload[0].keys():
            return _fields(payload[0])
        text = _raw(part)
    else:
        text = _leaf(part)
    return fields_of(text)


def fields_of(text: str) -> Fields:
    """Read header fields from the beginning of a text, as far as they go."""
    items: list[tuple[str, list[str]]] = []
    for line in text.lstrip("\r\n")[:MAX_TEXT].splitlines():
        if line[:1] in (" ", "\t") and items:
            items[-1][1].append(line.strip())
            continue
        name, colon, value = line.partition(":")
        if not colon or not name.strip() or " " in name.strip():
            break
        items.append((name.strip(), [value.strip()]))
    return Fields([(name, decoded_words(" ".join(lines)[:MAX_FIELD])) for name, lines in items])


def _fields(message: Message) -> Fields:
    items = []
    for name, value in message.raw_items():
        text = _as_text(str(value).encode("utf-8", "surrogateescape"), None)
        items.append((name, decoded_words(" ".join(text.split()))))
    return Fields(items)


def decoded_words(text: str) -> str:
    """Decode RFC 2047 words; what cannot be decoded stays as it is."""
    if "=?" not in text:
        return text
    try:
        pieces = decode_header(text[:_MAX_WORDS])
        return "".join(piece if isinstance(piece, str) else _as_text(piece, charset) for piece, charset in pieces)
    except (HeaderParseError, ValueError, LookupError):
        return text


def _as_text(data: bytes, charset: str | None, limit: int = MAX_TEXT) -> str:
    """Decode as declared, else as UTF-8, else as Windows-1252."""
    data = data[: limit * 4]
    for name in (charset, "utf-8"):
        if not name or (name == charset and name.replace("-", "").lower() in ("utf7", "idna", "punycode")):
            continue  # slow to decode, and nobody sends them
        try:
            text = data.decode(name)
        except (UnicodeError, LookupError, ValueError):
            continue
        if isinstance(text, str):
            return text[:limit].replace("\r\n", "\n").replace("\x00", "")
    return data.decode("cp1252", "replace")[:limit].replace("\r\n", "\n").replace("\x00", "")


def text_of_html(source: str) -> str:
    """Return the text of HTML, lines where blocks end."""
    if not source:
        return ""
    text = _UNSEEN.sub(" ", source)
    text = _HEADERS_IN_PRE.sub(lambda match: _FOLDS.sub(" ", match.group(0)).replace("\n", "<br>"), text)
    text = _BLOCK_ENDS.sub("\n", text.replace("\n", " "))
    text = html.unescape(_TAGS.sub(" ", text))
    return str(_BLANKS.sub("\n\n", _SPACES.sub(" ", text))).replace(" \n", "\n").replace("\n ", "\n").strip()
