"""Counting records while they go by, with what the classifier says of those that were not delivered."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from whybounce.model.diagnostic import provider_of_host
from whybounce.model.prediction import Prediction
from whybounce.model.predictor import BounceClassifier, Remembered
from whybounce.model.taxonomy import Reason
from whybounce.serving.intake.format import Format, Group, Skipped
from whybounce.serving.intake.formats import EmptyError
from whybounce.serving.intake.judge import judge, tells_of_a_closed_mailbox
from whybounce.serving.intake.record import BounceRecord, Outcome
from whybounce.serving.report.counts import COMPLAINT, KEPT_EVENTS, UNDATED, Counts, Event, Verdict, latest

KEPT_TEXT = 1000
"""Characters of a diagnostic that are kept as evidence."""

_LATEST = 253_370_764_800
"""The year 9999, whose end is the end of what can be written as a date: a time in it or later is none."""
_UNKNOWN = "(unknown)"
_COLUMN = {"hard": 1, "soft": 2, "technical": 3}


class Counter:
    """Counts records, asking a classifier about those that were not delivered.

    Parameters
    ----------
    classifier : BounceClassifier
    counts : Counts, optional
        Counts to go on with.
    """

    def __init__(self, classifier: BounceClassifier, counts: Counts | None = None) -> None:
        self.counts = counts if counts is not None else Counts()
        self._classifier = classifier
        self._verdicts: dict[int, tuple[Remembered, Verdict]] = {}
        self._provider = lru_cache(maxsize=65536)(_provider)
        if classifier.model_version:
            self.counts.model_versions.add(classifier.model_version)

    def read(self, name: str, format: Format, records: Iterable[BounceRecord | Skipped]) -> int:
        """Count what a format read from a source; returns the number of records."""
        source = self.counts.sources.setdefault((name, format.name), [0, 0])
        before = source[0]
        self.counts.tells_deliveries |= format.group is Group.LOGS
        add = self.add
        for record in records:
            if isinstance(record, Skipped):
                source[1] += 1
                self.counts.leave_out((name, format.name), record.source, record.why)
            else:
                source[0] += 1
                add(record)
        return source[0] - before

    def leave_out(self, name: str, why: Exception) -> None:
        """Note a source that no format reads; one that is empty lacks nothing."""
        kind, pieces = ("(empty)", 0) if isinstance(why, EmptyError) else ("(unknown)", 1)
        self.counts.sources.setdefault((name, kind), [0, 0])[1] += pieces
        if pieces:
            self.counts.leave_out((name, kind), name, str(why).removeprefix(f"{name}: "))

    def add(self, record: BounceRecord) -> None:
        """Count one record."""
        counts = self.counts
        outcome = record.outcome
        if outcome is Outcome.DELIVERED:
            counts.delivered += 1
            counts.tells_deliveries = True
            address = _address(record.recipient)
            domain = address.rpartition("@")[2]
            time = _seconds(record.occurred_at)
            self._rows(record, 0, self._provider(record.remote_host, domain), domain, time)
            # Kept of all of them, as a bounce may be read after the delivery that came later.
            if time != UNDATED and time > counts.deliveries.get(address, UNDATED) and "@" in address:
                counts.deliveries[address] = time
        elif outcome is Outcome.DEFERRED:
            counts.deferred += 1
            reason = self._verdict(record).reason
            counts.deferrals[reason] = counts.deferrals.get(reason, 0) + 1
        elif outcome is Outcome.NOT_A_BOUNCE and not (
            record.kind == "vacation" and tells_of_a_closed_mailbox(record, self._verdict(record).reason)
        ):
            counts.not_bounces += 1
            if record.kind == "feedback_report":
                self._complaint(record)
        else:
            self._bounce(record)

    def _complaint(self, record: BounceRecord) -> None:
        self.counts.complaints += 1
        address = _address(record.recipient)
        if "@" in address:
            domain = address.rpartition("@")[2]
            text = " ".join(record.diagnostic[:KEPT_TEXT].split())
            provider = self._provider(record.remote_host, domain)
            self._keep(address, Event(_seconds(record.occurred_at), provider, COMPLAINT, text))

    def _bounce(self, record: BounceRecord) -> None:
        counts = self.counts
        verdict = self._verdict(record)
        if verdict.reason == Reason.NOT_A_BOUNCE:
            counts.not_bounces += 1
            return
        counts.bounced += 1
        text = " ".join(record.diagnostic[:KEPT_TEXT].split())
        counts.count(verdict, 1, text)
        address = _address(record.recipient)
        domain = address.rpartition("@")[2]
        provider = self._provider(record.remote_host, domain)
        time = _seconds(record.occurred_at)
        self._rows(record, _COLUMN.get(verdict.category, 4), provider, domain, time)
        hours = counts.spikes.setdefault((provider, verdict.reason, verdict.template), {})
        hour = time // 3600 if time != UNDATED else UNDATED
        hours[hour] = hours.get(hour, 0) + 1
        if "@" not in address:
            counts.unnamed += 1
            return
        self._keep(address, Event(time, provider, verdict, text))

    def _keep(self, address: str, event: Event) -> None:
        addresses = self.counts.addresses
        known = addresses.get(address)
        if known is None:
            addresses[address] = [event]
        else:
            known.append(event)
            if len(known) > KEPT_EVENTS:
                addresses[address] = latest(known)

    def _rows(self, record: BounceRecord, column: int, provider: str, domain: str, time: int) -> None:
        counts = self.counts
        hour = time // 3600 if time != UNDATED else UNDATED
        tables: tuple[tuple[dict[Any, list[int]], Any], ...] = (
            (counts.providers, provider), (counts.domains, domain or _UNKNOWN), (counts.campaigns, record.campaign),
            (counts.hours, hour),
        )  # fmt: skip
        for table, key in tables:
            if key is None:
                continue
            row = table.get(key)
            if row is None:
                row = table[key] = [0, 0, 0, 0, 0]
            row[column] += 1
        traffic = counts.traffic.get((provider, hour))
        if traffic is None:
            traffic = counts.traffic[provider, hour] = [0, 0]
        traffic[column > 0] += 1

    def _verdict(self, record: BounceRecord) -> Verdict:
        if not record.diagnostic and record.theirs is not None:
            return _of(judge(self._classifier, record))
        remembered = self._classifier.recall(
            record.diagnostic, record.reply_code, record.enhanced_status, record.command, record.remote_host
        )
        # The classifier answers a template with one object as long as it remembers it; holding it keeps its id taken.
        known = self._verdicts.get(id(remembered))
        if known is None:
            if len(self._verdicts) > 100_000:
                self._verdicts.clear()
            known = self._verdicts[id(remembered)] = (remembered, _of(remembered.prediction))
        return known[1]


def _of(prediction: Prediction) -> Verdict:
    return Verdict(
        prediction.category, prediction.group, prediction.reason, prediction.template, prediction.action,
        prediction.retryable, round(prediction.confidence, 4),
    )  # fmt: skip


def _address(recipient: str | None) -> str:
    return (recipient or "").strip().strip("<>").lower()


def _provider(host: str | None, domain: str) -> str:
    """Whose mail server it was: a provider that we know, else the recipient's domain."""
    return provider_of_host(host) or provider_of_host(domain) or domain or host or _UNKNOWN


def _seconds(time: datetime | None) -> int:
    """Seconds since 1970; a time without a zone is taken for UTC, as all of one log are alike."""
    if time is None:
        return UNDATED
    try:
        seconds = int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())
    except (OverflowError, ValueError):
        return UNDATED
    return max(0, seconds) if seconds < _LATEST else UNDATED
