"""The HTTP service on loopback under a load generator (wrk), against a bare endpoint and without memory."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any
from urllib.request import urlopen

import psutil

from tests.bench import traffic

CONNECTIONS = 16
ROUNDS = 5
SECONDS = 3
BATCH = 1000

_LUA = """
local bodies = {}
for line in io.lines("BODIES") do bodies[#bodies + 1] = line end
local index = 0
request = function()
  index = index % #bodies + 1
  return wrk.format("POST", "PATH", {["content-type"] = "application/json"}, bodies[index])
end
done = function(summary, latency)
  io.write(string.format("\\nRESULT %d %d %d %d %d\\n", summary.requests, summary.duration,
    summary.errors.status + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""


class Server:
    """One process with one worker: ``whybounce serve``, or uvicorn with another application."""

    def __init__(self, target: str | None = None, **environment: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        ours = ["whybounce", "serve", "--feedback-url", "none"]
        command = [sys.executable, "-m", *(["uvicorn", target, "--no-access-log"] if target else ours)]
        command += ["--port", str(self.port)]
        environment = {"WHYBOUNCE_LOG_LEVEL": "warning", **environment}
        started = time.perf_counter()
        self.process = subprocess.Popen(command, env={**os.environ, **environment})
        while True:
            try:
                with urlopen(f"http://127.0.0.1:{self.port}/health/ready", timeout=5):
                    break
            except OSError:
                if self.process.poll() is not None or time.perf_counter() - started > 60:
                    raise RuntimeError(f"{' '.join(command)} did not start") from None
                time.sleep(0.01)
        self.ready_seconds = time.perf_counter() - started

    @property
    def memory_mb(self) -> float:
        """Resident memory of the process."""
        return float(psutil.Process(self.process.pid).memory_info().rss / 1e6)

    def stop(self) -> None:
        """End the process."""
        self.process.terminate()
        self.process.wait(20)


def measure() -> dict[str, Any]:
    """Return requests per second and latencies of each, and their ratios round by round."""
    for tool, what in (("wrk", "load generator"), ("curl", "client")):
        if shutil.which(tool) is None:
            raise SystemExit(f"the benchmark needs the {what} {tool}; install it (Debian: apt-get install {tool})")
    texts = traffic.zipf(20_000, seed=2)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        script = _script(Path(folder), "/v1/predict", [{"diagnostic": text} for text in texts])
        batches = [{"diagnostics": texts[start : start + BATCH]} for start in range(0, len(texts), BATCH)]
        batch_script = _script(Path(folder), "/v1/predict/batch", batches)
        servers: dict[str, Server] = {}
        for name, target, size in (
            ("bare", "tests.bench.bare:app", ""),
            ("remembered", None, ""),
            ("not_remembered", None, "0"),
        ):
            servers[name] = Server(target, WHYBOUNCE_CACHE_SIZE=size)
            stack.callback(servers[name].stop)
            _load(servers[name], script, 2)
        rounds = [{name: _load(server, script, SECONDS) for name, server in servers.items()} for _ in range(ROUNDS)]
        # Two connections: the worker has the next batch when it has answered one.
        batch = median(
            _load(servers["remembered"], batch_script, SECONDS, 2)["requests_per_second"] * BATCH for _ in range(ROUNDS)
        )
        stream = _stream(servers["remembered"], texts, Path(folder))
        return {
            "servers": {
                name: {key: median(round_[name][key] for round_ in rounds) for key in rounds[0][name]}
                for name in servers
            },
            "ratios": {
                f"{name}_to_bare_{key}": median(round_[name][key] / round_["bare"][key] for round_ in rounds)
                for name in ("remembered", "not_remembered")
                for key in ("requests_per_second", "p99_ms")
            },
            "batch_texts_per_second": batch,
            "stream_texts_per_second": stream,
            "ready_seconds": servers["remembered"].ready_seconds,
            "memory_mb": servers["remembered"].memory_mb,
        }


def _script(folder: Path, path: str, bodies: list[Any]) -> Path:
    """Write what wrk sends, one body after the other."""
    name = path.replace("/", "-")
    kept = folder / f"bodies{name}"
    kept.write_text("\n".join(map(json.dumps, bodies)), "utf-8")
    script = folder / f"post{name}.lua"
    script.write_text(_LUA.replace("BODIES", str(kept)).replace("PATH", path), "utf-8")
    return script


def _load(server: Server, script: Path, seconds: int, connections: int = CONNECTIONS) -> dict[str, float]:
    url = f"http://127.0.0.1:{server.port}"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script), url]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+)", printed)
    if found is None:
        raise RuntimeError(f"wrk said: {printed}")
    requests, duration, errors, p50, p99 = map(int, found.groups())
    if errors:
        raise RuntimeError(f"{errors} requests failed: {printed}")
    return {"requests_per_second": requests / duration * 1e6, "p50_ms": p50 / 1000, "p99_ms": p99 / 1000}


def _stream(server: Server, texts: list[str], folder: Path) -> float:
    """Return texts per second of one long stream, sent and received by curl."""
    repeats = 10
    count = len(texts) * repeats
    lines, answers = folder / "lines.jsonl", folder / "answers.jsonl"
    lines.write_bytes(
        b"".join(b"%b\n" % json.dumps({"id": n, "diagnostic": text}).encode() for n, text in enumerate(texts)) * repeats
    )
    command = ["curl", "-sS", "-X", "POST", "-T", str(lines), "-H", "transfer-encoding: chunked", "-H", "expect:"]
    command += ["-H", "content-type: application/x-ndjson", f"http://127.0.0.1:{server.port}/v1/predict/stream", "-o"]
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        subprocess.run([*command, "/dev/null"], check=True)
        seconds.append(time.perf_counter() - start)
    subprocess.run([*command, str(answers)], check=True)
    if answers.read_bytes().count(b"\n{") != count - 1:
        raise RuntimeError(f"the stream was not answered line by line: {answers}")
    return count / median(seconds)
