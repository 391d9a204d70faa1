"""What the alternatives of a pattern come down to: phrases where it can be said, else words that must be there.

Most alternatives of a rule are a handful of phrases, ``no such (?:user|mailbox)``. Where such a
phrase stands in a text the pattern matches, and nothing has to be tried. Of the others it can be
said at least which literals a text has to contain.
"""

from __future__ import annotations

import re
import re._constants as ops
import re._parser as parser
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

Literals = frozenset[str]
"""Of which a text has to contain one."""
Clause = frozenset[Literals]
"""Of which a text has to contain all."""

MOST = 256
"""Phrases that an alternative may come down to."""

WORD = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz")
"""What RE2 takes for a part of a word."""

# Among the characters of a phrase under construction: \b, \w*, and anything else that may be absent.
_BOUNDARY, _WORDS, _ABSENT = "\x00", "\x01", "\x02"
_MARKS = _BOUNDARY + _WORDS + _ABSENT
_SPECIAL = frozenset(".^$*+?{}[]\\|()" + _MARKS)

_WORD_CATEGORY = [(ops.IN, [(ops.CATEGORY, ops.CATEGORY_WORD)])]

_KNOWN = frozenset(
    [
        ops.LITERAL, ops.NOT_LITERAL, ops.ANY, ops.AT, ops.BRANCH, ops.SUBPATTERN, ops.MAX_REPEAT, ops.MIN_REPEAT,
        ops.IN,
    ]
)  # fmt: skip
_LONGEST_REPEAT = 1000  # of RE2

Items = list[tuple[Any, Any]]


class Phrase(NamedTuple):
    """A text that a pattern matches wherever it stands.

    Attributes
    ----------
    text : str
    before, after : bool or None
        Whether there has to be a part of a word beside it; None where it does not matter.
    """

    text: str
    before: bool | None
    after: bool | None


@dataclass(frozen=True, slots=True)
class Alternative:
    """One alternative of a pattern.

    Attributes
    ----------
    pattern : str
        It alone.
    phrases : tuple of Phrase
        It matches where one of them stands.
    clauses : tuple of Clause
        Otherwise it can match only a text that has what one of them asks for. An empty clause asks for nothing.
    """

    pattern: str
    phrases: tuple[Phrase, ...]
    clauses: tuple[Clause, ...]


def alternatives(pattern: str) -> list[Alternative] | None:
    """Take a pattern apart.

    Parameters
    ----------
    pattern : str
        In the syntax that Python's ``re`` and RE2 share.

    Returns
    -------
    list of Alternative or None
        None when nothing can be said: the pattern then has to be tried on every text.
    """
    if "[:" in pattern:  # a class such as [[:alpha:]] is none to `re`
        return None
    found = []
    try:
        for piece in _pieces(pattern):
            if _SPECIAL.isdisjoint(piece) and piece:
                found.append(Alternative(piece, (Phrase(piece, None, None),), ()))
                continue
            parsed = parser.parse(piece)
            if parsed.state.flags & ~parser.SRE_FLAG_UNICODE or not _is_plain(parsed):
                return None
            found.append(_alternative(piece, list(parsed)))
    except (re.error, OverflowError, RecursionError, IndexError):
        return None
    return found


def _alternative(pattern: str, parsed: Items) -> Alternative:
    found: list[Phrase] = []
    clauses: list[Clause] = []
    for items in _branches(parsed):
        phrases = _phrases(items)
        if phrases is None:
            clauses.append(frozenset(_of_sequence(items)))
        else:
            found += phrases
    return Alternative(pattern, tuple(dict.fromkeys(found)), tuple(dict.fromkeys(clauses)))


def _pieces(pattern: str) -> Iterator[str]:
    """The source of each branch."""
    depth = start = at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            at += 1
        elif char == "[":
            at += 2 if pattern[at + 1 : at + 2] == "^" else 1
            at += 1  # a bracket that comes first is one of the class
            while pattern[at] != "]":
                at += 2 if pattern[at] == "\\" else 1
        elif char in "()":
            depth += 1 if char == "(" else -1
        elif char == "|" and depth == 0:
            yield pattern[start:at]
            start = at + 1
        at += 1
    yield pattern[start:]


def _is_plain(items: Iterable[tuple[Any, Any]]) -> bool:
    """Whether RE2 reads it as ``re`` does."""
    for operator, argument in items:
        if operator not in _KNOWN:
            return False
        inner: list[Any] = []
        if operator is ops.BRANCH:
            inner = argument[1]
        elif operator is ops.SUBPATTERN:
            if argument[1] or argument[2]:
                return False
            inner = [argument[3]]
        elif operator in (ops.MAX_REPEAT, ops.MIN_REPEAT):
            if any(_LONGEST_REPEAT < count != ops.MAXREPEAT for count in argument[:2]):
                return False
            inner = [argument[2]]
        elif operator is ops.AT and argument not in (ops.AT_BOUNDARY, ops.AT_BEGINNING, ops.AT_END):
            return False
        if not all(map(_is_plain, inner)):
            return False
    return True


def _branches(items: Items) -> Iterator[Items]:
    """The branches of a pattern that is nothing but a choice, or all of it."""
    operator: Any = None
    argument: Any = None
    if len(items) == 1:
        operator, argument = items[0]
    if operator is ops.BRANCH:
        for branch in argument[1]:
            yield from _branches(list(branch))
    elif operator is ops.SUBPATTERN:
        yield from _branches(list(argument[3]))
    else:
        yield items


# ---- phrases


def _phrases(items: Items) -> list[Phrase] | None:
    """All that a sequence comes down to; None when that is more than can be listed."""
    found = []
    for text in _texts(items) or [""]:
        phrase = _phrase(text)
        if phrase is None:
            return None
        found += phrase
    return found


def _texts(items: Iterable[tuple[Any, Any]]) -> list[str] | None:
    texts = [""]
    for operator, argument in items:
        more = _texts_of_item(operator, argument)
        if more is None or len(texts) * len(more) > MOST:
            return None
        texts = [text + end for text in texts for end in more]
    return texts


def _texts_of_item(operator: Any, argument: Any) -> list[str] | None:
    if operator is ops.LITERAL:
        return None if chr(argument) in _MARKS else [chr(argument)]
    if operator is ops.AT:
        return [_BOUNDARY] if argument is ops.AT_BOUNDARY else None
    if operator is ops.SUBPATTERN:
        return _texts(argument[3])
    if operator is ops.BRANCH:
        branches = [_texts(branch) for branch in argument[1]]
        return None if None in branches else [text for branch in branches for text in branch or ()]
    if operator in (ops.MAX_REPEAT, ops.MIN_REPEAT):
        return _repeated(*argument)
    if operator is ops.IN and all(kind is ops.LITERAL for kind, _ in argument):
        texts = [chr(char) for _, char in argument]
        return None if set(texts) & set(_MARKS) else texts
    return None


def _repeated(least: int, most: int, items: Any) -> list[str] | None:
    if least == 0 and most == ops.MAXREPEAT and list(items) == _WORD_CATEGORY:
        return [_WORDS]
    once = _texts(items)
    if once is None or most > least + 1:
        # Behind what there has to be, more may come.
        once = [""] if least == 0 else once
        return None if once is None or least > 1 else [text + _ABSENT for text in once]
    if least > 1 or len(once) > MOST:
        return None
    return [*([""] if least == 0 else []), *once, *([a + b for a in once for b in once] if most > 1 else [])]


def _phrase(text: str) -> list[Phrase] | None:
    """Read the marks: no phrase where they contradict the text, None when they say too little."""
    while _BOUNDARY * 2 in text:
        text = text.replace(_BOUNDARY * 2, _BOUNDARY)
    bare = text.strip(_MARKS)
    if not bare:
        return None
    ahead, _, behind = text.partition(bare)
    before = _beside(ahead, bare[0])
    after = _beside(behind[::-1], bare[-1])
    if before == () or after == ():
        return None
    for at, mark in enumerate(bare):
        if mark in (_WORDS, _ABSENT):
            return None
        if mark == _BOUNDARY and (bare[at - 1] in WORD) == (bare[at + 1] in WORD):
            return []
    return [Phrase(bare.replace(_BOUNDARY, ""), before, after)]  # type: ignore[arg-type]


def _beside(marks: str, char: str) -> bool | tuple[()] | None:
    """What must be beside a character for the marks there, from outside to inside; ``()`` when it is not known."""
    outside, boundary, inside = marks.rpartition(_BOUNDARY)
    if not boundary:
        return None
    if inside == "":
        # What may be absent outside a boundary is.
        return char not in WORD
    if set(inside) == {_WORDS} and char in WORD and _BOUNDARY not in outside:
        return None  # the word ends somewhere
    return ()


# ---- literals


def _of_sequence(items: Iterable[tuple[Any, Any]]) -> Iterator[Literals]:
    """What each part of a sequence asks for."""
    run = ""
    for operator, argument in (*items, (None, None)):
        if operator is ops.LITERAL:
            run += chr(argument)
        elif operator is not ops.AT:  # which takes up no character
            if run:
                yield frozenset([run])
            run = ""
            yield from _of_item(operator, argument)


def _of_item(operator: Any, argument: Any) -> Iterator[Literals]:
    if operator is ops.BRANCH:
        parts = [max(_of_sequence(branch), key=_shortest, default=None) for branch in argument[1]]
        known = [part for part in parts if part is not None]
        if len(known) == len(parts):
            yield frozenset().union(*known)
    elif operator is ops.SUBPATTERN:
        yield from _of_sequence(argument[3])
    elif operator in (ops.MAX_REPEAT, ops.MIN_REPEAT):
        least, _, inner = argument
        if least:
            yield from _of_sequence(inner)
    elif operator is ops.IN and all(kind is ops.LITERAL for kind, _ in argument):
        yield frozenset(chr(char) for _, char in argument)


def _shortest(part: Literals) -> tuple[int, int, list[str]]:
    return min(map(len, part)), -len(part), sorted(part)
