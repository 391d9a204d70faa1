"""The look-up of rules by phrases and literals: it finds what RE2 finds, no more and no less."""

from __future__ import annotations

from typing import Any

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from whybounce.model.atoms import PatternIndex, quiet
from whybounce.model.diagnostic import parse
from whybounce.model.phrases import MOST, Phrase, alternatives
from whybounce.model.rules import default_rules
from whybounce.training.corpus import Template


@pytest.mark.parametrize(
    "case",
    [
        ("abc", "abc"),
        ("abc|de", "abc", "de"),
        ("(?:abc|(?:de|fg))", "abc", "de", "fg"),
        ("no such (?:user|mailbox)", "no such user", "no such mailbox"),
        ("a(?: very)? long way", "a long way", "a very long way"),
        ("x[yz]", "xy", "xz"),
        ("(?:ab){1,2}", "ab", "abab"),
        # What comes last or first may be absent, or more than that.
        (r"virus\w*", "virus"),
        (r"full(?: \w+){0,3}", "full"),
        ("no+", "no"),
        (r"\S*quota.*", "quota"),
    ],
    ids=str,
)
def test_phrases(case: tuple[str, ...]) -> None:
    pattern, *wanted = case
    assert said_of(pattern) == ([Phrase(text, None, None) for text in wanted], [])


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        (r"\bip\b", [("ip", False, False)]),
        (r"(?:\bip|tls)", [("ip", False, None), ("tls", None, None)]),
        (r" or\b", [(" or", None, False)]),
        (r"\b or", [(" or", True, None)]),
        (r"ends \b", [("ends ", None, True)]),
        (r"\bété\b", [("été", True, True)]),  # é is no part of a word to RE2
        (r"virus\w*\b", [("virus", None, None)]),  # that word ends somewhere
        (r"\b\w*virus", [("virus", None, None)]),
        (r"\b\b(?:ab)?c", [("c", False, None), ("abc", False, None)]),
        (r"ab\b c", [("ab c", None, None)]),
        (r"a(?: \bb|\bc)", [("a b", None, None)]),  # there is no boundary within "ac"
        (r"ab\b(?:s| c)?\b", [("ab", None, False), ("ab c", None, False)]),
    ],
)
def test_boundaries(pattern: str, wanted: list[tuple[Any, ...]]) -> None:
    assert said_of(pattern) == ([Phrase(*one) for one in wanted], [])


@pytest.mark.parametrize(
    "case",
    [
        ("(?:user|mailbox) .*unknown|no .* here", ["user|mailbox", " ", "unknown"], ["no ", " here"]),
        ("ab+cd", ["a", "b", "cd"]),
        (r"virus\w* found", ["virus", " found"]),
        (r"is\w*\b .*", ["is", " "]),  # the word ends before the space, which is not known here
        (r"\d+", []),
        (r"abc|.*", []),
        ("[a-z]x", ["x"]),
        ("[^a]", []),
        ("^abc$", ["abc"]),
        ("", []),
        (f"(?:{'|'.join(f'{n:02}' for n in range(20))}){{2}}x", ["0|1"], ["x"]),
    ],
    ids=str,
)
def test_clauses(case: tuple[Any, ...]) -> None:
    """A pattern, and for each alternative that is not phrases what it asks for: of each part one literal."""
    pattern, *clauses = case
    found = alternatives(pattern)
    assert found is not None
    asked = [clause for one in found for clause in one.clauses]
    if len(pattern) > 40:  # too many to list
        assert len(asked) == 1
        assert sorted(map(len, asked[0])) == [1, 20]
        assert MOST < 20 * 20
        return
    assert asked == [frozenset(frozenset(part.split("|")) for part in clause) for clause in clauses]


@pytest.mark.parametrize(
    "pattern",
    ["(?i)abc", "(?i:abc)de", "a(", "[[:alpha:]]x", r"\pLx", "a(?=b)", r"(a)\1", r"a\Z", "(?x)a b", "(?s).a", "a*+"],
)
def test_nothing_is_said_of_what_re_and_re2_may_read_differently(pattern: str) -> None:
    assert alternatives(pattern) is None


def said_of(pattern: str) -> tuple[list[Phrase], list[Any]]:
    found = alternatives(pattern)
    assert found is not None
    return [phrase for one in found for phrase in one.phrases], [clause for one in found for clause in one.clauses]


def test_a_pattern_that_does_not_compile_is_not_let_in() -> None:
    for pattern in ("a(?=b)", "a(", "(?:ab){2000}"):
        with pytest.raises(re2.error):
            PatternIndex([pattern])


def test_a_pattern_that_matches_anything_is_always_tried() -> None:
    index = PatternIndex(["abc", ".*", "b+", "b?|[[:alpha:]]zz"])
    assert list(index.find("zzz")) == [1, 3]
    assert list(index.find("xabcx")) == [0, 1, 2, 3]
    assert list(index.find("xabcx", without={1, 2})) == [0, 3]
    assert list(PatternIndex([]).find("abc")) == []


def test_an_alternative_has_to_be_there_whole() -> None:
    index = PatternIndex([r"(?:user|mailbox) (?:is )?(?:\w+ )?(?:unknown|full)", "no such|not .* here"])
    assert list(index.find("unknown sender")) == []
    assert list(index.find("mailbox may be full")) == []
    assert list(index.find("mailbox almost full")) == [0]
    assert list(index.find("not now")) == []
    assert list(index.find("no such user, not known here")) == [1]


def test_what_is_asked_for_may_be_as_seldom_as_one_likes() -> None:
    patterns = ["mail .*zorb", "mail .*box"]
    for typical in ([], ["mail zorb"], ["box"]):
        index = PatternIndex(patterns, typical)
        assert list(index.find("mail to zorb")) == [0]
        assert list(index.find("box of mail")) == []


def test_the_rules_are_found_as_re2_finds_them(corpus: list[Template]) -> None:
    rules = default_rules()
    patterns = [re2.compile(rule.pattern) for rule in rules.rules]
    index = PatternIndex([rule.pattern for rule in rules.rules])
    for template in corpus[::11]:
        words = parse(template.text).words
        hits = [number for number, pattern in enumerate(patterns) if pattern.search(words)]
        assert list(index.find(words)) == hits, words


_PIECES = st.sampled_from(
    ["a", "b", "ab", "é", " ", "[ab]", "[^a]", "(?:a|bc)", "(?:ab)?", "c*", "c+", ".", r"\b", r"\w*", r"\w+", r"\S*",
     "(?:c|d){2}", "(?:d| ){1,2}", r"(?:\w+ ){0,2}", "(?:a|b b)+", "$", "|", "(?:", ")"]
)  # fmt: skip


@given(
    st.lists(st.lists(_PIECES, min_size=1, max_size=7).map("".join), min_size=1, max_size=3),
    st.lists(st.text(alphabet="abcdé ", max_size=12), min_size=1, max_size=8),
)
def test_what_matches_is_found(patterns: list[str], texts: list[str]) -> None:
    compiled = []
    for pattern in patterns:
        try:
            compiled.append(re2.compile(pattern, quiet()))
        except re2.error:
            return
    index = PatternIndex(patterns)
    for text in texts:
        hits = [number for number, pattern in enumerate(compiled) if pattern.search(text)]
        assert list(index.find(text)) == hits
