"""A real request to each operation and the service's real answer, cut short; made by ``tests/openapi_examples.py``."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def examples() -> dict[str, Any]:
    """Return an example of each operation: ``request``, its ``type``, ``status``, ``answer``, ``answer_type``."""
    found: dict[str, Any] = json.loads((files("whybounce.serving") / "http" / "examples.json").read_text("utf-8"))
    return found
