"""JSON as text that can be written: it can spell halves of characters, which no encoding has."""

from __future__ import annotations

import json
from typing import Any


def loads(text: str) -> Any:
    r"""Read JSON; half a character, such as ``"\ud800"``, becomes a question mark as it does in a diagnostic.

    Raises
    ------
    ValueError, RecursionError
        As ``json.loads`` does.
    """
    return whole(json.loads(text), text)


def json_or_none(text: str) -> Any:
    """Read JSON as ``loads`` does; None for what is none."""
    try:
        return loads(text)
    except (ValueError, RecursionError):
        return None


def whole(value: Any, text: str) -> Any:
    """Return what a JSON text was read into, without halves of characters."""
    if "\\ud" not in text and "\\uD" not in text:
        return value
    written = json.dumps(value, ensure_ascii=False)
    try:
        written.encode()
    except UnicodeEncodeError:
        return json.loads(written.encode("utf-8", "replace"))
    return value
