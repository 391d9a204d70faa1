"""Logs, packed or damaged: the same records, and no bytes that break a parser."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from whybounce.serving.intake.format import Head, Skipped, Source
from whybounce.serving.intake.formats import format_named, formats, recognise
from whybounce.serving.intake.open import from_bytes, head, read, sources
from whybounce.serving.intake.record import BounceRecord

FIXTURES = Path(__file__).parent / "fixtures" / "logs"
LOGS = ("postfix", "exim", "sendmail", "qmail", "opensmtpd", "powermta", "kumomta", "exchange")
FILES = sorted(path for form in LOGS for path in (FIXTURES / form).iterdir() if ".expected." not in path.name)


def records_of(path: Path) -> list[BounceRecord | Skipped]:
    [source] = sources([path])
    return list(read(source)[1])


def test_there_are_five_of_each() -> None:
    for form in LOGS:
        assert sum(path.parent.name == form for path in FILES) >= 5, form


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lambda data: __import__("zstandard").compress(data)])
def test_packed_logs(pack: object, tmp_path: Path) -> None:
    plain = FIXTURES / "postfix" / "rejected-at-rcpt.log"
    packed = tmp_path / "mail.log.1"
    packed.write_bytes(pack(plain.read_bytes()))  # type: ignore[operator]
    there = [record.recipient for record in records_of(packed) if isinstance(record, BounceRecord)]
    assert there == [record.recipient for record in records_of(plain) if isinstance(record, BounceRecord)]


def test_no_fixture_is_taken_for_another_format() -> None:
    for path in FILES:
        [source] = sources([path])
        claims = {form.name: form.recognise(head(source)) for form in formats()}
        best = max(claims, key=lambda name: claims[name])
        assert best == path.parent.name, claims


@pytest.mark.parametrize("name", ["diagnostic", "text"])
def test_a_table_that_holds_lines_of_a_log_is_a_table(name: str) -> None:
    for path in FILES:
        if path.parent.name not in LOGS[:5]:
            continue
        lines = path.read_text("utf-8", "replace").splitlines()
        objects = "".join(json.dumps({"id": number, name: line}) + "\n" for number, line in enumerate(lines))
        assert format_of(objects) == "jsonl", path
        cells = io.StringIO()
        csv.writer(cells).writerows([("id", name), *enumerate(lines)])
        assert format_of(cells.getvalue()) == "csv", path


def format_of(text: str) -> str | None:
    found = recognise(Head("x", text.encode()))
    return found.name if found else None


SEEDS = {form: [path.read_bytes() for path in FILES if path.parent.name == form] for form in LOGS}


@st.composite
def damaged(draw: st.DrawFn, form: str) -> bytes:
    """Bytes near to a fixture: pieces cut out, doubled, swapped or replaced by anything."""
    data = bytearray(draw(st.sampled_from(SEEDS[form])))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, max(0, len(data) - 1)))
        end = min(len(data), start + draw(st.integers(0, 60)))
        piece = draw(st.one_of(st.binary(max_size=40), st.just(bytes(data[start:end]) * 2), st.just(b"")))
        data[start:end] = piece
    return bytes(data)


@pytest.mark.parametrize("form", LOGS)
@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_nothing_breaks_a_parser(form: str, data: st.DataObject) -> None:
    content = data.draw(st.one_of(damaged(form), st.binary(max_size=300)))
    source: Source = from_bytes("x", content)
    for known in formats():
        assert 0 <= known.recognise(head(source)) <= 1
    for record in format_named(form).read(Source("x", lambda: io.BytesIO(content))):
        assert isinstance(record, BounceRecord | Skipped)
        if isinstance(record, BounceRecord):
            assert isinstance(record.diagnostic, str)
            assert record.reply_code is None or 200 <= record.reply_code <= 599


def test_columns_that_are_none() -> None:
    """Found by fuzzing: a carriage return within the first line."""
    content = b"type\r,timeLogged,rcpt,dsnDiag,bounceCat\nb,2026-03-02,a@example.com,smtp;550 no,other\n"
    found = list(format_named("powermta").read(Source("x", lambda: io.BytesIO(content))))
    assert all(isinstance(record, Skipped) for record in found)
