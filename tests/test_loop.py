"""The loop at its edges: HTTP, command line, drift."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner, Result

from whybounce.model.errors import WhybounceError
from whybounce.model.predictor import BounceClassifier
from whybounce.serving.cli import app
from whybounce.serving.http import create_app
from whybounce.serving.http import feedback as endpoint
from whybounce.training.drift import Traffic, drift, level, psi
from whybounce.training.feedback import open_store

TEXT = "554 BX-17 storage cell of <a@example.com> is saturated"


# ---- HTTP


@pytest.fixture
def client(classifier: BounceClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setattr(endpoint, "COLLECT_SECONDS", 0.05)
    with TestClient(create_app(classifier, feedback_url=f"sqlite:///{tmp_path / 'f.db'}")) as made:
        yield made


def test_feedback_is_stored_once(client: TestClient) -> None:
    sent = {"diagnostic": TEXT, "reason": "mailbox_full", "source": "desk", "event_id": "t-1"}
    first = client.post("/v1/feedback", json=sent)
    assert (first.status_code, first.json()["duplicate"]) == (201, False)
    assert first.json()["template"] == "554 bx17 storage cell of ADDR is saturated"
    again = client.post("/v1/feedback", json=sent | {"diagnostic": TEXT.replace("<a@", "<b@")})
    assert (again.status_code, again.json()) == (200, first.json() | {"duplicate": True})
    other = client.post("/v1/feedback", json=sent | {"reason": "bad_domain"})
    assert other.status_code == 409
    assert other.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"reason": "nope"}, "body.reason"),
        ({"template": "554 x"}, "body"),
        ({"diagnostic": None}, "body"),
        ({"diagnostic": ""}, "body.diagnostic"),
        ({"source": ""}, "body.source"),
        ({"event_id": "x" * 201}, "body.event_id"),
        ({"comment": "x" * 2001}, "body.comment"),
        ({"more": 1}, "body.more"),
    ],
)
def test_feedback_that_is_none(client: TestClient, change: dict[str, Any], where: str) -> None:
    found = client.post("/v1/feedback", json={"diagnostic": TEXT, "reason": "mailbox_full"} | change)
    assert found.status_code == 422
    assert found.json()["errors"][0]["location"] == where


def test_the_queue_fills_and_a_label_empties_it(client: TestClient, odd: list[str]) -> None:
    for _ in range(3):
        client.post("/v1/predict", json={"diagnostic": odd[0]})
    client.post("/v1/predict/batch", json={"diagnostics": [odd[0], "550 5.1.1 User unknown"]})
    end = time.monotonic() + 20
    while (found := client.get("/v1/review").json())["total"] == 0 or found["items"][0]["count"] < 4:
        assert time.monotonic() < end
        time.sleep(0.05)
    [item] = found["items"]
    assert item["why"] in ("unsure", "disagree", "both")
    done = client.post("/v1/feedback", json={"template": item["template"], "reason": "policy_rejection"})
    assert done.status_code == 201
    assert client.get("/v1/review").json() == {"total": 0, "items": []}
    assert client.get("/v1/review", params={"limit": 0}).status_code == 422


def test_without_a_store(classifier: BounceClassifier) -> None:
    client = TestClient(create_app(classifier))
    for found in (
        client.post("/v1/feedback", json={"diagnostic": TEXT, "reason": "mailbox_full"}),
        client.get("/v1/review"),
    ):
        assert found.status_code == 503
        assert "--feedback-url" in found.json()["detail"]


def test_a_store_that_cannot_be_written(classifier: BounceClassifier) -> None:
    with TestClient(create_app(classifier, feedback_url="sqlite:////nowhere/at/all.db")) as client:
        found = client.post("/v1/feedback", json={"diagnostic": TEXT, "reason": "mailbox_full"})
        assert found.status_code == 503
        assert found.headers["retry-after"]
        assert client.get("/v1/review").status_code == 503
        assert client.post("/v1/predict", json={"diagnostic": TEXT}).status_code == 200
        assert client.get("/health/ready").status_code == 200


# ---- the command line


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("WHYBOUNCE_FEEDBACK_URL", raising=False)
    return tmp_path


def call(*arguments: str, answers: str | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=answers)


def ok(*arguments: str, answers: str | None = None) -> Result:
    done = call(*arguments, answers=answers)
    assert done.exit_code == 0, (done.output, done.exception)
    return done


def test_add_list_export_import(here: Path) -> None:
    assert "stored as 1" in ok("feedback", "add", TEXT, "--reason", "mailbox_full", "--event-id", "x").output
    assert "it was there already" in ok("feedback", "add", TEXT, "--reason", "mailbox_full", "--event-id", "x").output
    done = call("feedback", "add", TEXT, "--reason", "mailbox_ful")
    assert isinstance(done.exception, WhybounceError)
    assert "did you mean mailbox_full?" in str(done.exception)
    listed = json.loads(ok("feedback", "list", "--json").stdout)
    assert (listed["total"], listed["items"][0]["status"]) == (1, "pending")
    assert "mailbox_full" in ok("feedback", "list").stdout
    assert call("feedback", "list", "--status", "nope").exit_code == 2
    for form in ("jsonl", "doccano", "label-studio"):
        ok("feedback", "export", f"{form}.out", "--format", form, "--config", f"{form}.config")
        assert Path(f"{form}.config").read_text("utf-8")
        found = json.loads(ok("feedback", "import", f"{form}.out", "--feedback-url", "sqlite:///b.db", "--json").stdout)
        assert found["bad"] == []
        assert found["stored"] + found["duplicates"] == 1
    assert call("feedback", "export", "x", "--format", "excel").exit_code == 2
    Path("labels.jsonl").write_text('{"text": "552 x", "label": "nope"}\n{"text": "552 y", "label": "mailbox_full"}\n')
    done = call("feedback", "import", "labels.jsonl")
    assert done.exit_code == 1
    assert "1 labels stored" in done.output
    assert "labels.jsonl, line 1: unknown reason 'nope'" in done.output


def test_review_in_the_terminal(here: Path, odd: list[str]) -> None:
    assert "nothing to review" in ok("review").output
    Path("odd.txt").write_text("\n".join([*odd[:3], odd[0], "550 5.1.1 User unknown"]), "utf-8")
    waiting = json.loads(ok("review", "--from", "odd.txt", "--json").stdout)
    assert waiting["total"] == 3
    assert waiting["items"][0]["count"] >= 1
    done = ok("review", "--source", "me", answers="zzz\n1\ns\nmailbox_f\n")
    assert "'zzz' is not a reason" in done.output
    assert "2 labelled" in done.output
    store = open_store("sqlite:///whybounce-feedback.db")
    assert {row.source for row in store.everything()} == {"me"}
    assert "mailbox_full" in {row.reason for row in store.everything()}
    store.close()
    assert json.loads(ok("review", "--json").stdout)["total"] == 1
    assert "0 labelled" in ok("review", answers="q\n").output
    assert "0 labelled" in ok("review", answers="").output


# ---- drift


def test_the_index() -> None:
    same = {"a": 900, "b": 100}
    assert psi(same, same) == pytest.approx(0.0, abs=1e-9)
    assert psi({"a": 900, "b": 100}, {"a": 9000, "b": 1000}) == pytest.approx(0.0, abs=1e-4)
    # By hand: (0.1-0.5)·ln(0.1/0.5) + (0.9-0.5)·ln(0.9/0.5), half a message on each barely counts.
    assert psi({"a": 50000, "b": 50000}, {"a": 10000, "b": 90000}) == pytest.approx(0.8789, abs=1e-3)
    assert psi({}, {}) == 0.0
    assert [level(value) for value in (0.05, 0.1, 0.3)] == ["steady", "moved", "shifted"]


def test_what_moved(classifier: BounceClassifier, odd: list[str]) -> None:
    full = "552 5.2.2 mx.google.com: The email account that you tried to reach is over quota. gsmtp"
    unknown = "550-5.1.1 The email account that you tried to reach does not exist. gsmtp"
    before = Traffic.of(classifier.predict([full] * 60 + [unknown] * 60 + ["452 mailbox full"] * 5))
    after = Traffic.of(classifier.predict([full] * 6 + [unknown] * 60 + [odd[0]] * 54))
    found = drift(before, after)
    assert found["level"] == "shifted"
    assert found["reference"]["count"] == 125
    reviewed = classifier.predict_one(odd[0]).action == "review"
    assert found["current"]["unsure"] == pytest.approx(54 / 120 if reviewed else 0, abs=1e-6)
    assert found["new_templates"]["templates"] == 1
    assert found["new_templates"]["share"] == pytest.approx(0.45)
    assert found["new_templates"]["most_frequent"][0]["template"] == classifier.predict_one(odd[0]).template
    assert found["reasons"][0]["change"] == pytest.approx(54 / 120, abs=1e-6) or found["reasons"][0]["change"] < -0.3
    by_name = {row["provider"]: row for row in found["providers"]}
    assert by_name["google"]["level"] == "shifted"
    assert by_name["unknown"]["level"] == "too few"
    assert drift(before, before)["level"] == "steady"


def test_drift_on_the_command_line(here: Path, odd: list[str]) -> None:
    Path("a.txt").write_text("550 5.1.1 User unknown\n452 4.2.2 Mailbox full\n" * 60, "utf-8")
    Path("b.txt").write_text(f"{odd[0]}\n" * 60, "utf-8")
    Path("empty.txt").write_text("\n", "utf-8")
    assert "steady" in ok("drift", "--reference", "a.txt", "--current", "a.txt", "--fail-above", "0.25").output
    done = call("drift", "--reference", "a.txt", "--current", "b.txt", "--fail-above", "0.25", "--out", "drift.json")
    assert done.exit_code == 1
    assert "shifted" in done.output
    assert json.loads(Path("drift.json").read_text("utf-8"))["level"] == "shifted"
    done = call("drift", "--reference", "a.txt", "--current", "empty.txt")
    assert "empty.txt: holds no diagnostics" in str(done.exception)
