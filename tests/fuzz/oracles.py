"""What must hold of whatever a parser reads, beyond that it raises nothing."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime
from typing import Any

from whybounce.model.predictor import BounceClassifier
from whybounce.serving.intake.format import Format, Skipped, Source
from whybounce.serving.intake.formats import formats
from whybounce.serving.intake.judge import agrees, judge
from whybounce.serving.intake.open import head
from whybounce.serving.intake.record import BounceRecord, Outcome
from whybounce.serving.report.addresses import Decision
from whybounce.serving.report.counter import Counter
from whybounce.serving.report.document import build
from whybounce.serving.report.render import address_list, to_csv, to_json, to_markdown

from .target import Broken, Items

NAME = "fuzzed"
_KINDS = {None, "vacation", "challenge", "delay", "list_notice", "feedback_report", "receipt", "success"}
_TEXTS = (
    "recipient", "enhanced_status", "command", "remote_host", "reporting_mta", "message_id", "campaign", "event_id",
    "theirs", "vocabulary", "kind",
)  # fmt: skip


def must(holds: bool, what: str, *seen: object) -> None:
    """Raise ``Broken`` unless something holds."""
    if not holds:
        raise Broken(f"{what}: {', '.join(map(repr, seen))[:2000]}")


def chance(data: bytes, one_in: int, salt: int = 0) -> bool:
    """Whether an input is one of the few for which an expensive oracle runs; the same whenever it is tried."""
    return zlib.crc32(data, salt) % one_in == 0


# Records


def well_formed(items: Items) -> None:
    """Every field has its type, and says where it comes from."""
    for item in items:
        must(item.source.startswith(NAME), "a source is named after the file", item)
        if isinstance(item, Skipped):
            must(bool(item.why) and "\n" not in item.why, "why is one line", item)
            continue
        must(isinstance(item, BounceRecord), "records or what was skipped", item)
        must(isinstance(item.outcome, Outcome), "an outcome", item)
        must(isinstance(item.diagnostic, str), "a diagnostic is text", item)
        must(_can_be_written(item.diagnostic), "a diagnostic can be written", item)
        for name in _TEXTS:
            value = getattr(item, name)
            must(
                value is None or (isinstance(value, str) and not value.isspace() and value != ""),
                f"{name} is text or nothing",
                item,
            )
            must(value is None or _can_be_written(value), f"{name} can be written", item)
        code = item.reply_code
        must(code is None or (type(code) is int and 0 <= code <= 999), "a reply code has three digits", item)
        must(item.kind in _KINDS, "a kind that is documented", item)
        for time in (item.sent_at, item.occurred_at):
            must(time is None or isinstance(time, datetime), "a time", item)


def _can_be_written(text: str) -> bool:
    """Whether there are no halves of characters in it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def judged(items: Items, classifier: BounceClassifier) -> None:
    """Every record gets a known reason, and whether its source agrees can be said."""
    known = classifier.taxonomy
    for item in items[:50]:
        if isinstance(item, BounceRecord):
            prediction = judge(classifier, item)
            must(prediction.reason in known, "a known reason", item, prediction.reason)
            must(0 <= prediction.confidence <= 1, "a confidence", item, prediction.confidence)
            must(agrees(item, prediction.reason) in (True, False, None), "agrees", item)


def reported(items: Items, form: Format, classifier: BounceClassifier) -> None:
    """What was read can be counted, and the report written in every form but the page with its charts."""
    counter = Counter(classifier)
    counter.read(NAME, form, iter(items))
    counts = counter.counts
    records = [item for item in items if isinstance(item, BounceRecord)]
    total = counts.delivered + counts.deferred + counts.bounced + counts.not_bounces
    must(total == len(records), "every record is counted once", total, len(records))
    made = build(counts, None, classifier.taxonomy)
    state = to_json(made, counts)
    json.loads(state)
    for text in (state, to_csv(made), to_markdown(made), address_list(made.advice, *Decision)):
        text.encode()


def recognised(source: Source) -> None:
    """Every format says how sure it is of these bytes, and always the same."""
    seen = head(source)
    for form in formats():
        sure = form.recognise(seen)
        must(0 <= sure <= 1, f"{form.name} claims 0 to 1", sure)


_TAKEN_AWAY = dict.fromkeys(map(ord, "\"'\\\0\ufeff"))


def squeezed(text: str) -> str:
    """Text without what reading may take away: white space, quotes, marks of byte order, the case of letters."""
    return "".join(text.split()).translate(_TAKEN_AWAY).casefold()


def nothing_invented(items: Items, said: str, *, whole_addresses: bool = True) -> None:
    """Addresses and hosts stand in the input."""
    text = squeezed(said)
    for item in items:
        if not isinstance(item, BounceRecord):
            continue
        for name in ("recipient", "remote_host", "reporting_mta"):
            value = getattr(item, name)
            if value is None:
                continue
            # A list's address is told from that of its owner or its bounces: both halves stand there.
            parts = [value] if whole_addresses else value.rpartition("@")[::2]
            for part in parts:
                must(squeezed(part) in text, f"{name} stands in the input", part)


# How an input comes


class Dribble(io.RawIOBase):
    """Gives an input in pieces of any size, as a pipe does."""

    def __init__(self, data: bytes, sizes: Iterable[int]) -> None:
        self._data = data
        self._at = 0
        self._sizes = list(sizes) or [1]
        self._turn = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = min(len(buffer), self._sizes[self._turn % len(self._sizes)], len(self._data) - self._at)
        self._turn += 1
        buffer[:size] = self._data[self._at : self._at + size]
        self._at += size
        return size


def dribbled(data: bytes, *, buffered: bool = False) -> Source:
    """Return a source whose reads are short, how short depends on the input; ``buffered`` ones fill what is asked."""
    sum_of = zlib.crc32(data)
    sizes = [1 + (sum_of >> shift) % 97 for shift in (0, 8, 16)]
    if buffered:
        return Source(NAME, lambda: io.BufferedReader(Dribble(data, sizes), 1 + sum_of % 61))
    return Source(NAME, lambda: Dribble(data, sizes))  # type: ignore[arg-type, return-value]


def plain(items: Items, *, skipped: bool = True) -> list[Any]:
    """Items for comparing: without where they stand, white space as one blank."""
    found: list[Any] = []
    for item in items:
        if isinstance(item, Skipped):
            found.extend([item.why] if skipped else [])
            continue
        values = [getattr(item, one.name) for one in fields(item) if one.name != "source"]
        found.append([" ".join(value.split()) if isinstance(value, str) else value for value in values])
    return found


def alike(one: list[Any], other: list[Any], what: str) -> None:
    """Raise unless two lists are equal."""
    if one != other:
        differ = next((place for place, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), -1)
        raise Broken(f"{what}: {len(one)} and {len(other)}, at {differ}: {one[differ:][:1]!r} {other[differ:][:1]!r}")
