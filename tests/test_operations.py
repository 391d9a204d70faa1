"""The service as an operator meets it: a real process, its logs, its signals, rude clients."""

from __future__ import annotations

import concurrent.futures
import json
import re
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families
from server import ASK, Server, read_to_end, running, until

SECRET = "maria.lopez@private.example"
ADDRESS = "203.0.113.77"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running(
        log_format="json", log_requests="all", header_timeout="1", request_timeout="3", stream_timeout="1",
        max_body="200000",
    ) as started:  # fmt: skip
        yield started


def head(path: str, *headers: str, method: str = "POST") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "host: localhost", *headers, "", ""]).encode()


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


# ---- logs


def test_logs_hold_ids_and_nobodys_data(server: Server) -> None:
    text = f"550 5.1.1 <{SECRET}> said {ADDRESS}: user unknown"
    assert server.post("/v1/predict", {"diagnostic": text}, x_request_id="mine-1")[0] == 200
    assert server.post("/v1/predict", {"diagnostic": 5, "note": text}, x_request_id="mine-2")[0] == 422
    assert server.post(f"/v1/predict?{SECRET}", f'{{"diagnostic": "{text}'.encode(), x_request_id="mine-3")[0] == 400
    assert server.get(f"/v1/{SECRET}")[0] == 404
    assert server.post("/v1/predict/stream", f'"{text}"\n'.encode(), content_type="application/x-ndjson")[0] == 200
    server.raw(f"GET /{SECRET} HTTP/7.7\r\n{SECRET}\r\n\r\n".encode())
    server.raw(
        head("/v1/predict", f"x-request-id: {SECRET} {ADDRESS}", "content-length: 2", "connection: close") + b"{}"
    )
    until(lambda: any(entry.get("status") == 404 for entry in server.logged()))
    written = server.stderr.read_text("utf-8")
    for part in (SECRET, "maria", "private.example", ADDRESS, "user unknown"):
        assert part not in written
    by_id = {entry.get("request_id"): entry for entry in server.logged() if entry["message"] == "request"}
    assert {by_id[f"mine-{n}"]["status"] for n in (1, 2, 3)} == {200, 422, 400}
    assert by_id["mine-1"]["path"] == "/v1/predict"
    assert by_id["mine-1"]["method"] == "POST"
    assert by_id["mine-1"]["ms"] >= 0
    for entry in server.logged():
        assert {"time", "level", "logger", "message"} <= entry.keys()
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", entry["time"])


def test_every_answer_names_its_request(server: Server) -> None:
    answers = [server.raw(head("/health/live", "connection: close", method="GET")) for _ in range(3)]
    found = [re.search(rb"x-request-id: (\S+)\r\n", answer) for answer in answers]
    assert len({one.group(1) for one in found if one}) == 3
    given = server.raw(head("/v1/nothing", "connection: close", "x-request-id: abc/7", method="GET"))
    assert b"x-request-id: abc/7\r\n" in given


# ---- rude clients


def test_headers_that_never_end(server: Server) -> None:
    started = time.monotonic()
    answer = server.raw(b"POST /v1/predict HTTP/1.1\r\nhost: x\r\n")
    assert status_of(answer) == 408
    assert 0.5 < time.monotonic() - started < 8


def test_a_connection_that_says_nothing(server: Server) -> None:
    assert status_of(server.raw(b"")) == 408


def test_a_body_that_never_ends(server: Server) -> None:
    answer = server.raw(head("/v1/predict", "content-type: application/json", "content-length: 100") + b'{"dia')
    assert status_of(answer) == 408
    assert b"application/problem+json" in answer


def test_a_body_that_drips(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(head("/v1/predict", "content-type: application/json", "content-length: 1000"))
        stop = threading.Event()

        def drip() -> None:
            while not stop.wait(0.2):
                try:
                    connection.sendall(b" ")
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            assert connection.recv(65536).startswith(b"HTTP/1.1 408")
        finally:
            stop.set()
            thread.join()


def test_a_stream_that_stands_still(server: Server) -> None:
    body = b'{"id": 1, "diagnostic": "550 5.1.1 no such user"}\n'
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(
            head("/v1/predict/stream", "content-type: application/x-ndjson", "transfer-encoding: chunked")
        )
        connection.sendall(f"{len(body):x}\r\n".encode() + body + b"\r\n")
        found = b""
        while b"\r\n0\r\n" not in found:
            piece = connection.recv(65536)
            assert piece
            found += piece
    assert b'"id":1' in found
    assert b'"status":408' in found


@pytest.mark.parametrize(
    "flood",
    [
        b"".join(b"x-%d: %s\r\n" % (n, b"y" * 50) for n in range(2000)),
        b"x: " + b"y" * 200_000 + b"\r\n",
        b"x" * 3_000_000,
    ],
    ids=["many", "long", "without end"],
)
def test_header_floods(server: Server, flood: bytes) -> None:
    answer = server.raw(b"POST /v1/predict HTTP/1.1\r\nhost: x\r\n" + flood + b"\r\n")
    # A server that closes while bytes still come may reset the connection before its answer is read.
    assert answer == b"" or status_of(answer) in (400, 431)
    assert server.post("/v1/predict", ASK)[0] == 200


def test_a_long_path(server: Server) -> None:
    answer = server.raw(head("/" + "x" * 100_000, method="GET"))
    assert answer == b"" or status_of(answer) == 431
    assert server.get("/health/live")[0] == 200


def test_a_body_of_100_mb(server: Server) -> None:
    announced = server.raw(head("/v1/predict", "content-type: application/json", "content-length: 104857600"))
    assert status_of(announced) == 413
    before = psutil.Process(server.process.pid).memory_info().rss
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(head("/v1/predict", "content-type: application/json", "transfer-encoding: chunked"))
        piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
        try:
            for _ in range(1600):
                connection.sendall(piece)
        except OSError:
            pass  # closed on us, as it should be
        answer = read_to_end(connection)
    assert answer == b"" or status_of(answer) == 413
    assert psutil.Process(server.process.pid).memory_info().rss - before < 30_000_000
    assert server.post("/v1/predict", ASK)[0] == 200


NESTED = b'{"diagnostic":' + b"[" * 90_000 + b"]" * 90_000 + b"}"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"diagnostic": "\xff\xfe\xc3("}', {400, 422}),
        (b'{"diagnostic": "\\ud800"}', {200, 400, 422}),
        (NESTED, {400, 422}),
        (b'{"diagnostic": NaN}', {400, 422}),
        (b'{"diagnostic": "x", "reply_code": NaN}', {400, 422}),
        (b'{"diagnostic": "x", "reply_code": 1e999}', {400, 422}),
        (b'{"diagnostic": "x", "reply_code": ' + b"9" * 5000 + b"}", {400, 422}),
        (b'{"diagnostic": "' + b"x" * 150_000 + b'"}', {200, 422}),
        (b'{"diagnostic": "\\u0000\\u0001\\u202e"}', {200}),
        (b"", {400, 422}),
        (b"null", {422}),
    ],
)
def test_bodies_that_are_none(server: Server, body: bytes, status: set[int]) -> None:
    answer = server.post("/v1/predict", body)
    assert answer[0] in status
    batch = server.post("/v1/predict/batch", b'{"diagnostics": [' + body + b"]}")
    assert batch[0] in {200, 400, 422}
    lines = server.raw(
        head(
            "/v1/predict/stream",
            "content-type: application/x-ndjson",
            f"content-length: {len(body)}",
            "connection: close",
        )
        + body
    )
    assert status_of(lines) == 200


# ---- overload, signals, workers


def test_twice_of_what_it_bears(tmp_path: Path) -> None:
    """More at once than there is room for: some are told to come again, health answers, nothing breaks."""
    slow = [
        f"550 mailbox {'abcdefghijklmnopqrstuvwxyz'[n % 26] * 3} {n} " + "refused because of words " * 400
        for n in range(40)
    ]
    with running(max_concurrency="2", max_queue="2", queue_timeout="0.5") as server:

        def ask(_: int) -> tuple[int, bool]:
            try:
                status, body = server.post("/v1/predict/batch", {"diagnostics": slow}, 30)
            except OSError:
                return 0, False
            return status, "predictions" in body

        health: list[float] = []
        stop = threading.Event()

        def watch() -> None:
            while not stop.wait(0.05):
                started = time.monotonic()
                assert server.get("/health/live", 30)[0] == 200
                health.append(time.monotonic() - started)

        watcher = threading.Thread(target=watch)
        watcher.start()
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            found = Counter(pool.map(ask, range(120)))
        stop.set()
        watcher.join()
        assert found[200, True] > 0
        assert found[503, False] > 0
        assert found.keys() <= {(200, True), (503, False)}
        assert len(health) > 5
        assert server.post("/v1/predict", ASK)[0] == 200


def test_busy_answers_say_when_to_come_again() -> None:
    with running(max_concurrency="1", max_queue="0", request_timeout="5") as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as held:
            held.sendall(head("/v1/predict", "content-type: application/json", "content-length: 100") + b"{")
            until(lambda: server.post("/v1/predict", ASK)[0] == 503)
            answer = server.raw(head("/v1/predict", "content-length: 0", "connection: close"))
            assert status_of(answer) == 503
            assert b"retry-after: " in answer
            assert server.get("/health/ready")[0] == 200
        until(lambda: server.post("/v1/predict", ASK)[0] == 200)


def test_sigterm_lets_requests_end() -> None:
    with running(drain_timeout="10") as server:
        body = json.dumps(ASK).encode()
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as open_one:
            open_one.sendall(
                head("/v1/predict", "content-type: application/json", f"content-length: {len(body)}") + body[:5]
            )
            time.sleep(0.3)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            open_one.sendall(body[5:])
            answer = open_one.recv(65536)
        assert status_of(answer) == 200
        assert server.process.wait(15) in (0, -signal.SIGTERM)


def test_a_killed_worker_is_replaced_and_metrics_add_up() -> None:
    with running("--workers", "2") as server:
        for _ in range(60):
            assert server.post("/v1/predict", ASK)[0] == 200
        total = requests_of(server)
        assert total == 60  # of both workers, whichever is asked
        parent = psutil.Process(server.process.pid)
        workers = [one for one in parent.children() if "resource_tracker" not in " ".join(one.cmdline())]
        assert len(workers) == 2
        workers[0].kill()
        until(
            lambda: (
                len([one for one in parent.children() if one.is_running() and one.status() != psutil.STATUS_ZOMBIE])
                >= 2
                and workers[0].pid not in {one.pid for one in parent.children()}
            ),
            30,
        )
        until(lambda: all(answers(server) for _ in range(20)), 30)
        assert requests_of(server) >= 60


def answers(server: Server) -> bool:
    try:
        return server.post("/v1/predict", ASK)[0] == 200
    except OSError:
        return False


def requests_of(server: Server) -> float:
    return sum(
        sample.value
        for family in text_string_to_metric_families(server.get("/metrics")[1].decode())
        for sample in family.samples
        if sample.name == "whybounce_requests_total" and sample.labels["path"] == "/v1/predict"
    )


# ---- disks


def test_nothing_is_written_unasked() -> None:
    with running(feedback_url="none") as server:
        assert server.post("/v1/predict", ASK)[0] == 200
        opened = [Path(file.path) for file in psutil.Process(server.process.pid).open_files() if "w" in file.mode]
        assert [path for path in opened if path != server.stderr] == []
        assert list(server.stderr.parent.iterdir()) == [server.stderr]


@pytest.mark.skipif(not hasattr(psutil, "RLIMIT_FSIZE"), reason="this system cannot limit the size of files")
def test_a_full_disk_under_the_feedback_store(tmp_path: Path) -> None:
    """Feedback is refused with a 503 while it cannot be written; predictions go on; then it is taken again."""
    store = tmp_path / "feedback.db"
    with running(feedback_url=f"sqlite:///{store}") as server:
        process = psutil.Process(server.process.pid)

        def say(number: int) -> int:
            said = {**ASK, "reason": "mailbox_full", "source": "test", "event_id": f"e{number}", "comment": "x" * 1000}
            return server.post("/v1/feedback", said, 30)[0]

        assert say(0) == 201
        full = max(file.stat().st_size for file in tmp_path.iterdir())
        unlimited = process.rlimit(psutil.RLIMIT_FSIZE)
        process.rlimit(psutil.RLIMIT_FSIZE, (full, unlimited[1]))
        answers = [say(number) for number in range(1, 60)]
        assert 503 in answers
        assert set(answers) <= {201, 503}
        assert server.post("/v1/predict", ASK)[0] == 200
        assert server.get("/health/ready")[0] == 200
        process.rlimit(psutil.RLIMIT_FSIZE, unlimited)
        refused = 1 + answers.index(503)
        assert say(refused) == 201  # what was refused was not half kept
        assert say(refused) == 200
