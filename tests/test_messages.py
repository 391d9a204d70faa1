"""Bounce messages: what each says of each recipient; hostile ones; the endpoint."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from whybounce.model.predictor import BounceClassifier
from whybounce.serving.http import create_app
from whybounce.serving.intake.format import Skipped
from whybounce.serving.intake.judge import judge
from whybounce.serving.intake.messages import read_message
from whybounce.serving.intake.open import read, sources
from whybounce.serving.intake.record import BounceRecord

FOLDER = Path(__file__).parent / "fixtures" / "messages"
MESSAGES = sorted(FOLDER.glob("*.eml"))

FINN, GIA = "finn@example.org", "gia@example.org"
SAID: dict[str, tuple[str | None, list[tuple[str, str, str]]]] = {
    "arf": ("feedback-report", [(FINN, "not_a_bounce", "not_a_bounce")]),
    "delay": ("dsn", [(GIA, "deferred", "network_error")]),
    "dsn": ("dsn", [(FINN, "bounced", "invalid_recipient"), (GIA, "deferred", "mailbox_full")]),
    "exim": ("exim", [(FINN, "bounced", "invalid_recipient")]),
    "ordinary": (None, []),
    "postfix": ("postfix", [(GIA, "bounced", "mailbox_full")]),
    "qmail": ("qmail", [(FINN, "bounced", "invalid_recipient")]),
    "sendmail": ("sendmail", [(FINN, "bounced", "invalid_recipient")]),
    "utf8-base64": ("dsn", [("jürgen@example.org", "bounced", "invalid_recipient")]),
    "vacation": ("auto-reply", [(GIA, "not_a_bounce", "not_a_bounce")]),
}


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_every_recipient_of_every_message(path: Path, classifier: BounceClassifier) -> None:
    reading = read_message(path.read_bytes())
    kind, recipients = SAID[path.stem]
    assert reading.kind == kind
    found = [(one.recipient, str(one.outcome), judge(classifier, one).reason) for one in reading.records]
    assert found == recipients


def test_what_a_dsn_says() -> None:
    one, two = read_message((FOLDER / "dsn.eml").read_bytes(), "dsn.eml").records
    assert (one.diagnostic, one.enhanced_status) == ("550 5.1.1 User unknown", "5.1.1")
    assert (one.remote_host, one.reporting_mta) == ("mx.example.org", "mx.example.net")
    assert (one.message_id, one.source) == ("1@example.com", "dsn.eml")
    assert one.occurred_at is not None
    assert one.sent_at is not None
    assert (one.occurred_at - one.sent_at).total_seconds() == 3600
    assert two.diagnostic == "452 4.2.2 Mailbox full"


def test_line_ends_do_not_matter() -> None:
    for path in MESSAGES:
        data = path.read_bytes()
        unix, network = read_message(data), read_message(data.replace(b"\n", b"\r\n"))
        assert [(one.recipient, one.diagnostic) for one in unix.records] == [
            (one.recipient, one.diagnostic) for one in network.records
        ]


def test_a_mailbox_with_ordinary_mail_in_it() -> None:
    (source,) = sources([FOLDER / "some.mbox"])
    form, found = read(source)
    records = list(found)
    assert form.name == "mbox"
    assert [one.recipient for one in records if isinstance(one, BounceRecord)] == [FINN, FINN, GIA]
    assert ["ordinary" in one.why for one in records if isinstance(one, Skipped)] == [True]


def test_a_message_that_was_cut_does_not_take_the_next_one_with_it(tmp_path: Path) -> None:
    """No blank line stands before the next separator; a sentence that begins like one is none."""
    header = b"From: MAILER-DAEMON@example.net\nSubject: failure notice\nTo: s@example.org\n\n"
    first = b"Hi. This is the qmail-send program at example.net.\n<a@example.com>:\nUser unknown.\n"
    path = tmp_path / "two.mbox"
    separator = b"From MAILER-DAEMON Mon Mar  2 10:00:00 2026\n"
    path.write_bytes(
        separator
        + header
        + first
        + separator
        + header
        + first.replace(b"a@", b"b@")
        + b"From then on in 2026\nno more.\n"
    )
    (source,) = sources([path])
    records = [one for one in read(source)[1] if isinstance(one, BounceRecord)]
    assert [one.recipient for one in records] == ["a@example.com", "b@example.com"]
    assert not any("From MAILER" in one.diagnostic for one in records)


def nested(depth: int) -> bytes:
    parts = [b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(depth)]
    return b"From: a@example.com\nMIME-Version: 1.0\n" + b"".join(parts) + b"Content-Type: text/plain\n\nx\n"


HOSTILE = {
    "nothing": b"",
    "deep": nested(5000),
    "many parts": b'From: a@example.com\nContent-Type: multipart/report; boundary="b"\n\n' + b"--b\n\nx\n" * 200_000,
    "huge header": b"Subject: " + b"x" * 5_000_000 + b"\n\n",
    "many headers": b"Received: x\n" * 300_000 + b"\nx",
    "huge line": b"From: MAILER-DAEMON@example.com\nSubject: failure notice\n\n" + b"<a@example.com>: " * 500_000,
    "broken encodings": b"From: MAILER-DAEMON@example.com\nSubject: =?utf-99?q?=ff=?= =?x\nContent-Type: text/plain; "
    b"charset=\xff\xfe\nContent-Transfer-Encoding: base64\n\n\xff\xfe\x00=====\n",
    "many recipients": b"From: MAILER-DAEMON@example.com\nContent-Type: multipart/report; report-type=delivery-status; "
    b'boundary="b"\n\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\n'
    + b"Final-Recipient: rfc822; a@example.com\nAction: failed\nStatus: 5.1.1\n\n" * 50_000
    + b"--b--\n",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_messages(data: bytes) -> None:
    started = time.process_time()
    reading = read_message(data)
    assert len(reading.records) <= 10_000
    assert time.process_time() - started < 30  # far from what a stall takes


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(MESSAGES), st.data())
def test_broken_messages_never_raise(path: Path, data: st.DataObject) -> None:
    message = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(message)))
        length = data.draw(st.integers(0, 40))
        message[place : place + length] = data.draw(st.binary(max_size=30))
    for record in read_message(bytes(message)).records:
        assert isinstance(record.diagnostic, str)


@pytest.fixture(scope="module")
def client(classifier: BounceClassifier) -> TestClient:
    return TestClient(create_app(classifier), raise_server_exceptions=False)


def ask(client: TestClient, data: bytes, kind: str = "message/rfc822") -> Any:
    return client.post("/v1/message", content=data, headers={"content-type": kind})


@pytest.mark.parametrize("path", [one for one in MESSAGES if one.stem != "ordinary"], ids=lambda path: path.stem)
def test_the_endpoint(client: TestClient, path: Path) -> None:
    kind, recipients = SAID[path.stem]
    answer = ask(client, path.read_bytes()).json()
    assert answer["format"] == kind
    assert [(one["recipient"], one["outcome"], one["prediction"]["reason"]) for one in answer["records"]] == recipients


def test_what_the_endpoint_refuses(client: TestClient) -> None:
    for data, kind, status in (
        ((FOLDER / "ordinary.eml").read_bytes(), "message/rfc822", 422),
        (b"", "message/rfc822", 422),
        (b"x", "application/json", 415),
        (b"x" * (25 * 1024 * 1024), "message/rfc822", 413),
    ):
        answer = ask(client, data, kind)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
