"""Bytes, encoded words and HTML of a message as text that a person would read."""

from __future__ import annotations

import encodings
import html
import pkgutil
from email.errors import HeaderParseError
from email.header import decode_header
from encodings.aliases import aliases

import re2

from whybounce.serving.intake.messages.bounds import MAX_TEXT

_MAX_WORDS = 4000
"""Characters in which encoded words are looked for: email takes time that grows with their square."""

# Those left out are slow to decode, fail at what others replace, or spell characters that cannot be written.
_CODECS = {name for _, name, _ in pkgutil.iter_modules(encodings.__path__)} - {
    "idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape", "utf_7",
}  # fmt: skip

_BLOCK_ENDS = re2.compile(r"(?i)<(?:br|/p|/div|/tr|/h[1-6]|/li|/table|/title)\b[^<>]*>")
_UNSEEN = re2.compile(r"(?is)<(?:style|script)\b.*?</(?:style|script)\s*>|<!--.*?-->")
_HEADERS_IN_PRE = re2.compile(r"(?is)<pre\b[^<>]*>\s*[a-z-]{1,60}:\s[^<]*")
_FOLDS = re2.compile(r"\n[ \t]+")
_TAGS = re2.compile(r"<[/!a-zA-Z][^<>]*>")
# Beyond what Python makes a number of; no character has one like it.
_NO_NUMBER = re2.compile(r"&#[0-9]{16,};?")
_SPACES = re2.compile(r"[ \t\r\x0c\x{a0}]+")
_BLANKS = re2.compile(r"\n\s*\n\s*")


def charset_of(declared: str | None) -> str | None:
    """Return the codec of a charset that is declared; None for what nobody sends.

    Python looks for others on the disk, remembers each for good and raises at some.
    """
    name = encodings.normalize_encoding(declared or "").lower().replace(".", "_")
    name = aliases.get(name, name)
    return name if name in _CODECS else None


def as_text(data: bytes, charset: str | None, limit: int = MAX_TEXT) -> str:
    """Decode as declared, else as UTF-8, else as Windows-1252."""
    data = data[: limit * 4]
    for name in (charset_of(charset), "utf-8"):
        if name is None:
            continue
        try:
            text = data.decode(name)
        except (ValueError, LookupError):  # damaged, or a codec for other things than text
            continue
        return text[:limit].replace("\r\n", "\n").replace("\x00", "")
    return data.decode("cp1252", "replace")[:limit].replace("\r\n", "\n").replace("\x00", "")


def decoded_words(text: str) -> str:
    """Decode RFC 2047 words; what cannot be decoded stays as it is."""
    if "=?" not in text:
        return text
    try:
        pieces = decode_header(text[:_MAX_WORDS])
        return "".join(piece if isinstance(piece, str) else as_text(piece, charset) for piece, charset in pieces)
    except (HeaderParseError, ValueError, LookupError):
        return text


def text_of_html(source: str) -> str:
    """Return the text of HTML, lines where blocks end."""
    if not source:
        return ""
    text = _UNSEEN.sub(" ", source)
    text = _HEADERS_IN_PRE.sub(lambda match: _FOLDS.sub(" ", match.group(0)).replace("\n", "<br>"), text)
    text = _BLOCK_ENDS.sub("\n", text.replace("\n", " "))
    text = html.unescape(_NO_NUMBER.sub("&#xFFFD;", _TAGS.sub(" ", text)))
    return str(_BLANKS.sub("\n\n", _SPACES.sub(" ", text))).replace(" \n", "\n").replace("\n ", "\n").strip()
