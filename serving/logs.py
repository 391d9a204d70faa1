"""What the service logs: one JSON object or one line of text an entry, with request ids, without personal data.

Texts that are classified are never logged. What can still carry one is left out: the
message of an unexpected error (its type and its place stay), the query and the filled-in
path of a request, the address of a client.
"""

from __future__ import annotations

import json
import logging
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal

import re2

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Id of the request that is being answered."""

access = logging.getLogger("whybounce.access")

_ADDRESS = re2.compile(r"[^\s<>\"'(),;:=]{1,128}@[^\s<>\"'(),;]{1,255}")
_IP = re2.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b|\b(?:[0-9a-fA-F]{1,4}:){3,7}[0-9a-fA-F]{0,4}\b")
_MOST_FRAMES = 30


def scrubbed(text: str, *, ips: bool = True) -> str:
    """Return a text without e-mail addresses and, if wanted, without IP addresses."""
    text = _ADDRESS.sub("[address]", text)
    return _IP.sub("[ip]", text) if ips else text


def place_of(trace: TracebackType | None) -> list[str]:
    """Return where an error arose, outermost call first: ``file:line function``, no values."""
    frames = traceback.extract_tb(trace)[-_MOST_FRAMES:]
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]


class _Formatter(logging.Formatter):
    def said(self, record: logging.LogRecord) -> str:
        # uvicorn names the address it listens on.
        return scrubbed(record.getMessage(), ips=not record.name.startswith("uvicorn"))

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        found: dict[str, Any] = dict(getattr(record, "fields", None) or {})
        if (identity := REQUEST_ID.get()) is not None:
            found.setdefault("request_id", identity)
        return found


class JsonFormatter(_Formatter):
    """One JSON object a line: time (UTC), level, logger, message, request_id, what the entry adds, error."""

    def format(self, record: logging.LogRecord) -> str:
        """Format an entry."""
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.said(record),
            **self.fields(record),
        }
        if record.exc_info and record.exc_info[0] is not None:
            entry["error"] = {"type": record.exc_info[0].__name__, "at": place_of(record.exc_info[2])}
        return json.dumps(entry, ensure_ascii=False, default=str)


class TextFormatter(_Formatter):
    """The same for a person's eyes."""

    def format(self, record: logging.LogRecord) -> str:
        """Format an entry."""
        at = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        more = "".join(f" {name}={value}" for name, value in self.fields(record).items())
        text = f"{at} {record.levelname.lower():<7} {self.said(record)}{more}"
        if record.exc_info and record.exc_info[0] is not None:
            text += "".join(f"\n    {line}" for line in (record.exc_info[0].__name__, *place_of(record.exc_info[2])))
        return text


def log_config(form: Literal["json", "text"], level: str) -> dict[str, Any]:
    """Return the configuration of ``logging`` for uvicorn, which hands it to its workers."""
    formatter = JsonFormatter if form == "json" else TextFormatter
    to_stderr = {"handlers": ["stderr"], "level": level.upper(), "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"chosen": {"()": f"{formatter.__module__}.{formatter.__name__}"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "chosen", "stream": "ext://sys.stderr"}},
        "loggers": {"whybounce": to_stderr, "uvicorn": to_stderr},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
    }
