"""Folding texts that surely have the same template into one text, many at a time.

There is one masking engine, :func:`whybounce.model.masking.template_of`. Two engines for one
specification never agree by themselves, so nothing here masks: whole tokens of a few shapes,
whose mask word follows from the shape alone, are put in place of each other. Masking the
folded text then gives the template of the text (a property test holds this), and of two million
texts a few ten thousand are left to mask.

Only tokens between white space are looked at. Separators are made spaces first, in one pass over
the bytes; ``+`` and ``=`` are not where they may be parts of an address, and neither is ``\\``, which may
begin an escape.
"""

from __future__ import annotations

import re

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from whybounce.model.masking import MAX_TEXT
from whybounce.model.vocabulary import BLOCKLIST_HOSTS, DATE_WORDS, PROVIDER_HOSTS, TOP_LEVEL_DOMAINS

_SPACED = "<>()[]{}\"'`,;|*!?~^&$%"
_SPACES = bytes(ord(" ") if char < 32 or char == 127 or chr(char) in _SPACED else char for char in range(256))

_MIXED = r"(?:[A-Za-z]+[0-9]|[0-9]+[A-Za-z])[0-9A-Za-z]*"
"""Letters and digits."""
_TWICE = r"(?:[A-Za-z]+[0-9]+[A-Za-z]|[0-9]+[A-Za-z]+[0-9])[0-9A-Za-z]*"
"""Letters and digits that take turns twice: neither a code of a vendor, as S3150, nor a number with a unit, as 10MB."""
_GREAT = r"[A-Za-z]{1,10}[1-9][0-9]{4,40}|[0-9]{10,40}[A-Za-z]"
"""Letters and a number greater than that of a code, and a number too great for a unit."""
_ID = rf"(?:{_MIXED}[._-])*{_TWICE}(?:[._-](?:{_MIXED}|[0-9]+))*|{_GREAT}"
_BYTE = r"[0-9]{1,3}"
_IP = rf"{_BYTE}\.{_BYTE}\.{_BYTE}\.{_BYTE}|[0-9a-fA-F]{{1,4}}(?:::?[0-9a-fA-F]{{1,4}}){{3,7}}"
_DAY = r"[0-9]{2}(?:-[0-9]{2}-|/[0-9]{2}/|\.[0-9]{2}\.)[0-9]{4}|[0-9]{4}(?:-[0-9]{2}-|/[0-9]{2}/)[0-9]{2}"
_CLOCK = r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?"
_STAMP = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2})?(?:\.[0-9]{1,9})?Z?"
_NUM = (
    r"\+?(?:[0-9]{1,2}|[016-9][0-9]{2}|[0-9]{4,40})|[0-9]{4,40}[._-][0-9]{4,40}"
    rf"|{_DAY}|{_CLOCK}|{_STAMP}"
)
"""Not three digits that may be a reply code."""
# An equals sign may end the name of a field, as in to=joe@example.com, but after a digit or a dash.
_ADDR = r"[0-9A-Za-z](?:[0-9A-Za-z]{0,63}|[A-Za-z]{0,20}[0-9.+_-][0-9A-Za-z.+=_-]{0,80})@[0-9A-Za-z][0-9A-Za-z.-]{0,99}"

_WORD = rf"(?:{'|'.join(sorted(DATE_WORDS, key=len, reverse=True))})[.:]?"
_HOST = rf"(?:[0-9a-z][0-9a-z_-]{{0,40}}\.){{1,5}}(?:{'|'.join(sorted(TOP_LEVEL_DOMAINS, key=len, reverse=True))})"
_KNOWN = "|".join(map(re.escape, sorted({*PROVIDER_HOSTS, *BLOCKLIST_HOSTS, "www."})))
"""Hosts of providers and blocklists have masks of their own, and ``www.`` begins a URL."""
_MARK = "\x01"
"""Put before these, so that they are no host for the pattern; there are no control characters left in a text."""


def _tokens(token: str) -> str:
    # Equal mask words in a row are one, so a run of tokens of one shape is folded as a whole.
    one = rf"(?:{token})\.?:?"
    return rf"(?:^| +){one}(?: +{one})*(?: |$)"


_FOLDS = (
    (_tokens(_ADDR), " a@example.com "),
    (_tokens(_IP), " 192.0.2.1 "),
    (_tokens(_ID), " a1b2c3d4e5f6 "),
    (_tokens(_NUM), " 77 "),
    # Where the words of a date meet a number, all of them are one.
    (rf"(?i)(?:^| +)(?:{_WORD} +)*77(?: +(?:77|{_WORD}))*(?: |$)", " 77 "),
)
_FOLD_HOSTS = (_tokens(_HOST), " mx.example.com ")

LONGEST = MAX_TEXT // 4
"""Bytes of the longest text that is folded: folding lengthens threefold at most, and what is cut must not change."""
_LEFT = (
    "\u0338",
    "</",
    "<\uff0f",
    "<\u00ad",
    "<\u200b",
    "<\u200c",
    "<\u200d",
    "<\u200e",
    "<\u200f",
    "<\u2060",
    "\uff1c",
    "\ufe64",
)
"""What texts stay as they are for: markup, however it is spelt, and what makes one character of itself and a ``<``."""


def fold(texts: pa.LargeStringArray) -> pa.Array:
    """Return texts with the same templates, far fewer of them different.

    Parameters
    ----------
    texts : pyarrow.LargeStringArray
        Without nulls. What is longer than ``LONGEST`` stays as it is.

    Returns
    -------
    pyarrow.Array
        As many strings.
    """
    _, offsets, buffer = texts.buffers()
    if buffer is None or not len(texts):
        return texts
    data = buffer.to_pybytes()
    # The bytes of a character outside ASCII are all above 127: they stay.
    spaced = pa.py_buffer(data.translate(_SPACES))
    series = pl.Series(pa.LargeStringArray.from_buffers(len(texts), offsets, spaced, None, 0, texts.offset))
    # Where there is no address, an equals sign can be no part of one.
    parted = series.str.replace_all("=", " ", literal=True)
    series = pl.select(pl.when(series.str.contains("@", literal=True)).then(series).otherwise(parted)).to_series()
    for pattern, to in _FOLDS:
        series = series.str.replace_all(pattern, to)
    # Few texts name a host that must stay as it is; only these are worth two passes more.
    named = series.str.contains(_KNOWN)
    marked = series.filter(named).str.replace_all(_KNOWN, f"{_MARK}${{0}}").str.replace_all(*_FOLD_HOSTS)
    series = series.str.replace_all(*_FOLD_HOSTS).scatter(named.arg_true(), marked.str.replace_all(_MARK, ""))
    folded = series.to_arrow(compat_level=pl.CompatLevel.oldest())
    odd = [one for one in _LEFT if one.encode() in data]
    if not odd and pc.max(pc.binary_length(texts)).as_py() <= LONGEST:
        return folded
    left = pc.greater(pc.binary_length(texts), LONGEST)
    for one in odd:
        left = pc.or_(left, pc.match_substring(texts, one))
    return pc.if_else(left, texts, folded)
