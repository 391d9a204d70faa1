"""Nobody's data in the logs: every endpoint is told addresses, names and hosts, in every way, right and wrong."""

from __future__ import annotations

import json
import logging
import re
import signal
import urllib.parse
from pathlib import Path
from typing import Any

import pytest
from openapi_examples import BOUNCE
from server import Server, running, until
from starlette.testclient import TestClient

from whybounce.model.predictor import BounceClassifier
from whybounce.serving.http import create_app
from whybounce.serving.logs import JsonFormatter, TextFormatter, log_config

PERSON = "maria.lopez@private.example"
HOST = "mail-out-7.private.example"
IPV4, IPV6 = "203.0.113.77", "2001:db8:77::beef"
TOKEN = "wb_4711-secret-token"
TEXT = f"550 5.1.1 <{PERSON}> from {HOST} [{IPV4}] [{IPV6}]: Xyzzy user unknown"
PARTS = (PERSON, "maria", "lopez", "private.example", HOST, IPV4, IPV6, "Xyzzy", TOKEN, "4711", "127.0.0.1:")
QUERY = urllib.parse.quote(PERSON)


def requests() -> list[tuple[str, str, Any, dict[str, str]]]:
    """Method, path, body, headers."""
    json_type = {"content-type": "application/json"}
    fields = {"diagnostic": TEXT, "remote_host": HOST}
    feedback = {
        "diagnostic": TEXT,
        "reason": "invalid_recipient",
        "comment": TEXT,
        "source": PERSON,
        "event_id": PERSON,
    }
    tensor = {"name": "diagnostic", "shape": [1], "datatype": "BYTES", "data": [TEXT]}
    events: dict[str, Any] = {
        "sendgrid": [{"event": "bounce", "email": PERSON, "reason": TEXT, "ip": IPV4}],
        "ses": {"eventType": "Bounce", "bounce": {"bouncedRecipients": [{"emailAddress": PERSON, "diagnosticCode": TEXT}]}},
        "generic": [{"diagnostic": TEXT, "recipient": PERSON}],
    }  # fmt: skip
    message = BOUNCE.replace("a@example.com", PERSON).replace("550 5.1.1 User unknown", TEXT)
    found: list[tuple[str, str, Any, dict[str, str]]] = [
        ("POST", "/v1/predict", fields, json_type),
        ("POST", "/v1/predict", {**fields, "reply_code": PERSON, PERSON: 1}, json_type),
        ("POST", f"/v1/predict?email={QUERY}&ip={IPV4}", {"diagnostic": TEXT}, json_type),
        ("POST", "/v1/predict", f'{{"diagnostic": "{TEXT}'.encode(), json_type),
        ("POST", "/v1/predict", TEXT.encode() + b"\xff", {"content-type": "text/plain"}),
        ("POST", "/v1/predict/batch", {"diagnostics": [TEXT, fields]}, json_type),
        ("POST", "/v1/predict/batch", {"diagnostics": [TEXT, {PERSON: TEXT}]}, json_type),
        ("POST", "/v1/predict/stream", f"{json.dumps(fields)}\n{TEXT}\n".encode(), {"content-type": "application/x-ndjson"}),
        ("POST", "/v1/explain", fields, json_type),
        ("POST", "/v1/explain", {"diagnostic": [TEXT]}, json_type),
        ("POST", "/v1/message", message.encode(), {"content-type": "message/rfc822"}),
        ("POST", "/v1/message", TEXT.encode(), {"content-type": "message/rfc822"}),
        ("POST", f"/v1/report?name={QUERY}", f"{TEXT}\n".encode(), {"content-type": "application/octet-stream"}),
        ("POST", f"/v1/report?name={QUERY}&input={QUERY}", f"{TEXT}\n".encode(), {}),
        ("POST", "/v1/feedback", feedback, json_type),
        ("POST", "/v1/feedback", {**feedback, "comment": PERSON}, json_type),  # the same id, another content
        ("POST", "/v1/feedback", {**feedback, "reason": PERSON}, json_type),
        ("GET", f"/v1/review?limit={QUERY}", None, {}),
        ("GET", f"/v1/models/{QUERY}/report", None, {}),
        ("GET", f"/v1/models/{QUERY}/card", None, {}),
        ("POST", "/v2/models/whybounce/infer", {"id": PERSON, "inputs": [tensor]}, json_type),
        ("POST", "/v2/models/whybounce/infer", {"inputs": [{**tensor, "name": PERSON}]}, json_type),
        ("POST", "/v2/models/whybounce/infer", {"inputs": [{**tensor, "data": [{PERSON: TEXT}]}]}, json_type),
        ("GET", f"/v2/models/{QUERY}/versions/{QUERY}", None, {}),
        ("GET", f"/{QUERY}/{IPV4}", None, {"x-request-id": f"{PERSON} {TOKEN}", "user-agent": PERSON, "referer": HOST}),
        ("DELETE", f"/web/{QUERY}", None, {"authorization": f"Bearer {TOKEN}", "x-forwarded-for": IPV4}),
    ]  # fmt: skip
    for provider, body in events.items():
        found.append(("POST", f"/v1/events/{provider}", body, json_type))
        found.append(("POST", f"/v1/events/{provider}", {"a": [TEXT]}, json_type))
        found.append(("POST", f"/v1/events/{QUERY}?path={QUERY}", body, json_type))
        found.append(("POST", f"/v1/events/{provider}", f"{{{TEXT}".encode(), json_type))
    return found


def raw(method: str, path: str, body: Any, headers: dict[str, str]) -> bytes:
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "host: x", "connection: close", f"content-length: {len(data)}"]
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode() + data


def nobody_in(text: str) -> None:
    for part in PARTS:
        assert part.lower() not in text.lower(), part


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_server_that_is_told_everything_writes_nothing_of_it(form: str, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/feedback.db"
    with running(log_format=form, log_requests="all", log_level="debug", feedback_url=store) as server:
        asked = requests()
        statuses = []
        for request in asked:
            answer = server.raw(raw(*request))
            assert answer.startswith(b"HTTP/1.1 "), request
            statuses.append(int(answer.split(b" ", 2)[1]))
        assert {200, 201, 400, 404, 409, 415, 422} <= set(statuses)
        assert max(statuses) < 500
        server.raw(f"GET /{PERSON} HTTP/9.9\r\n{PERSON}: {TEXT}\r\n\r\n".encode())
        until(lambda: lines_of_requests(server) >= len(asked))
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(30)
        written = server.stderr.read_text("utf-8")
        if form == "json":  # nothing but JSON, from the first line to the last
            entries = [json.loads(line) for line in written.splitlines()]
            ids = [entry["request_id"] for entry in entries if entry["message"] == "request"]
            assert len(set(ids)) == len(ids) >= len(asked)
    nobody_in(written.replace(server.url, ""))  # but the address it listens on


def lines_of_requests(server: Server) -> int:
    return len(re.findall(r'"message": "request"|\binfo\s+request\b', server.stderr.read_text("utf-8")))


class Broken(BounceClassifier):
    """A classifier whose errors quote the text."""

    def recall(self, text: str, *_: object, **__: object) -> Any:
        raise RuntimeError(f"cannot handle {text} of {PERSON} at {IPV4}")

    explain = recall

    def remembered(self, key: Any) -> Any:
        return self.recall(str(key))

    def recall_many(self, texts: Any) -> Any:
        return [self.recall(text) for text in texts]


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()])
@pytest.mark.parametrize("path", ["/v1/predict", "/v1/predict/batch", "/v1/explain", "/v1/events/generic"])
def test_a_crash_says_where_and_not_of_whom(
    path: str, formatter: logging.Formatter, caplog: pytest.LogCaptureFixture
) -> None:
    client = TestClient(create_app(Broken(classifier=None, manifest=None)), raise_server_exceptions=False)
    body: Any = {"diagnostic": TEXT}
    body = {"diagnostics": [TEXT]} if path.endswith("batch") else [body] if "events" in path else body
    with caplog.at_level(logging.DEBUG):
        answer = client.post(path, json=body, headers={"x-request-id": "crash-1"})
    assert answer.status_code == 500
    nobody_in(answer.text)
    written = "\n".join(formatter.format(record) for record in caplog.records if record.name.startswith("whybounce"))
    assert "RuntimeError" in written
    assert "test_privacy.py" in written  # where
    assert "crash-1" in written
    nobody_in(written)


def test_errors_of_threads_and_warnings_are_logged_the_same_way() -> None:
    assert log_config("json", "info")["root"]["handlers"] == ["stderr"]
    import subprocess
    import sys

    code = f"""
import logging.config, threading, warnings
from whybounce.serving.logs import log_config
logging.config.dictConfig(log_config("json", "info"))
from whybounce.serving import worker
worker.create_app()
def broken(): raise RuntimeError("{PERSON}")
thread = threading.Thread(target=broken); thread.start(); thread.join()
warnings.warn("of {PERSON}")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    entries = [json.loads(line) for line in done.stderr.splitlines()]
    assert [entry["level"] for entry in entries] == ["error", "warning"]
    assert entries[0]["error"]["type"] == "RuntimeError"
    nobody_in(done.stdout + done.stderr)
