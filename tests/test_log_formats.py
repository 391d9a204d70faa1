"""Logs and tables: every recipient of every fixture, hostile bytes, what is joined and what is passed over."""

from __future__ import annotations

import bz2
import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from whybounce.model.predictor import BounceClassifier
from whybounce.serving.intake.format import Format, Group, Head, Skipped, Source
from whybounce.serving.intake.formats import format_named, formats
from whybounce.serving.intake.joining import Pending, Recent
from whybounce.serving.intake.judge import agrees, judge
from whybounce.serving.intake.lines import numbered
from whybounce.serving.intake.open import from_bytes, head, read, sources
from whybounce.serving.intake.record import BounceRecord, Outcome
from whybounce.serving.intake.syslog import Clock, split

FIXTURES = Path(__file__).parent / "fixtures" / "logs"
WRITTEN = datetime(2026, 12, 1, tzinfo=UTC)
"""When the fixtures say they were written: what tells the year of RFC 3164 times."""

LOGS = ("postfix", "exim", "sendmail", "qmail", "opensmtpd", "powermta", "kumomta", "exchange")
TABLES = ("csv", "csv-semicolon", "tsv", "jsonl", "text")


def fixtures() -> list[Path]:
    """Inputs of the formats of this file: all but their sidecars."""
    return sorted(
        path for name in (*LOGS, *TABLES) for path in (FIXTURES / name).iterdir() if ".expected." not in path.name
    )


def expected(path: Path) -> list[dict[str, Any]]:
    sidecar = path.with_name(path.name.rpartition(".")[0] + ".expected.jsonl")
    return [json.loads(line) for line in sidecar.read_text("utf-8").splitlines()]


def source_of(path: Path, data: bytes | None = None) -> Source:
    return Source(path.name, from_bytes(path.name, path.read_bytes() if data is None else data).open, WRITTEN)


def records(text: str, format: str | None = None) -> list[BounceRecord | Skipped]:
    source = Source("a.log", from_bytes("a.log", text.encode()).open, WRITTEN)
    return list(read(source, format)[1])


def comparable(record: BounceRecord, fields: dict[str, Any], classifier: BounceClassifier) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in fields:
        value = judge(classifier, record).reason if name == "reason" else getattr(record, name)
        found[name] = value.isoformat() if isinstance(value, datetime) else value
    if record.outcome is Outcome.DELIVERED:
        found["reason"] = None
    return found


@pytest.mark.parametrize("path", fixtures(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_recipient_of_every_fixture(path: Path, classifier: BounceClassifier) -> None:
    form, found = read(source_of(path))
    assert form.name == path.parent.name
    wanted = expected(path)
    got = list(found)
    assert [one for one in got if isinstance(one, Skipped)] == []
    assert len(got) == len(wanted)
    for record, fields in zip(got, wanted, strict=True):
        assert isinstance(record, BounceRecord)
        assert comparable(record, fields, classifier) == fields
        assert record.source.startswith(path.name)


@pytest.mark.parametrize("name", [*LOGS, *TABLES])
def test_there_are_enough_fixtures(name: str) -> None:
    assert len([path for path in fixtures() if path.parent.name == name]) >= 5


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, zstandard.compress])
@pytest.mark.parametrize("name", ["postfix/expired-in-the-queue.log", "kumomta/expired.jsonl"])
def test_packed_logs_read_alike(tmp_path: Path, name: str, pack: Any) -> None:
    plain = FIXTURES / name
    packed = tmp_path / (plain.name + ".packed")
    packed.write_bytes(pack(plain.read_bytes()))
    [source] = sources([packed])
    one, two = (list(read(given)[1]) for given in (source, source_of(plain)))
    assert [_without_source(item) for item in one] == [_without_source(item) for item in two]


def _without_source(item: BounceRecord | Skipped) -> tuple[Any, ...]:
    assert isinstance(item, BounceRecord)
    return (item.outcome, item.recipient, item.diagnostic, item.occurred_at, item.campaign)


@pytest.mark.parametrize("path", [path for path in fixtures() if path.suffix == ".log"], ids=lambda path: path.name)
def test_windows_line_ends_change_nothing(path: Path) -> None:
    crlf = path.read_bytes().replace(b"\n", b"\r\n")
    assert list(read(source_of(path, crlf))[1]) == list(read(source_of(path))[1])


PARSERS = [form for form in formats() if form.name in (*LOGS, *TABLES)]
SEEDS = {name: [path.read_bytes() for path in fixtures() if path.parent.name == name] for name in (*LOGS, *TABLES)}


@pytest.mark.parametrize("form", PARSERS, ids=lambda form: form.name)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_no_bytes_break_a_parser(form: Format, data: st.DataObject) -> None:
    """Random bytes, and real files that were damaged in places, are read to their end."""
    seed = data.draw(st.sampled_from(SEEDS[form.name]))
    start = data.draw(st.integers(0, len(seed)))
    end = data.draw(st.integers(start, min(len(seed), start + 200)))
    junk = data.draw(st.one_of(st.binary(max_size=60), st.sampled_from([b"\0", b'"', b"<", b">, ", b"\xff\xfe", b"["])))
    content = data.draw(st.sampled_from([junk, seed[:start] + junk + seed[end:]]))
    source = from_bytes("x", content)
    assert 0 <= form.recognise(Head("x", content[:65536])) <= 1
    for item in form.read(source):
        assert isinstance(item, BounceRecord | Skipped)
        if isinstance(item, BounceRecord):
            assert isinstance(item.diagnostic, str)
            assert item.reply_code is None or isinstance(item.reply_code, int)
            assert item.occurred_at is None or isinstance(item.occurred_at, datetime)


@pytest.mark.parametrize("form", PARSERS, ids=lambda form: form.name)
def test_a_long_line_is_no_trouble(form: Format) -> None:
    for piece in (
        b": to=<",
        b", stat=",
        b" 1tFabc-0000000ABcd-1234 ** ",
        b"delivery 1: ",
        b"{LED=",
        b'"',
        b'{"a":',
        b"[",
    ):
        content = piece * (300_000 // len(piece)) + b"\n"
        assert 0 <= form.recognise(Head("x", content[:65536])) <= 1
        for item in form.read(from_bytes("x", content)):
            assert isinstance(item, BounceRecord | Skipped)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "Dear reader,\nthis is a letter.\n",
        "name,age\nAnn,7\n",
        "Nov 24 09:11:31 mx1 sshd[7]: Accepted publickey for root from 192.0.2.1\n",
        "Nov 24 09:11:31 mx1 kernel: delivery of goods\n",
        '{"level": "info", "msg": "started"}\n',
        "\x00\x01\x02",
    ],
)
def test_other_files_are_claimed_by_no_log(text: str) -> None:
    for form in PARSERS:
        assert form.recognise(Head("x.log", text.encode())) < 0.5, form.name


def test_every_format_is_described() -> None:
    for form in formats():
        assert format_named(form.name) is form
        assert form.title
        assert form.recognised_by
    assert {form.name for form in formats() if form.group is Group.LOGS} >= set(LOGS)


POSTFIX = "Nov 24 09:11:31 mx1 postfix"


def test_a_queue_id_that_expires_without_its_recipients_is_said() -> None:
    text = f"{POSTFIX}/qmgr[1]: A1B2C3: from=<a@example.com>, status=expired, returned to sender\n"
    [skipped] = records(text)
    assert isinstance(skipped, Skipped)
    assert "A1B2C3" in skipped.why


def test_a_removed_message_is_forgotten() -> None:
    put_off = f"{POSTFIX}/smtp[1]: A1: to=<a@example.net>, relay=none, dsn=4.4.1, status=deferred (timed out)\n"
    expired = f"{POSTFIX}/qmgr[1]: A1: from=<b@example.com>, status=force-expired, returned to sender\n"
    assert [type(item) for item in records(put_off + expired)] == [BounceRecord, BounceRecord]
    removed = f"{POSTFIX}/qmgr[1]: A1: removed\n"
    assert [type(item) for item in records(put_off + removed + expired)] == [BounceRecord, Skipped]


def test_memory_is_bounded() -> None:
    pending = Pending(limit=10)
    for number in range(100):
        pending.add(f"m{number // 3}", BounceRecord(Outcome.DEFERRED, "x", f"{number}@example.com"))
    assert sum(len(pending.pop(f"m{number}")) for number in range(40)) <= 10
    recent: Recent[int, int] = Recent(limit=5)
    for number in range(50):
        recent[number] = number
    assert list(recent) == [45, 46, 47, 48, 49]


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("Nov  4 09:11:31 mx1 postfix/smtp[12]: hello: you", ("mx1", "postfix/smtp", "hello: you")),
        ("<22>Nov  4 09:11:31 mx1 smtpd: x", ("mx1", "smtpd", "x")),
        ("2026-11-04T09:11:31.5+01:00 mx1 exim[3]: x", ("mx1", "exim", "x")),
        ('<22>1 2026-11-04T09:11:31Z mx1 app 7 ID [a b="]\\"" c="d"][e f="g"] \ufeffx y', ("mx1", "app", "x y")),
        ("<22>1 2026-11-04T09:11:31Z mx1 app - - - x", ("mx1", "app", "x")),
        ("no log at all", None),
        ("<99999>Nov", None),
        ("", None),
    ],
)
def test_syslog_lines_are_split(line: str, parts: tuple[str, str, str] | None) -> None:
    found = split(line)
    assert (None if found is None else tuple(found)) == parts


@pytest.mark.parametrize(
    ("line", "written", "time"),
    [
        ("Dec 31 23:59:59 x", "2027-01-02", "2026-12-31T23:59:59"),
        ("Jan  1 00:00:01 x", "2027-01-02", "2027-01-01T00:00:01"),
        ("Nov 24 09:11:31 x", "2026-11-23", "2026-11-24T09:11:31"),  # a clock that is a little ahead
        ("Nov 25 09:11:31 x", "2026-11-23", "2025-11-25T09:11:31"),
        ("Feb 29 10:00:00 x", "2027-03-01", "2024-02-29T10:00:00"),
        ("Feb 30 10:00:00 x", "2027-03-01", None),
        ("Nov 24 25:11:31 x", "2026-11-23", None),
        ("2026-11-24T09:11:31Z x", "2026-11-23", "2026-11-24T09:11:31+00:00"),
        ("2026-13-24T09:11:31Z x", "2026-11-23", None),
        ("nothing", "2026-11-23", None),
    ],
)
def test_the_year_comes_from_when_the_log_was_written(line: str, written: str, time: str | None) -> None:
    clock = Clock(Source("x", from_bytes("x", b"").open, datetime.fromisoformat(written).replace(tzinfo=UTC)))
    found = clock(line)
    assert (found.isoformat() if found else None) == time


def test_a_file_says_when_it_was_written(tmp_path: Path) -> None:
    import os

    path = tmp_path / "mail.log"
    path.write_text(f"{POSTFIX}/smtp[1]: A1: to=<a@example.net>, relay=none, dsn=2.0.0, status=sent (250 ok)\n")
    seconds = datetime(2020, 12, 1, tzinfo=UTC).timestamp()
    os.utime(path, (seconds, seconds))
    [source] = sources([path])
    [record] = read(source)[1]
    assert isinstance(record, BounceRecord)
    assert record.occurred_at == datetime(2020, 11, 24, 9, 11, 31)


def test_overlong_lines_are_cut_and_the_next_one_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whybounce.serving.intake.lines.MAX_LINE", 8)
    source = from_bytes("x", b"a" * 30 + b"\nb\n12345678\nc")
    assert list(numbered(source)) == [(1, "aaaaaaaa"), (2, "b"), (3, "12345678"), (4, "c")]


def test_the_own_class_of_a_source_is_compared(classifier: BounceClassifier) -> None:
    diagnostic = "smtp;550 5.1.1 no such mailbox"
    reason = judge(classifier, BounceRecord(Outcome.BOUNCED, diagnostic)).reason
    for theirs, same in (("bad-mailbox", True), ("spam-related", False), ("no-class-of-powermta", None)):
        record = BounceRecord(Outcome.BOUNCED, diagnostic, theirs=theirs, vocabulary="powermta")
        assert agrees(record, reason) is same
    assert agrees(BounceRecord(Outcome.BOUNCED), reason) is None


def test_recognising_looks_at_the_head_only() -> None:
    line = b"Nov 24 09:11:31 mx1 postfix/smtp[1]: A1: to=<a@example.net>, relay=none, dsn=2.0.0, status=sent (250 ok)\n"
    source = from_bytes("x", line * 2000)
    assert len(head(source).data) == 65536
    assert read(source)[0].name == "postfix"
