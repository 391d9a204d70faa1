"""API keys, overload, time limits, headers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from server import READY
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from whybounce.model.predictor import BounceClassifier
from whybounce.serving.http import create_app
from whybounce.serving.http.gate import Gate
from whybounce.serving.http.load import Load
from whybounce.serving.keys import KeyConfigError, Role, new_key, parse_keys, role_of
from whybounce.serving.settings import Settings, SettingsError, load_settings

ASK = {"diagnostic": "550 5.1.1 <a@example.com>: User unknown"}
KEYS = {role: new_key(role, f"{role}-1") for role in Role}


@pytest.fixture(scope="module")
def guarded(classifier: BounceClassifier) -> TestClient:
    return TestClient(create_app(classifier, api_keys=",".join(str(key) for _, key in KEYS.values())))


def test_without_keys_everything_is_open(classifier: BounceClassifier) -> None:
    client = TestClient(create_app(classifier))
    assert client.post("/v1/predict", json=ASK).status_code == 200
    assert client.get("/v1/models").status_code == 200


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer wrong"}, {"x-api-key": "wb_"}, {"authorization": "Basic eA=="}]
)
def test_no_key_no_answer(guarded: TestClient, headers: dict[str, str]) -> None:
    found = guarded.post("/v1/predict", json=ASK, headers=headers)
    assert found.status_code == 401
    assert found.headers["www-authenticate"].startswith("Bearer")
    assert found.headers["content-type"] == "application/problem+json"
    for path in ("/health/live", "/health/ready", "/openapi.json"):
        assert guarded.get(path).status_code == 200


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/reasons", {Role.PREDICT, Role.FEEDBACK, Role.ADMIN}),
        ("/v1/review", {Role.FEEDBACK, Role.ADMIN}),
        ("/v1/models", {Role.ADMIN}),
        ("/v1/models/x/report", {Role.ADMIN}),
        ("/metrics", {Role.METRICS, Role.ADMIN}),
    ],
)
def test_roles(guarded: TestClient, path: str, allowed: set[Role]) -> None:
    for role, (token, _) in KEYS.items():
        for headers in ({"authorization": f"Bearer {token}"}, {"x-api-key": token}):
            status = guarded.get(path, headers=headers).status_code
            assert (status == 403) == (role not in allowed), (role, status)
            assert status != 401


def test_keys_are_read_and_never_shown(tmp_path: Path) -> None:
    token, key = new_key(Role.PREDICT, "esp")
    found = parse_keys(f"# ours\n{key}\n")
    assert found == (key,)
    assert role_of(token.encode(), found) is Role.PREDICT
    assert role_of(b"", found) is None
    assert token not in str(key)
    with pytest.raises(KeyConfigError) as caught:
        parse_keys(f"predict:{token}")
    assert token not in str(caught.value)
    with pytest.raises(KeyConfigError, match="same hash"):
        parse_keys(f"{key},{key}")
    path = tmp_path / "keys"
    path.write_text("# none yet\n", "utf-8")
    with pytest.raises(SettingsError, match="holds none"):
        load_settings(api_keys_file=path)
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(api_keys_file=tmp_path / "nowhere")
    path.write_text(f"{key}\n", "utf-8")
    assert load_settings(api_keys_file=path).keys == (key,)


def test_cross_origin_is_off_unless_named(classifier: BounceClassifier) -> None:
    headers = {"origin": "https://app.example.com", "access-control-request-method": "POST"}
    closed = TestClient(create_app(classifier))
    assert "access-control-allow-origin" not in closed.post("/v1/predict", json=ASK, headers=headers).headers
    _, key = KEYS[Role.PREDICT]
    opened = TestClient(create_app(classifier, cors_origins="https://app.example.com", api_keys=str(key)))
    allowed = opened.options("/v1/predict", headers=headers)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "https://app.example.com"
    other = opened.options("/v1/predict", headers=headers | {"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers
    with pytest.raises(SettingsError, match=r"no \*"):
        load_settings(cors_origins="*")


def test_headers(classifier: BounceClassifier) -> None:
    found = TestClient(create_app(classifier)).get("/health/live")
    assert found.headers["x-content-type-options"] == "nosniff"
    assert found.headers["x-frame-options"] == "DENY"


class Slow:
    """Answers when it is let go."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.inside = 0
        self.most = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            if not scope["path"].startswith("/health/"):
                await self.go.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        finally:
            self.inside -= 1


async def ask(gate: Gate, path: str = "/v1/predict") -> int:
    seen: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        seen.append(message)

    await gate({"type": "http", "path": path, "method": "POST", "headers": []}, receive, send)
    return int(seen[0]["status"])


def test_overload_is_refused_and_health_still_answers() -> None:
    async def run() -> None:
        app = Slow()
        gate = Gate(app, Settings(max_concurrency=3, max_queue=2))
        tasks = [asyncio.create_task(ask(gate)) for _ in range(5)]
        await asyncio.sleep(0.01)
        assert await ask(gate) == 503
        assert await ask(gate, "/health/ready") == 200
        app.go.set()
        assert await asyncio.gather(*tasks) == [200] * 5
        assert app.most == 4  # three and health
        assert await ask(gate) == 200
        assert gate.load.active == 0

    asyncio.run(run())


def test_waiting_ends() -> None:
    async def run() -> None:
        app = Slow()
        gate = Gate(app, Settings(max_concurrency=1, max_queue=5, queue_timeout=0.05))
        first = asyncio.create_task(ask(gate))
        await asyncio.sleep(0.01)
        assert await ask(gate) == 503
        app.go.set()
        assert await first == 200
        assert await ask(gate) == 200

    asyncio.run(run())


def test_a_client_that_goes_while_waiting_leaves_no_gap() -> None:
    async def run() -> None:
        app = Slow()
        gate = Gate(app, Settings(max_concurrency=1, max_queue=5))
        tasks = [asyncio.create_task(ask(gate)) for _ in range(4)]
        await asyncio.sleep(0.01)
        tasks[1].cancel()
        tasks[2].cancel()
        await asyncio.sleep(0.01)
        app.go.set()
        assert await tasks[0] == 200
        assert await tasks[3] == 200
        assert gate.load.active == 0

    asyncio.run(run())


def test_a_request_that_does_not_end_is_ended() -> None:
    async def run() -> None:
        gate = Gate(Slow(), Settings(request_timeout=0.05))
        assert await ask(gate) == 408
        assert gate.load.active == 0

    asyncio.run(run())


def test_a_place_that_comes_at_the_last_moment_is_not_lost() -> None:
    """A request whose time to wait ends in the moment it gets its place: somebody must have the place."""

    async def run() -> None:
        for cancelled in (False, True):
            load = Load(room=1, queue=5, patience=0.02)
            assert await load.enter()
            waiting = asyncio.create_task(load.enter())
            await asyncio.sleep(0.001)
            load.leave()  # hands the place on …
            if cancelled:
                waiting.cancel()  # … to a client that just went
                with pytest.raises(asyncio.CancelledError):
                    await waiting
            else:
                assert await waiting
                load.leave()
            assert (load.active, load.waiting) == (0, 0)
            assert await load.enter()

    asyncio.run(run())


def test_nobody_who_comes_later_takes_a_place_in_between() -> None:
    async def run() -> None:
        load = Load(room=1, queue=5, patience=1)
        assert await load.enter()
        waiting = asyncio.create_task(load.enter())
        await asyncio.sleep(0)
        load.leave()
        late = asyncio.create_task(load.enter())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert waiting.done()
        assert not late.done()
        assert load.active == 1
        load.leave()
        assert await late

    asyncio.run(run())


def test_streams_leave_room_for_short_requests() -> None:
    async def run() -> None:
        app = Slow()
        gate = Gate(app, Settings(max_concurrency=4, max_queue=0), streams=["/stream"])
        streams = [asyncio.create_task(ask(gate, "/stream")) for _ in range(3)]
        await asyncio.sleep(0.01)
        assert streams[2].done()
        assert await streams[2] == 503
        short = asyncio.create_task(ask(gate))
        await asyncio.sleep(0.01)
        assert app.inside == 3
        app.go.set()
        assert await short == 200
        assert await asyncio.gather(*streams[:2]) == [200, 200]
        assert (gate.load.active, gate.load.lasting) == (0, 0)

    asyncio.run(run())


def test_readiness_is_honest(classifier: BounceClassifier, rules_only: BounceClassifier) -> None:
    app = create_app(classifier, max_concurrency=1, max_queue=0)
    client = TestClient(app)
    assert client.get("/health/ready").json() == READY
    app.state.load.active = 1
    assert client.get("/health/ready").json()["overloaded"] is True
    assert client.post("/v1/predict", json=ASK).status_code == 503
    assert client.get("/v2/health/ready").json() == {"ready": True}  # health never waits
    by_rules = TestClient(create_app(rules_only))
    assert by_rules.get("/health/ready").json()["degraded"] is True
    strict = TestClient(create_app(rules_only, require_model=True))
    refused = strict.get("/health/ready")
    assert refused.status_code == 503
    assert "/v1/model" in refused.json()["detail"]
    assert strict.get("/health/live").status_code == 200
    for path in ("/v2/health/ready", "/v2/models/whybounce/ready"):
        assert strict.get(path).status_code == 503
        assert strict.get(path).json()["ready"] is False
    assert TestClient(create_app(classifier, require_model=True)).get("/health/ready").status_code == 200


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/v1/reasons", "/metrics", "/docs", "/openapi.json"])
def test_head_answers_like_get(classifier: BounceClassifier, path: str) -> None:
    client = TestClient(create_app(classifier))
    assert client.head(path).status_code == client.get(path).status_code == 200
    assert client.head("/v1/predict").headers["allow"] == "POST"
