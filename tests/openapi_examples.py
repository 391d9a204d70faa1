"""The examples of the OpenAPI document: asks a real application and cuts its answers short.

``python tests/openapi_examples.py --write`` writes them after the model or an answer changed.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from whybounce.model.artifact import SHIPPED
from whybounce.model.registry import Registry
from whybounce.serving.http import create_app, feedback

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "serving" / "http" / "examples.json"
SHOWN = 2
"""Items of a list, entries of a free object."""
JSON, LINES, MESSAGE = "application/json", "application/x-ndjson", "message/rfc822"

UNKNOWN = {"diagnostic": "550 5.1.1 <a@example.com>: User unknown"}
NOUNS = ("thing", "quux", "bananas", "zorb", "pear", "wibble", "lantern", "turnip", "gasket", "plinth")
UNSURE = {"diagnostics": [f"554 {how} {noun}" for noun in NOUNS for how in ("weird unheard-of", "the", "went")]}
FULL = {"diagnostic": "452 4.2.2 Mailbox full", "remote_host": "mx.example.net"}
TENSOR = {"name": "diagnostic", "shape": [1], "datatype": "BYTES", "data": [UNKNOWN["diagnostic"]]}
FEEDBACK = {
    "diagnostic": "554 BX-17 storage cell of <a@example.com> is saturated", "reason": "mailbox_full",
    "source": "support", "event_id": "ticket-4711",
}  # fmt: skip
EVENTS = [
    {"event": "bounce", "email": "a@example.com", "sg_event_id": "ZXZlbnQx", "reason": "550 5.1.1 no such user",
     "bounce_classification": "Invalid Address"}
]  # fmt: skip
BOUNCE = """From: MAILER-DAEMON@mx.example.net
To: sender@example.org
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

The mail could not be delivered.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; a@example.com
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 User unknown

--b--
"""
FILE_OF_BOUNCES = "550 5.1.1 <a@example.com>: User unknown\n452 4.2.2 Mailbox full\n"

# Operation, the path with everything filled in, content type, body.
ASKED: list[tuple[str, str, str, Any]] = [
    ("POST /v1/predict", "/v1/predict", JSON, UNKNOWN),
    ("POST /v1/predict/batch", "/v1/predict/batch", JSON, {"diagnostics": [UNKNOWN["diagnostic"], FULL]}),
    ("POST /v1/predict/stream", "/v1/predict/stream", LINES, '{"id": 1, "diagnostic": "550 5.1.1 User unknown"}\n{"id": 2}\n'),
    ("POST /v1/explain", "/v1/explain", JSON, UNKNOWN),
    ("POST /v1/message", "/v1/message", MESSAGE, BOUNCE),
    ("POST /v1/events/{provider}", "/v1/events/sendgrid", JSON, EVENTS),
    ("POST /v1/report", "/v1/report?name=bounces.txt", "application/octet-stream", FILE_OF_BOUNCES),
    ("POST /v1/feedback", "/v1/feedback", JSON, FEEDBACK),
    ("GET /v1/review", "/v1/review", "", None),
    ("GET /v1/reasons", "/v1/reasons", "", None),
    ("GET /v1/model", "/v1/model", "", None),
    ("GET /v1/models", "/v1/models", "", None),
    ("GET /v1/counters", "/v1/counters", "", None),
    ("GET /metrics", "/metrics", "", None),
    ("GET /health/live", "/health/live", "", None),
    ("GET /health/ready", "/health/ready", "", None),
    ("GET /v2", "/v2", "", None),
    ("GET /v2/health/live", "/v2/health/live", "", None),
    ("GET /v2/health/ready", "/v2/health/ready", "", None),
    ("GET /v2/models/{name}", "/v2/models/whybounce", "", None),
    ("GET /v2/models/{name}/versions/{version}", "/v2/models/whybounce/versions/VERSION", "", None),
    ("GET /v2/models/{name}/ready", "/v2/models/whybounce/ready", "", None),
    ("GET /v2/models/{name}/versions/{version}/ready", "/v2/models/whybounce/versions/VERSION/ready", "", None),
    ("POST /v2/models/{name}/infer", "/v2/models/whybounce/infer", JSON, {"id": "42", "inputs": [TENSOR]}),
    ("POST /v2/models/{name}/versions/{version}/infer", "/v2/models/whybounce/versions/VERSION/infer", JSON, {"inputs": [TENSOR]}),
]  # fmt: skip


def cut(value: Any, free: bool = False) -> Any:
    """Shorten what is long: lists, and objects whose names nobody declared."""
    if isinstance(value, list):
        return [cut(item) for item in value[:SHOWN]]
    if isinstance(value, dict):
        items = list(value.items())[:SHOWN] if free else value.items()
        return {key: cut(item, free or key in ("data", "metrics", "libraries")) for key, item in items}
    return value


def made() -> dict[str, Any]:
    """Ask everything and return the examples."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        registry = Registry(Path(folder) / "models")
        name = registry.add(SHIPPED).name
        registry.promote(name, instead_of=None)
        app = create_app(registry=registry.folder, feedback_url=f"sqlite:///{folder}/feedback.db")
        feedback.COLLECT_SECONDS = 0.1
        with TestClient(app) as client:
            client.post("/v1/predict/batch", json=UNSURE)
            end = time.monotonic() + 60
            while not client.get("/v1/review").json()["total"]:
                assert time.monotonic() < end, "no text is unsure, or the review queue does not fill"
                time.sleep(0.1)
            for operation, path, kind, body in ASKED:
                method = operation.partition(" ")[0]
                content = body if isinstance(body, str) or body is None else json.dumps(body)
                headers = {"content-type": kind} if kind else {}
                answer = client.request(method, path.replace("VERSION", name), content=content, headers=headers)
                assert answer.is_success, (operation, answer.text)
                found[operation] = _example(operation, kind, body, answer)
    return found


def _example(operation: str, kind: str, body: Any, answer: Any) -> dict[str, Any]:
    media = answer.headers["content-type"].partition(";")[0]
    if media == JSON:
        text = cut(answer.json())
    elif operation == "GET /metrics":
        names = [family.name for family in text_string_to_metric_families(answer.text)]
        assert "whybounce_predictions" in names
        text = "".join(line + "\n" for line in answer.text.splitlines() if "whybounce_predictions_total" in line)
    else:
        text = answer.text
    shown = {"status": answer.status_code, "answer_type": media, "answer": text}
    return {"type": kind, "request": body, **shown} if kind else shown


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        FILE.write_text(json.dumps(made(), ensure_ascii=False, indent=1) + "\n", "utf-8")
    else:
        print(json.dumps(made(), ensure_ascii=False, indent=1))
