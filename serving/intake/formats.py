"""All formats, and which one a source is in.

A new format is a module beside this one with ``FORMAT`` (or ``FORMATS``), named in
``_MODULES``, with fixtures in ``tests/fixtures/<name>/``: see ``README.md`` here.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from whybounce.model.errors import WhybounceError
from whybounce.serving.intake.format import Format, Head

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
    claims = [(known.recognise(head), -place, known) for place, known in enumerate(formats())]
    best = max(claims, key=lambda claim: claim[:2], default=None)
    return best[2] if best is not None and best[0] >= SURE_ENOUGH else None
