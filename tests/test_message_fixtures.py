"""Bounce messages of every kind: what each fixture says of each recipient.

A fixture is ``fixtures/messages/<group>/<case>.eml`` with ``<case>.expected.jsonl`` beside it, a
line for every recipient: ``format`` (the reader that understood it), ``reason``, and any
attributes of ``BounceRecord``. An ordinary message has an empty one.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from whybounce.model.predictor import BounceClassifier
from whybounce.serving.intake.judge import judge
from whybounce.serving.intake.messages import read_message
from whybounce.serving.intake.messages.read import MessageReading
from whybounce.serving.intake.record import BounceRecord

FOLDER = Path(__file__).parent / "fixtures" / "messages"
CASES = sorted(FOLDER.glob("*/*.eml"))
GROUPS = (
    "amazon-ses", "auto-reply", "challenge", "delay", "domino", "dsn", "dsn-utf8", "exchange", "exim", "feedback-report",
    "gmail", "mailing-list", "ordinary", "postfix", "qmail", "receipt", "sendmail", "yahoo",
)  # fmt: skip
LEAST = 5


def expected(path: Path) -> list[dict[str, Any]]:
    lines = path.with_suffix(".expected.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines if line]


def comparable(
    reading: MessageReading, record: BounceRecord, fields: dict[str, Any], classifier: BounceClassifier
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in fields:
        if name == "reason":
            value: Any = judge(classifier, record).reason
        else:
            value = reading.kind if name == "format" else getattr(record, name)
        found[name] = value.isoformat() if isinstance(value, datetime) else value
    return found


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_recipient_of_every_fixture(path: Path, classifier: BounceClassifier) -> None:
    reading = read_message(path.read_bytes(), path.name)
    wanted = expected(path)
    assert [one.recipient for one in reading.records] == [fields["recipient"] for fields in wanted]
    for record, fields in zip(reading.records, wanted, strict=True):
        assert {"format", "reason", "outcome", "diagnostic"} <= fields.keys()
        assert comparable(reading, record, fields, classifier) == fields
        assert record.source == path.name
    if not wanted:
        assert reading.kind is None


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_line_ends_do_not_matter(path: Path) -> None:
    data = path.read_bytes().replace(b"\r\n", b"\n")
    unix, network = read_message(data), read_message(data.replace(b"\n", b"\r\n"))
    assert [(one.recipient, one.diagnostic) for one in unix.records] == [
        (one.recipient, one.diagnostic) for one in network.records
    ]


def test_there_are_enough_of_every_group() -> None:
    counted = Counter(path.parent.name for path in CASES)
    assert {name: counted[name] for name in GROUPS if counted[name] < LEAST} == {}
    assert set(counted) == set(GROUPS)
