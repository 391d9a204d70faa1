"""Bounce messages of every kind: what each fixture says of each recipient.

A fixture is ``fixtures/messages/<group>/<case>.eml`` with ``<case>.expected.jsonl`` beside it, a
line for every recipient: ``format`` (the reader that understood it), ``reason``, and any
attributes of ``BounceRecord``. An ordinary message has an empty one.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from whybounce.model.predictor import BounceClassifier
from whybounce.serving.http import create_app
from whybounce.serving.intake.format import Skipped
from whybounce.serving.intake.judge import judge
from whybounce.serving.intake.messages import read_message
from whybounce.serving.intake.messages.read import MessageReading
from whybounce.serving.intake.open import read, sources
from whybounce.serving.intake.record import BounceRecord, Outcome

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
        assert record.outcome is not Outcome.NOT_A_BOUNCE or record.kind is not None
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


def said(records: list[BounceRecord]) -> list[tuple[str | None, str, str, str | None]]:
    return [(one.recipient, one.outcome, one.diagnostic, one.message_id) for one in records]


def is_cut(path: Path) -> bool:
    return path.stem == "truncated"


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_file_is_recognised_by_itself(path: Path) -> None:
    (source,) = sources([path])
    form, found = read(source)
    items = list(found)
    assert form.name == "message"
    assert said([one for one in items if isinstance(one, BounceRecord)]) == said(
        list(read_message(path.read_bytes()).records)
    )
    # Ordinary messages are told, and those that were cut.
    assert any(isinstance(one, Skipped) for one in items) == (not expected(path) or is_cut(path))


def test_a_mailbox_of_all_of_them(tmp_path: Path) -> None:
    box, folder = tmp_path / "all.mbox", tmp_path / "maildir"
    for name in ("cur", "new", "tmp"):
        (folder / name).mkdir(parents=True)
    with box.open("wb") as out:
        for number, path in enumerate(CASES):
            data = path.read_bytes().replace(b"\r\n", b"\n")
            quoted = re.sub(rb"(?m)^(>*From )", rb">\1", data)
            out.write(b"From MAILER-DAEMON Mon Nov 16 10:00:00 2026\n" + quoted.rstrip(b"\n") + b"\n\n")
            (folder / "cur" / f"{number:05}.M1P1.mx.example.net:2,S").write_bytes(data)
    wanted = [fields["recipient"] for path in CASES for fields in expected(path)]
    for place in (box, folder):
        (source,) = sources([place])
        form, found = read(source)
        items = list(found)
        assert form.name == "mbox"
        assert [one.recipient for one in items if isinstance(one, BounceRecord)] == wanted
        assert sum(isinstance(one, Skipped) for one in items) == sum(
            not expected(path) or is_cut(path) for path in CASES
        )


@pytest.mark.parametrize("group", [name for name in GROUPS if name != "ordinary"])
def test_the_endpoint_says_the_same(group: str, classifier: BounceClassifier) -> None:
    client = TestClient(create_app(classifier), raise_server_exceptions=False)
    for path in [path for path in CASES if path.parent.name == group][:3]:
        answer = client.post("/v1/message", content=path.read_bytes(), headers={"content-type": "message/rfc822"})
        found = [(one["recipient"], one["outcome"], one["prediction"]["reason"]) for one in answer.json()["records"]]
        assert found == [(fields["recipient"], fields["outcome"], fields["reason"]) for fields in expected(path)]
