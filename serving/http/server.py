"""The processes of ``whybounce serve``: one server, or a parent that watches several."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from typing import Literal

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from whybounce.model.errors import WhybounceError
from whybounce.serving.http.connection import Connection
from whybounce.serving.logs import log_config
from whybounce.serving.settings import Settings

METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
WORKER_PATIENCE = 30
"""Seconds that a worker may leave its parent without a word: on a busy machine it takes
longer than uvicorn's five to import what it needs, and was killed for that again and again."""


class StartError(WhybounceError):
    """The workers do not start."""


class _Workers(Multiprocess):
    def terminate_all(self) -> None:
        """Let the workers end, and refuse connections at once: nobody would answer those that wait here."""
        super().terminate_all()
        for one in self.sockets:
            one.close()


def log_format(settings: Settings) -> Literal["json", "text"]:
    """Return the format of the log, which by default depends on who reads it."""
    if settings.log_format != "auto":
        return settings.log_format
    return "text" if sys.stderr.isatty() else "json"


def config_of(settings: Settings) -> uvicorn.Config:
    """Return uvicorn's configuration."""
    return uvicorn.Config(
        "whybounce.serving.worker:create_app",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        timeout_graceful_shutdown=settings.drain_timeout,
        timeout_keep_alive=settings.keep_alive,
        timeout_worker_healthcheck=WORKER_PATIENCE,
        http=Connection,
        ws="none",
        server_header=False,
        access_log=False,  # the service logs its requests itself, without the addresses of clients
        log_config=log_config(log_format(settings), settings.log_level),
    )


def run(settings: Settings) -> None:
    """Serve until a signal comes.

    Raises
    ------
    StartError
        When the workers do not start; they have said why.
    """
    config = config_of(settings)
    with contextlib.suppress(KeyboardInterrupt):
        if settings.workers == 1:
            config.load_app()
            server = uvicorn.Server(config)
            server.run()
            if not server.started:
                raise StartError("the service did not start; its log says why")
            return
        with _metrics_folder(settings):
            workers = _Workers(config, sockets=[config.bind_socket()])
            workers.run()
        if any(worker.exitcode == STARTUP_FAILURE for worker in workers.processes):
            raise StartError("the workers did not start; the log says why")


@contextlib.contextmanager
def _metrics_folder(settings: Settings) -> Iterator[None]:
    """Make the folder where each worker writes its figures, and remove it in the end."""
    if not settings.metrics or os.environ.get(METRICS_FOLDER):
        yield
        return
    folder = tempfile.mkdtemp(prefix="whybounce-metrics-")
    os.environ[METRICS_FOLDER] = folder
    try:
        yield
    finally:
        del os.environ[METRICS_FOLDER]
        shutil.rmtree(folder, ignore_errors=True)
