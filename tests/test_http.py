"""The HTTP service: every endpoint, every error as problem+json, and a real server."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from server import READY
from starlette.testclient import TestClient

from whybounce import __version__
from whybounce.model.masking import MAX_TEXT
from whybounce.model.predictor import BounceClassifier
from whybounce.model.taxonomy import TAXONOMY
from whybounce.serving.http import create_app
from whybounce.serving.http.limits import BodyLimit

UNKNOWN = "550 5.1.1 <a@example.com>: User unknown"
PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def client(classifier: BounceClassifier) -> TestClient:
    return TestClient(create_app(classifier), raise_server_exceptions=False)


# Predicting


def test_predict(client: TestClient, classifier: BounceClassifier) -> None:
    response = client.post("/v1/predict", json={"diagnostic": UNKNOWN})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json() == json.loads(json.dumps(classifier.predict_one(UNKNOWN).to_dict()))
    assert response.json()["reason"] == "invalid_recipient"


def test_predict_with_fields(client: TestClient, classifier: BounceClassifier) -> None:
    fields = {"reply_code": 452, "enhanced_status": "4.2.2", "command": "RCPT TO", "remote_host": "aspmx.l.google.com"}
    found = client.post("/v1/predict", json={"diagnostic": "over quota", **fields}).json()
    assert found == json.loads(json.dumps(classifier.predict_one("over quota", **fields).to_dict()))  # type: ignore[arg-type]
    assert (found["reply_code"], found["enhanced_status"], found["command"]) == (452, "4.2.2", "rcpt")
    assert (found["provider"], found["reason"]) == ("google", "mailbox_full")


def test_null_fields_are_no_fields(client: TestClient) -> None:
    nothing = dict.fromkeys(("reply_code", "enhanced_status", "command", "remote_host"))
    plain, with_nulls = (
        client.post("/v1/predict", json={"diagnostic": UNKNOWN, **more}).json() for more in ({}, nothing)
    )
    assert plain == with_nulls


@pytest.mark.parametrize(
    "text", ["", " ", "\x00", "\\", "用户不存在", "🙂", "<script>", "\u202e", "a" * MAX_TEXT, "\r\n"]
)
def test_any_text_is_answered(client: TestClient, text: str) -> None:
    response = client.post("/v1/predict", json={"diagnostic": text})
    assert response.status_code == 200
    assert response.json()["reason"] in TAXONOMY
    assert response.json()["truncated"] is False


@pytest.mark.parametrize(
    "body",
    [
        b'{"diagnostic": "\\ud800"}',
        b'{"diagnostic": "\\udfff\\ud800 550 5.1.1 user unknown"}',
        b'{"diagnostic": "\\u0000"}',
    ],
)
def test_broken_characters_are_answered_or_refused(client: TestClient, body: bytes) -> None:
    response = client.post("/v1/predict", content=body, headers={"content-type": "application/json"})
    assert response.status_code in (200, 400, 422)
    response.json()


@pytest.mark.parametrize(("length", "truncated"), [(MAX_TEXT, False), (MAX_TEXT + 1, True), (1_000_000, True)])
def test_a_long_text_is_cut_and_the_answer_says_so(client: TestClient, length: int, truncated: bool) -> None:
    text = (UNKNOWN + " ").ljust(length, "x")
    found = client.post("/v1/predict", json={"diagnostic": text}).json()
    assert found["truncated"] is truncated
    assert found["reply_code"] == 550


# Batches


def test_batch_keeps_the_order(client: TestClient) -> None:
    items: list[Any] = [
        UNKNOWN, {"diagnostic": "552 5.2.2 Mailbox full"}, "450 4.7.1 Greylisted", UNKNOWN, {"diagnostic": "", "reply_code": 450}, "",
    ]  # fmt: skip
    found = client.post("/v1/predict/batch", json={"diagnostics": items}).json()
    assert list(found) == ["predictions"]
    singles = [
        client.post("/v1/predict", json=item if isinstance(item, dict) else {"diagnostic": item}).json()
        for item in items
    ]
    assert found["predictions"] == singles
    assert [row["reason"] for row in singles] == [
        "invalid_recipient", "mailbox_full", "greylisted", "invalid_recipient", "general_error", "no_information",
    ]  # fmt: skip


def test_the_largest_batch(client: TestClient) -> None:
    texts = [f"{code} number {number}" for number, code in enumerate([550, 450] * 500)]
    found = client.post("/v1/predict/batch", json={"diagnostics": texts}).json()["predictions"]
    assert [row["reply_code"] for row in found] == [550, 450] * 500


# Errors

Body = dict[str, Any] | list[Any] | bytes
BOTH = ("/v1/predict", "/v1/predict/batch")
SECRET = "secret.person@example.com"  # whatever is wrong, this must not come back
ERRORS: list[tuple[str, Body, int, str]] = [
    # malformed
    ("/v1/predict", b"{", 400, ""),
    ("/v1/predict", b'{"diagnostic": "' + SECRET.encode() + b'"', 400, ""),
    ("/v1/predict/batch", b"[1,", 400, ""),
    ("/v1/predict", b"\xff\xfe", 400, ""),
    ("/v1/predict", b"[" * 100_000, 400, ""),
    ("/v1/predict", b"", 422, "body"),
    # wrong types
    ("/v1/predict", [], 422, "body"),
    ("/v1/predict", b'"' + SECRET.encode() + b'"', 422, "body"),
    ("/v1/predict", b"null", 422, "body"),
    ("/v1/predict", {}, 422, "body.diagnostic"),
    ("/v1/predict", {"diagnostic": None}, 422, "body.diagnostic"),
    ("/v1/predict", {"diagnostic": 3}, 422, "body.diagnostic"),
    ("/v1/predict", {"diagnostic": [SECRET]}, 422, "body.diagnostic"),
    ("/v1/predict", {"diagnostic": {"a": SECRET}}, 422, "body.diagnostic"),
    ("/v1/predict", {"diagnostic": "x", "reply_code": SECRET}, 422, "body.reply_code"),
    ("/v1/predict", {"diagnostic": "x", "reply_code": 199}, 422, "body.reply_code"),
    ("/v1/predict", {"diagnostic": "x", "reply_code": 600}, 422, "body.reply_code"),
    ("/v1/predict", {"diagnostic": "x", "reply_code": 550.5}, 422, "body.reply_code"),
    ("/v1/predict", {"diagnostic": "x", "enhanced_status": SECRET}, 422, "body.enhanced_status"),
    ("/v1/predict", {"diagnostic": "x", "enhanced_status": "5.1.1\n"}, 422, "body.enhanced_status"),
    ("/v1/predict", {"diagnostic": "x", "command": SECRET * 10}, 422, "body.command"),
    ("/v1/predict", {"diagnostic": "x", "remote_host": SECRET * 20}, 422, "body.remote_host"),
    # unknown fields
    ("/v1/predict", {"diagnostic": "x", "text": SECRET}, 422, "body.text"),
    ("/v1/predict", {"diagnostics": [SECRET]}, 422, "body.diagnostic"),
    ("/v1/predict/batch", {"diagnostics": ["x"], "more": SECRET}, 422, "body.more"),
    # batches
    ("/v1/predict/batch", {}, 422, "body.diagnostics"),
    ("/v1/predict/batch", {"diagnostics": []}, 422, "body.diagnostics"),
    ("/v1/predict/batch", {"diagnostics": SECRET}, 422, "body.diagnostics"),
    ("/v1/predict/batch", {"diagnostics": ["x"] * 1001}, 422, "body.diagnostics"),
    ("/v1/predict/batch", {"diagnostics": ["x", 3]}, 422, "body.diagnostics.1"),
    ("/v1/predict/batch", {"diagnostics": ["x", None]}, 422, "body.diagnostics.1"),
    ("/v1/predict/batch", {"diagnostics": [{"diagnostic": SECRET, "reply_code": "abc"}]}, 422, "body.diagnostics.0"),
    ("/v1/predict/batch", {"diagnostics": [[SECRET]]}, 422, "body.diagnostics.0"),
]  # fmt: skip


def assert_problem(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status
    assert response.headers["content-type"] == PROBLEM
    problem: dict[str, Any] = response.json()
    assert problem["status"] == status
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert problem["detail"].endswith(".")
    assert set(problem) <= {"type", "title", "status", "detail", "errors", "error"}
    assert problem.get("error", problem["detail"]) == problem["detail"]  # for clients of /v2
    return problem


@pytest.mark.parametrize(
    ("path", "body", "status", "place"),
    ERRORS,
    ids=[f"{number} {row[2]} {row[3]}" for number, row in enumerate(ERRORS)],
)
def test_bad_requests(client: TestClient, path: str, body: Body, status: int, place: str) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = client.post(path, content=content, headers={"content-type": "application/json"})
    problem = assert_problem(response, status)
    assert SECRET not in response.text
    assert SECRET.partition("@")[0] not in response.text
    if place:
        assert any(error["location"].startswith(place) for error in problem["errors"]), problem["errors"]
        assert place in problem["detail"]
        shown, _ = json.JSONDecoder().raw_decode(problem["detail"].partition("Send for example: ")[2])
        assert client.post(path, json=shown).status_code == 200  # the fix that it names is one
        assert all(set(error) == {"location", "message"} for error in problem["errors"])


@pytest.mark.parametrize("body", ['{"diagnostic": "x"}', f"diagnostic={SECRET}", SECRET])
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
def test_other_content_types(client: TestClient, body: str, kind: str) -> None:
    response = client.post("/v1/predict", content=body, headers={"content-type": kind})
    assert "application/json" in assert_problem(response, 415)["detail"]
    assert SECRET not in response.text


TAKES_JSON = ("/v1/predict", "/v1/predict/batch", "/v1/explain", "/v1/feedback", "/v2/models/whybounce/infer")


@pytest.mark.parametrize("path", [*TAKES_JSON, "/v1/events/ses", "/v1/message", "/v1/predict/stream"])
def test_packed_bodies_are_refused_where_nobody_unpacks_them(client: TestClient, path: str) -> None:
    kind = {"/v1/message": "message/rfc822", "/v1/predict/stream": "application/x-ndjson"}.get(path, "application/json")
    body = gzip.compress(b'{"diagnostic": "550 5.1.1 no such user"}')
    response = client.post(path, content=body, headers={"content-type": kind, "content-encoding": "gzip"})
    assert "without content-encoding" in assert_problem(response, 415)["detail"]
    assert response.headers["accept-encoding"] == "identity"


def test_a_report_may_be_packed(client: TestClient) -> None:
    body = gzip.compress(b"550 5.1.1 no such user\n")
    response = client.post("/v1/report", content=body, headers={"content-encoding": "gzip"})
    assert (response.status_code, response.json()["bounced"]) == (200, 1)


@pytest.mark.parametrize("path", [*TAKES_JSON, "/v1/predict/"])
def test_no_redirects_to_a_host_that_the_client_names(client: TestClient, path: str) -> None:
    response = client.post(path.rstrip("/") + "/", headers={"host": "evil.example"}, follow_redirects=False)
    assert_problem(response, 404)


@pytest.mark.parametrize("path", TAKES_JSON)
@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [(b"{", "application/json", 400), (b"[1]", "application/json", 422), (b"x", "text/plain", 415)],
)
def test_every_path_refuses_in_the_same_words(
    client: TestClient, path: str, content: bytes, kind: str, status: int
) -> None:
    problem = assert_problem(client.post(path, content=content, headers={"content-type": kind}), status)
    assert ("error" in problem) == path.startswith("/v2")


def test_many_errors_are_not_all_listed(client: TestClient) -> None:
    response = client.post("/v1/predict/batch", json={"diagnostics": [3] * 1000})
    problem = assert_problem(response, 422)
    assert len(problem["errors"]) <= 50
    assert len(response.content) < 20_000


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/predictions", "/v1/predict/x", "/v2/predict", "/%00", "/..%2f"])
def test_not_found(client: TestClient, path: str) -> None:
    asked = client.get(path, headers={"accept": "application/json"})
    assert "/docs" in assert_problem(asked, 404)["detail"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/predict", "POST"), ("PUT", "/v1/predict", "POST"), ("DELETE", "/v1/predict/batch", "POST"),
        ("POST", "/v1/reasons", "GET"), ("POST", "/v1/model", "GET"), ("POST", "/health/live", "GET"),
        ("PATCH", "/health/ready", "GET"),
    ],
)  # fmt: skip
def test_method_not_allowed(client: TestClient, method: str, path: str, allowed: str) -> None:
    response = client.request(method, path)
    assert_problem(response, 405)
    assert response.headers["allow"] == allowed


# Size of the body


@pytest.fixture(scope="module")
def narrow(rules_only: BounceClassifier) -> TestClient:
    return TestClient(create_app(rules_only, max_body=1000))


def body_of(size: int) -> bytes:
    frame = len(b'{"diagnostic": ""}')
    return b'{"diagnostic": "' + b"x" * (size - frame) + b'"}'


def in_pieces(body: bytes, size: int = 100) -> Iterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_too_large_is_refused(narrow: TestClient, path: str, chunked: bool) -> None:
    body = body_of(1001)
    response = narrow.post(
        path, content=in_pieces(body) if chunked else body, headers={"content-type": "application/json"}
    )
    assert "1000 bytes" in assert_problem(response, 413)["detail"]
    assert ("transfer-encoding" in response.request.headers) is chunked


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_just_small_enough_is_taken(narrow: TestClient, chunked: bool) -> None:
    body = body_of(1000)
    response = narrow.post(
        "/v1/predict", content=in_pieces(body) if chunked else body, headers={"content-type": "application/json"}
    )
    assert response.status_code == 200


def test_a_wrong_length_is_counted(narrow: TestClient) -> None:
    response = narrow.post(
        "/v1/predict",
        content=in_pieces(body_of(5000)),
        headers={"content-type": "application/json", "content-length": "10"},
    )
    assert_problem(response, 413)


def test_a_body_too_large_is_not_read(rules_only: BounceClassifier) -> None:
    asked = 0
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": b"x" * 100, "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/v1/predict", "raw_path": b"/v1/predict", "query_string": b"",
        "headers": [(b"content-type", b"application/json")], "http_version": "1.1", "scheme": "http",
        "server": ("test", 80), "client": ("test", 1), "root_path": "",
    }  # fmt: skip
    asyncio.run(create_app(rules_only, max_body=1000)(scope, receive, send))
    assert sent[0]["status"] == 413
    assert asked <= 12


def test_the_default_limit_takes_the_largest_batch_of_the_largest_texts(client: TestClient) -> None:
    response = client.post("/v1/predict/batch", json={"diagnostics": ["550 " + "x" * (MAX_TEXT - 4)] * 1000})
    assert response.status_code == 200
    assert_problem(client.post("/v1/predict", content=b"x" * (25 * 1024 * 1024)), 413)


def test_the_limit_leaves_other_protocols_alone() -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    async def nothing(*_: Any) -> Any:
        return {}

    asyncio.run(BodyLimit(app, max_body=1)({"type": "lifespan"}, nothing, nothing))
    assert seen == ["lifespan"]


# Information


def test_reasons(client: TestClient) -> None:
    rows = client.get("/v1/reasons").json()["reasons"]
    assert [row["reason"] for row in rows] == list(TAXONOMY.reasons)
    for row, info in zip(rows, TAXONOMY, strict=True):
        assert row == {
            "reason": info.reason, "title": info.title, "description": info.description, "group": info.group,
            "categories": list(info.categories), "retryable": info.retryable, "action": info.action,
            "advice": info.action.advice,
        }  # fmt: skip


def test_model(client: TestClient, classifier: BounceClassifier) -> None:
    found = client.get("/v1/model").json()
    manifest = classifier.manifest
    assert manifest is not None
    assert (found["model_version"], found["whybounce_version"]) == (manifest.model_version, __version__)
    assert (found["degraded"], found["degraded_because"]) == (False, None)
    assert found["labels"] == list(manifest.labels)
    assert found["threshold"] == manifest.threshold
    assert found["data"]["fingerprint"] == manifest.data["fingerprint"]
    assert "held_out_families" in found["metrics"]


def test_degraded(rules_only: BounceClassifier) -> None:
    client = TestClient(create_app(rules_only))
    found = client.get("/v1/model").json()
    assert (found["degraded"], found["model_version"]) == (True, None)
    assert found["degraded_because"] == "a test wants it so"
    assert found["labels"] == list(TAXONOMY.reasons)
    ready = client.get("/health/ready")
    assert (ready.status_code, ready.json()) == (200, READY | {"degraded": True})
    answer = client.post("/v1/predict", json={"diagnostic": UNKNOWN}).json()
    assert (answer["reason"], answer["degraded"], answer["decided_by"]) == ("invalid_recipient", True, "rules")


def test_health(client: TestClient) -> None:
    assert client.get("/health/live").json() == {"status": "alive"}
    assert client.get("/health/ready").json() == READY


def test_the_artifact_of_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHYBOUNCE_ARTIFACT", str(folder))
    assert TestClient(create_app()).get("/v1/model").json()["data"]["templates"] < 1000
    monkeypatch.setenv("WHYBOUNCE_ARTIFACT", str(folder / "nothing"))
    assert TestClient(create_app()).get("/health/ready").json()["degraded"] is True
    monkeypatch.setenv("WHYBOUNCE_ARTIFACT", "")
    assert TestClient(create_app()).get("/v1/model").json()["data"]["templates"] > 1000


class Broken(BounceClassifier):
    """A classifier with a bug."""

    def remembered(self, key: Any) -> Any:
        raise RuntimeError(f"cannot handle {key} and {SECRET}")


def test_a_bug_is_a_problem_too_and_leaks_nothing() -> None:
    client = TestClient(create_app(Broken(classifier=None, manifest=None)), raise_server_exceptions=False)
    response = client.post("/v1/predict", json={"diagnostic": SECRET})
    assert_problem(response, 500)
    assert SECRET not in response.text
    assert client.get("/health/live").status_code == 200


# The OpenAPI document


def test_the_documented_examples_work(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    tried = 0
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if "{" in path or "application/json" not in operation.get("requestBody", {}).get("content", {}):
                continue
            name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            for example in schemas[name]["examples"]:
                response = client.post(path, json=example)
                # Feedback needs a store, and this application was started without one.
                assert response.status_code == (503 if path == "/v1/feedback" else 200), response.text
                tried += 1
    assert tried >= 3
    first = schemas["DiagnosticIn"]["examples"][0]
    assert client.post("/v1/predict", json=first).json()["reason"] == "invalid_recipient"


def test_errors_are_documented_as_problems(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    for path in BOTH:
        for status in ("400", "413", "422"):
            assert PROBLEM in paths[path]["post"]["responses"][status]["content"]


def test_every_operation_is_described(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths) >= {*BOTH, "/v1/predict/stream", "/v1/reasons", "/v1/model", "/health/live", "/health/ready"}
    assert all(operation["description"] for operations in paths.values() for operation in operations.values())
    assert client.get("/docs").status_code == 200


# A real server


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(ready: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if ready():
            return
        time.sleep(0.1)
    raise TimeoutError


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as response:
        return json.load(response)


@contextmanager
def serving(tmp_path: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A ``whybounce serve`` in a process of its own, as soon as it is ready."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "whybounce", "serve", "--port", str(port), *options]
    with (tmp_path / "log").open("w") as log, subprocess.Popen(command, text=True, stderr=log, cwd=tmp_path) as process:
        try:

            def ready() -> bool:
                assert process.poll() is None, (tmp_path / "log").read_text()
                try:
                    return bool(get(f"{url}/health/ready")["status"] == "ready")
                except OSError:
                    return False

            wait_for(ready)
            yield process, url
        finally:
            process.kill()


def test_a_real_server(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, url):
        # the curl of issue 2
        request = urllib.request.Request(
            f"{url}/v1/predict",
            data=json.dumps({"diagnostic": UNKNOWN}).encode(),
            headers={"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            answer = json.load(response)
        assert (answer["reason"], answer["action"], answer["degraded"]) == ("invalid_recipient", "suppress", False)
        # a client that sends no end
        with closing(socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=10)) as connection:
            connection.sendall(
                b"POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
                b"content-length: 999999999\r\n\r\n{"
            )
            assert b" 413 " in connection.recv(1000)
        with pytest.raises(urllib.error.HTTPError) as caught:
            get(f"{url}/nothing")
        assert caught.value.headers["content-type"] == PROBLEM
        caught.value.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) in (0, -signal.SIGTERM)
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_real_server_with_an_artifact_of_ones_own(tmp_path: Path, folder: Path) -> None:
    with serving(tmp_path, "--artifact", os.path.relpath(folder, tmp_path)) as (_, url):
        assert get(f"{url}/v1/model")["data"]["templates"] < 1000
