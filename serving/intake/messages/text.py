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

# Names that mail programs write and Python has under others, normalised and without "x_" before them.
_SIBLINGS = {
    "sjis": "shift_jis", "windows_31j": "cp932", "ms_kanji": "cp932", "eucjp_ms": "euc_jp",
    "iso_2022_jp_ms": "iso2022_jp_ext", "cp50220": "iso2022_jp_ext", "cp50221": "iso2022_jp_ext",
    "euc_cn": "gb2312", "cn_gb": "gb2312", "gb_2312_80": "gb2312", "hz_gb_2312": "hz", "cn_big5": "big5",
    "ksc5601": "euc_kr", "ks_c_5601": "euc_kr", "mac": "mac_roman", "macroman": "mac_roman", "mac_ce": "mac_latin2",
    "unicode_1_1_utf_7": "utf_7", "unicode_1_1_utf_8": "utf_8", "unicode_2_0_utf_8": "utf_8", "utf_8mb4": "utf_8",
    "utf8mb4": "utf_8", "koi8": "koi8_r", "koi8_ru": "koi8_u", "ansi": "cp1252",
}  # fmt: skip
# Windows programs name the standard and write its superset.
_WIDER = {"shift_jis": "cp932", "euc_kr": "cp949", "gb2312": "gb18030", "gbk": "gb18030", "tis_620": "cp874"}
_CODE_PAGE = re2.compile(r"^(?:cp|win|windows|ibm|ms|pc)_?(\d{3,5})$")
_LOGICAL = re2.compile(r"^(iso_8859_[68])_[ei]$")  # RFC 1556: the order of the letters, which does not change the bytes

# Those left out are slow to decode, fail at what others replace, or spell characters that cannot be written.
_CODECS = {name for _, name, _ in pkgutil.iter_modules(encodings.__path__)} - {
    "idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape",
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
    """Return the codec of a charset that is declared; None for what says nothing, as ``8bit`` and ``x-unknown``.

    Python looks for others on the disk, remembers each for good and raises at some.
    """
    name = encodings.normalize_encoding((declared or "")[:100]).lower().replace(".", "_")
    for spelled in (name, name.removeprefix("x_")):
        spelled = _LOGICAL.sub(r"\1", spelled)
        spelled = _SIBLINGS.get(spelled) or aliases.get(spelled, spelled)
        spelled = spelled if spelled in _CODECS else _CODE_PAGE.sub(r"cp\1", spelled)
        if spelled in _CODECS:
            return _WIDER.get(spelled, spelled)
    return None


def as_text(data: bytes, charset: str | None, limit: int = MAX_TEXT) -> str:
    """Decode as declared, else as UTF-8, else as Windows-1252; damage in a text does not make it another charset."""
    data = data[: limit * 4]
    names = [name for name in (charset_of(charset), "utf-8") if name is not None]
    for errors in ("strict", "replace"):
        for name in names:
            try:
                text = data.decode(name, errors)
            except (ValueError, LookupError):  # damaged, or a codec for other things than text
                continue
            if errors == "strict" or _mostly_sound(text):
                return _plain(text, limit)
    return _plain(data.decode("cp1252", "replace"), limit)


def _mostly_sound(text: str) -> bool:
    """Whether more letters outside ASCII could be decoded than could not."""
    damaged = text.count("\ufffd")
    return sum(1 for letter in text if letter >= "\x80") > 2 * damaged


def _plain(text: str, limit: int) -> str:
    # UTF-7 can spell halves of characters.
    return text[:limit].encode("utf-8", "replace").decode().replace("\r\n", "\n").replace("\x00", "")


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
