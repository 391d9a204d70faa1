"""JSON Lines in, JSON Lines out: the order, the errors, the ends, the memory."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import example, given
from hypothesis import strategies as st

from whybounce.model.predictor import BounceClassifier
from whybounce.serving.http import create_app
from whybounce.serving.http.schemas import PredictionOut
from whybounce.serving.http.stream import MAX_LINE, NDJSON, PATH, Lines, _row, _rows

FULL = "452 4.2.2 <a@example.com>: mailbox is full"
GREY = "451 4.7.1 Greylisted, please try again in 300 seconds"


@pytest.fixture(scope="module")
def client(classifier: BounceClassifier) -> TestClient:
    return TestClient(create_app(classifier), raise_server_exceptions=False)


def send(client: TestClient, body: bytes, kind: str = NDJSON) -> list[dict[str, Any]]:
    answer = client.post(PATH, content=body, headers={"content-type": kind})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == NDJSON
    return [json.loads(line) for line in answer.text.splitlines()]


def test_every_line_is_answered_in_order_like_a_single_prediction(
    client: TestClient, classifier: BounceClassifier
) -> None:
    rows = [{"id": number, "diagnostic": text} for number, text in enumerate([FULL, GREY, "", FULL, "x" * 20000])]
    answers = send(client, "\n".join(map(json.dumps, rows)).encode())
    assert [answer.pop("id") for answer in answers] == [0, 1, 2, 3, 4]
    for row, answer in zip(rows, answers, strict=True):
        assert answer == json.loads(json.dumps(classifier.predict_one(str(row["diagnostic"])).to_dict()))
        assert PredictionOut.model_validate(answer).model_dump(mode="json") == answer
    assert answers[1]["retry_after_seconds"] == 300
    assert answers[4]["truncated"] is True


def test_fields_of_a_line_count(client: TestClient, classifier: BounceClassifier) -> None:
    fields: dict[str, Any] = {
        "reply_code": 550,
        "enhanced_status": "5.1.1",
        "command": "RCPT TO",
        "remote_host": "mx.google.com",
    }
    (answer,) = send(client, json.dumps({"diagnostic": "no", "id": "a", **fields}).encode())
    assert answer.pop("id") == "a"
    assert answer == json.loads(json.dumps(classifier.predict_one("no", **fields).to_dict()))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[1]", "not valid"),
        (b"17", "not valid"),
        (b"null", "not valid"),
        (b'{"id": 1}', "diagnostic"),
        (b'{"diagnostic": 1}', "diagnostic"),
        (b'{"diagnostic": "x", "id": [1]}', "id"),
        (b'{"diagnostic": "x", "id": true}', "id"),
        (b'{"diagnostic": "x", "reply_code": 9000}', "reply_code"),
        (b'{"diagnostic": "x", "other": 1}', "other"),
        (b'{"diagnostic": "' + b"x" * MAX_LINE + b'"}', "longer than"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_a_bad_line_is_answered_and_the_rest_goes_on(client: TestClient, line: bytes, words: str) -> None:
    good = json.dumps({"id": "good", "diagnostic": FULL}).encode()
    first, second, third = send(client, good + b"\n" + line + b"\n" + good)
    assert first["reason"] == third["reason"] == "mailbox_full"
    assert second["error"]["line"] == 2
    assert words in second["error"]["detail"]


def test_an_error_keeps_the_id(client: TestClient) -> None:
    (answer,) = send(client, b'{"id": "a7", "diagnostic": 1}')
    assert answer["id"] == "a7"
    assert "a7" not in answer["error"]["detail"]


def test_strings_blank_lines_and_windows_ends(client: TestClient) -> None:
    answers = send(client, b'\r\n"' + FULL.encode() + b'"\r\n\n  \n"' + FULL.encode() + b'"\r\n')
    assert [answer["reason"] for answer in answers] == ["mailbox_full"] * 2


def test_nothing_in_nothing_out(client: TestClient) -> None:
    assert send(client, b"") == []


def test_another_type_is_refused(client: TestClient) -> None:
    answer = client.post(PATH, content=b"x", headers={"content-type": "multipart/form-data"})
    assert (answer.status_code, answer.headers["content-type"]) == (415, "application/problem+json")


def test_a_stream_may_be_longer_than_a_body(rules_only: BounceClassifier) -> None:
    client = TestClient(create_app(rules_only, max_body=1000))
    assert len(send(client, b"\n".join([json.dumps({"diagnostic": FULL}).encode()] * 1000))) == 1000


async def _talk(app: Any, chunks: list[bytes], *, hang_up: bool = False) -> list[Any]:
    """Feed chunks one at a time; return what had been sent before each chunk was asked for."""
    sent: list[bytes] = []
    seen: list[Any] = []

    async def receive() -> dict[str, Any]:
        seen.append(b"".join(sent))
        if chunks:
            return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks) or hang_up}
        return {"type": "http.disconnect"}

    async def send_(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body":
            sent.append(message["body"])

    scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "path": PATH, "raw_path": PATH.encode(),
        "query_string": b"", "headers": [(b"content-type", NDJSON.encode())], "scheme": "http",
        "server": ("localhost", 80), "client": ("127.0.0.1", 1), "root_path": "",
    }  # fmt: skip
    await app(scope, receive, send_)
    seen.append(b"".join(sent))
    return seen


def test_answers_go_out_before_the_request_is_complete(rules_only: BounceClassifier) -> None:
    line = json.dumps({"diagnostic": FULL}).encode() + b"\n"
    seen = asyncio.run(_talk(create_app(rules_only), [line, line[:20], line[20:] + line]))
    assert [part.count(b"\n") for part in seen] == [0, 1, 1, 3]


def test_it_ends_when_the_client_has_gone(rules_only: BounceClassifier) -> None:
    line = json.dumps({"diagnostic": FULL}).encode() + b"\n"
    seen = asyncio.run(_talk(create_app(rules_only), [line], hang_up=True))
    assert seen[-1].count(b"\n") == 1


def test_every_answer_is_counted(rules_only: BounceClassifier) -> None:
    app = create_app(rules_only)
    told: list[tuple[str, int]] = []
    app.state.service.observers.append(lambda prediction, count: told.append((prediction.reason, count)))
    client = TestClient(app)
    send(client, b"\n".join([json.dumps({"diagnostic": FULL}).encode()] * 5))
    client.post("/v1/predict", json={"diagnostic": FULL})
    client.post("/v1/predict/batch", json={"diagnostics": [FULL, FULL, GREY, {"diagnostic": FULL}]})
    app.state.service.flush()
    assert told == [("mailbox_full", 9), ("greylisted", 1)]
    app.state.service.flush()
    assert len(told) == 2


@given(st.lists(st.binary(max_size=12)), st.integers(1, 7))
def test_lines_do_not_depend_on_the_chunks(parts: list[bytes], size: int) -> None:
    body = b"\n".join(parts)
    whole = list(Lines().feed(body, last=True))
    lines = Lines()
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    cut = [line for chunk in chunks for line in lines.feed(chunk, last=False)] + list(lines.feed(b"", last=True))
    assert cut == whole
    assert [line for _, line in whole] == [part for part in body.split(b"\n") if part and not part.isspace()]


_SCRAPS = st.sampled_from(
    [
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b'"',
        b'"a"',
        b'"b":',
        b"1",
        b'{"a":1}',
        b'{"id":2,"diagnostic":"x"}',
        b"\\",
        b" ",
    ]
)
_LINES = st.one_of(st.lists(_SCRAPS, min_size=1, max_size=6).map(b"".join), st.just(b'{"a":1}'), st.none())


@given(st.lists(_LINES, max_size=6))
@example([b'{"a":[1', b'{"b":2}]}', b'{"c":3},{"d":4}'])
@example([b'{"a":1},5', b'{"b":2}'])
@example([b'{"a":1}],[{"b":2}', b'{"c":3}'])
def test_lines_that_are_read_together_are_read_like_each_alone(lines: list[bytes | None]) -> None:
    assert _rows(lines) == list(map(_row, lines))


def test_a_long_line_is_not_held() -> None:
    lines = Lines()
    found = [item for _ in range(100) for item in lines.feed(b"x" * MAX_LINE, last=False)]
    assert found == [(1, None)]
    assert list(lines.feed(b'\n"a"\n', last=True)) == [(2, b'"a"')]
