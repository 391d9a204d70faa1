"""Events and files over HTTP: every fixture, every refusal, what was declared, what is too much."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import json
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2 as httpx
import pytest
import schemathesis
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from whybounce.model.predictor import BounceClassifier
from whybounce.serving.http import create_app, report
from whybounce.serving.http.events import MAX_RECORDS, known
from whybounce.serving.intake.formats import formats

FIXTURES = Path(__file__).parent / "fixtures"
EVENTS = sorted(path for path in (FIXTURES / "events").glob("*/*.json*") if ".expected." not in path.name)
PROBLEM = "application/problem+json"
NDJSON = {"content-type": "application/x-ndjson"}
JSON = {"content-type": "application/json"}
SECRET = "secret.person@example.com"


@pytest.fixture(scope="module")
def client(classifier: BounceClassifier) -> TestClient:
    return TestClient(create_app(classifier), raise_server_exceptions=False)


def assert_problem(response: httpx.Response, status: int, words: str = "") -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == PROBLEM
    assert response.json()["status"] == status
    assert words in response.json()["detail"]
    assert SECRET not in response.text


# Events


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_fixture(client: TestClient, path: Path) -> None:
    given_paths = path.with_suffix(".paths")
    lines = given_paths.read_text("utf-8").splitlines() if given_paths.exists() else []
    response = client.post(
        f"/v1/events/{path.parent.name}",
        content=path.read_bytes(),
        headers=NDJSON if path.suffix == ".jsonl" else JSON,
        params={"path": [line.replace("=", ":", 1) for line in lines]},
    )
    assert response.status_code == 200, response.text
    found = response.json()
    assert (found["provider"], found["skipped"], found["confirmation"]) == (path.parent.name, [], None)
    wanted = [json.loads(line) for line in path.with_suffix(".expected.jsonl").read_text("utf-8").splitlines()]
    assert len(found["records"]) == len(wanted)
    for record, fields in zip(found["records"], wanted, strict=True):
        for name in ("recipient", "outcome", "diagnostic", "kind", "event_id", "message_id", "campaign"):
            assert record[name] == fields.get(name), name
        assert record["date"] == fields.get("occurred_at")
        assert record["theirs"] == fields.get("theirs")
        if "agrees" in fields:
            assert record["agrees"] == fields["agrees"]
        if record["outcome"] == "delivered":
            assert record["prediction"] is None
        elif "reason" in fields:
            assert record["prediction"]["reason"] == fields["reason"]


def test_a_prediction_is_that_of_predict(client: TestClient) -> None:
    event = {
        "event": "deferred",
        "email": "a@example.com",
        "sg_event_id": "1",
        "response": "421 try again in 90 seconds",
    }
    [record] = client.post("/v1/events/sendgrid", json=[event]).json()["records"]
    assert record["prediction"] == client.post("/v1/predict", json={"diagnostic": event["response"]}).json()


def test_predictions_are_counted(classifier: BounceClassifier) -> None:
    application = create_app(classifier)
    seen: list[tuple[str, int]] = []
    application.state.service.observers.append(lambda prediction, count: seen.append((prediction.reason, count)))
    with TestClient(application) as client:
        event = {"event": "bounce", "email": "a@example.com", "sg_event_id": "1", "reason": "550 5.1.1 user unknown"}
        client.post("/v1/events/sendgrid", json=[event] * 3)
    assert seen == [("invalid_recipient", 3)]


def test_sns_asks_and_nothing_is_fetched(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetched(*_: Any, **__: Any) -> None:
        raise AssertionError("something was fetched")

    monkeypatch.setattr("socket.create_connection", fetched)
    for kind in ("SubscriptionConfirmation", "UnsubscribeConfirmation"):
        asked = {
            "Type": kind, "MessageId": "1", "Token": "t0k", "TopicArn": "arn:aws:sns:eu-west-1:1:bounces",
            "Message": "Confirm \ud83d\ude00", "SubscribeURL": "https://sns.example.com/?Action=ConfirmSubscription",
        }  # fmt: skip
        found = client.post(
            "/v1/events/ses", content=json.dumps(asked), headers={"content-type": "text/plain; charset=UTF-8"}
        )
        assert found.status_code == 200
        assert found.json() == {
            "provider": "ses", "records": [], "skipped": [],
            "confirmation": {
                "type": kind, "topic_arn": asked["TopicArn"], "subscribe_url": asked["SubscribeURL"], "token": "t0k",
                "message": "Confirm 😀",
            },
        }  # fmt: skip


def test_the_forms_of_mailgun(client: TestClient) -> None:
    form = {"event": "bounced", "recipient": "ä@example.net", "code": "550", "error": "5.1.1 no such user",
            "message-headers": "[]", "timestamp": "1795510909", "token": "t"}  # fmt: skip
    headers = {"content-type": "application/x-www-form-urlencoded"}
    found = client.post("/v1/events/mailgun", content=urlencode(form), headers=headers)
    assert found.status_code == 200
    [record] = found.json()["records"]
    assert (record["recipient"], record["theirs"], record["agrees"]) == ("ä@example.net", "bounced", True)
    assert record["prediction"]["reply_code"] == 550
    assert_problem(client.post("/v1/events/mailgun", content="&".join(["a=1"] * 2000), headers=headers), 400)
    assert_problem(client.post("/v1/events/ses", content=urlencode(form), headers=headers), 415, "application/json")


GOOD = {"event": "bounce", "email": "a@example.com", "sg_event_id": "1", "reason": "550 5.1.1 user unknown"}


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "words"),
    [
        ("nobody", b"{}", JSON, 404, "mailgun"),
        ("SES", b"{}", JSON, 404, "ses"),
        ("ses", b"{", JSON, 400, "not valid JSON"),
        ("ses", b"", JSON, 400, "not valid JSON"),
        ("ses", b"\xff\xfe{}", JSON, 400, ""),
        ("ses", b'{"a": "\\ud800"}', JSON, 400, ""),
        ("ses", b"[" * 100_000, JSON, 400, ""),
        ("ses", b'{"a":' * 100_000, JSON, 400, ""),
        ("kumomta", b'{}\n{"a"\n', NDJSON, 400, "Line 2"),
        ("sendgrid", b"<xml/>", {"content-type": "application/xml"}, 415, "application/json"),
        ("sendgrid", json.dumps({"email": SECRET}).encode(), JSON, 422, "sg_event_id"),
        ("sendgrid", b"7", JSON, 422, "no JSON object"),
        ("sendgrid", b"null", JSON, 422, "no JSON object"),
        ("sendgrid", b'"text"', JSON, 422, "mailgun"),
        ("sendgrid", b"[1, 2]", JSON, 422, "no JSON object"),
        ("sendgrid?path=diagnostic:a", b"[]", JSON, 422, "generic"),
        ("generic", b'{"a": 1}', JSON, 422, "?path=diagnostic:"),
        ("generic?path=diagnostic", b'{"a": 1}', JSON, 422, "NAME:PATH"),
        ("generic?path=secret:a", b'{"a": 1}', JSON, 422, "diagnostic"),
        ("generic?path=vocabulary:sess", b'{"a": 1}', JSON, 422, "ses"),
        ("generic?path=diagnostic:b", json.dumps({"a": SECRET}).encode(), JSON, 422, "nothing stands"),
    ],
)
def test_refusals(client: TestClient, path: str, body: bytes, headers: dict[str, str], status: int, words: str) -> None:
    assert_problem(client.post(f"/v1/events/{path}", content=body, headers=headers), status, words)


def test_one_good_event_is_enough(client: TestClient) -> None:
    found = client.post("/v1/events/sendgrid", json=[{"a": 1}, GOOD, 7])
    assert found.status_code == 200
    assert [record["recipient"] for record in found.json()["records"]] == ["a@example.com"]
    assert [piece["where"] for piece in found.json()["skipped"]] == ["body:1", "body:1"]


@pytest.mark.parametrize("body", [[], [{**GOOD, "event": "open"}], [{**GOOD, "event": "processed"}]])
def test_events_of_nothing_are_accepted(client: TestClient, body: Any) -> None:
    """An error would make the provider send them again and again."""
    found = client.post("/v1/events/sendgrid", json=body)
    assert (found.status_code, found.json()["records"], found.json()["skipped"]) == (200, [], [])


def test_halves_of_characters_do_not_come_back(client: TestClient) -> None:
    bounced = {"emailAddress": "\ud800@example.com", "diagnosticCode": "smtp; 550 5.1.1 \udfff user unknown"}
    message = {"notificationType": "Bounce", "mail": {}, "bounce": {"bouncedRecipients": [bounced]}}
    envelope = {"Type": "Notification", "TopicArn": "arn:x", "Message": json.dumps(message)}
    found = client.post("/v1/events/ses", json=envelope)
    assert found.status_code == 200
    [record] = found.json()["records"]
    assert (record["recipient"], record["prediction"]["reason"]) == ("?@example.com", "invalid_recipient")


def test_too_many_recipients(client: TestClient) -> None:
    assert_problem(client.post("/v1/events/sendgrid", json=[GOOD] * (MAX_RECORDS + 1)), 413, "10000 recipients")
    assert_problem(client.post("/v1/events/sendgrid", json=[GOOD, *[0] * MAX_RECORDS]), 413, "10000 recipients")
    assert len(client.post("/v1/events/sendgrid", json=[GOOD] * 2000).json()["records"]) == 2000


def test_one_long_text_of_many_recipients(classifier: BounceClassifier) -> None:
    client = TestClient(create_app(classifier, max_body=200_000), raise_server_exceptions=False)
    row = {"type": "Bounce", "id": "1", "queue": "q", "timestamp": 1, "num_attempts": 1,
           "recipient": ["a@example.com"] * 1000, "response": {"content": "550 user unknown " * 1000}}  # fmt: skip
    assert_problem(client.post("/v1/events/kumomta", json=row), 413, "too much")
    assert_problem(client.post("/v1/events/kumomta", content=b" " * 200_001, headers=JSON), 413)


# Reports


def sent(client: TestClient, data: bytes, **params: str) -> httpx.Response:
    return client.post("/v1/report", content=data, params=params)


LOG = FIXTURES / "logs" / "postfix" / "expired-in-the-queue.log"


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, zstandard.compress])
def test_a_report(client: TestClient, pack: Any) -> None:
    path = FIXTURES / "events" / "sparkpost" / "webhook.json"
    response = sent(client, pack(path.read_bytes()), name="events.json")
    assert response.status_code == 200, response.text
    found = response.json()
    assert found["sources"] == [
        {"name": "events.json", "format": "sparkpost", "records": 3, "skipped": 0, "left_out": []}
    ]
    assert (found["sent"], found["delivered"], found["bounced"], found["deferred"]) == (2, 1, 1, 1)
    assert len(found["lines"]) == 15
    assert "s1@" not in response.text.lower()


@pytest.mark.parametrize(
    ("form", "media", "words"),
    [
        ("json", "application/json", '"by_day"'),
        ("html", "text/html; charset=utf-8", "<html"),
        ("md", "text/markdown; charset=utf-8", "#"),
        ("csv", "text/csv; charset=utf-8", "category,line"),
    ],
)
def test_the_forms_of_a_report(client: TestClient, form: str, media: str, words: str) -> None:
    response = sent(client, LOG.read_bytes(), format=form)
    assert (response.status_code, response.headers["content-type"]) == (200, media)
    assert words in response.text


def test_the_report_is_that_of_the_command(client: TestClient) -> None:
    from typer.testing import CliRunner

    from whybounce.serving.cli import app

    path = FIXTURES / "events" / "ses" / "event-publishing.jsonl"
    told = json.loads(CliRunner().invoke(app, ["report", "--json", str(path)]).stdout)
    assert sent(client, path.read_bytes(), name=str(path)).json() == told


def test_a_named_format(client: TestClient) -> None:
    assert sent(client, b"no code here\n", input="text").json()["bounced"] == 1
    assert_problem(sent(client, b"no code here\n"), 422, "?input=")
    assert_problem(sent(client, b"x", input="nothing"), 422, "postfix")


@pytest.mark.parametrize("data", [b"\0\1\2", b"Dear reader,\nthis is a letter.\n", b"\x1f\x8b\x08broken", b"BZh9"])
def test_what_is_no_format_names_those_that_are(client: TestClient, data: bytes) -> None:
    response = sent(client, data)
    assert response.status_code == 422
    if data[:2] not in (b"\x1f\x8b", b"BZ"):
        assert all(form.name in response.json()["detail"] for form in formats())


def test_an_empty_file_and_a_wrong_format_are_told(client: TestClient) -> None:
    assert_problem(sent(client, b""), 422, "The file is empty")
    log = (FIXTURES / "logs" / "postfix" / "rejected-at-rcpt.log").read_bytes()
    assert_problem(sent(client, log, input="exim"), 422, "it looks like postfix")


def test_a_damaged_file_is_reported_on_as_far_as_it_goes(client: TestClient) -> None:
    rows = b"".join(b'{"diagnostic": "550 5.1.1 no such user %d", "n": "%d"}\n' % (n, n**9) for n in range(5000))
    found = sent(client, gzip.compress(rows)[:-2000])
    assert found.status_code == 200
    [source] = found.json()["sources"]
    assert source["records"] > 100
    assert source["skipped"] >= 1


def small(classifier: BounceClassifier, **overrides: Any) -> TestClient:
    return TestClient(create_app(classifier, **overrides), raise_server_exceptions=False)


def test_the_size_of_a_file(classifier: BounceClassifier) -> None:
    # The limit on other bodies is not that on files, and the other way round.
    client = small(classifier, max_body=1000, max_report=2000)
    row = b"550 5.1.1 no such user\n"
    assert sent(client, row * 60, name="a.txt").json()["bounced"] == 60
    assert_problem(sent(client, row * 100), 413, "2000 bytes")
    # A body of unannounced length is counted as it comes.
    assert_problem(client.post("/v1/report", content=(b"x" * 500 for _ in range(100))), 413, "2000 bytes")
    assert client.post("/v1/report", content=(row for _ in range(60))).json()["bounced"] == 60


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, zstandard.compress])
def test_a_file_that_grows_when_it_is_unpacked(classifier: BounceClassifier, pack: Any) -> None:
    client = small(classifier, max_report=100_000)
    bomb = pack(b"550 5.1.1 no such user\n" * 200_000)
    assert len(bomb) < 100_000
    assert_problem(sent(client, bomb), 413, "unpacked")
    assert_problem(sent(client, pack(b"550 " + b"x" * 4_000_000)), 413, "unpacked")


def test_the_time_of_a_report(classifier: BounceClassifier, monkeypatch: pytest.MonkeyPatch) -> None:
    client = small(classifier, report_timeout=0.001)
    assert_problem(sent(client, b"550 5.1.1 no such user\n" * 100_000), 413, "longer")
    monkeypatch.setattr(report, "MAX_KEPT", 1000)
    rows = b"".join(b'{"diagnostic": "550 5.1.1 no", "email": "a%d@example.com"}\n' % n for n in range(5000))
    assert_problem(sent(small(classifier), rows), 413, "addresses")


def test_few_reports_at_a_time_and_others_are_answered(
    classifier: BounceClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, begun = threading.Event(), threading.Semaphore(0)

    def slow(*_: Any) -> str:
        begun.release()
        assert go_on.wait(30)
        return "{}"

    monkeypatch.setattr(report, "_made", slow)

    async def several() -> None:
        transport = httpx.ASGITransport(create_app(classifier), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            running = [asyncio.create_task(client.post("/v1/report", content=b"x")) for _ in range(report.RUNNING)]
            for _ in running:
                assert await asyncio.to_thread(begun.acquire, True, 30)
            refused = await client.post("/v1/report", content=b"x")
            assert_problem(refused, 503, "try again")
            assert refused.headers["retry-after"] == "10"
            answered = await client.post("/v1/predict", json={"diagnostic": "550 user unknown"})
            assert answered.status_code == 200
            go_on.set()
            assert [(await task).status_code for task in running] == [200] * report.RUNNING
            assert (await client.post("/v1/report", content=b"x")).status_code == 200

    asyncio.run(several())


async def told(application: Any, path: str, messages: list[Any]) -> int:
    """Send messages as a server would, then nothing; returns the status of the answer."""
    said: list[Any] = []

    async def receive() -> Any:
        if not messages:
            await asyncio.sleep(60)
        return messages.pop(0)

    async def send(message: Any) -> None:
        said.append(message)

    scope: dict[str, Any] = {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": [], "http_version": "1.1", "scheme": "http", "server": ("test", 80), "client": ("test", 1),
    }  # fmt: skip
    await application(scope, receive, send)
    return int(said[0]["status"])


def test_a_client_that_sends_no_end_or_goes(classifier: BounceClassifier) -> None:
    """It gets an answer, and its place is free again."""

    async def several() -> None:
        application = create_app(classifier, stream_timeout=0.05)
        piece = {"type": "http.request", "body": b"550 x", "more_body": True}
        for _ in range(report.RUNNING + 1):
            assert await told(application, "/v1/report", [piece]) == 408
        for _ in range(report.RUNNING + 1):
            assert await told(application, "/v1/report", [piece, {"type": "http.disconnect"}]) == 400
        assert await told(application, "/v1/events/ses", [{"type": "http.disconnect"}]) == 400

    asyncio.run(several())


# What is declared


@pytest.fixture(scope="module")
def document(classifier: BounceClassifier) -> schemathesis.schemas.BaseSchema:
    return schemathesis.openapi.from_asgi("/openapi.json", create_app(classifier))


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=str)
@pytest.mark.parametrize("path", ["/v1/events/{provider}", "/v1/report"])
def test_any_request_gets_a_documented_answer(
    document: schemathesis.schemas.BaseSchema, path: str, mode: schemathesis.GenerationMode
) -> None:
    cases = document[path]["POST"].as_strategy(generation_mode=mode)
    # Objects that no provider sends are refused, which no schema can say.
    checks: list[Any] = [
        check for check in schemathesis.checks.CHECKS.get_all()
        if check.__name__ not in ("positive_data_acceptance", "negative_data_rejection")
    ]  # fmt: skip

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=cases)
    def try_it(case: schemathesis.Case[Any]) -> None:
        response = case.call()
        assert response.status_code < 500
        case.validate_response(response, checks=checks)

    try_it()


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_answers_are_as_declared(document: schemathesis.schemas.BaseSchema, path: Path) -> None:
    rows = path.read_text("utf-8").splitlines() if path.suffix == ".jsonl" else [path.read_text("utf-8")]
    for row in rows:
        case = document["/v1/events/{provider}"]["POST"].Case(
            path_parameters={"provider": path.parent.name}, body=json.loads(row), media_type="application/json"
        )
        response = case.call()
        assert response.status_code in (200, 422)
        check: Any = schemathesis.checks.CHECKS.get_one("response_schema_conformance")
        case.validate_response(response, checks=[check])


@settings(max_examples=200, deadline=None)
@given(provider=st.sampled_from(known()), body=st.binary(max_size=100), start=st.integers(0, 400))
def test_any_bytes_are_answered(client: TestClient, provider: str, body: bytes, start: int) -> None:
    seed = next(path for path in EVENTS if path.parent.name == provider).read_bytes()
    for content in (body, seed[:start] + body + seed[start:]):
        assert client.post(f"/v1/events/{provider}", content=content, headers=JSON).status_code in (200, 400, 422)
