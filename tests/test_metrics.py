"""Prometheus metrics: every figure, both formats, several workers."""

from __future__ import annotations

import os
import re
from pathlib import Path

import psutil
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain
from server import ASK, Server, running, until
from starlette.testclient import TestClient

from whybounce import __version__
from whybounce.model.predictor import BounceClassifier
from whybounce.serving.http import create_app
from whybounce.serving.http.metrics import forget_the_dead

Samples = dict[str, dict[tuple[str, ...], float]]


def samples(text: str) -> Samples:
    """Value of every sample, by its name and the values of its labels in the order of their names."""
    found: Samples = {}
    for family in plain(text):
        for sample in family.samples:
            labels = tuple(value for _, value in sorted(sample.labels.items()))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


def of(client: TestClient) -> Samples:
    return samples(client.get("/metrics").text)


def test_every_figure(classifier: BounceClassifier, odd: list[str]) -> None:
    fresh = BounceClassifier.load(strict=True)
    client = TestClient(create_app(fresh))
    for _ in range(3):
        client.post("/v1/predict", json=ASK)
    client.post("/v1/predict", json={"diagnostic": odd[0], "remote_host": "gmail-smtp-in.l.google.com"})
    client.post("/v1/predict", content=b"{", headers={"content-type": "application/json"})
    client.get("/nothing/like/that")
    client.get("/nothing/like/this")
    client.head("/health/live")
    found = of(client)
    requests = found["whybounce_http_requests_total"]  # method, path, status
    assert requests["POST", "/v1/predict", "200"] == 4
    assert requests["POST", "/v1/predict", "400"] == 1
    assert requests["GET", "other", "404"] == 2  # whatever is asked for makes no new series
    assert requests["HEAD", "/health/live", "200"] == 1
    assert found["whybounce_http_request_duration_seconds_count"]["/v1/predict",] == 5
    assert found["whybounce_http_request_duration_seconds_sum"]["/v1/predict",] > 0
    assert found["whybounce_http_request_duration_seconds_bucket"]["+Inf", "/v1/predict"] == 5
    usual, unsure = fresh.predict_one(ASK["diagnostic"]), fresh.predict_one(odd[0], remote_host="aspmx.l.google.com")
    given = found["whybounce_predictions_total"]  # category, decided_by, provider, reason
    assert given[usual.category, str(usual.decided_by), "unknown", usual.reason] == 3
    assert given[unsure.category, str(unsure.decided_by), "google", unsure.reason] == 1
    assert sum(given.values()) == 4
    assert found["whybounce_predictions_unsure_total"][()] == 1
    assert found["whybounce_cache_hits_total"][()] == 2
    assert found["whybounce_cache_misses_total"][()] == 2
    assert found["whybounce_model_info"] == {(str(classifier.model_version),): 1}
    assert found["whybounce_build_info"] == {(__version__,): 1}
    assert found["whybounce_degraded"][()] == 0
    assert found["whybounce_promotion_failed"][()] == 0
    assert found["whybounce_http_requests_in_progress"][()] == 1  # the one that asks
    assert found["whybounce_http_requests_waiting"][()] == 0
    assert found["process_resident_memory_bytes"][()] > 10_000_000


def test_what_was_found_in_batches_streams_and_events_counts_too(rules_only: BounceClassifier) -> None:
    client = TestClient(create_app(rules_only))
    line = b'{"diagnostic": "552 5.2.2 Mailbox full"}\n'
    client.post("/v1/predict/batch", json={"diagnostics": ["552 5.2.2 Mailbox full"] * 2})
    client.post("/v1/predict/stream", content=line * 3, headers={"content-type": "application/x-ndjson"})
    client.post("/v1/explain", json={"diagnostic": "552 5.2.2 Mailbox full"})
    client.post("/v1/events/generic", json=[{"diagnostic": "552 5.2.2 Mailbox full"}])
    infer = {"inputs": [{"name": "diagnostic", "datatype": "BYTES", "shape": [1], "data": ["552 5.2.2 Mailbox full"]}]}
    client.post("/v2/models/whybounce/infer", json=infer)
    assert sum(of(client)["whybounce_predictions_total"].values()) == 8
    assert of(client)["whybounce_http_requests_total"]["POST", "/v2/models/{name}/infer", "200"] == 1


def test_another_model(classifier: BounceClassifier, rules_only: BounceClassifier) -> None:
    app = create_app(classifier)
    client = TestClient(app)
    client.post("/v1/predict", json=ASK)
    before = of(client)
    app.state.service.live.swap(rules_only)
    app.state.service.live.error = "it does not load"
    client.post("/v1/predict", json=ASK)
    after = of(client)
    assert after["whybounce_model_info"] == {("none",): 1}  # the old one is gone, not 0
    assert after["whybounce_degraded"][()] == 1
    assert after["whybounce_promotion_failed"][()] == 1
    for name in ("whybounce_cache_hits_total", "whybounce_cache_misses_total"):
        assert after[name][()] >= before[name][()]  # counters never go back


def test_both_formats_are_valid_and_named_as_prometheus_asks(classifier: BounceClassifier) -> None:
    client = TestClient(create_app(classifier))
    client.post("/v1/predict", json=ASK)
    answer = client.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    families = list(openmetrics(answer.text))  # type: ignore[no-untyped-call]  # a strict parser
    assert client.get("/metrics").headers["content-type"].startswith("text/plain; version=")
    ours = [family for family in families if family.name.startswith("whybounce_")]
    assert len(ours) >= 12
    assert {family.name for family in families} - {family.name for family in ours} == {
        family.name for family in families if re.match("process_|python_", family.name)
    }
    for family in ours:
        assert family.documentation.endswith(".")
        if family.type == "counter":
            assert {sample.name for sample in family.samples} == {f"{family.name}_total"}
        if family.type == "histogram":
            assert family.name.endswith("_seconds")
        assert not family.name.endswith(("_created", "_milliseconds"))


def test_no_metrics(classifier: BounceClassifier) -> None:
    off = TestClient(create_app(classifier, metrics=False))
    assert off.get("/metrics").status_code == 404


def test_the_dead_are_forgotten(tmp_path: Path) -> None:
    dead = next(pid for pid in range(2_000_000, 4_000_000) if not psutil.pid_exists(pid))
    for pid in (dead, os.getpid()):
        for kind in ("counter", "gauge_livesum", "gauge_livemax"):
            (tmp_path / f"{kind}_{pid}.db").touch()
    forget_the_dead(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        f"counter_{dead}.db",  # what it counted happened
        f"counter_{os.getpid()}.db",
        f"gauge_livesum_{os.getpid()}.db",
        f"gauge_livemax_{os.getpid()}.db",
    }


# ---- several workers


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> object:
    folder = tmp_path_factory.mktemp("temporary")
    with running("--workers", "2", others={"TMPDIR": str(folder)}) as server:
        yield server, folder
    assert list(folder.glob("whybounce-metrics-*")) == []  # it tidies up


def workers_of(server: Server) -> list[psutil.Process]:
    parent = psutil.Process(server.process.pid)
    return [one for one in parent.children() if is_worker(one)]


def is_worker(process: psutil.Process) -> bool:
    try:
        return "resource_tracker" not in " ".join(process.cmdline())
    except (psutil.ZombieProcess, psutil.NoSuchProcess):  # killed, and its parent has not looked yet
        return False


def seen(server: Server) -> Samples:
    return samples(server.get("/metrics")[1].decode())


def test_whichever_worker_is_asked_tells_of_all(two: tuple[Server, Path]) -> None:
    server, _ = two
    for number in range(40):  # each on a connection of its own: both workers get some
        assert server.post("/v1/predict", {"diagnostic": f"550 5.1.1 <{number}@example.com>: User unknown"})[0] == 200
    until(lambda: sum(seen(server).get("whybounce_predictions_total", {}).values()) == 40)
    until(
        lambda: (
            sum(seen(server)[f"whybounce_cache_{name}_total"][()] for name in ("hits", "misses")) == 40
        )  # also of the one that is not asked
    )
    found = seen(server)
    assert found["whybounce_http_requests_total"]["POST", "/v1/predict", "200"] == 40
    assert found["whybounce_http_request_duration_seconds_count"]["/v1/predict",] == 40
    assert list(found["whybounce_model_info"].values()) == [1]
    assert found["whybounce_degraded"][()] == 0


def test_a_killed_worker_is_replaced_while_the_other_answers(two: tuple[Server, Path]) -> None:
    server, folder = two
    before = seen(server)["whybounce_http_requests_total"]["POST", "/v1/predict", "200"]
    killed, other = workers_of(server)
    killed.kill()
    answered = [answers(server) for _ in range(30)]
    # What the killed one had accepted is lost; everything that comes later is not.
    assert sum(answered) >= 25
    assert all(answered[5:])
    until(lambda: len(workers_of(server)) == 2 and killed.pid not in {one.pid for one in workers_of(server)}, 40)
    assert other.pid in {one.pid for one in workers_of(server)}
    assert seen(server)["whybounce_http_requests_total"]["POST", "/v1/predict", "200"] >= before + 25
    [metrics] = folder.glob("whybounce-metrics-*")
    until(lambda: bool(seen(server)) and not list(metrics.glob(f"gauge_live*_{killed.pid}.db")))


def answers(server: Server) -> bool:
    try:
        return server.post("/v1/predict", ASK)[0] == 200
    except OSError:
        return False
