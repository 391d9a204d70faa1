"""Bounce messages, alone and in mailboxes, and the body of ``/v1/message``."""

from __future__ import annotations

import random
import re

import orjson

from whybounce.model.predictor import BounceClassifier
from whybounce.serving.http.message import _answer
from whybounce.serving.intake.format import Skipped
from whybounce.serving.intake.formats import format_named
from whybounce.serving.intake.messages import read_message
from whybounce.serving.intake.messages.failure import MAX_DIAGNOSTIC
from whybounce.serving.intake.messages.read import KINDS
from whybounce.serving.intake.open import from_bytes, read
from whybounce.serving.intake.record import BounceRecord

from . import mutate, oracles
from .oracles import NAME, alike, chance, must, plain
from .said import said_in_message
from .target import FIXTURES, Items, Target

_FOLDER = FIXTURES / "messages"
_MESSAGES = "whybounce.serving.intake.messages"
_NAMES = (
    "read mime bounds header text dsn notices delays feedback receipts plain_mta exim sendmail yahoo gmail domino"
    " amazon_ses exchange_ndr lists fallback phrases blocks failure"
)
_MODULES = tuple(f"{_MESSAGES}.{name}" for name in _NAMES.split())
TAIL = b"""From tail@example.net Thu Jan  1 00:00:00 1970
From: MAILER-DAEMON@mx.example.net (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: list@example.com
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="tail"

--tail
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; tail@example.net
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such user

--tail--
"""


def _parse(data: bytes) -> Items:
    return list(read_message(data, NAME).records)


def _check(data: bytes, classifier: BounceClassifier) -> None:
    reading = read_message(data, NAME)
    items: Items = list(reading.records)
    must(reading.kind is None or reading.kind in KINDS, "a kind that is documented", reading.kind)
    must((reading.kind is None) == (not items), "a message that was understood says something", reading.kind, items[:1])
    oracles.well_formed(items)
    oracles.judged(items, classifier)
    for one in reading.records:
        must(len(one.diagnostic) <= MAX_DIAGNOSTIC + 2100, "a diagnostic is bounded", len(one.diagnostic))
        must("\n" not in one.diagnostic, "a diagnostic is one line", one.diagnostic)
        if one.recipient is not None:
            must(len(one.recipient) <= 600 and "\n" not in one.recipient, "a recipient is bounded", one.recipient)
    oracles.nothing_invented(items, said_in_message(data), whole_addresses=False)
    if chance(data, 12):
        oracles.recognised(from_bytes(NAME, data))
        oracles.reported(items, format_named("message"), classifier)
    if chance(data, 12, 1):
        form = format_named("message")
        dribbled = oracles.dribbled(data, buffered=True)
        alike(list(form.read(from_bytes(NAME, data))), list(form.read(dribbled)), "pieces do not matter")
    if b"\r" not in data and len(data) < 3500 and chance(data, 4, 2):
        alike(plain(items), plain(_parse(data.replace(b"\n", b"\r\n"))), "line ends do not matter")
    if chance(data, 4, 3):
        orjson.loads(_answer(classifier, data)[1])


def _parse_mailbox(data: bytes) -> Items:
    return list(read(from_bytes(NAME, data), "mbox")[1])


def _check_mailbox(data: bytes, classifier: BounceClassifier) -> None:
    form = format_named("mbox")
    items = _parse_mailbox(data)
    oracles.well_formed(items)
    oracles.judged(items, classifier)
    if chance(data, 12):
        oracles.recognised(from_bytes(NAME, data))
        oracles.reported(items, form, classifier)
    if chance(data, 6, 1):
        alike(items, list(form.read(oracles.dribbled(data))), "pieces do not matter")
    if b"\r" not in data and len(data) < 3500 and chance(data, 4, 2):
        other = _parse_mailbox(data.replace(b"\n", b"\r\n"))
        alike(plain(items, skipped=False), plain(other, skipped=False), "line ends do not matter")
    if chance(data, 2, 3):
        other = _parse_mailbox(data + b"\n\n" + TAIL)
        last = other[-1]
        must(isinstance(last, BounceRecord) and last.recipient == "tail@example.net", "what follows is read", last)
        # Of a message that was cut, half a word is not given; where more follows, it is whole.
        cut = {item.source for item in items if isinstance(item, Skipped)}
        alike(
            plain([item for item in items if item.source not in cut], skipped=False),
            plain([item for item in other[:-1] if item.source not in cut], skipped=False),
            "what follows changes nothing before it",
        )
    if chance(data, 2, 4):
        _boxed(data)


def _boxed(data: bytes) -> None:
    """Messages that are put into a mailbox as the rules for it say come out as they went in."""
    bodies = [body for body in re.split(rb"\n\nFrom [^\n]*\n", b"\n" + data) if body.strip()]
    box, wanted = [], list[object]()
    for body in bodies:
        quoted = re.sub(rb"(?m)^(>*From )", rb">\1", body)
        box.append(b"From a@example.com Thu Jan  1 00:00:00 1970\n" + quoted + b"\n\n")
        wanted.extend(plain(list(read_message(body + b"\n\n", NAME).records)))
    alike(plain(_parse_mailbox(b"".join(box)), skipped=False), wanted, "a mailbox gives back its messages")


def _seeds() -> list[bytes]:
    return [path.read_bytes() for path in sorted(_FOLDER.rglob("*.eml"))]


def _seeds_mailbox() -> list[bytes]:
    boxes = [path.read_bytes() for path in sorted(_FOLDER.rglob("*.mbox"))]
    singles = [seed for seed in _seeds() if len(seed) < 1500][::5]
    start = b"From a@example.com Thu Jan  1 00:00:00 1970\n"
    return [*boxes, TAIL, *(start + seed + b"\n\n" + TAIL for seed in singles)]


def _mutate_mailbox(data: bytes, rng: random.Random, seeds: list[bytes]) -> bytes:
    messages = re.split(rb"(?m)^(?=From )", data)
    place = rng.randrange(len(messages))
    what = rng.randrange(4)
    if what == 0:
        messages.insert(place, rng.choice(re.split(rb"(?m)^(?=From )", rng.choice(seeds))))
    elif what == 1:
        messages[place] = mutate.mime(messages[place], rng, seeds)
    elif what == 2:
        messages[place] = (
            rng.choice((b"From ", b">From ", b"From x\n", b"\nFrom a@b Thu Jan  1 00:00 1970\n")) + messages[place]
        )
    else:
        return mutate.lines(data, rng, seeds)
    return b"".join(messages)


TARGETS: tuple[Target, ...] = (
    Target("message", _MODULES, _seeds, _parse, _check, mutate.mime),
    Target("mailbox", (f"{_MESSAGES}.mailbox",), _seeds_mailbox, _parse_mailbox, _check_mailbox, _mutate_mailbox),
)
