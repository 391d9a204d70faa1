"""The look-up of rules by literals: it may let too many patterns through, never too few."""

from __future__ import annotations

from typing import Any

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from whybounce.model.atoms import LiteralIndex, required_literals
from whybounce.model.diagnostic import parse
from whybounce.model.rules import default_rules
from whybounce.training.corpus import Template


@pytest.mark.parametrize(
    "case",
    [
        ("abc", ["abc"]),
        (r"\babc\b", ["abc"]),
        ("abc|de", ["abc"], ["de"]),
        ("(?:abc|(?:de|fg))", ["abc"], ["de"], ["fg"]),
        ("no such (?:user|mailbox)", ["no such ", "user|mailbox"]),
        ("(?:user|mailbox) unknown|no .* here", ["user|mailbox", " unknown"], ["no ", " here"]),
        ("a(?: very)? long way", [" long way"]),
        ("ab+cd", ["cd"]),
        ("(?:quota)+", ["quota"]),
        ("(?:quota)*",),
        (r"\d+",),
        ("abc|.*",),
        ("x[yz]", ["x"]),
        ("abc[yz]def", ["abc", "def"]),
        ("abc[yz]d", ["abc"]),
        ("[yz]", ["y|z"]),
        ("[a-z]",),
        ("[^a]",),
        ("(?i)abc",),
        ("(?i:abc)",),
        ("(?i:abc)de", ["de"]),
        ("a(",),
        ("",),
    ],
    ids=str,
)
def test_required_literals(case: tuple[Any, ...]) -> None:
    """A pattern, and for each of its alternatives what it asks for; nothing where nothing can be said."""
    pattern, *clauses = case
    wanted = frozenset(frozenset(frozenset(part.split("|")) for part in clause) for clause in clauses)
    assert required_literals(pattern) == (wanted or None)


def test_nothing_is_required_of_a_pattern_that_matches_anything() -> None:
    index = LiteralIndex(["abc", ".*", "b+"])
    assert index.candidates("zzz") == [1]
    assert index.candidates("xabcx") == [0, 1, 2]
    assert LiteralIndex([]).candidates("abc") == []


def test_an_alternative_has_to_be_there_whole() -> None:
    index = LiteralIndex(["(?:user|mailbox) (?:is )?(?:unknown|full)", "no such|not .* here"])
    assert index.candidates("unknown sender") == []
    assert index.candidates("mailbox may be full") == [0]
    assert index.candidates("not now") == []
    assert index.candidates("no such user, not known here") == [1]


def test_no_rule_is_missed_on_the_corpus(corpus: list[Template]) -> None:
    rules = default_rules()
    patterns = [re2.compile(rule.pattern) for rule in rules.rules]
    index = LiteralIndex([rule.pattern for rule in rules.rules])
    for template in corpus[::37]:
        words = parse(template.text).words
        hits = {number for number, pattern in enumerate(patterns) if pattern.search(words)}
        assert hits <= set(index.candidates(words)), words


_PIECES = st.sampled_from(["a", "b", "ab", "[ab]", "(?:a|bc)", "(?:ab)?", "c*", "c+", ".", r"\b", "(?:c|d){2}", "|"])


@given(st.lists(_PIECES, min_size=1, max_size=6).map("".join), st.text(alphabet="abcd ", max_size=12))
def test_what_matches_is_a_candidate(pattern: str, text: str) -> None:
    if re2.search(pattern, text) is not None:
        assert LiteralIndex([pattern]).candidates(text) == [0]
