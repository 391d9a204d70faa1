"""The deterministic rules: data files, one linear-time pass, first match wins.

A rule file is TOML in ``model/ruleset``, read in the order of the file names. A rule
has an ``id``, a ``reason``, a ``pattern`` (RE2 syntax, over the words of the masked
template: lower case, no punctuation, mask words in capitals), at least one
``examples`` entry that must get this reason from this rule, and at least one
``counter`` entry that must not match the pattern. Optional: ``codes``, reply code or
status prefixes of which one has to be present (``"5"``, ``"550"``, ``"5.7."``), and
``not_codes`` which must be absent; and ``either_or``, true where the text leaves open whether
the address is bad: then no hard reason stands.

When no words match, :mod:`whybounce.model.codes` decides.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import re2

from whybounce.model.atoms import PatternIndex, quiet
from whybounce.model.codes import names_cause, reason_of_codes
from whybounce.model.diagnostic import Diagnostic
from whybounce.model.errors import RuleError
from whybounce.model.masking import template_of
from whybounce.model.taxonomy import TAXONOMY, Reason
from whybounce.model.vocabulary import ONLY_FAILED

ABOUT_THE_SENDER = frozenset(
    {
        Reason.SENDER_REPUTATION, Reason.SENDER_REJECTED, Reason.AUTHENTICATION_FAILURE, Reason.RATE_LIMITED,
        Reason.RELAY_DENIED, Reason.GREYLISTED, Reason.TLS_REQUIRED,
    }
)  # fmt: skip
"""Reasons that lie with the sender or the connection."""

KINDS = ("vendor", "words", "codes")
"""A vendor's own wording or code, words of the field, status codes alone."""

SILENT = frozenset(
    {
        "rejected",
        "refused",
        "declined",
        "failed",
        "failure",
        "error",
        "undeliverable",
        "undelivered",
        "bounced",
        "unknown",
    }
)
"""Words that name no cause."""

_LONGEST_SILENT = 120
"""Characters of words that say so little."""
_ONLY_FAILED = re2.Set.FullMatchSet(quiet())
_ONLY_FAILED.Add("(?:ADDR )?(?:" + "|".join(ONLY_FAILED) + ")(?: ADDR)?")
_ONLY_FAILED.Compile()
_CAPTURING = re.compile(r"(?<!\\)\((?!\?)")

RULESET = Path(__file__).parent / "ruleset"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; see the module's docstring for the fields."""

    id: str
    reason: str
    pattern: str
    examples: tuple[str, ...]
    counter: tuple[str, ...]
    codes: tuple[str, ...] = ()
    not_codes: tuple[str, ...] = ()
    either_or: bool = False


@dataclass(frozen=True, slots=True)
class RuleMatch:
    """What the rules say.

    Attributes
    ----------
    reason, rule_id : str
    words : str
        The words that were read; those that a code stands for, where codes decide.
    pattern : str or None
        What the rule looked for in them.
    """

    reason: str
    rule_id: str
    words: str
    pattern: str | None = None

    @property
    def text(self) -> str:
        """The words that decided. RE2 takes longer to say where they are than whether, and few ask."""
        found = _pattern(self.pattern).search(self.words) if self.pattern is not None else None
        return self.words if found is None else str(found.group().strip())

    @property
    def kind(self) -> str:
        """What the verdict rests on: one of :data:`KINDS`."""
        family = self.rule_id.partition(".")[0]
        return family if family in KINDS else "words"


class Judgement:
    """What the rules say about a diagnostic.

    Attributes
    ----------
    verdict : RuleMatch or None
        The first rule's that fits, else the status codes', else None.
    """

    __slots__ = ("_rules", "_veto", "verdict")

    def __init__(self, verdict: RuleMatch | None, rules: Iterable[Rule]) -> None:
        self.verdict = verdict
        self._rules = rules
        self._veto: str | None = None

    @property
    def veto(self) -> str | None:
        """The reason about the sender that outranks every rule for a bad address, if any.

        It keeps a hard reason from standing on a text that speaks of the sender, or names a soft reason as well.
        Finding it takes more patterns than the verdict does.
        """
        for rule in self._rules:
            if rule.reason in ABOUT_THE_SENDER or rule.either_or:
                self._veto = rule.reason
                break
            if TAXONOMY.is_hard(rule.reason):
                break
        self._rules = ()
        return self._veto


class RuleSet:
    """An ordered list of rules, compiled for one pass over a text.

    Parameters
    ----------
    rules : tuple of Rule
        In order of precedence.

    Raises
    ------
    RuleError
        When a pattern does not compile or an id is used twice.
    """

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self.rules = rules
        ids = [rule.id for rule in rules]
        twice = sorted({id_ for id_ in ids if ids.count(id_) > 1})
        if twice:
            raise RuleError(f"rule ids used twice: {', '.join(twice)}; give each rule an id of its own")
        try:
            examples = [template_of(example) for rule in rules for example in rule.examples]
            self._index = PatternIndex([rule.pattern for rule in rules], examples)
        except re2.error as error:
            wrong = ", ".join(rule.id for rule in rules if not _compiles(rule.pattern))
            raise RuleError(f"rule {wrong}: pattern does not compile ({error}); use RE2 syntax") from error
        self._ruled_out = lru_cache(maxsize=4096)(self._by_codes)

    def matches(self, diagnostic: Diagnostic) -> list[Rule]:
        """All rules whose pattern and codes fit, in order."""
        return list(self._matches(diagnostic))

    def _matches(self, diagnostic: Diagnostic) -> Iterator[Rule]:
        out = self._ruled_out(diagnostic.reply_code, diagnostic.enhanced_status)
        for index in self._index.find(diagnostic.words, out):
            yield self.rules[index]

    def _by_codes(self, reply_code: int | None, status: str | None) -> frozenset[int]:
        """The rules that these codes rule out."""
        code, status = str(reply_code or ""), status or ""
        return frozenset(index for index, rule in enumerate(self.rules) if not _codes_fit(rule, code, status))

    def judge(self, diagnostic: Diagnostic) -> Judgement:
        """Return the verdict, and a veto that is looked for when it is asked for."""
        if is_silent(diagnostic.words) and names_cause(diagnostic.enhanced_status):
            return Judgement(_coded(diagnostic), ())
        matches = self._matches(diagnostic)
        rule = next(matches, None)
        if rule is None:
            return Judgement(_coded(diagnostic), ())
        return Judgement(RuleMatch(rule.reason, rule.id, diagnostic.words, rule.pattern), chain((rule,), matches))

    def decide(self, diagnostic: Diagnostic) -> RuleMatch | None:
        """Return the verdict alone; see :meth:`judge`."""
        return self.judge(diagnostic).verdict


def _coded(diagnostic: Diagnostic) -> RuleMatch | None:
    coded = reason_of_codes(diagnostic)
    if coded is not None:
        return RuleMatch(*coded)
    words = diagnostic.words
    return RuleMatch(Reason.NO_INFORMATION, "words.only-failed", words) if words and _only_failed(words) else None


@lru_cache(maxsize=4096)
def _pattern(pattern: str) -> Any:
    # A group that captures makes a match several times as slow.
    return re2.compile(_CAPTURING.sub("(?:", pattern), quiet())


def _compiles(pattern: str) -> bool:
    try:
        re2.compile(pattern, quiet())
    except re2.error:
        return False
    return True


def is_silent(words: str) -> bool:
    """Whether the words say no more than that it failed: then a specific status decides."""
    if len(words) > _LONGEST_SILENT:
        return False
    return all(word.isupper() or word in SILENT for word in words.split()) or _only_failed(words)


def _only_failed(words: str) -> bool:
    return bool(_ONLY_FAILED.Match(words))


def _codes_fit(rule: Rule, reply_code: str, status: str) -> bool:
    if rule.codes and not (reply_code.startswith(rule.codes) or status.startswith(rule.codes)):
        return False
    return not (rule.not_codes and (reply_code.startswith(rule.not_codes) or status.startswith(rule.not_codes)))


def load_rules(folder: Path = RULESET) -> tuple[Rule, ...]:
    """Read every ``*.toml`` of a folder, in the order of the names.

    Raises
    ------
    RuleError
        Naming the file and what is wrong with it.
    """
    rules: list[Rule] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            document = tomllib.loads(path.read_text("utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise RuleError(f"{path.name}: not valid TOML ({error})") from error
        rules += [_rule(path.name, row) for row in document.get("rule", [])]
    return tuple(rules)


def _rule(file: str, row: dict[str, Any]) -> Rule:
    known = {"id", "reason", "pattern", "examples", "counter", "codes", "not_codes", "either_or"}
    name = row.get("id", "without id")
    for field in ("id", "reason", "pattern", "examples", "counter"):
        if not row.get(field):
            raise RuleError(f"{file}: rule {name} has no {field!r}; add it")
    if set(row) - known:
        raise RuleError(f"{file}: rule {name} has unknown fields {sorted(set(row) - known)}; known: {sorted(known)}")
    if row["reason"] not in TAXONOMY:
        raise RuleError(f"{file}: rule {name} has the unknown reason {row['reason']!r}")
    lists = {field: tuple(row.get(field, ())) for field in ("examples", "counter", "codes", "not_codes")}
    return Rule(
        id=row["id"], reason=row["reason"], pattern=row["pattern"], either_or=bool(row.get("either_or")), **lists
    )


@lru_cache(maxsize=1)
def default_rules() -> RuleSet:
    """The shipped rules, compiled once per process."""
    return RuleSet(load_rules())
