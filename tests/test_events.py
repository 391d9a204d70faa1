"""Events of sending services: every recipient of every fixture, hostile JSON, what is claimed and what is not."""

from __future__ import annotations

import gzip
import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from whybounce.data.crosswalk import crosswalk, crosswalk_names
from whybounce.model.errors import DataError
from whybounce.model.prediction import Evidence
from whybounce.model.predictor import BounceClassifier
from whybounce.model.taxonomy import TAXONOMY
from whybounce.serving.cli import app
from whybounce.serving.intake.events import providers
from whybounce.serving.intake.events import values as reading
from whybounce.serving.intake.events.generic import GUESSES, Paths, at, generic_format, paths_of
from whybounce.serving.intake.events.provider import code, moment, status, text
from whybounce.serving.intake.events.ses import confirmation
from whybounce.serving.intake.events.values import values
from whybounce.serving.intake.format import Format, Group, Head, Skipped
from whybounce.serving.intake.formats import format_named, formats, recognise
from whybounce.serving.intake.judge import agrees, judge
from whybounce.serving.intake.open import from_bytes, read
from whybounce.serving.intake.record import BounceRecord, Outcome

FIXTURES = Path(__file__).parent / "fixtures" / "events"
PROVIDERS = ("ses", "sendgrid", "mailgun", "postmark", "sparkpost", "mailjet", "brevo", "kumomta", "generic")
INPUTS = sorted(path for path in FIXTURES.glob("*/*.json*") if ".expected." not in path.name)
ids = [f"{path.parent.name}/{path.name}" for path in INPUTS]


def form_of(path: Path) -> Format | None:
    """The format that has to be named: that of JSON whose paths stand beside it."""
    if path.parent.name != "generic":
        return None
    given_paths = path.with_suffix(".paths")
    lines = given_paths.read_text("utf-8").splitlines() if given_paths.exists() else []
    return generic_format(paths_of((name, where) for name, _, where in (line.partition("=") for line in lines)))


def expected(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.with_suffix(".expected.jsonl").read_text("utf-8").splitlines()]


def comparable(record: BounceRecord, fields: dict[str, Any], classifier: BounceClassifier) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in fields:
        if name in ("reason", "agrees"):
            reason = judge(classifier, record).reason
            value: Any = reason if name == "reason" else agrees(record, reason)
        else:
            value = getattr(record, name)
        found[name] = value.isoformat() if isinstance(value, datetime) else value
    return found


@pytest.mark.parametrize("path", INPUTS, ids=ids)
def test_every_recipient_of_every_fixture(path: Path, classifier: BounceClassifier) -> None:
    form, pieces = read(from_bytes(path.name, path.read_bytes()), form_of(path))
    assert form.name == path.parent.name
    got, wanted = list(pieces), expected(path)
    assert [piece for piece in got if isinstance(piece, Skipped)] == []
    assert len(got) == len(wanted)
    for record, fields in zip(got, wanted, strict=True):
        assert isinstance(record, BounceRecord)
        assert comparable(record, fields, classifier) == fields
        assert record.source.startswith(path.name)


@pytest.mark.parametrize("name", PROVIDERS)
def test_there_are_enough_fixtures(name: str) -> None:
    mine = [path for path in INPUTS if path.parent.name == name]
    assert len(mine) >= 5
    assert sum(len(expected(path)) for path in mine) >= 5


@pytest.mark.parametrize("path", [path for path in INPUTS if path.parent.name != "generic"], ids=str)
def test_spelling_does_not_matter(path: Path) -> None:
    """One line, one value a line, indented, packed into an array: the records are the same."""
    text = path.read_text("utf-8")
    rows = [json.loads(line) for line in text.splitlines()] if path.suffix == ".jsonl" else [json.loads(text)]
    flat = [one for row in rows for one in (row if isinstance(row, list) else [row])]
    spellings = [
        json.dumps(flat), json.dumps(flat, indent=4), "\n".join(map(json.dumps, flat)), " ".join(map(json.dumps, flat)),
        "\ufeff" + json.dumps(flat, indent=1).replace("\n", "\r\n"),
    ]  # fmt: skip
    found = [stripped(read(from_bytes("x", spelling.encode()))[1]) for spelling in spellings]
    assert found[0]
    assert all(one == found[0] for one in found)


def stripped(pieces: Any) -> list[tuple[Any, ...]]:
    found = list(pieces)
    assert not any(isinstance(piece, Skipped) for piece in found)
    return [(one.outcome, one.recipient, one.diagnostic, one.theirs, one.event_id, one.occurred_at) for one in found]


def test_an_answer_that_is_longer_than_the_head_is_recognised() -> None:
    path = FIXTURES / "mailgun" / "events-interface.json"
    value = json.loads(path.read_text("utf-8"))
    value["items"] = value["items"] * 60
    for indent in (None, 2):
        data = json.dumps(value, indent=indent).encode()
        assert len(data) > 65536
        form, pieces = read(from_bytes("x", data))
        assert form.name == "mailgun"
        assert len(list(pieces)) == 60 * len(expected(path))


# What is claimed


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"diagnostic": "550 5.1.1 no such user", "email": "a@example.com"}\n', "jsonl"),
        ('{"diagnostic": "550 x", "event": "deferred", "email": "a@example.com", "messageId": "1"}\n', "jsonl"),
        ('{"smtp_reply": "550 5.1.1 no", "event": "bounced", "email": "a@example.com"}\n', "jsonl"),
        ('{"level": "info", "msg": "started"}\n', None),
        ('[{"event": "signup", "email": "a@example.com"}]', None),
        ("[]", None),
        ("{}", None),
        ('[1, "two", null]', None),
        ('{"event": ["bounce"], "sg_event_id": {}}', None),
        ('{"Type": {}, "TopicArn": []}', None),
        ('{"RecordType": ["Bounce"]}', None),
        ('{"type": ["bounce"], "rcpt_to": 1}', None),
        ('{"event-data": {"event": []}}', None),
    ],
)
def test_other_json_is_claimed_by_no_provider(text: str, name: str | None) -> None:
    found = recognise(Head("x.json", text.encode()))
    assert (found.name if found else None) == name


@pytest.mark.parametrize("name", sorted(providers()))
def test_no_provider_claims_the_events_of_another(name: str) -> None:
    for path in INPUTS:
        if path.parent.name in (name, "generic"):
            continue
        raw = path.read_text("utf-8")
        rows = [json.loads(line) for line in raw.splitlines()] if path.suffix == ".jsonl" else [json.loads(raw)]
        events = [one for row in rows for one in providers()[path.parent.name].unpacked(row)]
        assert not any(providers()[name].is_event(event) for event in events), path


def test_events_are_formats() -> None:
    mine = {form.name for form in formats() if form.group is Group.EVENTS}
    assert mine == {*PROVIDERS, "kumomta-hook"} - {"kumomta"}  # its records one a line are a format of logs
    assert format_named("generic").recognise(Head("x", b'{"diagnostic": "550 x"}')) == 0


# Amazon SES


def test_a_subscription_is_data(tmp_path: Path) -> None:
    asked = {
        "Type": "SubscriptionConfirmation", "MessageId": "1", "Token": "t", "TopicArn": "arn:aws:sns:eu-west-1:1:x",
        "Message": "You have chosen to subscribe", "SubscribeURL": "https://sns.example.com/?Action=ConfirmSubscription",
    }  # fmt: skip
    found = confirmation(asked)
    assert found is not None
    assert (found["type"], found["subscribe_url"]) == ("SubscriptionConfirmation", asked["SubscribeURL"])
    others: tuple[Any, ...] = (None, [], {}, {"Type": []}, {"Type": "Notification"})
    for other in others:
        assert confirmation(other) is None
    [piece] = read(from_bytes("x", json.dumps(asked).encode()))[1]
    assert isinstance(piece, Skipped)
    assert "SubscribeURL" in piece.why


@pytest.mark.parametrize(
    ("message", "why"),
    [("no JSON", "is no JSON"), ('{"a": 1}', "no event of Amazon SES"), (None, "no event"), ("[" * 100_000, "no JSON")],
)
def test_an_envelope_around_something_else(message: Any, why: str) -> None:
    event = {"Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-1:1:x", "Message": message}
    [piece] = providers()["ses"].records(event, "x")
    assert isinstance(piece, Skipped)
    assert why in piece.why


def test_a_topic_that_was_connected_says_nothing_of_mail() -> None:
    event = {"Type": "Notification", "TopicArn": "arn:x", "Message": "Successfully validated SNS topic for SES"}
    assert list(providers()["ses"].records(event, "x")) == []


# Crosswalks


@pytest.mark.parametrize(
    ("vocabulary", "theirs", "reason", "action", "confidence"),
    [
        ("ses", "Permanent/NoEmail", "invalid_recipient", "suppress", 0.5),
        ("ses", "Transient/MailboxFull", "mailbox_full", "retry_later", 0.8),
        ("ses", "Undetermined/Undetermined", "no_information", "review", 0.95),
        ("ses", "nothing/known", "no_information", "review", 0.95),
    ],
)
def test_their_class_is_the_answer_where_there_is_no_text(
    classifier: BounceClassifier, vocabulary: str, theirs: str, reason: str, action: str, confidence: float
) -> None:
    record = BounceRecord(Outcome.BOUNCED, theirs=theirs, vocabulary=vocabulary)
    found = judge(classifier, record)
    assert (found.reason, found.action, found.confidence) == (reason, action, confidence)
    assert found.evidence == (
        () if reason == "no_information" else (Evidence("rule", theirs, id=f"crosswalk.{vocabulary}"),)
    )
    assert agrees(record, found.reason) is (True if theirs.startswith("Undetermined") else None)
    said = BounceRecord(Outcome.BOUNCED, "552 5.2.2 mailbox full", theirs=theirs, vocabulary=vocabulary)
    assert judge(classifier, said).reason == "mailbox_full"


@pytest.mark.parametrize("name", crosswalk_names())
def test_every_vocabulary_goes_both_ways(name: str) -> None:
    """Every reason has a word in every vocabulary, and where that word leads agrees with the reason."""
    vocabulary = crosswalk(name)
    for reason in TAXONOMY.reasons:
        label = vocabulary.from_ours(reason)
        assert label in vocabulary.labels, reason
        back = vocabulary.to_ours(label)
        assert back is not None
        same = agrees(BounceRecord(Outcome.BOUNCED, "550 x", theirs=label, vocabulary=name), reason)
        if reason not in ("not_a_bounce", "no_information") and back.reason not in (None, "no_information"):
            assert same is True, (reason, label)
        elif back.reason == reason:
            assert same is True
        else:
            assert not same
    assert vocabulary.from_ours("no_such_reason") is None


@pytest.mark.parametrize(
    ("vocabulary", "theirs", "reason", "same"),
    [
        ("ses", "Permanent/General", "invalid_recipient", True),  # says hard, and so is ours
        ("ses", "Permanent/General", "sender_reputation", False),  # a block read as a bad address
        ("ses", "Transient/General", "bad_domain", False),
        ("ses", "Transient/General", "greylisted", True),
        ("ses", "Permanent/NoEmail", "closed_account", True),  # their word for ours
        ("ses", "Undetermined", "mailbox_full", None),  # they do not know
        ("ses", "Undetermined", "no_information", True),
        ("brevo", "hard_bounce", "mailbox_full", False),
        ("postmark", "Unsubscribe", "invalid_recipient", None),
        ("postmark", "SpamComplaint", "not_a_bounce", True),
        ("mailjet", "policy issue", "not_a_bounce", False),
        ("sparkpost", "10", "invalid_recipient", True),
        ("sparkpost", "99", "invalid_recipient", None),
        ("mailgun", "bounced", "invalid_recipient", True),
        ("brevo", "hard_bounce", "a_reason_of_ones_own", False),
    ],
)
def test_whether_a_class_agrees(vocabulary: str, theirs: str, reason: str, same: bool | None) -> None:
    assert agrees(BounceRecord(Outcome.BOUNCED, "550 x", theirs=theirs, vocabulary=vocabulary), reason) is same


# Any JSON


@pytest.mark.parametrize(
    ("value", "path", "found"),
    [
        ({"a": {"b": [1, 2]}}, "a.b[]", [1, 2]),
        ({"a": {"b": [1, 2]}}, "a.b", [[1, 2]]),
        ({"a": {"b": [1, 2]}}, "a.b.1", [2]),
        ({"a": [{"b": 1}, {"b": 2}, {"c": 3}, 4]}, "a[].b", [1, 2]),
        ([{"b": 1}], "[].b", [1]),
        ({"a": 1}, "", [{"a": 1}]),
        ({"a": 1}, "a.b.c", []),
        ({"a": [1]}, "a.7", []),
        ({"a": [1]}, "a.-1", []),
        ({"a": [1]}, "a.99999999999999999999", []),
        ({"0": "x"}, "0", ["x"]),
        (None, "a", []),
    ],
)  # fmt: skip
def test_paths_lead(value: Any, path: str, found: list[Any]) -> None:
    assert list(at(value, path)) == found


def test_wrong_paths_name_what_is_known() -> None:
    with pytest.raises(DataError, match="diagnostic"):
        paths_of([("diagnosis", "a.b")])
    with pytest.raises(DataError, match="ses"):
        paths_of([("diagnostic", "a.b"), ("vocabulary", "sess")])
    assert set(Paths().fields) <= set(GUESSES)


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ({"a": 1}, "no key is known"), (7, "neither"), (None, "neither"), ({"diagnostic": None}, "no key"),
        ({"diagnostic": {"x": 1}}, "no key"),
    ],
)  # fmt: skip
def test_events_without_a_diagnostic_are_said(event: Any, why: str) -> None:
    [piece] = generic_format(Paths("e[]")).read(from_bytes("x", json.dumps({"e": [event]}).encode()))
    assert isinstance(piece, Skipped)
    assert why in piece.why


def test_a_path_that_leads_nowhere_is_named() -> None:
    found = list(generic_format(Paths("data.events[]")).read(from_bytes("x", b'{"data": {}}')))
    assert [type(piece) for piece in found] == [Skipped]
    assert "data.events[]" in found[0].why  # type: ignore[union-attr]
    found = list(generic_format(Paths("", {"diagnostic": "a.b"})).read(from_bytes("x", b'{"a": {}}')))
    assert "a.b" in found[0].why  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("word", "outcome", "kind"),
    [
        ("Complaint", "not_a_bounce", "feedback_report"),
        ("auto-reply", "not_a_bounce", "vacation"),
        ("not_a_bounce", "not_a_bounce", None),
        ("temporary failure", "deferred", None),
        ("SENT", "delivered", None),
        ("rejected", "bounced", None),
        ("", "bounced", None),
    ],
)
def test_what_tables_and_events_of_ones_own_call_what_happened(word: str, outcome: str, kind: str | None) -> None:
    row = {"diagnostic": "550 5.1.1 no such user", "outcome": word}
    table = from_bytes("x.csv", f'diagnostic,outcome\n"{row["diagnostic"]}",{word}\n'.encode())
    event = from_bytes("x.json", json.dumps(row).encode())
    for found in (*format_named("csv").read(table), *generic_format(Paths()).read(event)):
        assert isinstance(found, BounceRecord)
        assert (str(found.outcome), found.kind) == (outcome, kind)


# The command line

RUN = CliRunner()


def reported(*arguments: str) -> Any:
    result = RUN.invoke(app, ["report", "--json", *arguments])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_report_of_events(tmp_path: Path) -> None:
    packed = tmp_path / "events.json.gz"
    packed.write_bytes(gzip.compress((FIXTURES / "sparkpost" / "webhook.json").read_bytes()))
    document = reported(str(packed))
    assert [source["format"] for source in document["sources"]] == ["sparkpost"]
    assert (document["sent"], document["delivered"], document["bounced"], document["deferred"]) == (2, 1, 1, 1)
    assert document["by_campaign"][0]["name"] == "autumn-48"


def test_the_report_of_any_json() -> None:
    path = FIXTURES / "generic" / "nested.json"
    given = [item for line in path.with_suffix(".paths").read_text().splitlines() for item in ("--path", line)]
    document = reported(str(path), "--format", "generic", *given)
    assert document["bounced"] == 2
    assert {reason["reason"] for line in document["lines"] for reason in line["reasons"]} == {
        "invalid_recipient", "mailbox_full",
    }  # fmt: skip
    assert reported(str(path), *given) == document  # a path says which format is meant


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (["--format", "ses", "--path", "diagnostic=a"], 2, "generic"),
        (["--path", "diagnostic"], 2, "NAME=PATH"),
        (["--path", "nothing=a.b"], 1, "diagnostic"),
        (["--path", "vocabulary=sess"], 1, "ses"),
        (["--format", "sess"], 1, "ses"),
    ],
)
def test_wrong_paths_are_told_before_anything_is_read(arguments: list[str], exit_code: int, words: str) -> None:
    import subprocess
    import sys

    command = [sys.executable, "-m", "whybounce", "report", "no-such-file.json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == exit_code
    assert words in done.stderr
    assert "no-such-file" not in done.stderr


# Streams of values


def kinds(data: str | bytes) -> list[Any]:
    source = from_bytes("x", data.encode() if isinstance(data, str) else data)
    return [piece if isinstance(piece, Skipped) else piece[1] for piece in values(source)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a":1}{"b":2}', [{"a": 1}, {"b": 2}]),
        ('[{"a":1},\n{"b":2}]\n', [{"a": 1}, {"b": 2}]),
        ('[[{"a":1}]]', [{"a": 1}]),
        ("", []),
        (" \n\n", []),
        ('\x1e{"a":1}\n\x1e{"a":2}\n', [{"a": 1}, {"a": 2}]),
        ('{"a": "}{"}', [{"a": "}{"}]),
    ],
)
def test_values_of_a_stream(text: str, found: list[Any]) -> None:
    assert kinds(text) == found


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"a": 1\n{"b": 2}\n', 1),
        ('nonsense\n{"b": 2}\n', 1),
        ('{"a": "cut\n{"b": 2}\n', 1),
        ('\n"a text"\n{"b": 2}', 2),
        ('{"a": 1' + "0" * 5000 + '}\n{"b": 2}', 1),
        ('{"a":' * 5000 + '\n{"b": 2}', 1),
        ('{"b": 2}\n{"c":', 2),
        ('{"b": 2}\n{"c": "' + "x" * 200_000, 2),
    ],
)
def test_a_broken_line_costs_that_line(text: str, line: int) -> None:
    found = kinds(text)
    [skipped] = [piece for piece in found if isinstance(piece, Skipped)]
    assert skipped.source == f"x:{line}"
    assert [piece for piece in found if not isinstance(piece, Skipped)] == [{"b": 2}]


@settings(max_examples=300, deadline=None)
@given(
    rows=st.lists(st.dictionaries(st.text(max_size=4), st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=5,
    ), max_size=4), max_size=6),
    between=st.sampled_from(["", "\n", ",\n", " ", "\r\n"]), indent=st.sampled_from([None, 1]),
    ascii_only=st.booleans(), first=st.integers(1, 40), chunk=st.integers(1, 40),
)  # fmt: skip
def test_where_a_stream_is_cut_does_not_matter(
    rows: list[Any], between: str, indent: int | None, ascii_only: bool, first: int, chunk: int
) -> None:
    text = between.join(json.dumps(row, indent=indent, ensure_ascii=ascii_only) for row in rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_FIRST", first)
        patch.setattr(reading, "_CHUNK", chunk)
        assert kinds(text.encode("utf-8", "surrogatepass")) == [
            json.loads(json.dumps(row).encode("utf-8", "replace")) for row in rows
        ]
        assert all(isinstance(piece, Skipped | dict) for piece in kinds(text[: len(text) // 2]))


def test_a_value_longer_than_any_event_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_VALUE", 100_000)
    found = kinds('{"a": "' + "x" * 400_000 + '"}\n{"b": 2}\n')
    assert found[1:] == [{"b": 2}]
    assert isinstance(found[0], Skipped)
    assert "million" in found[0].why


@pytest.mark.parametrize(
    "text",
    [
        "{\n" * 300_000, '{"a":1\n' * 100_000, '{"a":"' * 100_000, "[" * 1_000_000, "[1," * 300_000,
        '{"a":\n' * 20_000, '{"a":"\\u12' * 50_000, "nonsense\n" * 100_000,
    ],
    ids=lambda text: text[:6].strip(),
)  # fmt: skip
def test_the_time_is_linear(text: str) -> None:
    started = time.process_time()
    for piece in kinds(text):
        assert isinstance(piece, Skipped)
    assert time.process_time() - started < 20


# Hostile values


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (550, 550), ("550", 550), ("550 5.1.1 no", 550), ("5.1.1", None), ("5500", None), (605, None), ("٥٥٠", None),
        (None, None), (True, None), ([550], None), ("", None), ("199", None), (599.0, 599),
    ],
)  # fmt: skip
def test_reply_codes(value: Any, found: int | None) -> None:
    assert code(value) == found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("5.1.1", "5.1.1"), ("5.0.0", None), ("4.2.2222", None), ("3.1.1", None), ("5.1", None), ("5.x.1", None),
        (5.1, None), (None, None), ("5.1.٣", None),
    ],
)  # fmt: skip
def test_enhanced_codes(value: Any, found: str | None) -> None:
    assert status(value) == found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (1795510800, "2026-11-24T09:00:00+00:00"), ("1795510800.5", "2026-11-24T09:00:00.500000+00:00"),
        (1795510800000, "2026-11-24T09:00:00+00:00"), ("2026-11-24T09:00:00.123Z", "2026-11-24T09:00:00.123000+00:00"),
        ("2026-11-24T09:10:01.3330000Z", "2026-11-24T09:10:01.333000+00:00"),
        ("Tue, 24 Nov 2026 09:00:00 +0000", "2026-11-24T09:00:00+00:00"), ("yesterday", None), (float("nan"), None),
        (float("inf"), None), (1e300, None), (-1e300, None), ({}, None), ("9" * 5000, None), ("", None),
    ],
)  # fmt: skip
def test_times(value: Any, found: str | None) -> None:
    read_time = moment(value)
    assert (read_time.isoformat() if read_time else None) == found


def test_texts() -> None:
    given_values: tuple[Any, ...] = (" a ", "", None, 7, True, 1.5, [], {})
    assert [text(value) for value in given_values] == [
        "a", None, None, "7", None, "1.5", None, None,
    ]  # fmt: skip


def loaded(path: Path) -> Any:
    raw = path.read_text("utf-8")
    return [json.loads(line) for line in raw.splitlines()] if path.suffix == ".jsonl" else json.loads(raw)


SEEDS = {name: [loaded(path) for path in INPUTS if path.parent.name == name] for name in PROVIDERS}
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["\ud800", "smtp; "]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, where: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [where] if where else []
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        found += places(inner, (*where, key))
    return found


def mutated(value: Any, where: tuple[Any, ...], by: Any) -> Any:
    copy = json.loads(json.dumps(value))
    inner = copy
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = by
    return copy


def sane(piece: BounceRecord | Skipped) -> None:
    if isinstance(piece, Skipped):
        assert piece.why
        return
    assert isinstance(piece.diagnostic, str)
    assert isinstance(piece.outcome, Outcome)
    for name in ("recipient", "enhanced_status", "remote_host", "reporting_mta", "message_id", "campaign", "event_id", "theirs"):  # fmt: skip
        assert getattr(piece, name) is None or isinstance(getattr(piece, name), str), name
    assert piece.reply_code is None or 200 <= piece.reply_code <= 599
    assert piece.occurred_at is None or isinstance(piece.occurred_at, datetime)
    agrees(piece, "invalid_recipient")


@pytest.mark.parametrize("name", PROVIDERS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_nothing_in_an_event_is_trusted(name: str, data: st.DataObject) -> None:
    """Real events with anything in any place are read, or skipped with a word why."""
    value = data.draw(st.sampled_from(SEEDS[name]))
    for _ in range(data.draw(st.integers(1, 3))):
        where = data.draw(st.sampled_from(places(value) or [()]))
        if where:
            value = mutated(value, where, data.draw(JUNK))
    inner = value.get("Message") if isinstance(value, dict) else None
    if isinstance(inner, str) and inner.startswith("{"):
        event = json.loads(inner)
        value["Message"] = json.dumps(mutated(event, data.draw(st.sampled_from(places(event))), data.draw(JUNK)))
    pieces = (
        generic_format(paths_of([("events", "data.events[]"), ("diagnostic", "answer.smtp.0")])).read(
            from_bytes("x", json.dumps(value).encode())
        )
        if name == "generic"
        else providers()[name].records(value, "x")
    )
    for piece in pieces:
        sane(piece)
    Head("x", json.dumps(value).encode())
    recognise(Head("x", json.dumps(value).encode()))


@pytest.mark.parametrize("name", [name for name in PROVIDERS if name != "kumomta"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_files_are_read_to_their_end(name: str, data: st.DataObject) -> None:
    seed = json.dumps(data.draw(st.sampled_from(SEEDS[name]))).encode()
    start = data.draw(st.integers(0, len(seed)))
    end = data.draw(st.integers(start, min(len(seed), start + 100)))
    content = seed[:start] + data.draw(st.binary(max_size=20)) + seed[end:]
    assert 0 <= format_named(name).recognise(Head("x", content)) <= 1
    for piece in format_named(name).read(from_bytes("x", content)):
        sane(piece)
