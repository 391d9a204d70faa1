"""From a message to records: which kind it is, and what it says of each recipient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from whybounce.serving.intake.lines import said
from whybounce.serving.intake.messages import dsn, fallback, notices, plain_mta
from whybounce.serving.intake.messages.amazon_ses import amazon_ses
from whybounce.serving.intake.messages.delays import told_apart
from whybounce.serving.intake.messages.domino import domino
from whybounce.serving.intake.messages.exchange_ndr import exchange
from whybounce.serving.intake.messages.exim import exim
from whybounce.serving.intake.messages.failure import Failure, recipients_of, statuses_in
from whybounce.serving.intake.messages.feedback import feedback
from whybounce.serving.intake.messages.gmail import gmail
from whybounce.serving.intake.messages.header import Fields
from whybounce.serving.intake.messages.lists import lists
from whybounce.serving.intake.messages.mime import Mail, open_mail
from whybounce.serving.intake.messages.receipts import receipt
from whybounce.serving.intake.messages.sendmail import sendmail
from whybounce.serving.intake.messages.yahoo import yahoo
from whybounce.serving.intake.record import BounceRecord

_TEXTS: tuple[tuple[str, Callable[[Mail], list[Failure]]], ...] = (
    ("yahoo", yahoo),
    ("gmail", gmail),
    ("mailing-list", lists),
    ("postfix", plain_mta.postfix),
    ("qmail", plain_mta.qmail),
    ("exim", exim),
    ("sendmail", sendmail),
    ("amazon-ses", amazon_ses),
    ("exchange", exchange),
    ("domino", domino),
)
"""Readers of texts, the most particular first."""

KINDS = ("dsn", "feedback-report", "receipt", "auto-reply", *(name for name, _ in _TEXTS), "other")
"""What ``MessageReading.kind`` can be."""


@dataclass(frozen=True, slots=True)
class MessageReading:
    """What a message says.

    Attributes
    ----------
    kind : str or None
        Which reader understood it, one of ``KINDS``; ``None`` for an ordinary message.
    records : tuple of BounceRecord
    cut : bool
        Whether the message was too long or too deep to be read whole, or ends early.
    ends_early : bool
        Whether it was cut on its way: it ends in its header or in the middle of a part.
    """

    kind: str | None
    records: tuple[BounceRecord, ...]
    cut: bool = False
    ends_early: bool = False


def read_message(data: bytes, source: str = "", *, _depth: int = 0) -> MessageReading:
    """Read one message of any kind; never raises.

    Parameters
    ----------
    data : bytes
        The message as it was received.
    source : str
        For ``BounceRecord.source``.
    """
    mail = open_mail(data)
    kind, failures = _understood(mail)
    # A bounce that was passed on whole, perhaps with a few words that are none of a server.
    passed_on = kind is None or (kind == "other" and not any(fallback.answered(one.diagnostic) for one in failures))
    if passed_on and _depth < 2 and mail.returned is not None:
        inner = read_message(mail.returned_bytes(), source, _depth=_depth + 1)
        if inner.kind is not None and (kind is None or inner.kind == "dsn" or inner.kind in dict(_TEXTS)):
            return replace(inner, cut=inner.cut or mail.cut, ends_early=mail.ends_early)
    return MessageReading(
        kind,
        tuple(_records(mail, told_apart(failures), source)),
        mail.cut or len(failures) >= dsn.MAX_RECIPIENTS,
        mail.ends_early,
    )


def _understood(mail: Mail) -> tuple[str | None, list[Failure]]:
    for kind, notice in (("feedback-report", feedback), ("receipt", receipt)):
        failures = notice(mail)
        if failures:
            return kind, failures
    failures = dsn.read(mail)
    if failures:
        return "dsn", _completed(mail, failures)
    answer = notices.automatic(mail)
    for name, read in _TEXTS if not answer and not fallback.by_a_person(mail) else ():
        failures = [one for one in read(mail) if one.recipient or one.diagnostic]
        if failures:
            return name, failures
    if answer:
        held = lists(mail)
        return ("mailing-list", held) if held else ("auto-reply", answer)
    failures = fallback.fallback(mail)
    if failures:
        lost = dsn.read_in_text(mail)
        return ("dsn", lost) if lost else ("other", failures)
    return None, []


def _completed(mail: Mail, failures: list[Failure]) -> list[Failure]:
    """Take from the text what the report leaves out: diagnostics, above all."""
    if all(one.diagnostic and one.recipient for one in failures):
        return failures
    told: list[Failure] = []
    for _, read in _TEXTS:
        told = [one for one in read(mail) if one.diagnostic]
        if told:
            break
    by_address = {(one.recipient or "").lower(): one for one in told}
    missing = recipients_of(mail)
    completed = []
    for one in failures:
        recipient = one.recipient or (missing[0] if len(missing) == 1 and len(failures) == 1 else None)
        text = by_address.get((recipient or "").lower()) or (told[0] if len(told) == len(failures) == 1 else None)
        if text is None and not one.diagnostic and not told and len(failures) == 1:
            general = [other for other in fallback.fallback(mail) if _says_more(other, one.status)]
            text = general[0] if general else None
        completed.append(
            replace(
                one,
                recipient=recipient,
                diagnostic=one.diagnostic or (text.diagnostic if text else ""),
                remote_mta=one.remote_mta or (text.remote_mta if text else None),
            )
        )
    return completed


def _says_more(text: Failure, status: str | None) -> bool:
    """Whether a text says more than a status does; "delivery failed" is less than 5.1.1."""
    specific = status is not None and status[0] == "5" and not status.endswith(".0.0") and status[1:3] != ".7"
    return fallback.answered(text.diagnostic) or (bool(text.diagnostic) and not specific)


def _records(mail: Mail, failures: list[Failure], source: str) -> Iterator[BounceRecord]:
    message_id = _bare(mail.original.get("Message-ID") or mail.original.get("X-Message-ID"))
    if message_id is None and failures:
        message_id = _bare(mail.fields.get("In-Reply-To") or mail.fields.get("References").split(" ")[-1])
    sent = _date(mail.original)
    occurred = _date(mail.fields)
    campaign = next(
        (
            value
            for name in ("X-Campaign-ID", "X-Campaign", "X-Mailgun-Tag", "Feedback-ID")
            if (value := mail.original.get(name))
        ),
        None,
    )
    for one in failures:
        yield BounceRecord(
            one.outcome,
            one.diagnostic,
            _address(one.recipient),
            enhanced_status=_telling(one),
            remote_host=said(one.remote_mta),
            reporting_mta=said(one.reporting_mta),
            message_id=one.message_id or message_id,
            campaign=campaign,
            sent_at=sent,
            occurred_at=occurred,
            kind=one.kind,
            source=source,
        )


def _address(found: str | None) -> str | None:
    """Return an address, or the name of a mailbox on the reporting host; no person's name."""
    text = said(found)  # "<>:" may stand where an address is expected
    return text if text is None or "@" in text or " " not in text else None


def _telling(one: Failure) -> str | None:
    # 5.0.0 says less than any code in the text, and given apart from the text it would win; so does 5.1.0.
    if one.status is not None and one.status.endswith(".0") and one.diagnostic:
        told = statuses_in(one.diagnostic)
        return next((code for code in told if not code.endswith(".0")), told[0] if told else one.status)
    return one.status


def _bare(text: str) -> str | None:
    words = text.split()
    return words[0].strip("<>")[:998] or None if words else None


def _date(fields: Fields) -> datetime | None:
    text = fields.get("Date")[:200]
    if not text:
        return None
    try:
        found = parsedate_to_datetime(text)
        # -0000 stands for UTC from a clock of unknown zone
        found = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
        found.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError):
        return None
    return found
