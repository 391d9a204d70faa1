"""``whybounce report`` and ``predict`` over the files as people have them: rotated, packed, empty, foreign, twice."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zstandard
from report_cli import call, figures, here
from test_cli import Run, run

from whybounce.serving.intake.format import Skipped
from whybounce.serving.intake.formats import EmptyError
from whybounce.serving.intake.open import misread, read, sources
from whybounce.serving.intake.record import BounceRecord, Outcome

__all__ = ["here", "run"]
LOG = "mx postfix"
UNKNOWN = "550 5.1.1 <{}>: User unknown"


def written(name: str, data: str | bytes, day: int = 9) -> Path:
    """Write a file as if on a day of March 2026."""
    path = Path(name)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    seconds = datetime(2026, 3, day, tzinfo=UTC).timestamp()
    os.utime(path, (seconds, seconds))
    return path


def delivery(to: str, status: str, said: str, *, queue: str = "4AA1", when: str = "Mar  2 09:00:00") -> str:
    relay = f"relay=mx.{to.partition('@')[2]}[198.51.100.7]:25, delay=1, dsn=0.0.0"
    return f"{when} {LOG}/smtp[7]: {queue}: to=<{to}>, {relay}, status={status} ({said})\n"


# Rotated files


def test_a_message_waits_longer_than_a_log_lasts(here: Path) -> None:
    """What the queue gives up on a Friday was put off on Monday, in a file that was rotated since."""
    monday = (
        f"Mar  2 09:00:00 {LOG}/cleanup[7]: 4AA1: info: header X-Campaign-Id: spring from app[192.0.2.8]; from=<n@e.example>\n"
        f"Mar  2 09:00:00 {LOG}/cleanup[7]: 4AA1: message-id=<1@e.example>\n"
        f"Mar  2 09:00:00 {LOG}/qmgr[7]: 4AA1: from=<n@e.example>, size=1, nrcpt=1 (queue active)\n"
        + delivery("ann@example.com", "deferred", "452 4.2.2 Mailbox full")
    )
    friday = f"Mar  6 09:00:00 {LOG}/qmgr[7]: 4AA1: from=<n@e.example>, status=expired, returned to sender\n"
    written("mail.log", friday, 6)
    written("mail.log.1", delivery("bob@example.com", "sent", "250 ok", queue="4BB1"), 4)
    written("mail.log.2.gz", gzip.compress(monday.encode()), 3)
    found = figures("mail.log", "mail.log.1", "mail.log.2.gz")
    assert (found["bounced"], found["delivered"], found["deferred"]) == (1, 1, 1)
    records = [one for source in sources(["mail.log", "mail.log.2.gz"]) for one in read(source)[1]]
    gone = records[-1]
    assert isinstance(gone, BounceRecord)
    assert (gone.outcome, gone.recipient, gone.campaign) == (Outcome.BOUNCED, "ann@example.com", "spring")
    assert (gone.message_id, gone.source) == ("1@e.example", "mail.log:1")
    # Of another log, and without the file of Monday, nobody knows for whom it was.
    for names in (["mail.log"], ["mail.log", str(written("other.log", monday, 3))]):
        left = [one for source in sources(names) for one in read(source)[1] if isinstance(one, Skipped)]
        assert [one.source for one in left] == ["mail.log:1"]


def test_logs_named_by_their_time_are_one(here: Path) -> None:
    row = {"id": "a" * 32, "recipient": "ann@example.com", "queue": "spring:t@example.com", "num_attempts": 1}
    first = row | {
        "type": "TransientFailure",
        "timestamp": 1772442000,
        "response": {"code": 452, "content": "mailbox full"},
    }
    last = row | {
        "type": "Expiration",
        "timestamp": 1772842000,
        "response": {"code": 551, "content": "Next delivery time too late"},
    }
    Path("kumo").mkdir()
    written("kumo/20260302-090000.123", zstandard.compress(json.dumps(first).encode()))
    written("kumo/20260306-090000.456", zstandard.compress(json.dumps(last).encode()))
    found = [one for source in sources(["kumo"]) for one in read(source)[1]]
    assert [one.diagnostic for one in found if isinstance(one, BounceRecord)] == ["mailbox full"] * 2


def test_a_file_named_twice_counts_once(here: Path) -> None:
    written("mail.log", delivery("ann@example.com", "bounced", UNKNOWN))
    Path("link.log").symlink_to("mail.log")
    assert figures("mail.log", "mail.log", "./mail.log", ".", "link.log")["bounced"] == 1


@pytest.mark.parametrize(
    ("name", "day"),
    [("mail.log", "2026-03-02"), ("mail.log-20240306", "2024-03-02"), ("mail.log-20240306.gz", "2024-03-02")],
)
def test_the_year_of_a_copy_is_in_its_name(here: Path, name: str, day: str) -> None:
    data = delivery("ann@example.com", "bounced", UNKNOWN).encode()
    written(name, gzip.compress(data) if name.endswith("gz") else data)
    assert figures(name)["period"] == {"first": day, "last": day}


def test_new_year_within_a_log(here: Path) -> None:
    lines = [
        delivery(f"a{n}@example.com", "bounced", UNKNOWN, when=when)
        for n, when in enumerate(("Dec 31 23:59:58", "Jan  1 00:00:03"))
    ]
    written("mail.log", "".join(lines))
    assert figures("mail.log")["period"] == {"first": "2025-12-31", "last": "2026-01-01"}


# Files that are not what they should be


def test_one_file_does_not_cost_the_report_of_the_others(here: Path) -> None:
    written("mail.log", delivery("ann@example.com", "bounced", UNKNOWN))
    written("mail.log.9", "")
    written("notes.txt", "Dear reader,\nthis is a letter.\n")
    written("photo.jpg", bytes(range(256)) * 20)
    done = call(".", "--json")
    assert done.exit_code == 0
    found = json.loads(done.stdout)["sources"]
    left = [piece["where"] for source in found for piece in source.pop("left_out")]
    assert left == ["./notes.txt", "./photo.jpg"]
    assert found == [
        {"name": "./mail.log", "format": "postfix", "records": 1, "skipped": 0},
        {"name": "./mail.log.9", "format": "(empty)", "records": 0, "skipped": 0},
        {"name": "./notes.txt", "format": "(unknown)", "records": 0, "skipped": 1},
        {"name": "./photo.jpg", "format": "(unknown)", "records": 0, "skipped": 1},
    ]
    for words in ("mail.log.9: is empty", "notes.txt: is in no known format", "photo.jpg: is in no known format"):
        assert words in done.stderr
    assert "could not be read: 2" in call(".").stdout


@pytest.mark.parametrize(
    ("data", "message"), [("", "is empty"), (" \n", "is empty"), ("Dear reader,\n", "in no known format")]
)
def test_when_nothing_can_be_read_the_first_is_told(here: Path, data: str, message: str) -> None:
    written("a.log", data)
    written("b.log", data)
    done = call("a.log", "b.log")
    assert done.exit_code == 1
    assert f"a.log: {message}" in str(done.exception).replace("is in no", "in no")


def test_empty_is_an_error_of_its_own(here: Path) -> None:
    [source] = sources([written("a.log", "")])
    with pytest.raises(EmptyError):
        read(source)


def test_a_wrong_format_is_told(here: Path, run: Run) -> None:
    written("mail.log", delivery("ann@example.com", "bounced", UNKNOWN))
    done = call("mail.log", "--format", "exim")
    assert done.exit_code == 1
    assert "nothing in it is in the format exim; it looks like postfix" in str(done.exception)
    assert "it looks like postfix" in run("predict", here / "mail.log", "--format", "exim").words
    [source] = sources(["mail.log"])
    assert misread(source, read(source)[0]) is None


# Predictions over files


@pytest.mark.parametrize(
    "pack", [bytes, gzip.compress, bz2.compress, zstandard.compress, lambda data: data.decode().encode("utf-16")]
)
def test_predict_reads_packed_files_and_streams(here: Path, run: Run, pack: Callable[[bytes], bytes]) -> None:
    log = pack(delivery("ann@example.com", "bounced", UNKNOWN.format("ann@example.com")).encode())
    table = pack(b"text\n550 5.1.1 no such user\n")
    written("mail.log.1", log)
    written("a.csv.gz", table)
    for done in (run("predict", here / "mail.log.1", "--jsonl"), run("predict", "-", "--jsonl", stdin=log)):
        assert json.loads(done.out)["recipient"] == "ann@example.com"
    for done in (
        run("predict", here / "a.csv.gz", "--jsonl"),
        run("predict", here / "a.csv.gz", "--column", "text", "--jsonl"),
        run("predict", "-", "--column", "text", "--jsonl", stdin=table),
    ):
        [answer] = [json.loads(line) for line in done.out.splitlines()]
        assert (answer["diagnostic"], answer["reason"]) == ("550 5.1.1 no such user", "invalid_recipient")


def test_predict_reads_several_files(here: Path, run: Run) -> None:
    written("mail.log", delivery("ann@example.com", "bounced", UNKNOWN))
    written("mail.log.1", delivery("bob@example.com", "deferred", "452 4.2.2 Mailbox full"))
    written("notes", "Dear reader,\nthis is a letter.\n")
    written("bounces.txt", "550 5.1.1 no such user\n")
    done = run("predict", "mail.log", "mail.log.1", "bounces.txt", "--jsonl")
    assert [json.loads(line)["reason"] for line in done.out.splitlines()] == [
        "mailbox_full",
        "invalid_recipient",
        "invalid_recipient",
    ]
    done = run("predict", here, "--jsonl")
    assert len(done.out.splitlines()) == 3
    assert "left out: 1; the first:" in done.err
    assert "notes is in no known format" in done.words


def test_predict_says_what_the_provider_thinks(here: Path, run: Run) -> None:
    event = {
        "event": "bounce", "email": "ann@example.com", "sg_event_id": "e1", "category": "spring", "timestamp": 1772442000,
        "reason": "550 5.7.1 client [192.0.2.1] blocked using zen.spamhaus.org", "bounce_classification": "Invalid Address",
    }  # fmt: skip
    written("events.json", json.dumps([event]))
    answer = json.loads(run("predict", here / "events.json", "--jsonl").out)
    assert (answer["theirs"], answer["agrees"], answer["reason"]) == ("Invalid Address", False, "sender_reputation")
    assert (answer["campaign"], answer["event_id"]) == ("spring", "e1")


@pytest.mark.parametrize(
    "content",
    ["E-Mail;Grund\nann@example.com;550 5.1.1 unknown user\n", "id;text\n7;550 5.1.1 unknown user\n", "E-Mail\tGrund\na@e.example\t550 5.1.1 unknown user\n"],
)  # fmt: skip
def test_predict_finds_the_column(here: Path, run: Run, content: str) -> None:
    written("a.csv", content)
    [line] = run("predict", here / "a.csv", "--jsonl").out.splitlines()
    assert (json.loads(line)["diagnostic"], json.loads(line)["reason"]) == (
        "550 5.1.1 unknown user",
        "invalid_recipient",
    )


def test_a_column_makes_a_table_of_any_text_file(here: Path, run: Run) -> None:
    written("export.txt", "id;what\n7;nobody here\n")
    answer = json.loads(run("predict", here / "export.txt", "--column", "what", "--jsonl").out)
    assert (answer["id"], answer["diagnostic"]) == ("7", "nobody here")


def test_predict_refuses_what_is_binary(here: Path, run: Run) -> None:
    written("photo.jpg", bytes(range(256)) * 20)
    done = run("predict", here / "photo.jpg")
    assert done.code == 1
    assert "looks binary" in done.words


# Tables and exports


def test_an_export_of_exchange_whatever_the_locale(here: Path) -> None:
    rows = (
        '"Timestamp","EventId","Recipients","RecipientStatus","MessageSubject"\r\n'
        '"3/2/2026 9:00:00 AM","FAIL","ann@example.com","[{LED=550 5.1.1 User unknown}]","x"\r\n'
        '"3/2/2026 9:00:00 AM","FAIL","System.String[]","System.String[]","x"\r\n'
    )
    for name, data in (("a.csv", rows.encode("utf-16")), ("b.csv", b"\xef\xbb\xbf" + rows.replace(",", ";").encode())):
        written(name, data)
        [source] = sources([name])
        form, found = read(source)
        first, second = found
        assert form.name == "exchange"
        assert isinstance(first, BounceRecord)
        assert (first.recipient, first.diagnostic) == ("ann@example.com", "550 5.1.1 User unknown")
        assert isinstance(second, Skipped)
        assert "exported without its recipients" in second.why


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1,2\n",
        "550 5.1.1 a, b\n550 5.1.1 c, d\n",
        "name,name\nx,550 5.1.1 y\n",
        "one,two\n550 5.1.1 a\n550 5.1.1 b\n",
    ],
)
def test_lines_are_no_table(here: Path, content: str) -> None:
    from whybounce.serving.intake.format import Head
    from whybounce.serving.intake.formats import recognise

    found = recognise(Head("a.csv", content.encode()))
    assert found is None or found.name == "text"


# What is listed


def test_reports_of_machines_are_one_report_to_the_byte(here: Path) -> None:
    """Also where an address is suppressed only because of what two machines know together."""
    full = "552 5.2.2 Mailbox full"
    days = [delivery("ann@example.com", "bounced", full, when=f"Mar  {day} 09:00:00") for day in range(2, 8)]
    days.append(delivery("bob@example.com", "bounced", UNKNOWN.format("bob@example.com")))
    days += [delivery(f"c{n}@example.net", "sent", "250 ok") for n in range(30)]
    written("all.log", "".join(days))
    Path("one").mkdir()
    Path("two").mkdir()
    written("one/all.log", "".join(days[::2]))
    written("two/all.log", "".join(days[1::2]))
    for machine in ("one", "two"):
        assert call(f"{machine}/all.log", "-o", f"{machine}.json").exit_code == 0
    lists = {}
    for name, arguments in {
        "whole": ["all.log"], "again": ["all.log"], "merged": ["--merge", "two.json", "--merge", "one.json"],
    }.items():  # fmt: skip
        outputs = [part for form in ("html", "md", "csv", "json") for part in ("-o", f"{name}.{form}")]
        done = call(*arguments, "--suppress-list", f"{name}.list", *outputs)
        assert done.exit_code == 0
        lists[name] = Path(f"{name}.list").read_bytes()
    assert lists["whole"] == lists["again"] == lists["merged"]
    assert [row["address"] for row in csv.DictReader(io.StringIO(lists["whole"].decode()))] == [
        "ann@example.com",
        "bob@example.com",
    ]
    for form in ("html", "md", "csv", "json"):
        assert Path(f"whole.{form}").read_bytes() == Path(f"again.{form}").read_bytes()
    whole, merged = (json.loads(Path(f"{name}.json").read_text("utf-8")) for name in ("whole", "merged"))
    assert {**whole, "sources": 0, "state": 0} == {**merged, "sources": 0, "state": 0}
    assert {**whole["state"], "sources": 0} == {**merged["state"], "sources": 0}


SENDER = (
    "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org",
    "550-5.7.26 Unauthenticated email from news.example is not accepted due to domain's DMARC policy",
    "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to user complaints",
    "451 4.7.1 Too many messages from your IP, slow down",
    "550 5.7.1 Message rejected as spam by content filtering",
    "552 5.3.4 Message size exceeds fixed limit",
    "450 4.7.1 Greylisted, try again in 300 seconds",
)


@pytest.mark.parametrize("said", SENDER)
def test_nobody_is_listed_for_a_fault_of_the_sender(here: Path, said: str) -> None:
    lines = [delivery("ann@example.com", "bounced", said, when=f"Mar {day:2} 09:00:00") for day in range(1, 9)]
    written("mail.log", "".join(lines))
    done = call("mail.log", "--suppress-list", "out.csv")
    assert done.exit_code == 0
    assert len(Path("out.csv").read_text("utf-8").splitlines()) == 1
    assert "Stop mailing" not in done.stdout


@pytest.mark.parametrize(
    "reason", ["sender_reputation", "authentication_failure", "rate_limited", "spam_content", "not_a_bounce"]
)
def test_no_policy_lists_anybody_for_a_fault_of_the_sender(here: Path, reason: str) -> None:
    written("mail.log", delivery("ann@example.com", "bounced", UNKNOWN))
    for text in (f'[suppress]\nonce = ["{reason}"]\n', f"[suppress.repeated]\n{reason} = {{ times = 2, days = 9 }}\n"):
        written("policy.toml", text)
        done = call("mail.log", "--policy", "policy.toml")
        assert done.exit_code == 1
        assert f"{reason} is no fault of an address" in str(done.exception)


def test_what_was_put_off_and_came_through_is_no_bounce(here: Path) -> None:
    late = delivery("ann@example.com", "deferred", "450 4.7.1 Greylisted") + delivery(
        "ann@example.com", "sent", "250 ok"
    )
    written("mail.log", late)
    found = figures("mail.log")
    assert (found["sent"], found["bounced"], found["delivered"], found["deferred"]) == (1, 0, 1, 1)
    assert "put off: greylisted 1" in call("mail.log").stdout


def test_the_report_says_what_to_do(here: Path) -> None:
    rows = [
        ("ann@example.com", UNKNOWN),
        ("bob@example.com", SENDER[0]),
        ("cleo@example.com", "552 5.2.2 Mailbox full"),
    ]
    lines = "".join(delivery(to, "bounced", said.format(to)) for to, said in rows)
    written("mail.log", lines + delivery("dora@example.com", "sent", "250 ok"))
    outputs = [part for form in ("html", "md", "csv", "json") for part in ("-o", f"r.{form}")]
    shown = call("mail.log", *outputs).stdout
    page, text = Path("r.html").read_text("utf-8"), Path("r.md").read_text("utf-8")
    for words in (
        "Stop mailing 1 address:", "Mail 1 address again",
        "Fix the sending side (reputation, DNS, authentication); keep the address. 1 bounce: sender_reputation 1.",
    ):  # fmt: skip
        for output in (shown, page, text):
            assert words in output
    document = json.loads(Path("r.json").read_text("utf-8"))
    assert [(one["category"], one["count"]) for one in document["categories"]] == [
        ("hard", 1), ("soft", 2), ("technical", 0), ("other", 0),
    ]  # fmt: skip
    for one in document["categories"]:
        assert f"| {one['category']} | {one['count']} | {100 * one['share']:.1f} % | {one['description']} |" in text
        assert one["description"].replace("'", "&#39;") in page
    assert document["by_domain"][0]["rate"] == 0.75
    for output in (page, text, shown):
        assert "75.0 %" in output
    assert {row["category"] for row in csv.DictReader(io.StringIO(Path("r.csv").read_text("utf-8")))} == {
        "hard", "soft", "technical", "other",
    }  # fmt: skip
    assert "details-content" in page  # on paper, what is folded is open


# Crosswalks


def test_crosswalks_go_both_ways(run: Run) -> None:
    known = json.loads(run("crosswalk", "--json").out)
    assert {"ses", "sisimai", "kumomta"} <= {row["name"] for row in known}
    assert "ses" in run("crosswalk").out
    found = json.loads(run("crosswalk", "ses", "--json").out)
    assert {"label": "Transient/MailboxFull", "reason": "mailbox_full", "lossy": False, "note": ""} in found["to_ours"]
    assert {"reason": "mailbox_full", "label": "Transient/MailboxFull", "lossy": False, "note": ""} in found[
        "to_theirs"
    ]
    assert len(found["to_theirs"]) == 27
    assert "Transient/General" in run("crosswalk", "ses", "rate_limited").words
    assert "general_hard_bounce" in run("crosswalk", "ses", "permanent general").words
    for arguments, words in (
        (("ses", "nope"), "neither a label of ses nor a reason"),
        (("nope",), "no crosswalk 'nope'"),
    ):
        done = run("crosswalk", *arguments)
        assert done.code == 1
        assert words in done.words
