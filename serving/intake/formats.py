"""All formats, and which one a source is in.

A new format is a module beside this one with ``FORMAT`` (or ``FORMATS``), named in
``_MODULES``, with fixtures in ``tests/fixtures/<name>/``: see ``README.md`` here.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from whybounce.model.errors import WhybounceError
from whybounce.serving.intake.format import GUESSED, Format, Head

_MODULES: tuple[str, ...] = (
    "kumomta",
    "powermta",
    "exchange",
    "opensmtpd",
    "qmail",
    "postfix",
    "exim",
    "sendmail",
    "events",
    "messages",
    "tables",
)
"""Modules of this package, in the order in which equal claims are decided."""

_LOGS = frozenset(["opensmtpd", "qmail", "postfix", "exim", "sendmail"])
"""Formats of lines; a cell of a table, or a value of a JSON object, may hold a whole one."""
_TABLES = frozenset(["csv", "tsv", "csv-semicolon", "jsonl"])

SURE_ENOUGH = 0.5
"""A claim below this is none."""


class FormatError(WhybounceError):
    """A source is in no known format, or a format of that name is not known."""


class EmptyError(FormatError):
    """Nothing stands in a source, as in a log that was rotated just now."""


@cache
def formats() -> tuple[Format, ...]:
    """Every format there is; the first call imports their modules."""
    found: list[Format] = []
    for name in _MODULES:
        module = import_module(f"whybounce.serving.intake.{name}")
        found.extend(getattr(module, "FORMATS", None) or (module.FORMAT,))
    return tuple(found)


def format_named(name: str) -> Format:
    """Return the format of that name; FormatError names the known ones."""
    for known in formats():
        if known.name == name:
            return known
    raise FormatError(f"there is no format {name!r}; known: {', '.join(known.name for known in formats())}")


def recognise(head: Head) -> Format | None:
    """Return the format that is surest of this source; None when no one is."""
    claims = {known: known.recognise(head) for known in formats()}
    if any(claims[known] not in (0.0, GUESSED) for known in formats() if known.name in _TABLES):
        claims = {known: claim for known, claim in claims.items() if known.name not in _LOGS}
    best = max(claims, key=claims.__getitem__)  # the first of equals
    return best if claims[best] >= SURE_ENOUGH else None
