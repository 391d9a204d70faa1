"""The deployment files: checked with the tools they are for, when those are installed."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from audit import verdict
from server import ASK, Server, running, until

from whybounce.serving.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "serving" / "deploy"


def instructions() -> list[tuple[str, str]]:
    text = (DEPLOY / "Containerfile").read_text("utf-8")
    text = re.sub(r"(?m)^#.*\n", "", text).replace("\\\n", " ")
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in text.splitlines() if line.strip()]


# ---- container


def test_what_the_image_copies_is_there() -> None:
    copied = [value for word, value in instructions() if word == "COPY" and "--from" not in value]
    assert copied
    for value in copied:
        for source in value.split()[:-1]:
            assert (ROOT / source).exists()


def test_the_image_does_not_run_as_root_and_says_when_it_is_ill() -> None:
    found = instructions()
    words = [word for word, _ in found]
    last_stage = found[len(words) - 1 - words[::-1].index("FROM") :]
    assert int(next(value for word, value in last_stage if word == "USER")) >= 1000
    assert dict(last_stage)["ENTRYPOINT"] == '["whybounce"]'
    assert dict(last_stage)["EXPOSE"] == "8000"


def test_the_settings_of_every_file_exist() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for path in DEPLOY.rglob("*"):
        if not path.is_file() or path.suffix == ".pyc":
            continue
        used = set(re.findall(rf"{PREFIX}[A-Z_]+", path.read_text("utf-8")))
        assert used <= known, path


@pytest.mark.parametrize("alive", [True, False])
def test_the_health_check(alive: bool) -> None:
    check = next(value for word, value in instructions() if word == "HEALTHCHECK")
    command = json.loads(check[check.index("CMD") + 3 :])
    assert command[0] == "python"
    with running() as server:
        port = server.port
        if alive:
            assert health(command, port) == 0
    if not alive:
        assert health(command, port) != 0


def health(command: list[str], port: int) -> int:
    return subprocess.run(
        [sys.executable, *command[1:]], env={"WHYBOUNCE_PORT": str(port)}, capture_output=True, check=False
    ).returncode


# ---- systemd

systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


def unit() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (DEPLOY / "whybounce.service").read_text("utf-8").splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def test_the_unit_starts_the_service_and_outwaits_its_drain() -> None:
    found = unit()
    program, *arguments = shlex.split(found["ExecStart"][0])
    assert Path(program).name == "whybounce"
    help_text = subprocess.run(
        [sys.executable, "-m", "whybounce", *arguments, "--help"], capture_output=True, check=True, text=True
    ).stdout
    assert "Serve the HTTP API" in help_text
    assert int(found["TimeoutStopSec"][0]) > Settings.model_fields["drain_timeout"].default


@systemd
def test_the_unit_is_valid_and_hardened(tmp_path: Path) -> None:
    copy = tmp_path / "whybounce.service"
    text = (DEPLOY / "whybounce.service").read_text("utf-8")
    copy.write_text(text.replace("/opt/whybounce/bin/whybounce", "/bin/true"), "utf-8")
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True, check=False
    )
    about_ours = [line for line in (verified.stdout + verified.stderr).splitlines() if "whybounce.service" in line]
    assert about_ours == []
    security = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(copy)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    level = re.search(r"Overall exposure level.*?: ([\d.]+)", security.stdout)
    assert level, security.stdout + security.stderr
    assert float(level.group(1)) < 2.0


# ---- reverse proxy


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[tuple[Server, str]]:
    program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if program is None:
        pytest.skip("nginx is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with running(log_format="json", log_requests="all") as server:
        site = (DEPLOY / "nginx.conf").read_text("utf-8")
        site = site.replace("127.0.0.1:8000", f"127.0.0.1:{server.port}").replace(
            "listen 8080", f"listen 127.0.0.1:{port}"
        )
        folders = " ".join(
            f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        config = tmp_path / "nginx.conf"
        config.write_text(
            f"daemon off; pid {tmp_path}/pid; error_log {tmp_path}/error.log; events {{}} http {{ {folders} {site} }}",
            "utf-8",
        )
        tested = subprocess.run([program, "-t", "-c", str(config)], capture_output=True, text=True, check=False)
        assert tested.returncode == 0, tested.stderr
        nginx = subprocess.Popen([program, "-c", str(config)], stderr=subprocess.DEVNULL)
        url = f"http://127.0.0.1:{port}"
        try:
            until(lambda: listens(port))
            yield server, url
        finally:
            nginx.terminate()
            nginx.wait(10)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_service_behind_nginx(proxied: tuple[Server, str]) -> None:
    server, url = proxied
    body = json.dumps(ASK).encode()
    request = urllib.request.Request(f"{url}/v1/predict", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert json.load(answer)["reason"] == "invalid_recipient"
        identity = answer.headers["x-request-id"]
    until(lambda: identity in {entry.get("request_id") for entry in server.logged()})  # logged when it is answered


def test_a_stream_is_answered_while_it_comes_in(proxied: tuple[Server, str]) -> None:
    _, url = proxied
    line = b'{"id": 1, "diagnostic": "550 5.1.1 no such user"}\n'
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=10) as connection:
        connection.sendall(
            b"POST /v1/predict/stream HTTP/1.1\r\nhost: bounces.example.com\r\n"
            b"content-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        connection.sendall(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        found = b""
        while b'"id":1' not in found:  # before the request has ended
            piece = connection.recv(65536)
            assert piece
            found += piece
        connection.sendall(b"0\r\n\r\n")


# ---- audit


@pytest.mark.parametrize(
    ("packages", "status", "said"),
    [
        ([{"name": "a", "version": "1", "vulns": []}], 0, "no known vulnerabilities in 1 packages"),
        ([{"name": "a", "version": "1", "vulns": [{"id": "X-1", "fix_versions": ["2"]}]}], 1, "a 1: X-1; fixed in 2"),
        ([{"name": "a", "skip_reason": "not found"}, {"name": "b", "version": "1", "vulns": []}], 2, "1 of 2 packages"),
    ],
)
def test_the_audit_does_not_take_unknown_for_safe(packages: list[dict[str, Any]], status: int, said: str) -> None:
    found, lines = verdict({"dependencies": packages})
    assert found == status
    assert said in "\n".join(lines)


def test_the_figures_to_watch_exist() -> None:
    from starlette.testclient import TestClient

    from whybounce.model.predictor import BounceClassifier
    from whybounce.serving.http import create_app

    client = TestClient(create_app(BounceClassifier(classifier=None, manifest=None)))
    client.post("/v1/predict", json=ASK)
    client.get("/metrics")
    known = client.get("/metrics").text
    named = set(re.findall(r"whybounce_[a-z_]+", (DEPLOY / "README.md").read_text("utf-8")))
    assert len(named) >= 7
    for name in named:
        assert re.search(rf"(?m)^{name}[ {{]", known), name
