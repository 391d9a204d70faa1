"""Messages that were cut on their way, names that are no addresses, charsets under the names that programs give them."""

from __future__ import annotations

import base64
import json
import quopri
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from report_cli import here
from typer.testing import CliRunner

from whybounce.model.predictor import BounceClassifier
from whybounce.serving.cli import app
from whybounce.serving.http.app import create_app
from whybounce.serving.intake.messages import read_message
from whybounce.serving.intake.messages.text import as_text, charset_of
from whybounce.serving.intake.record import Outcome

__all__ = ["here"]
pytestmark = pytest.mark.usefixtures("here")

HEAD = (
    b"Return-Path: <>\nFrom: MAILER-DAEMON@mail.example.net\nTo: news@example.com\nSubject: Undelivered Mail\n"
    b"Date: Mon, 02 Mar 2026 09:00:00 +0000\nMIME-Version: 1.0\n"
)
REPORT = b'Content-Type: multipart/report; report-type=delivery-status; boundary="R"\n\n'
WORDS = b"--R\nContent-Type: text/plain\n\nYour message could not be delivered to one or more recipients.\n\n"
STATUS = (
    b"--R\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mail.example.net\n\n"
    b"Final-Recipient: rfc822; finn@example.org\nAction: failed\nStatus: 5.2.2\n"
    b"Diagnostic-Code: smtp; 552 5.2.2 The mailbox of Finn is over its quota\n\n"
)
WHOLE = HEAD + REPORT + WORDS + STATUS + b"--R\nContent-Type: message/rfc822\n\nSubject: News\n\nHello\n\n--R--\n"


def upto(words: bytes) -> bytes:
    return WHOLE[: WHOLE.index(words) + len(words)]


def test_a_whole_one_is_none() -> None:
    found = read_message(WHOLE)
    assert (found.cut, found.ends_early, len(found.records)) == (False, False, 1)
    assert not read_message(WHOLE.rstrip()).ends_early
    assert not read_message(HEAD + b"\nhello").ends_early
    assert not read_message(b"").ends_early


# Where it ends → recipient, status, diagnostic
CUTS: list[tuple[bytes, str | None, str | None, str]] = [
    (b"Hello", "finn@example.org", "5.2.2", "552 5.2.2 The mailbox of Finn is over its quota"),
    (b"over its quota\n", "finn@example.org", "5.2.2", "552 5.2.2 The mailbox of Finn is over its quota"),
    (b"552 5.2.2 The mailbox of Fi", "finn@example.org", "5.2.2", "552 5.2.2 The mailbox of"),
    (b"Status: 5.2.2", "finn@example.org", None, ""),  # perhaps it was 5.2.21
    (b"Status: 5.2.2\n", "finn@example.org", "5.2.2", ""),
]


@pytest.mark.parametrize(("words", "recipient", "status", "diagnostic"), CUTS)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_what_stands_before_the_cut_is_read(
    words: bytes, recipient: str, status: str | None, diagnostic: str, end: bytes
) -> None:
    found = read_message(upto(words).replace(b"\n", end))
    assert (found.kind, found.cut, found.ends_early) == ("dsn", True, True)
    [record] = found.records
    assert (record.recipient, record.enhanced_status, record.outcome) == (recipient, status, Outcome.BOUNCED)
    if diagnostic:
        assert record.diagnostic == diagnostic


@pytest.mark.parametrize("length", range(len("Final-Recipient: rfc822; finn@example.org")))
def test_half_an_address_is_none(length: int) -> None:
    begin = WHOLE.index(b"Final-Recipient")
    for record in read_message(WHOLE[: begin + length]).records:
        assert record.recipient is None


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_half_an_address_in_an_encoded_part_is_none(encoding: str) -> None:
    plain = STATUS.partition(b"\n\n")[2]
    encoded = base64.encodebytes(plain) if encoding == "base64" else quopri.encodestring(plain)
    top = HEAD + REPORT + b"--R\nContent-Type: message/delivery-status\n"
    top += b"Content-Transfer-Encoding: " + encoding.encode() + b"\n\n"
    seen = set()
    for length in range(len(encoded)):
        for record in read_message(top + encoded[:length]).records:
            seen.add(record.recipient)
    assert seen <= {None, "finn@example.org"}
    assert "finn@example.org" in seen


@pytest.mark.parametrize("length", range(0, len(WHOLE), 7))
def test_every_cut_is_told(length: int, classifier: BounceClassifier) -> None:
    found = read_message(WHOLE[:length])
    assert found.ends_early or length < 14 or length > len(WHOLE) - 4
    assert {record.recipient for record in found.records} <= {None, "finn@example.org"}


def test_in_its_header() -> None:
    failed = HEAD + b"X-Failed-Recipients: finn@example.org\nX-Mailer: so"
    found = read_message(failed)
    assert found.ends_early
    assert [record.recipient for record in found.records] == ["finn@example.org"]
    found = read_message(HEAD + b"X-Failed-Recipients: finn@exam")
    assert [record.recipient for record in found.records if record.recipient] == []


def test_on_the_command_line_and_over_http(classifier: BounceClassifier) -> None:
    Path("a.eml").write_bytes(upto(b"over its quota\n"))
    Path("b.eml").write_bytes(HEAD[:70])
    done = CliRunner().invoke(app, ["predict", "a.eml", "--jsonl"])
    assert done.exit_code == 0, done.exception
    [row] = map(json.loads, done.stdout.splitlines())
    assert (row["recipient"], row["reason"]) == ("finn@example.org", "mailbox_full")
    assert "a.eml is cut off, in its header or in the middle of a part; what stands before that was read" in done.stderr
    done = CliRunner().invoke(app, ["report", "a.eml", "b.eml", "--format", "message", "--json"])
    found = json.loads(done.stdout)
    assert found["bounced"] == 1
    assert (
        "not read: b.eml: is cut off, in its header or in the middle of a part; it could not be read what"
        in done.stderr
    )
    with TestClient(create_app(classifier)) as client:
        sent = client.post("/v1/message", content=upto(b"over its quota\n")).json()
        assert (sent["cut"], sent["records"][0]["recipient"], sent["records"][0]["status"]) == (
            True,
            "finn@example.org",
            "5.2.2",
        )
        assert client.post("/v1/message", content=WHOLE).json()["cut"] is False
        refused = client.post("/v1/message", content=HEAD[:70])
        assert refused.status_code == 422
        assert "cut off" in refused.json()["detail"]


@pytest.mark.parametrize(("sender", "recipient"), [
    ("Ann Example", None), ('"Ann Example"', None), ("Ann Example <ann@example.org>", "ann@example.org"), ("<>", None), ("", None),
])  # fmt: skip
def test_a_name_is_no_recipient(sender: str, recipient: str | None) -> None:
    head = f"From: {sender}\nTo: news@example.com\nSubject: Out of office\nAuto-Submitted: auto-replied\n\nI am away.\n"
    [record] = read_message(head.encode()).records
    assert (record.kind, record.recipient) == ("vacation", recipient)


JAPANESE, KOREAN, CHINESE, HEBREW = (
    "メールボックスがいっぱいです①",
    "받는 사람을 찾을 수 없습니다 뷁",
    "用户不存在，镕",
    "המשתמש אינו קיים",
)
CHARSETS = [
    ("x-sjis", "cp932", JAPANESE), ("windows-31j", "cp932", JAPANESE), ("Shift_JIS", "cp932", JAPANESE),
    ("x-euc-jp", "euc_jp", "メールボックスがいっぱいです"), ("iso-2022-jp-ms", "iso2022_jp_ext", "メールボックスがいっぱいです"),
    ("ks_c_5601-1987", "cp949", KOREAN), ("x-windows-949", "cp949", KOREAN), ("euc-kr", "cp949", KOREAN),
    ("x-gbk", "gbk", CHINESE), ("gb2312", "gbk", CHINESE), ("x-gb2312", "gbk", CHINESE), ("cn-big5", "big5", "使用者不存在"),
    ("iso-8859-8-i", "iso8859_8", HEBREW), ("ISO-8859-8-E", "iso8859_8", HEBREW), ("windows-1255", "cp1255", HEBREW),
    ("x-mac-roman", "mac_roman", "Boîte à lettres pleine"), ("macintosh", "mac_roman", "Boîte à lettres pleine"),
    ("cp-850", "cp850", "Empfänger gelöscht"), ("ibm850", "cp850", "Empfänger gelöscht"), ("win-1251", "cp1251", "Ящик переполнен"),
    ("x-koi8-r", "koi8_r", "Ящик переполнен"), ("unicode-1-1-utf-7", "utf_7", "Boîte pleine"), ("utf-8mb4", "utf_8", JAPANESE),
    *((name, codec, "Empfänger gelöscht") for name in ("x-unknown", "8bit", "default_charset", "ansi_x3.110", "unknown-8bit", "") for codec in ("utf_8", "cp1252")),
]  # fmt: skip


@pytest.mark.parametrize(("declared", "codec", "text"), CHARSETS)
def test_charsets(declared: str, codec: str, text: str) -> None:
    assert as_text(text.encode(codec), declared) == text
    data = f"The answer was:\n\n550 5.1.1 {text}\n".encode(codec)
    head = b"From: MAILER-DAEMON@mail.example.net\nTo: a@example.com\nSubject: failure notice\n"
    for encoding, body in (
        (b"8bit", data),
        (b"base64", base64.encodebytes(data)),
        (b"quoted-printable", quopri.encodestring(data)),
    ):
        typed = b'Content-Type: text/plain; charset="%s"\nContent-Transfer-Encoding: %s\n\n' % (
            declared.encode(),
            encoding,
        )
        [record] = read_message(head + typed + body).records
        assert text in record.diagnostic


@pytest.mark.parametrize(
    ("declared", "codec", "text"), [row for row in CHARSETS if row[0] in ("x-sjis", "ks_c_5601-1987", "utf-8mb4")]
)
def test_damage_does_not_make_it_another_charset(declared: str, codec: str, text: str) -> None:
    found = as_text(text.encode(codec)[:-1] + b"\xff end", declared)
    assert found.startswith(text[:-1])
    assert as_text("Boîte à lettres".encode("latin-1"), "utf-8") == "Boîte à lettres"


@pytest.mark.parametrize(
    "name", ["no-such", "x-", "cp", "cp-99999", "windows-", "undefined", "idna", "a\0b", "9" * 5000, "../etc"]
)
def test_what_is_no_charset(name: str) -> None:
    assert charset_of(name) is None
    assert as_text(b"550 caf\xe9", name) == "550 café"
