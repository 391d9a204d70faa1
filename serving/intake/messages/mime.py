"""A message taken apart within bounds: whatever is sent, it neither crashes nor stalls.

Python's ``email`` does the MIME, within the bounds of ``bounds.py``.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from email.errors import (
    CloseBoundaryNotFoundDefect,
    InvalidBase64LengthDefect,
    MessageError,
    StartBoundaryNotFoundDefect,
)
from email.generator import BytesGenerator
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from email.policy import Compat32, compat32
from itertools import islice
from typing import Any

import re2

from whybounce.serving.intake.messages.bounds import (
    MAX_MESSAGE,
    MAX_PARTS,
    MAX_REPORT,
    MAX_TEXT,
    bytes_bounded,
    fewer_lines,
)
from whybounce.serving.intake.messages.header import Fields, fields_in, fields_of
from whybounce.serving.intake.messages.text import as_text, charset_of, text_of_html

_ORIGINALS = {"message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers"}
_REPORTS = {"message/delivery-status", "message/global-delivery-status"}

_REPORT_BEGINS = re2.compile(r"(?i)^\s*reporting-mta[ \t]*:")
_HEADER_ENDS = re2.compile(rb"\n\r?\n|\r\r|^\r?\n")
_NO_SPACE = bytes(byte for byte in range(256) if not bytes([byte]).isspace())
_NO_BASE64 = re2.compile(rb"[^A-Za-z0-9+/]")


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
        Whether something was left out to stay within bounds, or is missing.
    ends_early : bool
        Whether the message ends in its header or in the middle of a part: it was cut on its way.
    """

    fields: Fields
    text: str = ""
    reports: list[str] = field(default_factory=list)
    feedback: list[str] = field(default_factory=list)
    receipts: list[str] = field(default_factory=list)
    original: Fields = field(default_factory=lambda: Fields([]))
    kinds: list[str] = field(default_factory=list)
    cut: bool = False
    ends_early: bool = False
    returned: Message | None = None

    def returned_bytes(self) -> bytes:
        """Return the message that came back or was forwarded, as bytes; empty when there is none."""
        return b"" if self.returned is None else _written(self.returned)


class _Part(Message):
    """A part whose parameters may be anything: what ``email`` would raise at is taken for missing."""

    is_cut = False

    def get_param(self, param: str, failobj: Any = None, header: str = "content-type", unquote: bool = True) -> Any:
        """Return a parameter as text; of a charset, the codec that decodes it."""
        try:
            found = super().get_param(param, failobj, header, unquote)
        except (ValueError, TypeError):  # a*=x; a*0=y, or a number of thousands of digits
            return failobj
        if found is failobj:
            return failobj
        value = found[2] if isinstance(found, tuple) else found  # RFC 2231
        return charset_of(value) or failobj if param == "charset" else value


class _AsItCame(Compat32):
    """Writes fields as they were read: folding one anew takes time that grows with the square of its words."""

    verify_generated_headers = False

    def fold_binary(self, name: str, value: object) -> bytes:
        return f"{name}: {value}\n".encode("utf-8", "surrogateescape")


_AS_IT_CAME = _AsItCame()


def _written(message: Message) -> bytes:
    """Return a message as bytes, as far as ``email`` can write what it read."""
    out = io.BytesIO()
    with suppress(RecursionError, ValueError, LookupError, TypeError, AttributeError, MessageError):
        BytesGenerator(out, mangle_from_=False, policy=_AS_IT_CAME).flatten(message)
    return out.getvalue()


def open_mail(data: bytes) -> Mail:
    """Take a message apart; never raises, and takes a few seconds at most."""
    whole = data[:MAX_MESSAGE]
    fewer = fewer_lines(whole)
    cut = len(fewer) < len(data)
    bounded = bytes_bounded(fewer)
    message = _parsed(bounded)
    if message is None:
        header = BytesHeaderParser(policy=compat32).parsebytes(bounded[:MAX_TEXT])
        body = bounded[:MAX_TEXT].replace(b"\r\n", b"\n").partition(b"\n\n")[2]
        return Mail(fields_in(header), as_text(body, None), cut=True)
    ends_early = not cut and _ends_early(message, bounded)
    parts = list(islice(_parts(message), MAX_PARTS + 1))
    # Half of an address is another address.
    if ends_early and not bounded[-1:].isspace() and not (parts and _is_encoded(parts[-1])):
        message = _parsed(bounded.rstrip(_NO_SPACE)) or message
        parts = list(islice(_parts(message), MAX_PARTS + 1))
    mail = Mail(fields_in(message), cut=cut or ends_early, ends_early=ends_early)
    plain: list[str] = []
    rich: list[str] = []
    if ends_early and parts and isinstance(parts[-1], _Part):
        parts[-1].is_cut = True
    for number, part in enumerate(parts):
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


def _ends_early(message: Message, data: bytes) -> bool:
    """Whether a part has no end that should have one, or there is nothing behind the header, not even its end."""
    if message.is_multipart() or not str(message.get_payload()).strip():
        unclosed = (CloseBoundaryNotFoundDefect, StartBoundaryNotFoundDefect)
        if any(isinstance(defect, unclosed) for defect in message.defects):
            return True
    elif str(message.get("content-transfer-encoding", "")).strip().lower() == "base64":
        message.get_payload(decode=True)
        return any(isinstance(defect, InvalidBase64LengthDefect) for defect in message.defects)
    return bool(message.keys()) and _HEADER_ENDS.search(data) is None


def _parsed(data: bytes) -> Message | None:
    try:
        return BytesParser(_Part, policy=compat32).parsebytes(data)
    except (RecursionError, ValueError, LookupError, MessageError):
        return None


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
    if not isinstance(payload, bytes):
        return ""
    return as_text(_whole_words(part, payload), part.get_content_charset(), limit)


def _is_encoded(part: Message) -> bool:
    return str(part.get("content-transfer-encoding", "")).strip().lower() in ("base64", "quoted-printable")


def _whole_words(part: Message, data: bytes) -> bytes:
    """Leave out the last word of a part that was cut while it was encoded: it may be half an address."""
    if not _is_encoded(part) or not getattr(part, "is_cut", False) or data[-1:].isspace():
        return data
    return data.rstrip(_NO_SPACE)


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
        if isinstance(decoded, bytes) and any(isinstance(one, InvalidBase64LengthDefect) for one in shell.defects):
            decoded = _base64_cut_off(shell)
        if isinstance(decoded, bytes) and b":" in decoded:
            data = _whole_words(part, decoded)
    return as_text(data, part.get_content_charset(), limit)


def _original(part: Message) -> Fields:
    payload = part.get_payload()
    if isinstance(payload, list):
        if payload and isinstance(payload[0], Message) and payload[0].keys():
            return fields_in(payload[0])
        text = _raw(part)
    else:
        text = _leaf(part)
    return fields_of(text)
