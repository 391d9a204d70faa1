"""A feedback store that cannot be used: told when the service starts, and taken again when it is back."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from server import running, until

from whybounce.model.predictor import BounceClassifier
from whybounce.serving.http import store as watching
from whybounce.serving.http.app import create_app
from whybounce.serving.http.store import UNAVAILABLE
from whybounce.training.feedback import open_store
from whybounce.training.feedback.records import StoreError

ASK = {"diagnostic": "550 5.1.1 <a@example.com>: User unknown"}
SAY = {**ASK, "reason": "mailbox_full", "source": "test", "event_id": "one"}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.1)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.INFO, "whybounce.serving.http.store")
    return lambda: [record.message for record in caplog.records if record.name == "whybounce.serving.http.store"]


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def health(client: TestClient) -> dict[str, Any]:
    response = client.get("/health/ready")
    assert response.status_code == 200
    found: dict[str, Any] = response.json()
    return found


def test_it_is_told_at_the_start_and_comes_back_by_itself(
    classifier: BounceClassifier, tmp_path: Path, logged: Callable[[], list[str]]
) -> None:
    folder = tmp_path / "not-there-yet"
    with TestClient(create_app(classifier, feedback_url=f"sqlite:///{folder}/feedback.db")) as client:
        until(lambda: health(client)["feedback"] == "unavailable")
        assert health(client)["detail"] == UNAVAILABLE
        assert str(tmp_path) not in client.get("/health/ready").text  # everybody may ask for it
        [told] = logged()
        assert "check that the folder exists and can be written" in told
        assert "predictions are served" in told
        assert client.post("/v1/predict", json=ASK).json()["reason"] == "invalid_recipient"
        assert client.post("/v1/feedback", json=SAY).status_code == 503
        assert client.get("/v1/review").status_code == 503
        assert len(logged()) == 1  # once, not at every try
        folder.mkdir()
        until(lambda: health(client)["feedback"] == "ready")
        assert health(client)["detail"] is None
        assert logged()[1:] == ["the feedback store can be used again"]
        assert client.post("/v1/feedback", json=SAY).status_code == 201
    assert [one.reason for one in open_store(f"sqlite:///{folder}/feedback.db").everything()] == ["mailbox_full"]


def test_one_that_works_is_watched(
    classifier: BounceClassifier, tmp_path: Path, logged: Callable[[], list[str]]
) -> None:
    path = tmp_path / "feedback.db"
    with TestClient(create_app(classifier, feedback_url=f"sqlite:///{path}")) as client:
        until(lambda: health(client)["feedback"] == "ready")
        assert logged() == []
        path.rename(tmp_path / "elsewhere.db")
        until(lambda: health(client)["feedback"] == "unavailable")
        assert "has gone; put it back" in logged()[0]
        (tmp_path / "elsewhere.db").rename(path)
        until(lambda: health(client)["feedback"] == "ready")
        assert client.post("/v1/feedback", json=SAY).status_code == 201


@pytest.mark.parametrize("answers", [True, False])
def test_a_server_that_does_not_answer_delays_nothing(
    classifier: BounceClassifier, silent: int, answers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("psycopg")
    with socket.create_server(("127.0.0.1", 0)) as unused:
        closed = unused.getsockname()[1]
    url = f"postgresql://somebody:secret@127.0.0.1:{silent if answers else closed}/whybounce?connect_timeout=2"
    with TestClient(create_app(classifier, feedback_url=url)) as client:
        if answers:
            assert health(client)["feedback"] == "trying"
        assert client.post("/v1/predict", json=ASK).status_code == 200
        until(lambda: health(client)["feedback"] == "unavailable")
        assert client.post("/v1/predict", json=ASK).status_code == 200


def test_without_a_store_nothing_is_tried(classifier: BounceClassifier) -> None:
    with TestClient(create_app(classifier)) as client:
        assert (health(client)["feedback"], health(client)["detail"]) == ("none", None)


def test_a_correction_that_is_refused_is_known_at_once(
    classifier: BounceClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LOOK_SECONDS", 1e9)
    monkeypatch.setattr(watching, "RETRY_SECONDS", 1e9)
    path = tmp_path / "feedback.db"
    with TestClient(create_app(classifier, feedback_url=f"sqlite:///{path}")) as client:
        until(lambda: health(client)["feedback"] == "ready")
        path.unlink()
        assert client.post("/v1/feedback", json=SAY).status_code == 503
        assert health(client)["feedback"] == "unavailable"


def test_trying_writes_nothing_and_takes_a_lock_no_longer_than_it_needs(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/feedback.db"
    store = open_store(url)
    threads = [threading.Thread(target=store.check) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(store.everything()) == []
    store.close()
    (tmp_path / "text.db").write_text("no database" * 100)
    with pytest.raises(StoreError, match="name another file"):
        open_store(f"sqlite:///{tmp_path}/text.db").check()


def test_the_command_says_so_before_anybody_asks(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    with running(feedback_url=f"sqlite:///{folder}/feedback.db") as server:
        until(lambda: any("feedback store" in str(entry) for entry in server.logged()))
        [told] = [entry for entry in server.logged() if "feedback store" in str(entry)]
        assert told["level"] == "warning"
        assert server.post("/v1/predict", ASK)[0] == 200
