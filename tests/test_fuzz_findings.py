"""What fuzzing found: inputs that once broke, invented or stalled something."""

from __future__ import annotations

import email.message
import io
import json
import tracemalloc
from typing import Any

import pytest

from whybounce.model.predictor import BounceClassifier
from whybounce.serving.intake import exchange
from whybounce.serving.intake.events.values import _Window
from whybounce.serving.intake.format import Skipped
from whybounce.serving.intake.formats import format_named
from whybounce.serving.intake.messages import read_message
from whybounce.serving.intake.open import from_bytes, read
from whybounce.serving.intake.record import BounceRecord
from whybounce.serving.report.counter import Counter
from whybounce.serving.report.document import build
from whybounce.serving.report.render import address_list, to_json

Items = list[BounceRecord | Skipped]


def items(data: bytes, form: str) -> Items:
    return list(read(from_bytes("x", data), form)[1])


def only(data: bytes, form: str) -> BounceRecord:
    [record] = items(data, form)
    assert isinstance(record, BounceRecord)
    return record


@pytest.mark.parametrize("date", ["²", "٣", "1.2.3", "-", "nan", "9" * 400, "Mon, (" * 50])
def test_what_is_no_time_is_none(date: str) -> None:
    record = only(f"diagnostic,date\n550 no,{date}\n".encode(), "csv")
    assert record.occurred_at is None
    assert record.diagnostic == "550 no"


@pytest.mark.parametrize("date", ["9999-12-31T23:59:59-12:00", "9999-12-31", "0001-01-01T00:00:00+14:00"])
def test_times_at_the_ends_of_the_calendar_can_be_reported(date: str, classifier: BounceClassifier) -> None:
    row = {"diagnostic": "550 5.1.1 no such user", "recipient": "a@example.com", "occurred_at": date}
    counter = Counter(classifier)
    counter.read("x", format_named("jsonl"), iter(items(json.dumps(row).encode(), "jsonl")))
    made = build(counter.counts, None, classifier.taxonomy)
    assert made.document["actions"]["suppress"] == 1
    assert "a@example.com" in address_list(made.advice)
    assert "a@example.com" in to_json(made, counter.counts)


def test_a_status_of_many_recipients_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its length times the number of recipients took half a minute for 240 kB."""
    seen: list[int] = []
    original = exchange._diagnostic

    def counted(status: str) -> str:
        seen.append(len(status))
        return original(status)

    monkeypatch.setattr(exchange, "_diagnostic", counted)
    head = b"#Fields: date-time,event-id,recipient-address,recipient-status,source-context\n"
    row = b"2026-01-01,FAIL," + b"a@example.com;" * 2000 + b"," + b"{MSG=550 no}" * 300 + b",x\n"
    found = items(head + row, "exchange")
    assert len(found) == 2000
    assert {one.diagnostic for one in found if isinstance(one, BounceRecord)} == {"550 no"}
    assert sum(seen) < 2 * len(row)


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":[\n' * 900 + b"1,\n" * 100_000,
        b'{"a":[\n' * 900 + b'{"b":"' + b"x" * 300_000,
        b'{"a":{"b":1},"c":[{"d":2},\n' * 1000,
    ],
    ids=["numbers", "text", "objects"],
)
def test_objects_that_never_end_cost_no_more_than_their_length(data: bytes) -> None:
    """Each of nine hundred that stand one in another was decoded to the end: 77 s for 3 MB."""
    window = _Window(io.BytesIO(data))
    tried = 0
    decode = window._decode

    def counted(piece: str) -> Any:
        nonlocal tried
        tried += len(piece)
        return decode(piece)

    window._decode = counted  # type: ignore[assignment]
    while window.seek_value():
        if isinstance(window.decode(), str):
            window.skip_line()
    assert tried < 12 * len(data) + 16_384 * data.count(b"{")


def test_what_follows_an_object_without_an_end_is_read() -> None:
    event = {"event": "bounce", "email": "a@example.com", "sg_event_id": "1", "reason": "550 no such user"}
    line = json.dumps(event).encode()
    found = items(b'{"a":[\n' * 30 + line + b",\n" + line + b"\n", "sendgrid")
    assert [one.recipient for one in found if isinstance(one, BounceRecord)] == ["a@example.com"] * 2


def test_why_a_table_was_skipped_is_one_line() -> None:
    [skipped] = items(b'"550\nuser unknown",name\nx,y\n', "csv")
    assert isinstance(skipped, Skipped)
    assert skipped.why.startswith("no column of 550 user unknown, name is known to be the diagnostic")
    assert "\n" not in skipped.why


def test_long_fields_of_a_report_are_not_folded_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """That takes the square of their words: 12 s for 260 kB, and a message may have 4 MB."""
    monkeypatch.setattr("email.header.Header.encode", None)
    words = b" no such user" * 4000
    report = (
        b"Reporting-MTA: dns; mx.example.net\n\nFinal-Recipient: rfc822; a@example.com\nAction: failed\nStatus: 5.1.1\n"
    )
    data = (
        b'From: MAILER-DAEMON@example.net\nContent-Type: multipart/report; boundary="b"\n\n--b\n'
        b"Content-Type: message/delivery-status\n\n" + report + b"Diagnostic-Code: smtp; 550" + words + b"\n\n--b--\n"
    )
    [record] = read_message(data).records
    assert record.recipient == "a@example.com"
    assert record.diagnostic.startswith("550 no such user no such user")


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("line", [b"", b"X-A: b\n"])
def test_the_groups_of_a_report_are_bounded(monkeypatch: pytest.MonkeyPatch, line: bytes, end: bytes) -> None:
    """Each blank line of a report becomes a message: four million of them were gigabytes."""
    made = 0
    original = email.message.Message.__init__

    def counted(self: email.message.Message, **given: Any) -> None:
        nonlocal made
        made += 1
        original(self, **given)

    monkeypatch.setattr(email.message.Message, "__init__", counted)
    head = b'From: MAILER-DAEMON@example.net\nContent-Type: multipart/report; boundary="b"\n\n--b\n'
    group = b"Final-Recipient: rfc822; a@example.com\nAction: failed\nStatus: 5.1.1\n\n"
    data = head + b"Content-Type: message/delivery-status\n\n" + group + (line + b"\n") * 150_000 + b"\n--b--\n"
    reading = read_message(data.replace(b"\n", end))
    assert [one.recipient for one in reading.records] == ["a@example.com"]
    assert reading.cut
    assert made < 70_000


def test_a_mailbox_of_empty_lines_takes_no_more_than_a_message() -> None:
    """A list of its lines took 350 MB for a message of 4 MB."""
    data = b"From a@example.com Thu Jan  1 00:00:00 1970\n" + b"\n" * (1 << 17)
    tracemalloc.start()
    try:
        [skipped] = items(data, "mbox")
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(skipped, Skipped)
    assert most < 8 * len(data)
