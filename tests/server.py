"""A real server in a process of its own, for what an in-process client cannot show."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ASK = {"diagnostic": "550 5.1.1 <a@example.com>: User unknown"}
READY = {"status": "ready", "degraded": False, "overloaded": False, "feedback": "none", "detail": None}
"""What a service whose model is loaded says of itself, without a feedback store."""


@dataclass
class Server:
    process: subprocess.Popen[bytes]
    port: int
    stderr: Path
    answers: list[Any] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, timeout: float = 10) -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(self.url + path, timeout=timeout) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def post(self, path: str, body: Any, timeout: float = 10, **headers: str) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"content-type": "application/json", **{name.replace("_", "-"): v for name, v in headers.items()}}
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def raw(self, data: bytes, timeout: float = 10) -> bytes:
        """Send bytes as they are and return all that comes back until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as connection:
            with contextlib.suppress(ConnectionError):
                connection.sendall(data)
            return read_to_end(connection)

    def logged(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stderr.read_text("utf-8").splitlines() if line.startswith("{")]


def read_to_end(connection: socket.socket) -> bytes:
    found = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65536):
            found += piece
    return found


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


@contextlib.contextmanager
def running(*arguments: str, others: Mapping[str, str] | None = None, **variables: str) -> Iterator[Server]:
    """Run ``whybounce serve`` on a free port.

    ``variables`` are settings without ``WHYBOUNCE_``, ``others`` more of the environment.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WHYBOUNCE_")}
    environment |= {"WHYBOUNCE_FEEDBACK_URL": "none", **(others or {})}
    environment |= {f"WHYBOUNCE_{name.upper()}": value for name, value in variables.items()}
    with tempfile.TemporaryDirectory() as folder:
        stderr = Path(folder) / "stderr"
        with stderr.open("wb") as written:
            process = subprocess.Popen(
                [sys.executable, "-m", "whybounce", "serve", "--port", str(port), *arguments],
                stderr=written,
                stdout=written,
                env=environment,
                cwd=folder,
            )
        server = Server(process, port, stderr)

        def ready() -> bool:
            assert process.poll() is None, stderr.read_text("utf-8")
            try:
                return server.get("/health/ready", 1)[0] == 200
            except OSError:
                return False

        try:
            until(ready, 60)
            yield server
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
