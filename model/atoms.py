"""Literals that a text must contain for a pattern to match: what a rule is looked up by.

Trying a few hundred patterns on every text is slow. One pass of an Aho-Corasick
automaton (Aho and Corasick, 1975) over the literals leaves the few patterns that can
match at all. RE2 has such a filter of its own, but its search for the literals alone
took three times as long as all the patterns that it let through. Asking for several
literals at once left hardly fewer patterns and took four times as long.
"""

from __future__ import annotations

import re
import re._constants as ops
import re._parser as parser
from collections.abc import Iterable, Sequence
from typing import Any

import ahocorasick

Literals = frozenset[str]


def required_literals(pattern: str) -> Literals | None:
    """Return literals of which every match of a pattern contains at least one.

    Parameters
    ----------
    pattern : str
        In the syntax that Python's ``re`` and RE2 share.

    Returns
    -------
    frozenset of str or None
        None when nothing can be said: the pattern then has to be tried on every text.
    """
    try:
        parsed = parser.parse(pattern)
    except (re.error, OverflowError, RecursionError):
        return None
    return None if parsed.state.flags & parser.SRE_FLAG_IGNORECASE else _of_sequence(parsed)


def _of_sequence(items: Iterable[tuple[Any, Any]]) -> Literals | None:
    best: Literals | None = None
    run = ""
    for operator, argument in (*items, (None, None)):
        if operator is ops.LITERAL:
            run += chr(argument)
        elif operator is not ops.AT:  # which takes up no character
            best = _better(best, frozenset([run]) if run else None)
            run = ""
            best = _better(best, _of_item(operator, argument))
    return best


def _of_item(operator: Any, argument: Any) -> Literals | None:
    if operator is ops.BRANCH:
        return _union([_of_sequence(branch) for branch in argument[1]])
    if operator is ops.SUBPATTERN:
        _, added, _, inner = argument
        return None if added & parser.SRE_FLAG_IGNORECASE else _of_sequence(inner)
    if operator in (ops.MAX_REPEAT, ops.MIN_REPEAT):
        least, _, inner = argument
        return _of_sequence(inner) if least else None
    if operator is ops.IN and all(kind is ops.LITERAL for kind, _ in argument):
        return frozenset(chr(char) for _, char in argument)
    return None


def _union(parts: Sequence[Literals | None]) -> Literals | None:
    found: set[str] = set()
    for part in parts:
        if part is None:
            return None
        found |= part
    return frozenset(found)


def _better(one: Literals | None, other: Literals | None) -> Literals | None:
    if one is None or other is None:
        return one if other is None else other
    return max(one, other, key=lambda literals: (min(map(len, literals)), -len(literals)))


class LiteralIndex:
    """Finds the patterns that can match a text.

    Parameters
    ----------
    patterns : sequence of str
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        by_literal: dict[str, set[int]] = {}
        always: set[int] = set()
        for index, pattern in enumerate(patterns):
            literals = required_literals(pattern)
            if literals is None:
                always.add(index)
            for literal in literals or ():
                by_literal.setdefault(literal, set()).add(index)
        self._always = frozenset(always)
        self._automaton = ahocorasick.Automaton()
        for literal, indices in by_literal.items():
            self._automaton.add_word(literal, frozenset(indices))
        if by_literal:
            self._automaton.make_automaton()
        self._empty = not by_literal

    def candidates(self, text: str) -> list[int]:
        """Return the indices of the patterns that can match, in order."""
        if self._empty:
            return sorted(self._always)
        return sorted(self._always.union(*[indices for _, indices in self._automaton.iter(text)]))
