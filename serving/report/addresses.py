"""What to do with each address that bounced, on its own evidence alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from whybounce.model.taxonomy import TAXONOMY, Action
from whybounce.serving.report.counts import COMPLAINT, UNDATED, Counts, Event, event_key
from whybounce.serving.report.incidents import Incident
from whybounce.serving.report.policy import Repeated, Suppression

_DAY = 86400
_SUPPRESSES = frozenset(str(info.reason) for info in TAXONOMY if info.action is Action.SUPPRESS)


class Decision(StrEnum):
    """What to do with an address."""

    SUPPRESS = "suppress"
    RETRY = "retry"
    REVIEW = "review"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do with one address, and the bounce that it rests on.

    Attributes
    ----------
    because : str
        Which part of the policy decided, for a person.
    bounces : int
        Its bounces that are known (the latest forty).
    held_back : int
        Those of them within an incident.
    first, last : str or None
        Days (ISO 8601) of its first and last bounce; None when no source said when.
    """

    address: str
    decision: Decision
    reason: str
    confidence: float
    because: str
    evidence: str
    bounces: int
    held_back: int
    first: str | None
    last: str | None


def advise(counts: Counts, policy: Suppression, incidents: Sequence[Incident]) -> Iterator[Advice]:
    """Yield advice for every address that bounced, in the order of addresses."""
    held: dict[tuple[str, str, str], list[Incident]] = {}
    for incident in incidents:
        if incident.hard:
            held.setdefault((incident.provider, incident.reason, incident.template), []).append(incident)
    for address in sorted(counts.addresses):
        events = sorted(counts.addresses[address], key=event_key)
        yield _of(address, events, counts.deliveries.get(address, UNDATED), policy, held)


def _of(
    address: str, events: list[Event], delivered: int, policy: Suppression,
    held: dict[tuple[str, str, str], list[Incident]],
) -> Advice:  # fmt: skip
    # Mail that arrived later says more than the bounces before it; a complaint comes because it arrived.
    standing = [event for event in events if event.verdict == COMPLAINT or not UNDATED != event.time < delivered]
    counted = [event for event in standing if not _is_held(event, held)]
    if not standing:
        return _advice(address, Decision.KEEP, events[-1], "mail was delivered to it since", events, 0)
    decision, evidence, because = _decide(counted, policy) if counted else (Decision.REVIEW, None, "")
    if evidence is None:
        evidence, because = events[-1], "held back: within an incident at the provider"
    return _advice(address, decision, evidence, because, events, len(standing) - len(counted))


def _advice(
    address: str, decision: Decision, evidence: Event, because: str, events: list[Event], held_back: int
) -> Advice:
    times = [event.time for event in events if event.time != UNDATED]
    return Advice(
        address, decision, evidence.verdict.reason, evidence.verdict.confidence, because, evidence.text, len(events),
        held_back, _day(min(times, default=UNDATED)), _day(max(times, default=UNDATED)),
    )  # fmt: skip


def _is_held(event: Event, held: dict[tuple[str, str, str], list[Incident]]) -> bool:
    if not held:
        return False
    key = (event.provider, event.verdict.reason, event.verdict.template)
    return any(incident.holds(*key, event.time) for incident in held.get(key, ()))


def _decide(events: list[Event], policy: Suppression) -> tuple[Decision, Event, str]:
    complaints = [event for event in events if event.verdict == COMPLAINT]
    if complaints and policy.complaints:
        return Decision.SUPPRESS, complaints[-1], "reported the mail as spam"
    sure = [event for event in events if event.verdict.reason in policy.once and _is_sure(event, policy)]
    if sure:
        return Decision.SUPPRESS, sure[-1], "once is enough for this reason"
    unsure = [event for event in events if event.verdict.reason in policy.once]
    if _comes_again(unsure, policy.unsure):
        return Decision.SUPPRESS, unsure[-1], f"unsure, but {_often(policy.unsure)}"
    for reason, rule in sorted(policy.repeated.items()):
        of_reason = [event for event in events if event.verdict.reason == reason]
        if _comes_again(of_reason, rule):
            return Decision.SUPPRESS, of_reason[-1], _often(rule)
    last = events[-1]
    doubtful = [event for event in unsure if not _said_temporary(event)]
    if doubtful:
        return Decision.REVIEW, doubtful[-1], "looks like a bad address, but it is not sure"
    if last.verdict.action in (Action.REVIEW, Action.FIX_ADDRESS, Action.SUPPRESS):
        return Decision.REVIEW, last, "a person should look at it"
    if last.verdict.action == Action.SUPPRESS_IF_REPEATED:
        return Decision.KEEP, last, "not often enough yet to be suppressed"
    if last.verdict.retryable or last.verdict.action in (Action.RETRY_LATER, Action.SLOW_DOWN):
        return Decision.RETRY, last, "a later try may succeed"
    return Decision.KEEP, last, "the fault is not the address's"


def _is_sure(event: Event, policy: Suppression) -> bool:
    if event.verdict.action == Action.REVIEW or _said_temporary(event):
        return False
    return event.verdict.confidence >= policy.min_confidence


def _said_temporary(event: Event) -> bool:
    """Whether the server called temporary (class 4) what suppresses an address otherwise."""
    verdict = event.verdict
    return verdict.action == Action.SUPPRESS_IF_REPEATED and verdict.reason in _SUPPRESSES


def _comes_again(events: Iterable[Event], rule: Repeated) -> bool:
    """Whether bounces stand on ``times`` different days within ``days`` days; undated ones count as one day."""
    days = sorted({event.time // _DAY for event in events})
    return any(
        days[place + rule.times - 1] - days[place] < rule.days and days[place] != UNDATED // _DAY
        for place in range(len(days) - rule.times + 1)
    ) or (rule.times == 1 and bool(days))


def _often(rule: Repeated) -> str:
    return f"on {rule.times} days within {rule.days}"


def _day(time: int) -> str | None:
    return None if time == UNDATED else datetime.fromtimestamp(time, UTC).date().isoformat()
