"""The short way to /v1/predict and its batch answers what the long way answers, byte for byte, and leaves alone what it must."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from whybounce.model.predictor import BounceClassifier
from whybounce.serving.http import create_app, shortcut

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def both(classifier: BounceClassifier) -> tuple[TestClient, TestClient]:
    """Clients of a service with the short way and of one without it."""
    with_it = TestClient(create_app(classifier, max_body=3000), raise_server_exceptions=False)
    without = create_app(classifier, max_body=3000)
    return with_it, _Long(without, raise_server_exceptions=False)


class _Long(TestClient):
    def request(self, *arguments: Any, **named: Any) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(shortcut, "_ROUTES", {})
            return super().request(*arguments, **named)


def same(
    both: tuple[TestClient, TestClient], body: bytes, headers: dict[str, str] = JSON, path: str = "/v1/predict"
) -> int:
    short, long = (client.post(path, content=body, headers=headers) for client in both)
    assert short.status_code == long.status_code
    assert short.content == long.content
    assert {**short.headers, "x-request-id": ""} == {**long.headers, "x-request-id": ""}
    return short.status_code


VALUES = st.one_of(
    st.text(max_size=80), st.integers(), st.floats(), st.none(), st.booleans(), st.lists(st.text(max_size=5))
)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["diagnostic", "reply_code", "command", "x"]), VALUES, max_size=3),
    st.booleans(),
)
def test_any_object(both: tuple[TestClient, TestClient], row: dict[str, Any], ascii_only: bool) -> None:
    same(both, json.dumps(row, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass"))


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=60), st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace"))))
def test_any_body(both: tuple[TestClient, TestClient], body: bytes) -> None:
    same(both, body)
    same(both, b'{"diagnostic":"' + body + b'"}')


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"diagnostic":"550 5.1.1 no such user"}', 200),
        (b' \n{"diagnostic" : ""}\t', 200),
        (b'{"diagnostic":"try again in 300 seconds"}', 200),
        (b'{"diagnostic":1,"diagnostic":"twice"}', 200),
        (b'{"diagnostic":"twice","diagnostic":1}', 422),
        (b'{"diagnostic":"\\ud800"}', None),
        (b'\xef\xbb\xbf{"diagnostic":"x"}', None),
        (b'{"diagnostic":"' + b"x" * 2900 + b'"}', 200),
        (b'{"diagnostic":"' + b"x" * 3000 + b'"}', 413),
        (b'{"diagnostic":NaN}', None),
        (b'{"diagnostic":"x"', 400),
        (b'["x"]', 422),
        (b"", 422),
    ],
)
def test_known_bodies(both: tuple[TestClient, TestClient], body: bytes, status: int | None) -> None:
    found = same(both, body)
    assert status in (None, found)


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "text/plain", "application/json, text/plain", ""])
def test_content_types(both: tuple[TestClient, TestClient], kind: str) -> None:
    same(both, b'{"diagnostic":"x"}', {"content-type": kind})


TEXTS = ["550 5.1.1 no such user", "452 full", "451 greylisted, try again in 300 seconds", "", "é\u200b", "x" * 20]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from(TEXTS) | st.text(max_size=20) | VALUES, max_size=40),
    st.sampled_from(["diagnostics", "diagnostic"]),
)
def test_any_batch(both: tuple[TestClient, TestClient], items: list[Any], key: str) -> None:
    same(both, json.dumps({key: items}).encode(), path="/v1/predict/batch")


@pytest.mark.parametrize(
    ("items", "status"),
    [
        (TEXTS, 200), (["x"], 200), ([], 422), (["x"] * 1001, 413), ([{"diagnostic": "x", "reply_code": 550}, "y"], 200),
        (["x", 1], 422), (["x", None], 422), ("xyz", 422), ([["x"]], 422),
    ],
)  # fmt: skip
def test_known_batches(both: tuple[TestClient, TestClient], items: Any, status: int) -> None:
    assert same(both, json.dumps({"diagnostics": items}).encode(), path="/v1/predict/batch") == status


def test_a_body_in_pieces(classifier: BounceClassifier) -> None:
    client = TestClient(create_app(classifier))
    body = json.dumps({"diagnostics": TEXTS}).encode()
    whole = client.post("/v1/predict/batch", content=body, headers=JSON)
    sized = {**JSON, "content-length": str(len(body))}
    pieces = client.post("/v1/predict/batch", content=iter([body[:40], body[40:90], body[90:]]), headers=sized)
    assert whole.status_code == pieces.status_code == 200
    assert whole.content == pieces.content


def test_it_is_really_taken(both: tuple[TestClient, TestClient], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, bytes]] = []
    answer = shortcut.Shortcut._answer

    async def watched(self: shortcut.Shortcut, body: bytes, path: str) -> bytes | None:
        asked.append((path, body))
        return await answer(self, body, path)

    monkeypatch.setattr(shortcut.Shortcut, "_answer", watched)
    both[0].post("/v1/predict", content=b'{"diagnostic":"x"}', headers=JSON)
    both[0].post("/v1/predict/batch", content=b'{"diagnostics":["x"]}', headers=JSON)
    assert asked == [("/v1/predict", b'{"diagnostic":"x"}'), ("/v1/predict/batch", b'{"diagnostics":["x"]}')]
    for method, path in (("get", "/v1/predict"), ("post", "/v1/predict/"), ("post", "/v1/predict/stream")):
        getattr(both[0], method)(path)
    assert len(asked) == 2
