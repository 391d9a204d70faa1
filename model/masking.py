"""Normalising a diagnostic and masking what varies in it.

A *template* is what remains of a text when addresses, IPs, hosts, URLs, ids and
numbers are replaced by mask words in capitals (``ADDR``, ``IP``, ``HOST``, ``URL``,
``ID``, ``NUM``) and everything else is lower-cased, stripped of punctuation and
accents. Masking works token by token, so a token's mask depends on that token alone:
it is linear in the length of the text, needs no regular expression and can be memoised.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise

import re2

from whybounce.model.vocabulary import (
    BLOCKLIST_HOSTS,
    BULK_WORDS,
    DATE_WORDS,
    NUMBERED_HOSTS,
    PROVIDER_HOSTS,
    REPLY_CODES,
    TOP_LEVEL_DOMAINS,
    UNITS,
)

MAX_TEXT = 16 * 1024
"""Characters of a diagnostic that are read; the rest is cut."""

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
_CONTROL = dict.fromkeys((*range(32), *range(127, 160), 8232, 8233, 65279, 65533), " ")
_INVISIBLE = dict.fromkeys((0xAD, 0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x2060))
_SEPARATORS = dict.fromkeys(
    map(ord, "<>()[]{}\"'`,;|*!?=~^&\\$%+«»„“”‘’‚‹›。、，；！？（）【】「」『』《》・…·–—¡¿"), " "
)
_COUNTED = UNITS | frozenset(
    ["messages", "mails", "emails", "recipients", "connections", "characters", "chars", "octets", "lines", "hops"]
)
_IN_CONTEXT = _COUNTED | DATE_WORDS
_DATE_OR_NUMBER = DATE_WORDS | {"NUM"}
_BEFORE_A_CODE = frozenset(
    [
        "ADDR",
        "HOST",
        "IP",
        "said",
        "smtp",
        "lmtp",
        "me",
        "error",
        "code",
        "reply",
        "response",
        "returned",
        "was",
        "transfail",
    ]
)
_LETTERS = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ħ": "h", "ı": "i", "ß": "ss", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th"}
)
"""Letters that are no accented ones, as people write them who have none of these."""
_NORMALISE = _CONTROL | _INVISIBLE
_NEVER_KEPT = frozenset(["ADDR", "IP", "ID", "NUM"])

MEMO_SIZE = 65536
"""Tokens whose masks are remembered."""
TEMPLATES_KEPT = 16384
"""Masked texts whose templates are remembered."""
MAX_KEPT = 512
"""Longest of these."""
_NORMALISE_BYTES = bytes(ord(" ") if char in _NORMALISE else char for char in range(256))
_SPLIT = {**_SEPARATORS, ord("："): ":"}
_SPLIT_ALL = _SPLIT | _NORMALISE
_SPLIT_BYTES = bytes(ord(" ") if char in _NORMALISE or char in _SPLIT else char for char in range(256))
_LETTERS_BYTES = bytes(char if chr(char).isalpha() else ord(" ") for char in range(128)) + b" " * 128
_SPLIT_UTF8 = bytes(to if char < 128 else char for char, to in enumerate(_SPLIT_BYTES))
_SPLITS_WIDE = re.compile("[" + "".join(re.escape(chr(char)) for char in sorted(_SPLIT_ALL) if char >= 128) + "]")
"""Whatever parts words or is left out, and is no ASCII character."""
_SPLIT_BUT_ADDRESSES = _NORMALISE | {char: to for char, to in _SPLIT.items() if char not in (ord("+"), ord("="))}
_ADDRESS_FIELDS = frozenset(
    ["to", "from", "rcpt", "orcpt", "recipient", "sender", "mailfrom", "email", "mail", "address", "addr", "user"]
)


def normalise(text: str) -> str:
    """Clean a text without losing words.

    Cuts it to :data:`MAX_TEXT` characters, applies Unicode NFKC, turns control
    characters and literal ``\\r\\n`` escapes into spaces and folds white space.

    Parameters
    ----------
    text : str
        Anything, lone surrogates included.

    Returns
    -------
    str
        Valid UTF-8, on one line.
    """
    text = _composed(text[:MAX_TEXT])
    # Bytes are translated several times as fast as text.
    text = text.encode().translate(_NORMALISE_BYTES).decode() if text.isascii() else text.translate(_NORMALISE)
    return " ".join(text.split())


def _composed(text: str) -> str:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            text = text.encode("utf-8", "replace").decode()
        if not unicodedata.is_normalized("NFKC", text):
            text = unicodedata.normalize("NFKC", text)
    if "\\" in text:
        text = text.replace("\\r", " ").replace("\\n", " ").replace("\\t", " ")
    return text


def fold(text: str) -> str:
    """Lower-case and drop accents, so that ``Usuário`` and ``usuario`` are one word, and ``ł`` and ``l`` one letter."""
    text = text.lower()
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFD", text)
    kept = "".join(char for char in decomposed if not ("\u0300" <= char <= "\u036f"))
    return unicodedata.normalize("NFC", kept.translate(_LETTERS))


def template_of(text: str) -> str:
    """Return the masked template of any text (see the module's docstring)."""
    if len(text) > MAX_TEXT:
        text = text[:MAX_TEXT]
    plain = text.isascii() and "\\" not in text
    if not plain:
        text = _composed(text)
    if "@" in text and ("+" in text or "=" in text):
        tokens = _split_around_addresses(text)
    elif text.isascii():
        tokens = text.encode().translate(_SPLIT_BYTES).decode().split()
    elif _SPLITS_WIDE.search(text) is None:
        tokens = text.encode().translate(_SPLIT_UTF8).decode().split()
    else:
        tokens = text.translate(_SPLIT_ALL).split()
    masked = list(map(_MASKS.__getitem__, tokens))
    template = " ".join(masked)
    if (
        not plain
        # Words without a mask leave two spaces, or one at an end.
        or "  " in template or template[:1] == " " or template[-1:] == " "
        or not _IN_CONTEXT.isdisjoint(masked)
        # Two equal mask words in a row; no other word ends or begins with capitals.
        or "M NUM" in template or "P IP" in template or "R ADDR" in template or "T HOST" in template
        or "D ID" in template or "L URL" in template or "L DNSBL" in template
    ):  # fmt: skip
        return _CANONICAL[template]
    return template


mask = template_of


def _split_around_addresses(text: str) -> list[str]:
    # joe+news@example.com and bounce-7-joe=example.net@example.com are one address each.
    tokens: list[str] = []
    for token in text.translate(_SPLIT_BUT_ADDRESSES).split():
        name, at, _ = token.partition("@")
        field, equals, _ = name.partition("=")
        if not at:
            tokens += token.translate(_SPLIT).split()
        elif equals and field.lower() in _ADDRESS_FIELDS:
            tokens += [field, token[len(field) + 1 :]]
        else:
            tokens.append(token)
    return tokens


def _canonical(tokens: list[str]) -> list[str]:
    """Mask dates, drop repeats of a mask word, and undo reply codes that only count something."""
    for at, token in enumerate(tokens):
        if token in DATE_WORDS and not _DATE_OR_NUMBER.isdisjoint((*tokens[at - 1 : at], *tokens[at + 1 : at + 2])):
            tokens[at] = "NUM"
    kept: list[str] = []
    previous = ""
    for token in tokens:
        if token == previous and token.isupper():
            continue
        if (
            previous in REPLY_CODES and token in _COUNTED
            and len(kept) > 1 and kept[-2] not in _BEFORE_A_CODE and kept[-2][0] != "@"
        ):  # fmt: skip
            kept[-1] = "NUM"
            if kept[-2] == "NUM":
                kept.pop()
        kept.append(token)
        previous = token
    return kept


class _Masks(dict[str, str]):
    """Token -> what it is masked with, filled as tokens are met.

    Addresses, IPs, ids and numbers are never kept: they would not come again, and a
    person's address has no business in a memo.

    Several words for one token are joined by two spaces when one of them depends on
    what stands beside it: that sends the whole template through :func:`_canonical`.
    """

    def __missing__(self, token: str) -> str:
        if len(token) <= MAX_TOKEN and token.isascii():
            # What comes most, and never again.
            if token.isdigit():
                if token not in REPLY_CODES:
                    return "NUM"
            elif "@" in token:
                if token[0].isalnum() and ":" not in token:
                    return "ADDR"
            elif token.count(".") == 3 and token[0].isalnum() and token[-1].isalnum() and _is_ip(token):
                return "IP"
        if token.isalpha() and len(token) <= MAX_WORD and not _is_scrambled(token):
            masked = fold(token)
        else:
            masked = _mask_token(token)
            if masked in _NEVER_KEPT:
                return masked
            parts = masked.split()
            masked = (" " if _IN_CONTEXT.isdisjoint(parts) else "  ").join(parts)
            if "ADDR" in parts or "IP" in parts or len(token) > MAX_WORD:
                return masked
        if len(self) >= MEMO_SIZE:
            self.clear()
        self[token] = masked
        return masked


def _mask_token(token: str) -> str:
    if "::" in token and (token.startswith("::") or token.endswith("::")) and _is_ip(token.lower()):
        return "IP"
    token = token.strip(".:-_/#@" if "@" not in token else ".:-_/#")
    if _is_scrambled(token):
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
    if _is_ip(token):
        return "IP"
    if ":" in token:
        if _is_time(token) or _TIMESTAMP.fullmatch(token):
            return "NUM"
        return " ".join(_mask_token(piece) for piece in token.split(":"))
    host = _mask_host(token)
    if host:
        return host
    if "/" in token:
        return " ".join(_mask_token(piece) for piece in token.split("/"))
    if not token.isascii():
        return _mask_foreign(fold(token))
    return _mask_identifier(token)


def _is_scrambled(token: str) -> bool:
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


def _is_ip(token: str) -> bool:
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
    masked = f"{_mask_token(prefix)} ADDR" if colon and prefix else "ADDR"
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
    return " ".join(fold(piece) if piece[0] >= FIRST_WIDE else _mask_token(piece) for piece in pieces)


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
        return f"{token[:3]} {_mask_token(rest)}"
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


class _Canonical(dict[str, str]):
    """Masked text -> its template, as :func:`_canonical` makes it; filled as texts are met."""

    def __missing__(self, masked: str) -> str:
        template = " ".join(_canonical(masked.split()))
        if len(masked) <= MAX_KEPT:
            if len(self) >= TEMPLATES_KEPT:
                self.clear()
            self[masked] = template
        return template


_CANONICAL = _Canonical()
_MASKS = _Masks()
