"""Masking one token: what it is, told from its own characters.

An address, an IP, a host, a URL, an id, a number, a code of a vendor, or a word. Nothing
beside a token matters here; :mod:`whybounce.model.masking` puts them together.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from itertools import pairwise

import re2

from whybounce.model.vocabulary import (
    BLOCKLIST_HOSTS,
    BULK_WORDS,
    NUMBERED_HOSTS,
    PROVIDER_HOSTS,
    REPLY_CODES,
    TOP_LEVEL_DOMAINS,
    UNITS,
)

MAX_TOKEN = 254
"""Longest token that is looked at; a longer one is an id (RFC 5321: a path has 256)."""

MAX_WORD = 48
"""Longest run of letters that is a word; a longer one is an id."""

_MOST_DIGITS = 9
"""Of a number with a unit; with more it is an id that ends in a letter."""
_TIMESTAMP = re2.compile(r"\d{4}-\d\d-\d\dt\d\d:\d\d(:\d\d)?(\.\d+)?(z|-\d\d:?\d\d)?")
"""A date with its time as RFC 3339 has it, in small letters; a plus sign has ended the word before."""
_MOST_CODES = 10_000
"""No vendor numbers so many replies; greater numbers behind letters are ids."""

FIRST_WIDE = "\u2e80"
"""From this character on, scripts write without spaces (CJK)."""
_LETTERS = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ħ": "h", "ı": "i", "ß": "ss", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th"}
)
"""Letters that are no accented ones, as people write them who have none of these."""
_LETTERS_BYTES = bytes(char if chr(char).isalpha() else ord(" ") for char in range(128)) + b" " * 128


def fold(text: str) -> str:
    """Lower-case and drop accents, so that ``Usuário`` and ``usuario`` are one word, and ``ł`` and ``l`` one letter."""
    text = text.lower()
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFD", text)
    kept = "".join(char for char in decomposed if not ("\u0300" <= char <= "\u036f"))
    return unicodedata.normalize("NFC", kept.translate(_LETTERS))


def mask_token(token: str) -> str:
    """Return the mask of a token: one word or several; empty for punctuation alone."""
    if "::" in token and (token.startswith("::") or token.endswith("::")) and is_ip(token.lower()):
        return "IP"
    token = token.strip(".:-_/#@" if "@" not in token else ".:-_/#")
    if is_scrambled(token):
        return "ID"
    token = token.lower()
    if not token:
        return ""
    if len(token) > MAX_TOKEN:
        return "ID"
    if token[-1] >= FIRST_WIDE or token[0] >= FIRST_WIDE or (not token.isascii() and max(token) >= FIRST_WIDE):
        return _mask_mixed_script(token)
    if "@" in token:
        return _mask_address(token)
    if "://" in token or token.startswith("www."):
        return _mask_url(token)
    if token.isdigit():
        return token if token in REPLY_CODES else "NUM"
    if token.isalpha():
        return fold(token) if len(token) <= MAX_WORD or not token.isascii() else "ID"
    if is_enhanced_status(token):
        return token
    if is_ip(token):
        return "IP"
    if ":" in token:
        if _is_time(token) or _TIMESTAMP.fullmatch(token):
            return "NUM"
        return " ".join(mask_token(piece) for piece in token.split(":"))
    host = _mask_host(token)
    if host:
        return host
    if "/" in token:
        return " ".join(mask_token(piece) for piece in token.split("/"))
    if not token.isascii():
        return _mask_foreign(fold(token))
    return _mask_identifier(token)


def is_scrambled(token: str) -> bool:
    """Whether letters change between small and capital as in ``uAaqGcA``: no word does, nor words put together."""
    if token.islower() or token.isupper() or not 6 <= len(token) <= MAX_WORD or not token.isalpha():
        return False
    rises = sum(a.islower() and b.isupper() for a, b in pairwise(token))
    return rises > 1 and rises * 3 > len(token)


def is_enhanced_status(token: str) -> bool:
    """Whether a token is an enhanced status code ``class.subject.detail`` (RFC 3463)."""
    if token.count(".") != 2:
        return False
    parts = token.split(".")
    return parts[0] in ("2", "4", "5") and all(
        part.isascii() and part.isdigit() and len(part) <= 3 for part in parts[1:]
    )


def is_ip(token: str) -> bool:
    """Whether a token is the address of a machine, with a port or a prefix or parts blotted out as it may be."""
    if token.count(".") == 3 and token.replace(".", "").isdigit():  # most are
        octets = token.split(".")
        return all(octets) and max(map(len, octets)) <= 3
    if token.startswith("ipv6:"):
        return True
    if token.count(":") >= 2 and not _is_time(token):
        pieces = token.split(":")
        return any(pieces) and all(len(piece) <= 4 and _is_hex(piece) for piece in pieces)
    octets = token.partition(":")[0].partition("/")[0].split(".")
    return len(octets) == 4 and all(
        len(octet) <= 3 and octet and (octet.isdigit() or not octet.strip("x#")) for octet in octets
    )


def _is_hex(piece: str) -> bool:
    return not piece.strip("0123456789abcdef")


def _is_time(token: str) -> bool:
    pieces = token.split(":")
    return len(pieces) <= 3 and all(piece.isdigit() and len(piece) == 2 for piece in pieces[1:]) and pieces[0].isdigit()


def _mask_address(token: str) -> str:
    before, _, after = token.partition("@")
    prefix, colon, local = before.rpartition(":")
    if not local:  # "@example.com": a domain that is named like an address
        return "HOST" if after.strip("@") else ""
    masked = f"{mask_token(prefix)} ADDR" if colon and prefix else "ADDR"
    # What is said of it, as in joe@example.com:blocked; no port is a word.
    said = after.rpartition(":")[2] if ":" in after else ""
    return f"{masked} {fold(said)}" if said.isalpha() and len(said) <= MAX_WORD else masked


def _suffix(host: str, table: dict[str, str]) -> str | None:
    labels = host.split(".")
    for start in range(max(0, len(labels) - 4), len(labels) - 1):
        found = table.get(".".join(labels[start:]))
        if found:
            return found
    return None


@lru_cache(maxsize=4096)
def _known_host(host: str) -> str:
    blocklist = _suffix(host, BLOCKLIST_HOSTS)
    if blocklist:
        return f" DNSBL {blocklist}"
    provider = _suffix(host, PROVIDER_HOSTS)
    return f" @{provider}" if provider else ""


def _mask_url(token: str) -> str:
    rest = token.partition("://")[2] or token
    host, _, path = rest.partition("/")
    host = host.partition(":")[0]
    # A provider's help page speaks of the error; anybody else's URL does not.
    words = [word for word in _pieces(f"{host}/{path}") if word in BULK_WORDS]
    return " ".join(["URL" + _known_host(host), *dict.fromkeys(words)])


def _pieces(text: str) -> list[str]:
    if text.isascii():
        return text.encode().translate(_LETTERS_BYTES).decode().split()
    return "".join(char if char.isalpha() else " " for char in text).split()


def _mask_host(token: str) -> str | None:
    name = token.partition("/")[0]
    labels = name.split(".")
    if len(labels) < 2 or not name.isascii() or not all(labels):
        return None
    tld = labels[-1]
    if tld not in TOP_LEVEL_DOMAINS and not tld.startswith("xn--"):
        return None
    if any(not label.replace("-", "").replace("_", "").isalnum() for label in labels):
        return None
    return "HOST" + _known_host(name)


def _mask_mixed_script(token: str) -> str:
    # Scripts without spaces put words, addresses and numbers into one run: cut where the script changes.
    pieces: list[str] = []
    wide_now: bool | None = None
    for char in token:
        is_wide = char >= FIRST_WIDE
        if is_wide is not wide_now:
            pieces.append("")
            wide_now = is_wide
        pieces[-1] += char
    return " ".join(fold(piece) if piece[0] >= FIRST_WIDE else mask_token(piece) for piece in pieces)


def _mask_foreign(token: str) -> str:
    # Words of scripts whose vowel signs are not letters, and words with a number stuck to them.
    spaced = "".join(
        char if char >= "\x80" or char.isalpha() else f" {char} " if char.isdigit() else " " for char in token
    )
    return " ".join("NUM" if piece.isdigit() else piece for piece in spaced.split())


def _mask_identifier(token: str) -> str:
    pieces = [
        piece
        for piece in token.replace("_", "-").replace(".", "-").replace("#", "-").replace("@", "-").split("-")
        if piece
    ]
    if len(pieces) == 2 and pieces[0] in REPLY_CODES and token[3] == "-" and is_enhanced_status(token[4:]):
        return f"{pieces[0]} {token[4:]}"
    if len(token) >= 9 and token[3] == "-" and token[:3] in REPLY_CODES:
        rest = token[4:]
        return f"{token[:3]} {mask_token(rest)}"
    if len(token) == 4 and token[:3] in REPLY_CODES:
        return token[:3]
    code = _vendor_code(pieces)
    if code:
        return code
    masked = [_mask_piece(piece) for piece in pieces]
    if "ID" in masked and not any(len(word) > 3 and word.isalpha() and word.islower() for word in masked):
        return "ID"
    return " ".join(masked)


def _vendor_code(pieces: list[str]) -> str | None:
    """Join a short letters-then-digits code such as ``S3150``, ``RL000003`` or ``OU-002``."""
    joined = "".join(pieces)
    letters = joined.rstrip("0123456789")
    digits = joined[len(letters) :]
    if (
        len(pieces) <= 2
        and 1 <= len(letters) <= 8
        and letters.isalpha()
        and 1 <= len(digits) <= 6
        and len(joined) <= 11
        and (len(pieces) == 2 or int(digits) < _MOST_CODES)
        and letters not in NUMBERED_HOSTS
    ):
        if len(pieces) == 2 and pieces[0].isalpha() and len(pieces[0]) > 4:
            return None
        return joined
    return None


def _mask_piece(piece: str) -> str:
    if piece.isalpha():
        return piece
    if piece.isdigit():
        return piece if piece in REPLY_CODES else "NUM"
    digits = len(piece) - len(piece.lstrip("0123456789"))
    unit = piece[digits:]
    if unit in UNITS and 0 < digits <= _MOST_DIGITS:
        return f"NUM {unit}"
    return _vendor_code([piece]) or "ID"
