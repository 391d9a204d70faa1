"""The service as an operator meets it: a real process, its logs, its signals, rude clients."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from server import ASK, Server, read_to_end, running, until

from whybounce.model.artifact import SHIPPED

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


def exchange(connection: socket.socket, request: bytes) -> bytes:
    """Send a request on a connection that stays open and read its whole answer."""
    connection.sendall(request)
    found = b""
    while b"\r\n\r\n" not in found:
        found += connection.recv(65536)
    start, _, body = found.partition(b"\r\n\r\n")
    length = int(re.search(rb"content-length: (\d+)", start).group(1))  # type: ignore[union-attr]
    while len(body) < length:
        body += connection.recv(65536)
    return start


@pytest.mark.parametrize("more", [b"\r\n", b"POST /v1", b"POST /v1/predict HTTP/1.1\r\nhost: x\r\nx: "])
def test_a_connection_that_goes_on_with_nothing(server: Server, more: bytes) -> None:
    """Kept alive, but what follows is no request: an empty line would hold it for ever."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        assert b" 200 " in exchange(connection, head("/health/live", method="GET"))
        connection.sendall(more)
        assert status_of(read_to_end(connection)) == 408


def test_a_client_that_does_not_read(server: Server) -> None:
    """It asks again and again for much and takes none of it: it is cut off, and nothing is said to be our error."""
    texts = json.dumps({"diagnostics": [f"550 5.1.1 user {n} unknown" for n in range(1000)]}).encode()
    kind = "content-type: application/json"
    request = head("/v1/predict/batch", kind, f"content-length: {len(texts)}") + texts
    with socket.socket() as greedy:
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        greedy.connect(("127.0.0.1", server.port))
        greedy.settimeout(1)
        with contextlib.suppress(OSError):
            for _ in range(50):
                greedy.sendall(request)
        port = greedy.getsockname()[1]
        process = psutil.Process(server.process.pid)
        until(lambda: not any(one.raddr and one.raddr.port == port for one in process.net_connections("tcp")))
    assert server.post("/v1/predict", ASK)[0] == 200
    assert [entry for entry in server.logged() if entry["level"] == "error"] == []


def test_many_requests_at_once_on_one_connection(server: Server) -> None:
    body = json.dumps(ASK).encode()
    one = head("/v1/predict", "content-type: application/json", f"content-length: {len(body)}") + body
    last = head("/health/live", "connection: close", method="GET")
    answer = server.raw(one * 300 + last, 60)
    assert answer.count(b"HTTP/1.1 200 OK") == 301
    assert answer.rpartition(b"\r\n\r\n")[2] == b'{"status":"alive"}'


def test_a_client_that_asks_for_much_and_goes(server: Server) -> None:
    body = json.dumps(ASK).encode()
    one = head("/v1/predict", "content-type: application/json", f"content-length: {len(body)}") + body
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(one * 300)
    assert server.post("/v1/predict", ASK)[0] == 200
    assert [entry for entry in server.logged() if entry["level"] == "error"] == []


BODY = b'{"diagnostic": "550 5.1.1 no such user"}'
CHUNKED = b"28\r\n" + BODY + b"\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("headers", "body", "status", "said"),
    [
        (["transfer-encoding: gzip, chunked"], CHUNKED, 400, b"only transfer coding is chunked"),
        (["transfer-encoding: identity"], BODY, 400, b"only transfer coding is chunked"),
        (["transfer-encoding: chunked", "content-length: 40"], CHUNKED, 400, b"the length of the body"),
        (["transfer-encoding: chunked"], b"zz\r\n", 400, b"the length of the body"),
        (["content-length: 40", "content-length: 41"], BODY, 400, b"the length of the body"),
        (["content-length: -1"], b"", 400, b"the length of the body"),
        (["content-length: " + "9" * 30], b"", 400, b"the length of the body"),
        (["content-length : 40"], BODY, 400, b"a header"),
        (["content-length: 40", "x: a\x00b"], BODY, 400, b"a header"),
        (["content-length: 40", "content-encoding: gzip"], b"\x1f\x8b" + b"x" * 38, 415, b"without content-encoding"),
        (["content-length: 40", "content-encoding: br"], BODY + b"", 200, b"invalid_recipient"),
        (["transfer-encoding: chunked"], CHUNKED, 200, b"invalid_recipient"),
        (["transfer-encoding: Chunked"], CHUNKED, 200, b"invalid_recipient"),
        (["content-length: 40", "expect: 100-continue"], BODY, 100, b"invalid_recipient"),
        (["content-length: 99999999", "expect: 100-continue"], b"", 413, b"Send fewer"),
        (["content-length: 40", "upgrade: websocket", "sec-websocket-version: 13"], BODY, 200, b"invalid_recipient"),
    ],
)  # fmt: skip
def test_bodies_and_how_they_are_announced(
    server: Server, headers: list[str], body: bytes, status: int, said: bytes
) -> None:
    start = head("/v1/predict", "content-type: application/json", "connection: close", *headers)
    answer = server.raw(start + body)
    assert status_of(answer) == status, answer
    assert said in answer
    if status >= 400:
        assert b"application/problem+json" in answer


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/%ff%fe", 404), ("GET", "/%00", 404), ("GET", "/web/../../etc/passwd", 404), ("GET", "//v1/predict", 404),
        ("GET", "/V1/Reasons", 404), ("OPTIONS", "*", 404), ("OPTIONS", "/v1/predict", 405), ("TRACE", "/v1/predict", 405),
        ("HEAD", "/v1/predict", 405), ("HEAD", "/health/ready", 200), ("FOO", "/", 400), ("PRI", "*", 400),
        ("GET", "/v2/models/%ff", 404), ("GET", "/v1/models/%2e%2e%2f/report", 404), ("GET", "/v1/reasons/", 404),
    ],
)  # fmt: skip
def test_odd_methods_and_paths(server: Server, method: str, path: str, status: int) -> None:
    answer = server.raw(head(path, "connection: close", method=method))
    assert status_of(answer) == status
    if status != 200:
        assert b"application/problem+json" in answer


@pytest.mark.parametrize("start", [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\x00\x01" + b"\x00" * 60])
def test_other_protocols(server: Server, start: bytes) -> None:
    answer = server.raw(start)
    assert status_of(answer) == 400
    assert b"https only where a proxy" in answer


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


def test_sigterm_lets_a_stream_end(tmp_path: Path) -> None:
    """Drained with several workers: the lines that were sent are answered, new connections are refused."""
    line = b'{"id": 1, "diagnostic": "550 5.1.1 no such user"}\n'
    with running("--workers", "2", "--drain-timeout", "10") as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as open_one:
            open_one.sendall(
                head("/v1/predict/stream", "content-type: application/x-ndjson", "transfer-encoding: chunked")
            )
            open_one.sendall(b"%x\r\n%b\r\n" % (len(line), line))
            found = b""
            while b'"id":1' not in found:
                found += open_one.recv(65536)
            server.process.send_signal(signal.SIGTERM)
            until(lambda: refused(server.port))
            open_one.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(line), line))
            found += read_to_end(open_one)
        assert found.count(b'"id":1') == 2
        assert found.endswith(b"0\r\n\r\n")
        assert server.process.wait(20) in (0, -signal.SIGTERM)


def test_sigterm_does_not_wait_for_ever() -> None:
    with (
        running("--drain-timeout", "1") as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=20) as open_one,
    ):
        open_one.sendall(head("/v1/predict", "content-type: application/json", "content-length: 100") + b"{")
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(15) in (0, -signal.SIGTERM)


def refused(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_workers_that_cannot_start_end_the_service() -> None:
    arguments = [sys.executable, "-m", "whybounce", "serve", "--port", "1024", "--workers", "2"]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        arguments[5] = str(probe.getsockname()[1])
    done = subprocess.run(
        arguments, env=os.environ | {"WHYBOUNCE_FEEDBACK_URL": "nonsense:secret"}, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "the feedback store's URL cannot be read" in done.stderr
    assert "the workers did not start" in done.stderr
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr


def test_workers_end_with_a_parent_that_is_killed() -> None:
    with running("--workers", "2") as server:
        workers = psutil.Process(server.process.pid).children(recursive=True)
        server.process.kill()
        until(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in workers), 40)
        assert refused(server.port)


# ---- artifacts


def test_a_model_that_cannot_be_written(tmp_path: Path, folder: Path) -> None:
    """A read-only artifact is served; nothing is written beside it."""
    before = sorted(path.name for path in folder.iterdir())
    for path in [*folder.iterdir(), folder]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        with running("--artifact", str(folder), "--require-model") as server:
            assert server.post("/v1/predict", ASK)[1]["degraded"] is False
    finally:
        folder.chmod(0o755)
    assert sorted(path.name for path in folder.iterdir()) == before


def damage(folder: Path) -> None:
    [model] = folder.glob("model-*.joblib")
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    model.write_bytes(data)


def swap(folder: Path) -> None:
    [model] = folder.glob("model-*.joblib")
    model.write_bytes((SHIPPED / next(SHIPPED.glob("model-*.joblib")).name).read_bytes())


def cut_off(folder: Path) -> None:
    (folder / "manifest.json").write_text((folder / "manifest.json").read_text("utf-8")[:200], "utf-8")


@pytest.mark.parametrize("harm", [damage, swap, cut_off, shutil.rmtree])
def test_artifacts_that_are_not_what_they_say(harm: Callable[[Path], None], folder: Path) -> None:
    """One flipped bit, another model's file, half a manifest, nothing: rules answer, and everything says so."""
    harm(folder)
    with running("--artifact", str(folder), log_format="json") as server:
        status, answer = server.post("/v1/predict", ASK)
        assert (status, answer["degraded"], answer["reason"]) == (200, True, "invalid_recipient")
        assert json.loads(server.get("/health/ready")[1])["degraded"] is True
        because = json.loads(server.get("/v1/model")[1])["degraded_because"]
        assert because
        figures = server.get("/metrics")[1].decode()
        assert "whybounce_degraded 1.0" in figures
        assert 'whybounce_model_info{version="none"} 1.0' in figures
        assert any(entry["level"] in ("warning", "error") for entry in server.logged())


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


def test_a_full_disk_under_the_registry(tmp_path: Path) -> None:
    """A model that does not fit is not half there, and the service that watches the registry answers on."""
    models = tmp_path / "models"
    model = [sys.executable, "-m", "whybounce", "model"]
    add = [*model, "add", str(SHIPPED), "--registry", str(models)]
    with running("--registry", str(models)) as server:
        full = subprocess.run(
            ["bash", "-c", 'ulimit -f 100; exec "$@"', "bash", *add], capture_output=True, text=True, check=False
        )
        assert full.returncode == 1
        assert "nothing was changed" in full.stderr
        assert list((models / "versions").iterdir()) == []
        assert server.post("/v1/predict", ASK)[0] == 200
        assert json.loads(server.get("/v1/models")[1])["versions"] == []
        subprocess.run(add, check=True, capture_output=True)  # there is room again
        [version] = (models / "versions").iterdir()
        subprocess.run(
            [*model, "promote", version.name, "--registry", str(models), "--force", "--because", "a test"],
            check=True,
            capture_output=True,
        )
        until(lambda: json.loads(server.get("/v1/models")[1])["promoted"] == version.name)
        assert server.post("/v1/predict", ASK)[0] == 200
