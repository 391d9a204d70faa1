"""Personal data in the rows: counted by column, shown masked."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterator
from typing import Any

import re2

_ADDRESS = re2.compile(r"[A-Za-z0-9._%+'=/-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_IPV4 = re2.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b")
_IPV6 = re2.compile(r"[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{0,4}){2,7}")


class PersonalData:
    """Counts the rows that hold addresses and IPs. Nothing of them is kept but one masked example."""

    def __init__(self) -> None:
        self._rows: Counter[tuple[str, str]] = Counter()
        self._examples: dict[tuple[str, str], str] = {}

    def look(self, source: str, row: dict[str, Any]) -> None:
        """Look through a row; the parameters are those of ``seen`` in :func:`load`."""
        for column, value in row.items():
            hits = {kind: text for cell in _texts(value) for kind, text in _finds(cell)}
            for kind, text in hits.items():
                key = (str(column), kind)
                self._rows[key] += 1
                if key not in self._examples:
                    self._examples[key] = _masked(kind, text)

    def found(self) -> list[dict[str, Any]]:
        """Return what was found: column, kind, rows, a masked example."""
        return [
            {"column": column, "kind": kind, "rows": rows, "example": self._examples[column, kind]}
            for (column, kind), rows in self._rows.most_common()
        ]


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _finds(text: str) -> Iterator[tuple[str, str]]:
    if "@" in text and (address := _ADDRESS.search(text)):
        yield "mail address", address[0]
    ip = (_first_ip(_IPV4, text) if "." in text else None) or (_first_ip(_IPV6, text) if ":" in text else None)
    if ip:
        yield "IP address", ip


def _first_ip(pattern: Any, text: str) -> str | None:
    for match in pattern.finditer(text):
        try:
            return str(ipaddress.ip_address(match[0].rstrip(":") if match[0].count("::") == 0 else match[0]))
        except ValueError:
            continue
    return None


def _masked(kind: str, text: str) -> str:
    if kind == "mail address":
        local, _, domain = text.partition("@")
        return f"{local[:1]}…@{domain[:1]}….{domain.rpartition('.')[2]}"
    return f"{text.split(':')[0]}:…" if ":" in text else f"{text.split('.')[0]}.…"
