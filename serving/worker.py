"""The application as the worker processes of ``whybounce serve`` load it."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import wait

from fastapi import FastAPI
from uvicorn.config import STARTUP_FAILURE

from whybounce.model.errors import WhybounceError
from whybounce.serving.http import app

__all__ = ["create_app"]

log = logging.getLogger("whybounce.worker")


def create_app() -> FastAPI:
    """Return the application; a worker that cannot says why, once, and its parent starts no other."""
    logging.captureWarnings(True)
    threading.excepthook = _log_thread
    parent = multiprocessing.parent_process()
    if parent is None:
        return app.create_app()
    threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    try:
        return app.create_app()
    except WhybounceError as error:
        log.error("%s", error)
    except Exception:
        log.exception("the worker does not start")
    raise SystemExit(STARTUP_FAILURE)


def _end_with(sentinel: int) -> None:
    # Workers whose parent was killed would hold the port for ever.
    wait([sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


def _log_thread(found: threading.ExceptHookArgs) -> None:
    # Python would print the message of the error, which may hold a text.
    if found.exc_type is EOFError:
        return  # the parent has gone, and uvicorn's thread that talks to it notices first
    error = found.exc_value or found.exc_type()
    log.error("a thread ended with an error", exc_info=(found.exc_type, error, found.exc_traceback))
