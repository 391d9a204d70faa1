"""What fuzzing found: inputs that once broke, invented or stalled something."""

from __future__ import annotations

import email.message
import encodings
import io
import json
import tracemalloc
from typing import Any

import pytest

from whybounce.model.predictor import BounceClassifier
from whybounce.serving.intake import exchange
from whybounce.serving.intake.events.generic import Paths, generic_format
from whybounce.serving.intake.events.values import _Window
from whybounce.serving.intake.format import Skipped
from whybounce.serving.intake.formats import format_named
from whybounce.serving.intake.messages import read_message
from whybounce.serving.intake.open import from_bytes, read
from whybounce.serving.intake.record import BounceRecord, Outcome
from whybounce.serving.report.counter import Counter
from whybounce.serving.report.document import build
from whybounce.serving.report.render import address_list, to_json

Items = list[BounceRecord | Skipped]


def items(data: bytes, form: str) -> Items:
    return list(read(from_bytes("x", data), generic_format(Paths()) if form == "generic" else form)[1])


def only(data: bytes, form: str) -> BounceRecord:
    [record] = items(data, form)
    assert isinstance(record, BounceRecord)
    return record


@pytest.mark.parametrize("date", ["²", "٣", "1.2.3", "-", "nan", "9" * 400, "Mon, (" * 50])
def test_what_is_no_time_is_none(date: str) -> None:
    record = only(f'diagnostic,date\n550 no,"{date}"\n'.encode(), "csv")
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


NO_CODECS = {
    "a NUL": b"charset=a\x00b",
    "a NUL in RFC 2231": b"charset*=a\x00b''latin-1",
    "RFC 2231": b"charset*=utf-8''latin-1",
    "two ways at once": b"charset*=x; charset*0=y",
    "a number that is too long": b"charset*" + b"9" * 5000 + b"=x",
    "no text": b"charset=hex",
    "an unknown one": b"charset=iso-2022-jp\xd9\xaf",
    "idna": b"charset=idna",
    "undefined": b"charset=undefined",
    "halves of characters": b"charset=unicode-escape",
    "halves of characters, by another name": b"charset=u7",
}


@pytest.mark.parametrize("encoding", [b"8bit", b"base64", b"x-uuencode", b"\xff"])
@pytest.mark.parametrize("declared", NO_CODECS.values(), ids=NO_CODECS)
def test_a_charset_that_is_none_costs_nothing_but_itself(declared: bytes, encoding: bytes) -> None:
    """``email`` raises at some of them, or gives text that cannot be written."""
    body = b"550 5.1.1 no such user \xff\\ud800 +2AA-"
    status = b"Reporting-MTA: dns; mx.example.net\n\nFinal-Recipient: rfc822; a@example.com\nAction: failed\n"
    for kind in (b"text/plain", b"text/html", b"message/rfc822", b"multipart/mixed"):
        data = (
            b'From: MAILER-DAEMON@example.net\nContent-Type: multipart/report; boundary="b"\n\n--b\n'
            b"Content-Type: " + kind + b"; " + declared + b"\nContent-Transfer-Encoding: " + encoding + b"\n\n" + body
            + b"\n--b\nContent-Type: message/delivery-status; " + declared + b"\n\n" + status + b"\n--b--\n"
        )  # fmt: skip
        [record] = read_message(data).records
        assert record.recipient == "a@example.com"
        record.diagnostic.encode()
    if encoding == b"8bit":
        header = b"From: MAILER-DAEMON@example.net\nContent-Type: text/plain; " + declared
        [record] = read_message(header + b"\n\n" + body).records
        assert record.diagnostic.startswith("550 5.1.1 no such user ÿ")


@pytest.mark.parametrize("boundary", [b"boundary*=b; boundary*0=b", b"boundary*" + b"9" * 5000 + b"=b", b"boundary*=x"])
def test_parts_of_a_boundary_that_cannot_be_read_are_text(boundary: bytes) -> None:
    header = b"From: MAILER-DAEMON@example.net\nContent-Type: multipart/mixed; " + boundary
    [record] = read_message(header + b"\n\n--b\n\n550 5.1.1 no such user\n--b--\n").records
    assert "550 5.1.1 no such user" in record.diagnostic


def test_a_boundary_after_rfc_2231_divides() -> None:
    for boundary in (b"boundary*=''b", b"boundary*=idna''b", b"boundary*=a\x00b''b"):
        header = b"From: MAILER-DAEMON@example.net\nContent-Type: multipart/mixed; " + boundary
        [record] = read_message(header + b"\n\n--b\n\n550 5.1.1 no such user\n--b--\n").records
        assert record.diagnostic == "550 5.1.1 no such user"


def test_charsets_that_nobody_knows_are_not_remembered() -> None:
    """Python keeps each name that it was asked for; hostile mail could fill the memory of a service with them."""
    for number in range(20):
        name = b"nobody-knows-%d" % number
        header = b"From: MAILER-DAEMON@example.net\nSubject: =?" + name + b"s?q?=FF?=\n"
        [record] = read_message(header + b"Content-Type: text/plain; charset=" + name + b"\n\n550 no \xff\n").records
        assert record.diagnostic == "550 no ÿ"
    assert not any("nobody" in known for known in encodings._cache)


@pytest.mark.parametrize("reference", [b"&#" + b"9" * 5000 + b";", b"&#xD800;", b"&#x" + b"f" * 5000, b"&#1114112;"])
def test_references_to_no_character(reference: bytes) -> None:
    """A number of more than 4300 digits is an error to Python."""
    header = b"From: MAILER-DAEMON@example.net\nContent-Type: text/html\n\n"
    [record] = read_message(header + b"<p>550 5.1.1 no such user " + reference + b"</p>").records
    assert record.diagnostic == "550 5.1.1 no such user \ufffd"


HALF = r"550 5.1.1 \ud83d@example.com \ude00: no such user \ud83d\ude00 \\ud83d"
WHOLE = "550 5.1.1 ?@example.com ?: no such user \U0001f600 \\ud83d"
HALVES = {
    "jsonl": '{"diagnostic": "%s"}',
    "kumomta": '{"type":"Bounce","id":"1","recipient":"a@example.com","queue":"q","num_attempts":1,'
    '"timestamp":1796100000,"response":{"code":550,"content":"%s"}}',
    "sendgrid": '{"event":"bounce","email":"a@example.com","sg_event_id":"1","reason":"%s"}',
    "mailgun": '{"event-data":{"event":"failed","recipient":"a@example.com","delivery-status":{"message":"%s"}}}',
    "generic": '{"diagnostic": "%s"}',
}


@pytest.mark.parametrize("form", HALVES)
def test_halves_of_characters_in_json_become_question_marks(form: str, classifier: BounceClassifier) -> None:
    """JSON can spell them, and the report could not be written."""
    record = only((HALVES[form] % HALF).encode(), form)
    assert record.diagnostic == WHOLE
    counter = Counter(classifier)
    counter.read("x", format_named("jsonl"), iter([record]))
    made = build(counter.counts, None, classifier.taxonomy)
    (to_json(made, counter.counts) + address_list(made.advice)).encode()


def test_halves_of_characters_in_json_inside_json() -> None:
    message = json.dumps({
        "notificationType": "Bounce", "mail": {"messageId": "\udc00"}, "\udc00": ["\ud800"],
        "bounce": {"bouncedRecipients": [{"emailAddress": "\ud800@example.com", "diagnosticCode": "smtp; 550 \udfff"}]},
    })  # fmt: skip
    record = only(json.dumps({"Type": "Notification", "TopicArn": "arn:x", "Message": message}).encode(), "ses")
    assert (record.recipient, record.diagnostic, record.message_id) == ("?@example.com", "550 ?", "?")


NOBODY = {
    "postfix": "Nov 24 09:11:31 mx1 postfix/smtp[1]: F0ZZ7A1L: to=<>, relay=mx.example.net[192.0.2.9]:25, delay=1, "
    "dsn=5.1.1, status=bounced (host mx.example.net[192.0.2.9] said: 550 5.1.1 no such user)",
    "exim": "2026-11-24 09:11:31 1zZzZz-0000000zZzZ-9999 ** \t R=dnslookup T=smtp H=mx.example.net [192.0.2.9]: 550 no",
    "opensmtpd": "Nov 24 09:11:31 mx1 smtpd[9]: 8f0e7a1f9ac2cd8a mta delivery evpid=f0a7a1f955bcd3d7 "
    'from=<f@example.com> to=< > rcpt=<-> source="192.0.2.1" relay="192.0.2.9 (mx.example.net)" delay=1s '
    'result="PermFail" stat="550 no"',
    "kumomta": '{"type":"Bounce","id":" ","recipient":" ","queue":" :t@example.net","num_attempts":1,'
    '"response":{"code":550,"content":"no such user"},"timestamp":1796100000,"headers":{"Message-Id":"< >"},"bounce_classification":" "}',
    "jsonl": '{"diagnostic": "550 5.1.1 no such user", "recipient": "< >", "message_id": "< >"}',
    "generic": '{"diagnostic": "550 5.1.1 no such user", "recipient": " ", "message_id": "< >"}',
    "sendgrid": '{"event":"bounce","email":" ","sg_event_id":"1","reason":"550 no","smtp-id":"< >"}',
    "exchange": "#Fields: date-time,event-id,recipient-address,recipient-status,server-hostname,internal-message-id\n"
    "2026-01-01,FAIL,a@example.com,550 no, , ",
    "message": "From: MAILER-DAEMON@example.net\n\nThis is the mail system at host mail.example.com.\n\n"
    "<>: host mx.example.org[192.0.2.1] said: 550 5.1.1 no such user\n",
}


@pytest.mark.parametrize("form", NOBODY)
def test_what_says_nothing_is_none(form: str) -> None:
    record = only(NOBODY[form].encode(), form)
    assert record.outcome is Outcome.BOUNCED
    assert record.diagnostic
    assert record.recipient == ("a@example.com" if form == "exchange" else None)
    assert (record.message_id, record.campaign, record.theirs, record.vocabulary) == (None, None, None, None)
    assert (record.reporting_mta or "mail.example.com") == "mail.example.com"
    assert record.event_id is None or record.event_id.strip()
