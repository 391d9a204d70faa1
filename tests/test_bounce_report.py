"""The bounce report: exact counts, merging, suppression on own evidence, incidents, every output."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from postfix_log import Truth, generate
from report_cli import call, here, ok
from typer.testing import CliRunner

from whybounce.model.errors import DataError
from whybounce.model.predictor import BounceClassifier
from whybounce.model.taxonomy import REPORT_LINES
from whybounce.serving.cli import app
from whybounce.serving.intake.record import BounceRecord, Outcome
from whybounce.serving.report.addresses import Decision
from whybounce.serving.report.counter import Counter
from whybounce.serving.report.counts import Counts
from whybounce.serving.report.document import Report, build
from whybounce.serving.report.policy import Policy, Repeated, Suppression, read_policy
from whybounce.serving.report.render import address_list, safe_cell, to_csv, to_html, to_json, to_markdown
from whybounce.serving.report.state import from_state, to_state

__all__ = ["here"]
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
UNKNOWN = "550 5.1.1 <{}>: Recipient address rejected: User unknown"
FULL = "552 5.2.2 <{}>: Mailbox full"
DNSBL = "554 5.7.1 client [192.0.2.1] blocked using zen.spamhaus.org"


def bounce(to: str, text: str = UNKNOWN, day: float = 0, **more: Any) -> BounceRecord:
    return BounceRecord(Outcome.BOUNCED, text.format(to), to, occurred_at=NOW + timedelta(days=day), **more)


def counted(classifier: BounceClassifier, records: list[BounceRecord]) -> Counts:
    counter = Counter(classifier)
    for record in records:
        counter.add(record)
    return counter.counts


def made(classifier: BounceClassifier, *records: BounceRecord, policy: Policy | None = None) -> Report:
    return build(counted(classifier, list(records)), policy)


def decisions(report: Report) -> dict[str, str]:
    return {item.address: str(item.decision) for item in report.advice}


# ---- counts


def test_counts_are_those_of_the_log(here: Path) -> None:
    truth = Truth()
    lines = list(generate(truth, lines=20_000, seed=4))
    Path("mail.log").write_text("\n".join(lines) + "\n", "utf-8")
    found = json.loads(ok("mail.log", "--json").stdout)
    assert (found["delivered"], found["bounced"], found["deferred"]) == (truth.delivered, truth.bounced, truth.deferred)
    assert found["sent"] == truth.delivered + truth.bounced
    reasons = {reason["reason"]: reason["count"] for line in found["lines"] for reason in line["reasons"]}
    assert reasons == dict(truth.reasons)
    assert sum(line["count"] for line in found["lines"]) == truth.bounced
    assert {row["name"]: row["bounced"] for row in found["by_domain"]} == dict(truth.by_domain)
    assert {row["name"]: row["bounced"] for row in found["by_day"]} == dict(truth.by_day)
    assert [(line["category"], line["line"]) for line in found["lines"]] == [
        (str(line.category), str(line.group)) for line in REPORT_LINES
    ]
    assert found["sources"] == [
        {
            "name": "mail.log",
            "format": "postfix",
            "records": truth.delivered + truth.bounced + truth.deferred,
            "skipped": 0,
            "left_out": [],
        }
    ]
    ok("mail.log", "--suppress-list", "out.csv")
    listed = list(csv.DictReader(io.StringIO(Path("out.csv").read_text("utf-8"))))
    assert {row["address"] for row in listed} == truth.unknown_users
    assert {row["reason"] for row in listed} == {"invalid_recipient"}


def test_split_packed_and_merged_it_is_the_same_report(here: Path) -> None:
    truth = Truth()
    lines = [line + "\n" for line in generate(truth, lines=3000, seed=9)]
    ends = [number + 1 for number, line in enumerate(lines) if line.endswith(": removed\n")]
    cut = ends[len(ends) // 2]
    Path("all.log").write_text("".join(lines), "utf-8")
    Path("mail.log.1.gz").write_bytes(gzip.compress("".join(lines[:cut]).encode()))
    Path("mail.log").write_text("".join(lines[cut:]), "utf-8")
    whole = json.loads(ok("all.log", "--json").stdout)
    both = json.loads(ok("mail.log", "mail.log.1.gz", "--json").stdout)
    ok("mail.log", "-o", "a.json")
    ok("mail.log.1.gz", "-o", "b.json")
    merged = json.loads(ok("--merge", "a.json", "--merge", "b.json", "--json").stdout)
    joined = json.loads(ok("mail.log", "--merge", "b.json", "--json").stdout)
    for other in (both, merged, joined):
        assert {**other, "sources": None} == {**whole, "sources": None}
    piped = json.loads(ok("-", "--json", text="".join(lines)).stdout)
    assert {**piped, "sources": None} == {**whole, "sources": None}


records_strategy = st.lists(
    st.builds(
        lambda to, text, day, outcome: BounceRecord(
            outcome, text.format(to) if outcome is not Outcome.DELIVERED else "", to,
            occurred_at=None if day is None else NOW + timedelta(hours=7 * day), campaign="c" if day else None,
        ),
        st.sampled_from(["a@example.com", "b@example.net", "c@d.example", "", "broken"]),
        st.sampled_from([UNKNOWN, FULL, DNSBL, "", "554 what"]),
        st.one_of(st.none(), st.integers(0, 30)),
        st.sampled_from(list(Outcome)),
    ),
    max_size=40,
)  # fmt: skip


@given(records=records_strategy, cut=st.integers(0, 40), seed=st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_order_and_machines_do_not_matter(
    classifier: BounceClassifier, records: list[BounceRecord], cut: int, seed: int
) -> None:
    whole = counted(classifier, records)
    shuffled = records[:]
    random.Random(seed).shuffle(shuffled)
    parts = counted(classifier, shuffled[:cut]).merge(counted(classifier, shuffled[cut:]))
    assert to_state(parts) == to_state(whole)
    document = json.loads(json.dumps({"state": to_state(whole)}))
    assert to_state(from_state(document, "x")) == to_state(whole)
    report = build(whole)
    assert (
        sum(line["count"] for line in report.document["lines"])
        + sum(item["count"] for item in report.document["other"])
        == report.document["bounced"]
    )
    assert sum(report.document["actions"].values()) == len(report.advice)
    for text in (to_html(report), to_markdown(report), to_csv(report)):
        assert text


# ---- addresses


def test_an_address_is_judged_by_its_own_bounces_alone(classifier: BounceClassifier) -> None:
    report = made(
        classifier,
        bounce("gone@example.com"),
        bounce("full@example.com", FULL),
        bounce("blocked@example.com", DNSBL),
        BounceRecord(Outcome.DEFERRED, "450 4.7.1 greylisted", "later@example.com"),
        BounceRecord(Outcome.BOUNCED, UNKNOWN.format("x"), None),
    )
    assert decisions(report) == {
        "gone@example.com": "suppress", "full@example.com": "retry", "blocked@example.com": "keep",
    }  # fmt: skip
    assert report.document["bounces_without_address"] == 1
    [item] = [item for item in report.advice if item.decision is Decision.SUPPRESS]
    assert (item.first, item.last, item.bounces) == ("2026-03-02", "2026-03-02", 1)
    assert "User unknown" in item.evidence


@pytest.mark.parametrize(
    ("days", "decision"),
    [
        ((0, 1, 2, 3), "retry"),
        ((0, 1, 2, 3, 4), "suppress"),
        ((0, 0.1, 0.2, 0.3, 0.4), "retry"),
        ((0, 20, 40, 60, 80), "retry"),
    ],
)
def test_the_repeated_kind_must_come_on_different_days(
    classifier: BounceClassifier, days: tuple[float, ...], decision: str
) -> None:
    report = made(classifier, *(bounce("a@example.com", FULL, day) for day in days))
    assert decisions(report) == {"a@example.com": decision}


@pytest.mark.parametrize(("days", "decision"), [((0,), "keep"), ((0, 0.2), "keep"), ((0, 5), "suppress")])
def test_an_unknown_user_that_the_server_calls_temporary_must_come_again(
    classifier: BounceClassifier, days: tuple[float, ...], decision: str
) -> None:
    text = "450 4.1.1 <a@example.com>: Recipient address rejected: User unknown in local recipient table"
    report = made(classifier, *(bounce("a@example.com", text, day) for day in days))
    assert decisions(report) == {"a@example.com": decision}


@pytest.mark.parametrize(("delivered", "decision"), [(None, "suppress"), (3, "retry"), (5, "retry"), (9, "keep")])
def test_a_later_delivery_clears_an_address(
    classifier: BounceClassifier, delivered: float | None, decision: str
) -> None:
    """In whatever order, and on whatever machine, they are read."""
    records = [bounce("a@example.com", FULL, day) for day in range(1, 6)] + [bounce("b@example.com", day=2)]
    if delivered is not None:
        for name in ("a@example.com", "b@example.com"):
            records.insert(
                0, BounceRecord(Outcome.DELIVERED, recipient=name, occurred_at=NOW + timedelta(days=delivered))
            )
    expected = {"a@example.com": decision, "b@example.com": "suppress" if delivered is None else "keep"}
    counts = counted(classifier, records)
    for found in (counts, counted(classifier, records[::-1]), from_state({"state": to_state(counts)}, "x")):
        assert {item.address: str(item.decision) for item in build(found).advice} == expected
    apart = (
        counted(classifier, records[:1])
        .merge(counted(classifier, records[1:2]))
        .merge(counted(classifier, records[2:]))
    )
    assert build(apart).advice == build(counts).advice
    assert {item.bounces for item in build(counts).advice} == {5, 1}


def test_who_complains_is_suppressed(classifier: BounceClassifier, tmp_path: Path) -> None:
    def complaint(address: str | None) -> BounceRecord:
        return BounceRecord(Outcome.NOT_A_BOUNCE, "abuse report", address, kind="feedback_report")

    records = [complaint("a@example.com"), complaint(None), bounce("b@example.com", FULL), complaint("b@example.com")]
    report = made(classifier, *records)
    assert decisions(report) == {"a@example.com": "suppress", "b@example.com": "suppress"}
    assert {item.because for item in report.advice} == {"reported the mail as spam"}
    document = report.document
    assert (document["bounced"], document["not_bounces"], document["complaints"]) == (1, 3, 3)
    again = from_state({"state": json.loads(json.dumps(to_state(counted(classifier, records))))}, "x")
    assert build(again).document == document
    path = tmp_path / "policy.toml"
    path.write_text("[suppress]\ncomplaints = false\n", "utf-8")
    assert "suppress" not in decisions(made(classifier, *records, policy=read_policy(path))).values()
    path.write_text("[suppress]\ncomplaints = 3\n", "utf-8")
    with pytest.raises(DataError, match="write true or false"):
        read_policy(path)


def test_the_sender_is_never_the_address(classifier: BounceClassifier) -> None:
    report = made(classifier, *(bounce("a@example.com", DNSBL, day) for day in range(30)))
    assert decisions(report)["a@example.com"] == "keep"


def test_a_policy_of_ones_own(classifier: BounceClassifier, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text("[suppress]\nonce = []\n[suppress.repeated]\nmailbox_full = { times = 2, days = 9 }\n", "utf-8")
    policy = read_policy(path)
    assert policy.suppress.repeated["mailbox_full"] == Repeated(2, 9)
    report = made(
        classifier,
        bounce("a@example.com"),
        bounce("b@example.com", FULL),
        bounce("b@example.com", FULL, 3),
        policy=policy,
    )
    assert decisions(report) == {"a@example.com": "review", "b@example.com": "suppress"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "not valid TOML"),
        ("[supress]\n", "unknown key supress"),
        ('[suppress]\nonce = ["nope"]\n', "unknown reason 'nope'"),
        ("[suppress]\nmin_confidence = 2\n", "give a number from 0 to 1"),
        ("[suppress]\nunsure = 3\n", "times = 3, days = 30"),
        ("[incidents]\nleast = 2.5\n", "a whole number"),
    ],
)
def test_policies_that_are_wrong(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "p.toml").write_text(text, "utf-8")
    with pytest.raises(DataError, match=message):
        read_policy(tmp_path / "p.toml")


# ---- incidents


def test_a_spike_at_one_provider_is_held_back(classifier: BounceClassifier) -> None:
    google = "gmail-smtp-in.l.google.com"
    gone = "550-5.1.1 The email account that you tried to reach does not exist. gsmtp"
    records = [
        BounceRecord(
            Outcome.DELIVERED, "", f"ok{n}@gmail.example", remote_host=google, occurred_at=NOW + timedelta(hours=n % 48)
        )
        for n in range(2000)
    ]
    usual = [bounce(f"old{n}@gmail.example", gone, n / 24, remote_host=google) for n in range(10)]
    spike = [bounce(f"spike{n}@gmail.example", gone, 3, remote_host=google) for n in range(150)]
    sent = [
        BounceRecord(
            Outcome.DELIVERED, "", f"y{n}@gmail.example", remote_host=google, occurred_at=NOW + timedelta(days=3)
        )
        for n in range(50)
    ]
    report = made(classifier, *records, *usual, *spike, *sent)
    [incident] = report.document["incidents"]
    assert (incident["provider"], incident["count"], incident["held_back"]) == ("google", 150, 150)
    assert "may well exist" in incident["warning"]
    verdicts = decisions(report)
    assert {verdicts[f"spike{n}@gmail.example"] for n in range(150)} == {"review"}
    assert {verdicts[f"old{n}@gmail.example"] for n in range(10)} == {"suppress"}
    assert incident["template"] in to_markdown(report)


def test_an_even_stream_is_no_incident(classifier: BounceClassifier) -> None:
    records = [bounce(f"a{n}@example.com", day=n / 48) for n in range(400)]
    records += [
        BounceRecord(Outcome.DELIVERED, "", f"b{n}@example.com", occurred_at=NOW + timedelta(hours=n / 50))
        for n in range(9000)
    ]
    assert made(classifier, *records).document["incidents"] == []


# ---- outputs


def test_all_outputs_show_the_same_counts(here: Path, classifier: BounceClassifier) -> None:
    truth = Truth()
    Path("mail.log").write_text("\n".join(generate(truth, lines=2000)), "utf-8")
    done = ok(
        "mail.log",
        *(part for name in ("r.html", "r.md", "r.csv", "r.json") for part in ("-o", name)),
        "--addresses",
        "all.csv",
    )
    unknown = f"{truth.reasons['invalid_recipient']:,}"
    assert unknown in done.stdout
    page = Path("r.html").read_text("utf-8")
    assert f'<td class="number">{unknown}</td>' in page
    assert "<script" not in page
    assert "src=" not in page
    assert "http:" not in page.replace("http://www.w3.org", "")
    assert f"| hard | Invalid recipient | {unknown} |" in Path("r.md").read_text("utf-8")
    rows = list(csv.DictReader(io.StringIO(Path("r.csv").read_text("utf-8"))))
    assert next(row["reason_count"] for row in rows if row["reason"] == "invalid_recipient") == unknown.replace(",", "")
    document = json.loads(Path("r.json").read_text("utf-8"))
    assert document["bounced"] == truth.bounced
    # Reports are passed around: no address stands in what a person reads.
    for name in ("r.html", "r.md", "r.csv"):
        assert "@d" not in Path(name).read_text("utf-8").replace("***@", "")
    assert len(Path("all.csv").read_text("utf-8").splitlines()) == 1 + truth.bounced


def test_hostile_text_stays_text(classifier: BounceClassifier) -> None:
    report = made(classifier, bounce("a@example.com", "550 5.1.1 <script>alert(1)</script> | `x` user unknown {}"))
    assert "<script>alert" not in to_html(report)
    assert "\\|" in to_markdown(report)
    for start in "=+-@":
        assert safe_cell(f"{start}cmd()").startswith("'")
    listed = address_list(report.advice)
    assert listed.splitlines()[1].startswith("a@example.com,")


def test_addresses_are_written_as_they_are(classifier: BounceClassifier) -> None:
    """They are looked up where the list is imported; only what could be a formula is kept from being one."""
    plain = ["+15551234@example.com", "-dash@example.com", "=eq@example.com", "@odd@example.com"]
    formula = "=cmd|' /c calc'!a0@example.com"
    report = made(classifier, *map(bounce, [*plain, formula]))
    rows = list(csv.DictReader(io.StringIO(address_list(report.advice))))
    assert sorted(row["address"] for row in rows) == sorted([*plain, f"'{formula}"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--suppress-list", "b.log"], "b.log: is read as well"),
        (["--addresses", "./b.log"], "b.log: is read as well"),
        (["--output", "b.csv"], "b.csv: is read as well"),
        (["--addresses", "x.csv", "--suppress-list", "x.csv"], "x.csv: two results"),
        (["--output", "x.csv", "--addresses", "x.csv"], "x.csv: two results"),
    ],
)
def test_nothing_is_written_over(here: Path, options: list[str], message: str) -> None:
    content = "Mar  2 10:00:00 mx postfix/smtp[1]: 4ABC: to=<a@example.com>, dsn=5.1.1, status=bounced (user unknown)\n"
    for name in ("b.log", "b.csv"):
        Path(name).write_text(content, "utf-8")
    assert message in str(call("b.log", "b.csv", *options).exception)
    assert not Path("x.csv").exists()
    assert {Path(name).read_text("utf-8") for name in ("b.log", "b.csv")} == {content}


def test_an_archive_is_told(here: Path) -> None:
    content = "Mar  2 10:00:00 mx postfix/smtp[1]: 4ABC: to=<a@example.com>, dsn=5.1.1, status=bounced (user unknown)\n"
    Path("a.log").write_text(content, "utf-8")
    with tarfile.open("logs.tgz", "w:gz") as archive:
        archive.add("a.log")
    assert "logs.tgz: is a tar archive" in str(call("logs.tgz").exception)
    assert "left out: logs.tgz: is a tar archive" in call("a.log", "logs.tgz").stderr


def test_a_state_that_is_none(here: Path, classifier: BounceClassifier) -> None:
    Path("x.json").write_text("{}", "utf-8")
    assert "no counts to merge" in str(call("--merge", "x.json").exception)
    Path("x.json").write_text("{", "utf-8")
    assert "is no JSON report" in str(call("--merge", "x.json").exception)
    counts = counted(classifier, [bounce("a@example.com")])
    document = json.loads(to_json(build(counts), counts))
    document["state"]["verdicts"] = [[1]]
    Path("x.json").write_text(json.dumps(document), "utf-8")
    assert "damaged" in str(call("--merge", "x.json").exception)
    document["state"]["version"] = 99
    Path("x.json").write_text(json.dumps(document), "utf-8")
    assert "another version" in str(call("--merge", "x.json").exception)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.log"], "nowhere.log: cannot be read"),
        (["empty.log"], "no known format"),
        (["mail.log", "--format", "nope"], "there is no format 'nope'"),
        (["mail.log", "-o", "x.pdf"], "a report ends in"),
        (["mail.log", "-o", "no/such/folder.md"], "cannot be written"),
    ],
)
def test_wrong_input(here: Path, arguments: list[str], message: str) -> None:
    Path("empty.log").write_bytes(b"\x00\x01\x02" * 10)
    Path("mail.log").write_text("\n".join(generate(Truth(), lines=50)), "utf-8")
    assert message in str(call(*arguments).exception)


def test_nothing_named(here: Path) -> None:
    assert call().exit_code == 2


def test_formats_are_listed(here: Path) -> None:
    done = CliRunner().invoke(app, ["formats", "--json"])
    names = {row["name"] for row in json.loads(done.stdout)}
    assert {
        "postfix",
        "exim",
        "sendmail",
        "qmail",
        "opensmtpd",
        "powermta",
        "kumomta",
        "exchange",
        "csv",
        "jsonl",
    } <= names
    assert "postfix" in CliRunner().invoke(app, ["formats"]).output


def test_defaults_are_safe() -> None:
    from whybounce.model.taxonomy import TAXONOMY

    assert all(TAXONOMY.is_hard(reason) for reason in Suppression().once)
