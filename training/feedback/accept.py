"""Which corrections training may use: a pure function of all corrections.

The order of the checks: what a source said last counts; what would make a bad address
of a text about the sender or the message is put aside, and so is what contradicts the
corpus; then the sources vote on each template; at last no source contributes more than
its share. The outcome does not depend on the order of the rows, and what was accepted
is accepted again when it is all there is.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from whybounce.model.rules import ABOUT_THE_SENDER, RuleSet
from whybounce.model.taxonomy import TAXONOMY, Reason, Taxonomy
from whybounce.training.feedback.records import Feedback, Status, Subject

MAJORITY = 2 / 3
"""Share of the sources that must agree on a template on which sources disagree."""

AGAINST_THE_CORPUS = 3
"""Distinct sources that it takes to contradict the shipped corpus."""

MAX_PER_SOURCE = 2000
"""Templates that one source may contribute alone."""

FREE = 200
"""Templates that one source may contribute alone whatever the others do."""

ABOUT_SENDER_OR_MESSAGE = ABOUT_THE_SENDER | {
    Reason.SPAM_CONTENT, Reason.VIRUS_DETECTED, Reason.MESSAGE_TOO_LARGE,
}  # fmt: skip
"""Reasons that never become a bad address by feedback, where a rule reads them from the words."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The numbers that decide; see the constants of this module."""

    majority: float = MAJORITY
    against_the_corpus: int = AGAINST_THE_CORPUS
    max_per_source: int = MAX_PER_SOURCE
    free: int = FREE


@dataclass(frozen=True, slots=True)
class Accepted:
    """A template whose reason is settled, by whom, and by which rows."""

    subject: Subject
    reason: str
    sources: frozenset[str]
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """The outcome.

    Attributes
    ----------
    accepted : tuple of Accepted
        One a template, in the order of their keys.
    outcomes : dict
        Row id -> (status, why not).
    sources : dict
        Row id -> source.
    contested : tuple of Subject
        Templates on which sources disagree and nobody has the majority.
    """

    accepted: tuple[Accepted, ...]
    outcomes: Mapping[int, tuple[Status, str | None]]
    sources: Mapping[int, str]
    contested: tuple[Subject, ...]

    def rows(self, status: Status) -> list[int]:
        """Ids of the rows of a status."""
        return sorted(number for number, (found, _) in self.outcomes.items() if found is status)

    def summary(self, sources: int = 20) -> dict[str, Any]:
        """Return the counts: in all, by cause, and by the most active sources."""
        statuses = Counter(str(status) for status, _ in self.outcomes.values())
        causes = Counter(
            (because or "").partition(":")[0]
            for status, because in self.outcomes.values()
            if status is Status.QUARANTINED
        )
        by_source: dict[str, Counter[str]] = defaultdict(Counter)
        for number, (status, _) in self.outcomes.items():
            by_source[self.sources[number]][str(status)] += 1
        busiest = sorted(by_source.items(), key=lambda item: (-item[1].total(), item[0]))
        return {
            "rows": len(self.outcomes),
            "templates": len(self.accepted),
            **{str(status): statuses.get(str(status), 0) for status in Status if status is not Status.PENDING},
            "quarantined_because": dict(sorted(causes.items())),
            "reasons": dict(sorted(Counter(item.reason for item in self.accepted).items())),
            "sources": len(by_source),
            "by_source": {
                source: {"rows": counts.total(), **{name: counts[name] for name in sorted(counts)}}
                for source, counts in busiest[:sources]
            },
        }


def select(
    rows: Iterable[Feedback],
    *,
    rules: RuleSet,
    taxonomy: Taxonomy = TAXONOMY,
    corpus: Mapping[str, Collection[str]] | None = None,
    limits: Limits | None = None,
) -> Selection:
    """Decide which corrections training may use.

    Parameters
    ----------
    rows : iterable of Feedback
        In any order.
    rules : RuleSet
        They say which texts are about the sender.
    taxonomy : Taxonomy
        The reasons that there are.
    corpus : mapping, optional
        Document -> reasons that the shipped corpus gives it.
    limits : Limits, optional
    """
    bounds = limits or Limits()
    outcomes: dict[int, tuple[Status, str | None]] = {}
    sources: dict[int, str] = {}
    by_subject: dict[Subject, list[Feedback]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row.created_at, row.id)):
        by_subject[row.subject].append(row)
        sources[row.id] = row.source
    agreed: list[Accepted] = []
    contested: list[Subject] = []
    for subject in sorted(by_subject, key=lambda subject: subject.key):
        votes = _last_words(by_subject[subject], outcomes)
        votes = _sound(subject, votes, rules, taxonomy, outcomes)
        votes = _not_against_the_corpus(subject, votes, corpus or {}, bounds, outcomes)
        found = _elect(subject, votes, bounds, outcomes)
        if found is not None:
            agreed.append(found)
        elif votes:
            contested.append(subject)
    kept = _cap(agreed, bounds)
    for item in agreed:
        if item in kept:
            outcome: tuple[Status, str | None] = (Status.ACCEPTED, None)
        else:
            outcome = (Status.CAPPED, f"the source contributes {kept.caps[min(item.sources)]} templates already")
        outcomes.update(dict.fromkeys(item.rows, outcome))
    return Selection(tuple(item for item in agreed if item in kept), outcomes, sources, tuple(contested))


_Votes = dict[str, list[Feedback]]
"""Source -> its rows about one template, which all say the same."""


def _last_words(rows: list[Feedback], outcomes: dict[int, tuple[Status, str | None]]) -> _Votes:
    last = {row.source: row.reason for row in rows}  # in the order of time
    votes: _Votes = defaultdict(list)
    for row in rows:
        if row.reason == last[row.source]:
            votes[row.source].append(row)
        else:
            outcomes[row.id] = Status.SUPERSEDED, f"the source said {last[row.source]} later"
    return votes


def _sound(
    subject: Subject,
    votes: _Votes,
    rules: RuleSet,
    taxonomy: Taxonomy,
    outcomes: dict[int, tuple[Status, str | None]],
) -> _Votes:
    about = _about_sender_or_message(subject, rules)
    kept: _Votes = {}
    for source, rows in votes.items():
        reason = rows[0].reason
        because = None
        if reason not in taxonomy:
            because = f"unknown reason: {reason}"
        elif about and taxonomy.is_hard(reason):
            because = f"not about the address: the text speaks of {about}"
        elif not subject.template:
            because = "no text: there is nothing to learn from"
        if because is None:
            kept[source] = rows
        else:
            outcomes.update(dict.fromkeys((row.id for row in rows), (Status.QUARANTINED, because)))
    return kept


def _about_sender_or_message(subject: Subject, rules: RuleSet) -> str | None:
    judged = rules.judge(subject.diagnostic())
    if judged.veto is not None:
        return judged.veto
    rule = judged.verdict
    return rule.reason if rule is not None and rule.kind != "codes" and rule.reason in ABOUT_SENDER_OR_MESSAGE else None


def _not_against_the_corpus(
    subject: Subject,
    votes: _Votes,
    corpus: Mapping[str, Collection[str]],
    bounds: Limits,
    outcomes: dict[int, tuple[Status, str | None]],
) -> _Votes:
    there = corpus.get(subject.document()) if corpus else None
    if not there:
        return votes
    supporters = Counter(rows[0].reason for rows in votes.values())
    kept: _Votes = {}
    for source, rows in votes.items():
        reason = rows[0].reason
        if reason in there or supporters[reason] >= bounds.against_the_corpus:
            kept[source] = rows
        else:
            because = f"contradicts the corpus: it says {' or '.join(sorted(there))}"
            outcomes.update(dict.fromkeys((row.id for row in rows), (Status.QUARANTINED, because)))
    return kept


def _elect(
    subject: Subject, votes: _Votes, bounds: Limits, outcomes: dict[int, tuple[Status, str | None]]
) -> Accepted | None:
    if not votes:
        return None
    count = Counter(rows[0].reason for rows in votes.values())
    reason, supporters = min(count.items(), key=lambda item: (-item[1], item[0]))
    if len(count) > 1 and supporters < bounds.majority * len(votes) - 1e-9:
        said = ", ".join(f"{name} ×{times}" for name, times in sorted(count.items()))
        because = f"contradiction: sources say {said}"
        for rows in votes.values():
            outcomes.update(dict.fromkeys((row.id for row in rows), (Status.QUARANTINED, because)))
        return None
    for rows in votes.values():
        if rows[0].reason != reason:
            because = f"outvoted: {supporters} of {len(votes)} sources say {reason}"
            outcomes.update(dict.fromkeys((row.id for row in rows), (Status.QUARANTINED, because)))
    mine = {source: rows for source, rows in votes.items() if rows[0].reason == reason}
    numbers = sorted(row.id for rows in mine.values() for row in rows)
    return Accepted(subject, reason, frozenset(mine), tuple(numbers))


@dataclass(frozen=True, slots=True)
class _Kept:
    subjects: frozenset[str]
    caps: Mapping[str, int]

    def __contains__(self, item: Accepted) -> bool:
        return item.subject.key in self.subjects


def _cap(agreed: list[Accepted], bounds: Limits) -> _Kept:
    """Keep what several sources say; of what one says alone, as much as it may contribute.

    That is at most ``max_per_source`` templates, and no more than all other sources
    contribute together, but ``free`` in any case.
    """
    alone: dict[str, list[str]] = defaultdict(list)
    kept: set[str] = set()
    for item in agreed:
        if len(item.sources) == 1:
            alone[min(item.sources)].append(item.subject.key)
        else:
            kept.add(item.subject.key)
    size = {source: min(len(keys), bounds.max_per_source) for source, keys in alone.items()}
    total = sum(size.values()) + len(kept)
    caps = {source: min(bounds.max_per_source, max(bounds.free, total - size[source])) for source in alone}
    for source, keys in alone.items():
        # By digest: an even sample of what the source says, the same whatever else arrives.
        kept.update(sorted(keys, key=lambda key: hashlib.sha256(f"{source}/{key}".encode()).digest())[: caps[source]])
    return _Kept(frozenset(kept), caps)
