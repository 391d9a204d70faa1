"""A running service takes over what is promoted, and keeps what it has when that does not load."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from whybounce.model.artifact import publish
from whybounce.model.predictor import BounceClassifier
from whybounce.model.registry import Registry
from whybounce.serving.http import create_app
from whybounce.serving.http import registry as watching
from whybounce.training.train import Trained

ASK = {"diagnostic": "550 5.1.1 <a@example.com>: User unknown"}


@pytest.fixture
def registry(small: Trained, tmp_path: Path) -> Registry:
    found = Registry(tmp_path / "models")
    for version in ("one", "two"):
        publish(tmp_path / version, small.payload, replace(small.manifest, model_version=version))
        (tmp_path / version / "report.html").write_text("<h1>report</h1>", "utf-8")
        found.add(tmp_path / version)
    found.promote("one", instead_of=None)
    return found


@pytest.fixture
def client(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setattr(watching, "POLL_SECONDS", 0.05)
    with TestClient(create_app(registry=registry.folder, cache_size=100)) as made:
        yield made


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def serving(client: TestClient) -> Any:
    return client.get("/v1/models").json()["serving"]


def test_promotion_and_rollback_are_taken_over(client: TestClient, registry: Registry) -> None:
    assert serving(client) == "one"
    assert client.post("/v1/predict", json=ASK).json()["model_version"] == "one"
    registry.promote("two", instead_of="one", because="newer")
    until(lambda: serving(client) == "two")
    assert client.post("/v1/predict", json=ASK).json()["model_version"] == "two"
    registry.rollback()
    until(lambda: serving(client) == "one")
    assert client.post("/v1/predict", json=ASK).json()["model_version"] == "one"
    registry.rollback()  # to none: the model outside of the registry
    shipped = BounceClassifier.load(strict=True).model_version
    until(lambda: serving(client) == shipped)
    history = client.get("/v1/models").json()["history"]
    assert [event["action"] for event in history] == ["promote", "promote", "rollback", "rollback"]
    assert "by" not in history[0]  # names of people and hosts stay inside


def test_what_does_not_load_changes_nothing(client: TestClient, registry: Registry) -> None:
    registry.promote("two", instead_of="one")
    until(lambda: serving(client) == "two")
    registry.rollback()
    until(lambda: serving(client) == "one")
    folder = registry.path("two")
    for model in folder.glob("model-*.joblib"):
        model.write_bytes(b"no model")
    document = json.loads(registry.promoted_file.read_text("utf-8"))
    document["current"] = "two"
    document["history"].append(document["history"][1])
    registry.promoted_file.write_text(json.dumps(document), "utf-8")
    until(lambda: client.get("/v1/model").json()["promoted_error"] is not None)
    assert client.post("/v1/predict", json=ASK).json()["model_version"] == "one"
    assert client.get("/health/ready").status_code == 200
    models = client.get("/v1/models").json()
    assert (models["promoted"], models["serving"]) == ("two", "one")
    registry.promoted_file.write_text("{", "utf-8")
    until(lambda: "damaged" in str(client.get("/v1/models").json()["error"]))
    assert client.post("/v1/predict", json=ASK).json()["model_version"] == "one"


def test_starting_with_a_promoted_model_that_does_not_load(registry: Registry) -> None:
    for model in registry.path("one").glob("model-*.joblib"):
        model.unlink()
    with TestClient(create_app(registry=registry.folder)) as client:
        found = client.get("/v1/model").json()
        assert found["degraded"] is False  # the shipped model answers
        assert "model-" in found["promoted_error"]


def test_models_without_a_registry(classifier: BounceClassifier, tmp_path: Path) -> None:
    found = TestClient(create_app(classifier)).get("/v1/models").json()
    assert found == {
        "registry": False, "serving": classifier.model_version, "promoted": None, "error": None, "versions": [],
        "history": [],
    }  # fmt: skip
    found = TestClient(create_app(classifier, registry=tmp_path / "none yet")).get("/v1/models").json()
    assert (found["registry"], found["versions"], found["error"]) == (True, [], None)


def test_report_of_a_version(client: TestClient) -> None:
    found = client.get("/v1/models/one/report")
    assert found.text == "<h1>report</h1>"
    assert "default-src 'none'" in found.headers["content-security-policy"]
    for name in ("three", "..%2f..%2fone", "%00"):
        missing = client.get(f"/v1/models/{name}/report")
        assert missing.status_code == 404
        assert missing.headers["content-type"] == "application/problem+json"


def test_no_request_is_dropped(registry: Registry) -> None:
    """A real server under requests, while promotions come and go by polling and by SIGHUP."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"WHYBOUNCE_REGISTRY": str(registry.folder), "WHYBOUNCE_FEEDBACK_URL": "none"}
    server = subprocess.Popen(
        [sys.executable, "-m", "whybounce", "serve", "--port", str(port)],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    versions: list[str] = []
    failures: list[str] = []
    stop = threading.Event()

    def ask() -> str:
        body = json.dumps(ASK).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/predict", body, {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            version: str = json.load(answer)["model_version"]
        return version

    def answers() -> bool:
        try:
            return bool(ask())
        except OSError:
            return False

    def keep_asking() -> None:
        while not stop.is_set():
            try:
                versions.append(ask())
            except Exception as error:
                failures.append(repr(error))

    try:
        until(answers, 60)
        threads = [threading.Thread(target=keep_asking) for _ in range(3)]
        for thread in threads:
            thread.start()
        registry.promote("two", instead_of="one")
        until(lambda: versions[-1:] == ["two"], 30)
        registry.rollback()
        server.send_signal(signal.SIGHUP)
        until(lambda: versions[-1:] == ["one"], 30)
        stop.set()
        for thread in threads:
            thread.join()
        assert failures == []
        assert len(versions) > 50
        assert server.poll() is None
    finally:
        stop.set()
        server.terminate()
        assert server.wait(30) is not None
