"""Hostile messages and mailboxes: no crash, no stall, no memory without bounds.

Each message is read in a process that may use so much of the processor and of memory and no
more; when one stalls or grows, the process dies and the test says at which message.
"""

from __future__ import annotations

import base64
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from whybounce.model.predictor import BounceClassifier
from whybounce.serving.cli import app
from whybounce.serving.http import create_app
from whybounce.serving.intake.format import Skipped
from whybounce.serving.intake.messages import bounds, mime, read_message
from whybounce.serving.intake.open import read, sources
from whybounce.serving.intake.record import BounceRecord
from whybounce.serving.intake.unpacking import DamagedError

FINN, GIA = "finn@example.org", "gia@example.org"
MEGABYTE = 1024 * 1024
CPU_SECONDS = 25
MEMORY = 700 * MEGABYTE

HEAD = b"From: MAILER-DAEMON@mail.example.net\nTo: news@example.com\nSubject: failure notice\nMIME-Version: 1.0\n"
REPORT = b'Content-Type: multipart/report; report-type=delivery-status; boundary="R"\n\n'
SAID = (
    b"--R\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mail.example.net\n\n"
    b"Final-Recipient: rfc822; finn@example.org\nAction: failed\nStatus: 5.1.1\n"
    b"Diagnostic-Code: smtp; 550 5.1.1 User unknown\n\n"
)
QMAIL = b"<finn@example.org>:\nSorry, no mailbox here by that name. (#5.1.1)\n"


def nested(depth: int, inner: bytes = b"x\n") -> bytes:
    parts = (b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(depth))
    return b"".join(parts) + b"Content-Type: text/plain\n\n" + inner


def messages_in_messages(depth: int, inner: bytes = b"x\n") -> bytes:
    return b"Content-Type: message/rfc822\n\n" * depth + b"Subject: x\n\n" + inner


def recipients(number: int) -> bytes:
    return REPORT + SAID + b"".join(
        b"Final-Recipient: rfc822; a%d@example.com\nAction: failed\nStatus: 5.1.1\n\n" % n for n in range(number)
    )  # fmt: skip


def lines_of_base64(size: int) -> bytes:
    line = base64.b64encode(b"whybounce" * 6) + b"\n"
    return line * (size // len(line))


# What a sender may have put into a message that came back: the report above it must be read all the same.
RETURNED: dict[str, Callable[[], bytes]] = {
    "nested 10,000 deep": lambda: nested(10_000),
    "nested, and long": lambda: nested(400, b"x\n" * MEGABYTE),
    "messages in messages": lambda: messages_in_messages(10_000),
    "messages in messages, and long": lambda: messages_in_messages(300, b"x\n" * MEGABYTE),
    "100,000 header fields": lambda: b"X-Field: =?utf-8?q?=C3=A4?= b\n" * 100_000 + b"\nx\n",
    "a header field of 10 MB": lambda: b"Subject: " + b"x" * (10 * MEGABYTE) + b"\n\nx\n",
    "a header field of 10 MB, folded": lambda: b"Subject: x\n" + b" x\n" * (10 * MEGABYTE // 3) + b"\nx\n",
    "50 MB": lambda: b"Subject: x\n\n" + b"A line of a very long text.\n" * (50 * MEGABYTE // 28),
    "50 MB of base64": lambda: b"Content-Transfer-Encoding: base64\n\n" + lines_of_base64(50 * MEGABYTE),
    "only line ends": lambda: b"Subject: x\n\n" + b"\n" * (4 * MEGABYTE),
    "only carriage returns": lambda: b"Subject: x\n\n" + b"\r" * (4 * MEGABYTE),
    "one line": lambda: b"Subject: x\n\n" + b"x" * (5 * MEGABYTE),
    "a boundary that does not end": lambda: b'Content-Type: multipart/mixed; boundary="' + b"b" * (5 * MEGABYTE),
    "a boundary of nothing": lambda: b'Content-Type: multipart/mixed; boundary=""\n\n--\n--\n--\n' * 100,
    "parameters": lambda: b"Content-Type: text/plain" + b"; a*0*=x" * 500_000 + b"\n\nx\n",
    "the same boundary again": lambda: b"Content-Type: multipart/mixed; boundary=R\n\n--R\n" * 300 + b"x\n" * 100_000,
    "200,000 parts": lambda: b"Content-Type: multipart/mixed; boundary=p\n\n" + b"--p\n\nx\n" * 200_000,
    "NULs": lambda: b"\0" * MEGABYTE,
}

# What is wrong with the bounce itself: (message, kind, recipients that must be found, whether it says that it is cut).
ITSELF: dict[str, tuple[Callable[[], bytes], str | None, list[str], bool]] = {
    "nothing": (lambda: b"", None, [], False),
    "only NULs": (lambda: b"\0" * MEGABYTE, None, [], False),
    "no end of the header": (lambda: HEAD + b"X-A: b\n" * 100_000, "other", [], True),
    "100,000 header fields": (lambda: HEAD + b"X-A: b\n" * 100_000 + b"\n" + QMAIL, "other", [FINN], False),
    "a header field of 10 MB": (lambda: HEAD + b"X-A: " + b"b" * 10 * MEGABYTE + b"\n\n" + QMAIL, "other", [], True),
    "a header field of 3 MB": (lambda: HEAD + b"X-A: " + b"b" * 3 * MEGABYTE + b"\n\n" + QMAIL, "other", [FINN], False),
    "no boundary is named": (lambda: HEAD + b"Content-Type: multipart/report\n\n" + SAID, "dsn", [FINN], False),
    "the boundary never comes": (
        lambda: HEAD + REPORT.replace(b'"R"', b'"Q"') + SAID, "dsn", [FINN], False
    ),
    "the last boundary is missing": (lambda: HEAD + REPORT + SAID, "dsn", [FINN], True),
    "boundaries named twice": (
        lambda: HEAD + REPORT.replace(b'"R"', b'"R"; boundary="Q"') + SAID + b"--R--\n", "dsn", [FINN], False
    ),
    "everything is there twice": (lambda: HEAD + REPORT + SAID + SAID + b"--R--\n", "dsn", [FINN, FINN], False),
    "an unknown charset": (
        lambda: HEAD + b"Content-Type: text/plain; charset=no-such\n\n" + QMAIL, "other", [FINN], False
    ),
    "a charset of bytes": (
        lambda: HEAD + b"Content-Type: text/plain; charset=\xff\xfe\n\n" + QMAIL, "other", [FINN], False
    ),
    "another charset than it says": (
        lambda: HEAD + b"Content-Type: text/plain; charset=us-ascii\n\nZur\xfcck:\n\n" + QMAIL, "other", [FINN], False
    ),
    "half of it in UTF-16": (
        lambda: HEAD + b"\n" + QMAIL + "\n\ufeffä".encode("utf-16-le"), "other", [FINN], False
    ),
    "base64 with other characters": (
        lambda: HEAD + b"Content-Transfer-Encoding: base64\n\n*" + base64.encodebytes(QMAIL) + b"!!\n",
        "other", [FINN], False,
    ),
    "base64 that ends too early": (
        lambda: HEAD + b"Content-Transfer-Encoding: base64\n\n" + base64.b64encode(QMAIL + b"xx")[:-3],
        "other", [FINN], True,
    ),
    "quoted-printable that is none": (
        lambda: HEAD + b"Content-Transfer-Encoding: quoted-printable\n\n" + QMAIL + b"=\n=ZZ=0=", "other", [FINN], False
    ),
    "words that cannot be decoded": (
        lambda: HEAD + b"X-A: =?utf-99?q?=ff=?= =?x?b?!?= =?utf-8?b?gg==?=\n\n" + QMAIL, "other", [FINN], False
    ),
    "NULs between": (lambda: HEAD + b"\n" + QMAIL.replace(b"Sorry", b"\0Sor\0ry"), "other", [FINN], False),
    "100,000 recipients": (lambda: HEAD + recipients(100_000), "dsn", [FINN, "a0@example.com"], True),
    "9,000 recipients": (lambda: HEAD + recipients(9_000), "dsn", [FINN, "a0@example.com", "a8999@example.com"], True),
    "100,000 recipients as text": (
        lambda: HEAD + b"\n" + QMAIL + b"".join(b"\n<a%d@example.com>:\nUser unknown\n" % n for n in range(100_000)),
        "other", [FINN, "a0@example.com"], True,
    ),
    "a transcript of 5,000 sessions": (
        lambda: HEAD + b"\n   ----- The following addresses had permanent fatal errors -----\n"
        + b"".join(b"<a%d@b.example>\n" % n for n in range(9_000))
        + b"   ----- Transcript of session follows -----\n"
        + b"... while talking to mx.example.:\n>>> RCPT To:<q@c.example>\n" * 4_000,
        "sendmail", ["a0@b.example", "a8999@b.example"], True,
    ),
    "100 reports of folded fields": (
        lambda: HEAD + REPORT + SAID
        + (b"--R\nContent-Type: message/delivery-status\n\nReporting-MTA: x\n" + b" x\n" * 13_000) * 100,
        "dsn", [FINN], True,
    ),
    "HTML of comments": (
        lambda: HEAD + b"Content-Type: text/html\n\n" + b"<p>550 5.1.1 unknown</p>" + b"<!--" * MEGABYTE,
        "other", [], True,
    ),
}  # fmt: skip


def child() -> None:
    """Read every message, and print what was found; a limit that is reached ends the process."""
    with Path("/proc/self/statm").open() as stream:
        used = int(stream.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    cases = {f"returned: {name}": returned(make) for name, make in RETURNED.items()}
    cases |= {name: make for name, (make, *_) in ITSELF.items()}
    for name, make in cases.items():
        data = make()
        spent = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (int(spent) + CPU_SECONDS, hard))
        reading = read_message(data)
        found = [one.recipient for one in reading.records]
        print(json.dumps([name, reading.kind, found, reading.cut]), flush=True)


def returned(make: Callable[[], bytes]) -> Callable[[], bytes]:
    return lambda: HEAD + REPORT + SAID + b"--R\nContent-Type: message/rfc822\n\n" + make()


@pytest.fixture(scope="module")
def readings() -> dict[str, tuple[str | None, list[str | None], bool]]:
    code = "import test_hostile_mime; test_hostile_mime.child()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    read_so_far = {name: (kind, found, cut) for name, kind, found, cut in lines}
    expected = [*(f"returned: {name}" for name in RETURNED), *ITSELF]
    missing = [name for name in expected if name not in read_so_far]
    assert done.returncode == 0, f"ended at {missing[:1]}: {done.returncode} {done.stderr[-2000:]}"
    return read_so_far


@pytest.mark.parametrize("name", RETURNED)
def test_whatever_came_back_the_report_is_read(name: str, readings: dict[str, Any]) -> None:
    kind, found, _ = readings[f"returned: {name}"]
    assert (kind, found) == ("dsn", [FINN])


@pytest.mark.parametrize("name", ITSELF)
def test_a_broken_bounce_says_what_it_can(name: str, readings: dict[str, Any]) -> None:
    _, kind, wanted, is_cut = ITSELF[name]
    found_kind, found, cut = readings[name]
    assert found_kind == kind
    assert cut == is_cut
    assert len(found) <= 10_000
    assert set(wanted) <= set(found)
    assert len(wanted) != len(set(wanted)) or len(found) >= len(wanted)


def test_what_the_parser_is_given_has_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[bytes] = []
    leaves: list[str] = []

    class Recording(BytesParser):
        def parsebytes(self, text: bytes | bytearray, headersonly: bool = False) -> Any:
            given.append(bytes(text))
            return super().parsebytes(text, headersonly)

    sort = mime._sort

    def recorded(mail: mime.Mail, kind: str, *others: Any) -> None:
        leaves.append(kind)
        sort(mail, kind, *others)

    monkeypatch.setattr(mime, "BytesParser", Recording)
    monkeypatch.setattr(mime, "_sort", recorded)
    for name, make in RETURNED.items():
        given.clear()
        leaves.clear()
        mime.open_mail(returned(make)())
        assert sum(map(len, given)) <= bounds.MAX_MESSAGE, name
        for data in given:
            lines = data.count(b"\n") + data.count(b"\r")
            assert lines <= bounds._MAX_LINES + 1, name
            assert lines * data.lower().count(b"boundary") <= bounds._MAX_MATCHES + 1000, name
        assert len(leaves) <= bounds.MAX_PARTS, name


def test_a_huge_line_in_a_mailbox(tmp_path: Path) -> None:
    mailbox = tmp_path / "bounces.mbox"
    separator = b"From MAILER-DAEMON Tue Mar  5 09:20:44 2024\n"
    with mailbox.open("wb") as stream:
        stream.write(separator + HEAD + b"\n" + QMAIL + b"\n")
        stream.seek(512 * MEGABYTE, os.SEEK_CUR)  # one line of NULs that takes no room on the disk
        stream.write(b"\n\n" + separator + HEAD + b"\n" + QMAIL.replace(b"finn", b"gia"))
    code = (
        "import resource, sys\n"
        "from whybounce.serving.intake.open import read, sources\n"
        "pages = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        f"resource.setrlimit(resource.RLIMIT_AS, (pages + {200 * MEGABYTE},) * 2)\n"
        f"resource.setrlimit(resource.RLIMIT_CPU, ({CPU_SECONDS},) * 2)\n"
        "form, records = read(next(sources(sys.argv[1:])))\n"
        "print(form.name, *(one.recipient for one in records))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(mailbox)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["mbox", FINN, GIA]), done.stderr[-2000:]


def maildir(folder: Path, *names: str) -> Path:
    for part in ("cur", "new", "tmp"):
        (folder / part).mkdir(parents=True)
    for number, name in enumerate(names):
        data = QMAIL if number == 0 else QMAIL.replace(b"finn", b"gia")
        (folder / "cur" / name).write_bytes(HEAD + b"\n" + data)
    return folder


def read_all(folder: Path) -> tuple[list[str | None], list[Skipped]]:
    found: list[BounceRecord | Skipped] = []
    for source in sources([folder]):
        found.extend(read(source)[1])
    return (
        [one.recipient for one in found if isinstance(one, BounceRecord)],
        [one for one in found if isinstance(one, Skipped)],
    )


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files with ``locked`` in their name cannot be opened, not even by root."""
    real = Path.open

    def opened(self: Path, *arguments: Any, **options: Any) -> Any:
        if "locked" in self.name and arguments == ("rb",):
            raise PermissionError(13, "Permission denied", str(self))
        return real(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", opened)


@pytest.mark.usefixtures("locked")
def test_a_maildir_with_files_that_cannot_be_read(tmp_path: Path) -> None:
    recipients, skipped = read_all(maildir(tmp_path / "m", "1.a:2,S", "0.locked:2,S", "2.b:2,"))
    assert recipients == [FINN, GIA]
    assert [(Path(one.source).name, one.why) for one in skipped] == [
        ("0.locked:2,S", "cannot be read (Permission denied); check its permissions")
    ]


@pytest.mark.usefixtures("locked")
def test_a_maildir_of_which_nothing_can_be_read(tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match=r"none of its messages can be read.*Permission denied.*permissions"):
        read_all(maildir(tmp_path / "m", "0.locked:2,S", "1.locked:2,S"))


def test_links_that_lead_in_circles(tmp_path: Path) -> None:
    folder = maildir(tmp_path / "m", "1.a:2,S")
    (folder / "cur" / "2.circle").symlink_to("2.circle")
    (folder / "cur" / "3.gone").symlink_to("nowhere")
    (folder / "new" / "4.up").symlink_to(folder)
    os.mkfifo(folder / "new" / "5.pipe")  # opening it would wait for ever
    (folder / ".Sub").symlink_to(folder)
    assert read_all(folder) == ([FINN], [])
    around = tmp_path / "around"
    around.mkdir()
    (around / "one.eml").write_bytes(HEAD + b"\n" + QMAIL)
    (around / "circle.eml").symlink_to("circle.eml")
    (around / "back").symlink_to(tmp_path)
    assert read_all(around) == ([FINN], [])


def test_the_command_line_reads_mailboxes(tmp_path: Path) -> None:
    message = HEAD + b"\n" + QMAIL
    mailbox = tmp_path / "bounces.mbox"
    separator = b"From MAILER-DAEMON Tue Mar  5 09:20:44 2024\n"
    mailbox.write_bytes(separator + message + b"\n" + separator + message.replace(b"finn", b"gia"))
    folder = maildir(tmp_path / "m", "1.a:2,S", "2.b:2,")
    single = tmp_path / "one.eml"
    single.write_bytes(message)
    for given, text, wanted in (
        (str(mailbox), None, [FINN, GIA]),
        (str(folder), None, [FINN, GIA]),
        (str(single), None, [FINN]),
        ("-", message, [FINN]),
        ("-", mailbox.read_bytes(), [FINN, GIA]),
    ):
        done = CliRunner().invoke(app, ["predict", given, "--json"], input=text)
        assert done.exit_code == 0, done.output
        rows = json.loads(done.stdout)
        assert [(row["recipient"], row["reason"]) for row in rows] == [(who, "invalid_recipient") for who in wanted]
        done = CliRunner().invoke(app, ["report", given, "--json"], input=text)
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["bounced"] == len(wanted)
    names = {row["name"] for row in json.loads(CliRunner().invoke(app, ["formats", "--json"]).stdout)}
    assert {"message", "mbox"} <= names


def test_the_endpoint_reads_what_is_hostile(classifier: BounceClassifier) -> None:
    client = TestClient(create_app(classifier), raise_server_exceptions=False)
    for name in ("nested 10,000 deep", "messages in messages", "100,000 header fields", "NULs", "parameters"):
        data = returned(RETURNED[name])()
        answer = client.post("/v1/message", content=data, headers={"content-type": "message/rfc822"})
        assert answer.status_code == 200, name
        records = [(one["recipient"], one["prediction"]["reason"]) for one in answer.json()["records"]]
        assert records == [(FINN, "invalid_recipient")]
