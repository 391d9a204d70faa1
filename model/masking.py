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
from itertools import groupby
from operator import itemgetter

from whybounce.model.tokens import MAX_TOKEN, MAX_WORD, fold, is_ip, is_scrambled, mask_token
from whybounce.model.vocabulary import DATE_WORDS, REPLY_CODES, UNITS

MAX_TEXT = 16 * 1024
"""Characters of a diagnostic that are read; the rest is cut."""

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
_SPLIT_UTF8 = bytes(to if char < 128 else char for char, to in enumerate(_SPLIT_BYTES))
_SPLITS_WIDE = re.compile("[" + "".join(re.escape(chr(char)) for char in sorted(_SPLIT_ALL) if char >= 128) + "]")
"""Whatever parts words or is left out, and is no ASCII character."""
_SPLIT_BUT_ADDRESSES = _NORMALISE | {char: to for char, to in _SPLIT.items() if char not in (ord("+"), ord("="))}
_MARKED_UP = "</"
_HIDDEN_MARKUP = re.compile("<[" + "".join(map(chr, _INVISIBLE)) + "]+/")
_TAG = re.compile(r"<(/?[a-z]+[1-6]?)(?=[\s/<>]|$)([^<>]*)(>?)", re.IGNORECASE)
_TAGS = frozenset(
    [
        "html", "head", "title", "meta", "style", "body", "p", "br", "hr", "div", "span", "font", "b", "i", "u", "em",
        "strong", "small", "code", "pre", "tt", "a", "img", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "dl",
        "dt", "dd", "table", "thead", "tbody", "tr", "td", "th", "center", "blockquote",
    ]
)  # fmt: skip
_ENTITY = re.compile("&(?:nbsp|lt|gt|quot|apos|amp);")
_LETTER = re.compile("[\u3041-\u30ff\u4e00-\u9fff]")
_ADDRESS_FIELDS = frozenset(
    ["to", "from", "rcpt", "orcpt", "recipient", "sender", "mailfrom", "email", "mail", "address", "addr", "user"]
)


def normalise(text: str) -> str:
    """Clean a text without losing words.

    Cuts it to :data:`MAX_TEXT` characters, applies Unicode NFKC, turns control
    characters, literal ``\\r\\n`` escapes and HTML tags into spaces and folds white space.

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
    wide = not text.isascii()
    if wide:
        try:
            text.encode()
        except UnicodeEncodeError:
            text = text.encode("utf-8", "replace").decode()
        if not unicodedata.is_normalized("NFKC", text):
            text = unicodedata.normalize("NFKC", text)
    if "\\" in text:
        text = text.replace("\\r", " ").replace("\\n", " ").replace("\\t", " ")
    if _MARKED_UP in text or (wide and _HIDDEN_MARKUP.search(text) is not None):
        # A reply in a page or an HTML part: its tags say nothing about the bounce. Addresses in brackets are no tags.
        text = _TAG.sub(_without_tag, _ENTITY.sub(" ", text.translate(_NORMALISE)))
    return text


def _without_tag(found: re.Match[str]) -> str:
    tag, rest, end = found.groups()
    if tag.lower().lstrip("/") not in _TAGS:
        return found[0]
    return " " if end else f" {rest}"  # of a tag that is not closed the rest may be words


def _joined(tokens: list[str]) -> list[str]:
    """Join Chinese or Japanese with a space behind each letter, as some gateways leave it: three letters and more."""
    alone = [len(token) == 1 and _LETTER.match(token) is not None for token in tokens]
    if sum(alone) < 3:
        return tokens
    found: list[str] = []
    for is_alone, run in groupby(zip(alone, tokens, strict=True), key=itemgetter(0)):
        some = [token for _, token in run]
        found += ["".join(some)] if is_alone and len(some) > 2 else some
    return found


def template_of(text: str) -> str:
    """Return the masked template of any text (see the module's docstring)."""
    if len(text) > MAX_TEXT:
        text = text[:MAX_TEXT]
    plain = text.isascii() and "\\" not in text and _MARKED_UP not in text
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
    if not plain and len(tokens) > 2 and not text.isascii():
        tokens = _joined(tokens)
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
            elif token.count(".") == 3 and token[0].isalnum() and token[-1].isalnum() and is_ip(token):
                return "IP"
        if token.isalpha() and len(token) <= MAX_WORD and not is_scrambled(token):
            masked = fold(token)
        else:
            masked = mask_token(token)
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
