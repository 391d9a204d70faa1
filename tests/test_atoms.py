"""The look-up of rules by literals: it may let too many patterns through, never too few."""

from __future__ import annotations

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from whybounce.model.atoms import LiteralIndex, required_literals
from whybounce.model.diagnostic import parse
from whybounce.model.rules import default_rules
from whybounce.training.corpus import Template


@pytest.mark.parametrize(
    ("pattern", "literals"),
    [
        ("abc", {"abc"}),
        (r"\babc\b", {"abc"}),
        ("abc|de", {"abc", "de"}),
        ("no such (?:user|mailbox)", {"no such "}),
        ("(?:user|mailbox) unknown", {" unknown"}),
        ("a(?: very)? long way", {" long way"}),
        ("ab+cd", {"cd"}),
        ("(?:quota)+", {"quota"}),
        ("(?:quota)*", None),
        (r"\d+", None),
        ("abc|.*", None),
        ("x[yz]", {"x"}),
        ("[yz]", {"y", "z"}),
        ("[a-z]", None),
        ("[^a]", None),
        ("(?i)abc", None),
        ("(?i:abc)", None),
        ("(?i:abc)de", {"de"}),
        ("a(", None),
        ("", None),
    ],
)
def test_required_literals(pattern: str, literals: set[str] | None) -> None:
    assert required_literals(pattern) == (None if literals is None else frozenset(literals))


def test_nothing_is_required_of_a_pattern_that_matches_anything() -> None:
    index = LiteralIndex(["abc", ".*", "b+"])
    assert index.candidates("zzz") == [1]
    assert index.candidates("xabcx") == [0, 1, 2]
    assert LiteralIndex([]).candidates("abc") == []


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
