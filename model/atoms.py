"""Which of many patterns are in a text: what a rule is looked up by.

Trying a few hundred patterns on every text is slow. A rule is mostly a list of phrases, so it
is looked up by phrase: one pass of an Aho-Corasick automaton (Aho and Corasick, 1975)
tells which of them a text has, and that settles it. Alternatives with gaps are looked up by the
literals that they ask for, and tried one by one; RE2 builds its automata as it meets texts, and
those of a whole rule are large. RE2 has such a filter of its own, but its search for the
literals alone took three times as long as all the patterns that it let through.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cache
from typing import Any

import ahocorasick
import re2

from whybounce.model.phrases import WORD, Clause, Literals, alternatives

_SHORTEST = 3
"""Characters of a literal that is worth to be asked for beside another one."""

Test = Callable[[bytes], Any]
Others = tuple[frozenset[int], ...]
"""Numbers of literals by the part of a clause that asks for one of them."""


class PatternIndex:
    """Finds the patterns that match a text.

    Parameters
    ----------
    patterns : sequence of str
        In RE2 syntax.
    typical : iterable of str
        Texts as they will come: of what a pattern asks for, it is looked up by what is rarest in them.

    Raises
    ------
    re2.error
        For a pattern that does not compile.
    """

    def __init__(self, patterns: Sequence[str], typical: Iterable[str] = ()) -> None:
        self._always: dict[int, tuple[Test, ...]] = {}
        plain: dict[str, set[int]] = {}
        bounded: dict[str, list[tuple[int, bool | None, bool | None]]] = {}
        open_: list[tuple[int, str, Clause]] = []
        for index, pattern in enumerate(patterns):
            known = alternatives(pattern)
            if known is None:
                self._always[index] = (_compiled(pattern),)
                continue
            for one in known:
                for text, before, after in one.phrases:
                    if before is after is None:
                        plain.setdefault(text, set()).add(index)
                    else:
                        bounded.setdefault(text, []).append((index, before, after))
                open_ += [(index, one.pattern, clause) for clause in one.clauses]
        asked: dict[str, dict[tuple[int, str], list[list[Literals]]]] = {}
        rarity = _rarity({literal for _, _, clause in open_ for part in clause for literal in part}, typical)
        for index, pattern, clause in open_:
            first: Literals = max(clause, key=rarity, default=frozenset())
            if not first:
                self._always[index] = (*self._always.get(index, ()), _compiled(pattern))
            others = [part for part in clause - {first} if min(map(len, part)) >= _SHORTEST]
            for literal in first:
                asked.setdefault(literal, {}).setdefault((index, pattern), []).append(others)
        # Those that settle something where they stand come first.
        settling = {**plain, **bounded}
        every = [literal for found in asked.values() for clauses in found.values() for others in clauses
                 for part in others for literal in part]  # fmt: skip
        numbers = {literal: number for number, literal in enumerate(dict.fromkeys([*settling, *asked, *every]))}
        self._settled = [
            (frozenset(plain.get(literal, ())), tuple(bounded.get(literal, ())), len(literal)) for literal in settling
        ]
        self._asked: dict[int, list[tuple[int, str, Others]]] = {
            numbers[literal]: [
                (*key, tuple(frozenset(map(numbers.__getitem__, part)) for part in others))
                for key, clauses in found.items()
                for others in clauses
            ]
            for literal, found in asked.items()
        }
        self._asking = frozenset(self._asked)
        self._automaton = ahocorasick.Automaton(ahocorasick.STORE_INTS)
        for literal, number in numbers.items():
            self._automaton.add_word(literal, number)
        if len(self._automaton):
            self._automaton.make_automaton()

    def find(self, text: str, without: Collection[int] = ()) -> Iterator[int]:
        """Give the indices of the patterns that are in a text, in order.

        Parameters
        ----------
        text : str
        without : collection of int
            Patterns that are not asked for.
        """
        certain: set[int] = set()
        possible: dict[int, list[str]] = {}
        if len(self._automaton):
            seen: set[int] = set()
            few = len(self._settled)
            for end, number in self._automaton.iter(text):
                if number < few:
                    self._settle(number, text, end, certain)
                seen.add(number)
            for number in seen & self._asking:
                for index, pattern, others in self._asked[number]:
                    if index in certain or index in without:
                        continue
                    for part in others:  # a third of the time of `any`
                        if part.isdisjoint(seen):
                            break
                    else:
                        possible.setdefault(index, []).append(pattern)
        found = certain.union(possible, self._always) if possible or self._always else certain
        data = b""
        for index in sorted(found):
            if index in without:
                continue
            if index not in certain:
                # Over bytes RE2 need not count characters.
                data = data or text.encode()
                tests = [*self._always.get(index, ()), *map(_compiled, dict.fromkeys(possible.get(index, ())))]
                if not any(test(data) for test in tests):
                    continue
            yield index

    def _settle(self, number: int, text: str, end: int, certain: set[int]) -> None:
        plain, bounded, length = self._settled[number]
        certain |= plain
        for index, before, after in bounded:
            if index not in certain:
                start = end - length
                if before is not None and (start >= 0 and text[start] in WORD) is not before:
                    continue
                if after is not None and (text[end + 1 : end + 2] in WORD) is not after:
                    continue
                certain.add(index)


def quiet() -> re2.Options:
    """Return options with which RE2 raises at a wrong pattern and logs nothing."""
    options = re2.Options()
    options.log_errors = False
    return options


@cache
def _compiled(pattern: str) -> Test:
    """Return what tells whether a pattern is in a text: not where, which takes twice as long."""
    one = re2.Set.SearchSet(quiet())
    one.Add(pattern)
    one.Compile()
    return one.Match  # type: ignore[no-any-return]


def _rarity(literals: Iterable[str], typical: Iterable[str]) -> Callable[[Literals], tuple[int, int, list[str]]]:
    """Return what tells how seldom a text has one of some literals: the more, the greater."""
    automaton = ahocorasick.Automaton(ahocorasick.STORE_LENGTH)
    for literal in literals:
        automaton.add_word(literal)
    counts: Counter[str] = Counter()
    if len(automaton):
        automaton.make_automaton()
        for text in typical:
            counts.update(text[end + 1 - length : end + 1] for end, length in automaton.iter(text))

    def rarity(part: Literals) -> tuple[int, int, list[str]]:
        return -sum(counts[literal] for literal in part), min(map(len, part)), sorted(part)

    return rarity
