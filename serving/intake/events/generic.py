"""Any JSON: where the events and their fields stand is said with paths.

A path is keys with dots between, ``[]`` behind a key whose array is gone through, a number to
choose one element: ``data.events[]``, ``answer.smtp.0``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from whybounce.model.errors import DataError
from whybounce.serving.intake.events.provider import bare, code, first, moment, status, text
from whybounce.serving.intake.events.values import values
from whybounce.serving.intake.format import Format, Group, Read, Skipped, Source
from whybounce.serving.intake.outcomes import meaning_of
from whybounce.serving.intake.record import BounceRecord, Outcome

GUESSES: dict[str, tuple[str, ...]] = {
    "diagnostic": (
        "diagnostic", "diagnostic_code", "diagnosticCode", "smtp_reply", "smtp_response", "raw_reason", "response",
        "bounce_message", "details", "reason", "error", "message", "description",
    ),
    "recipient": ("recipient", "email", "address", "rcpt_to", "to", "emailAddress", "email_address"),
    "reply_code": ("reply_code", "smtp_code", "code"),
    "enhanced_status": ("enhanced_status", "enhanced_code", "status", "dsn"),
    "remote_host": ("remote_host", "mx", "remote_mta", "host"),
    "message_id": ("message_id", "messageId", "message-id", "Message-ID"),
    "campaign": ("campaign", "campaign_id", "tag"),
    "event_id": ("event_id", "id"),
    "occurred_at": ("occurred_at", "timestamp", "time", "date", "created_at"),
    "outcome": ("outcome", "event", "type", "status"),
    "theirs": ("classification", "bounce_type", "category", "class"),
}  # fmt: skip
"""Keys that are tried at the top of an event for a field without a path."""

_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Paths:
    """Where things stand.

    Attributes
    ----------
    events : str
        Path to the events inside a value; empty when each value is one.
    fields : mapping of str to str
        Field of a record, as in ``GUESSES`` → path inside an event.
    vocabulary : str or None
        Crosswalk of what ``theirs`` leads to.
    """

    events: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    vocabulary: str | None = None

    def __post_init__(self) -> None:
        for name in self.fields:
            if name not in GUESSES:
                raise DataError(
                    f"there is no field {name!r} to give a path for; known: events, vocabulary, {', '.join(GUESSES)}"
                )
        if self.vocabulary is not None:
            from whybounce.data.crosswalk import crosswalk

            crosswalk(self.vocabulary)  # a wrong name is told before anything is read


def paths_of(pairs: Iterable[tuple[str, str]]) -> Paths:
    """Return paths given as pairs: a field, ``events`` or ``vocabulary``, and what it leads to.

    Raises
    ------
    DataError
        For a field or a vocabulary that is not known.
    """
    given = {name.strip(): path.strip() for name, path in pairs}
    events, vocabulary = given.pop("events", ""), given.pop("vocabulary", None)
    return Paths(events, given, vocabulary)


def generic_format(paths: Paths) -> Format:
    """Return the format of any JSON whose paths are known; no file is recognised by it."""
    return Format(
        "generic", "Any JSON", Group.EVENTS, "nothing: name it, and where things stand with --path NAME=PATH",
        lambda _: 0.0, partial(_read, paths),
    )  # fmt: skip


def _read(paths: Paths, source: Source) -> Read:
    for found in values(source):
        if isinstance(found, Skipped):
            yield found
        else:
            yield from records(found[1], found[0], paths)


def at(value: Any, path: str) -> Iterator[Any]:
    """Yield what stands at a path; nothing where the path does not lead."""
    found = [value]
    for key in path.split(".") if path else []:
        through = key.endswith("[]")
        name = key.removesuffix("[]")
        after: list[Any] = []
        for item in found:
            inner = _step(item, name) if name else item
            if through and isinstance(inner, list):
                after.extend(inner[:_MOST])
            elif inner is not None:
                after.append(inner)
        found = after[:_MOST]
    yield from found


def _step(item: Any, name: str) -> Any:
    if isinstance(item, dict):
        return item.get(name)
    if isinstance(item, list) and name.isascii() and name.isdigit() and len(name) < 7:
        return item[int(name)] if int(name) < len(item) else None
    return None


def records(value: Any, where: str, paths: Paths) -> Read:
    """Read a value by its paths; a value where nothing stands at the diagnostic's is skipped."""
    events = list(at(value, paths.events))
    if not events:
        yield Skipped(where, f"nothing stands at {paths.events!r}")
    for event in events:
        for one in event if isinstance(event, list) else [event]:
            yield _record(one, where, paths)


def _record(event: Any, where: str, paths: Paths) -> BounceRecord | Skipped:
    if isinstance(event, str):
        return BounceRecord(Outcome.BOUNCED, event, source=where)
    if not isinstance(event, dict):
        return Skipped(where, "is neither a JSON object nor a text")

    def get(name: str) -> str | None:
        path = paths.fields.get(name)
        if path is not None:
            return first(*at(event, path))
        return first(*(event.get(key) for key in GUESSES[name]))

    diagnostic = get("diagnostic")
    said = get("outcome")
    # An event called so is a complaint, not a bounce for that reason.
    outcome, kind = meaning_of("complaint" if said and said.lower() == "spam" else said)
    if diagnostic is None and outcome in (Outcome.BOUNCED, Outcome.DEFERRED) and not get("reply_code"):
        place = paths.fields.get("diagnostic")
        why = f"nothing stands at {place!r}" if place else "no key is known to be the diagnostic; name its path"
        return Skipped(where, why)
    theirs = get("theirs") if "theirs" in paths.fields or paths.vocabulary else None
    return BounceRecord(
        outcome,
        diagnostic or "",
        get("recipient"),
        reply_code=code(get("reply_code")),
        enhanced_status=status(get("enhanced_status")),
        remote_host=get("remote_host"),
        message_id=bare(get("message_id")),
        campaign=get("campaign"),
        event_id=get("event_id"),
        occurred_at=moment(get("occurred_at")),
        theirs=text(theirs),
        vocabulary=paths.vocabulary if theirs else None,
        kind=kind,
        source=where,
    )
