"""Which column holds what, and reading its cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from whybounce.model.errors import DataError

TEXT = ("text", "diagnostic", "diagnostic_code", "message", "reason_text", "response")
LABEL = ("label", "reason")
USUAL = {"lang": ("lang", "language"), "provider": ("provider",), "also": ("also",), "ambiguous": ("ambiguous",)}
"""Columns that are used when they are there."""

FALSE = frozenset(("", "0", "f", "false", "n", "no", "none"))

Getter = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Columns:
    """The names of the columns, as far as they are named; the others are found by their usual names.

    A name may lead into nested objects with dots (``delivery.message``), and that of
    the label may join columns with slashes (``bounceType/bounceSubType``).
    """

    text: str | None = None
    label: str | None = None
    time: str | None = None
    provider: str | None = None
    lang: str | None = None
    also: str | None = None
    ambiguous: str | None = None


@dataclass(frozen=True, slots=True)
class Cells:
    """How to get at the cells of a row; None for columns that are not there."""

    text: Getter
    label: Getter
    time: Getter | None
    provider: Getter | None
    lang: Getter | None
    also: Getter | None
    ambiguous: Getter | None


def find_columns(source: str, present: Sequence[str], wanted: Columns) -> Cells:
    """Find the columns of a source.

    Raises
    ------
    DataError
        When a column that was named or that every source needs is not there, or two
        columns have the name of one that is used.
    """
    found: dict[str, Getter | None] = {}
    for name in (field.name for field in fields(Columns)):
        named = getattr(wanted, name)
        usual = {"text": TEXT, "label": LABEL, **USUAL}.get(name, ())
        flag = f"--{name}-column"
        if named is not None:
            found[name] = _named(source, present, named, flag)
            continue
        chosen = next((column for column in usual if column in present), None)
        if chosen is None and name in ("text", "label"):
            raise DataError(
                f"{source}: none of the columns {', '.join(usual)} is there; "
                f"name one of {', '.join(present) or '(none)'} with {flag}"
            )
        found[name] = _named(source, present, chosen, flag) if chosen is not None else None
    return Cells(**found)  # type: ignore[arg-type]


def _named(source: str, present: Sequence[str], name: str, flag: str) -> Getter:
    if name in present:
        if list(present).count(name) > 1:
            raise DataError(
                f"{source}, line 1: two columns are called {name!r}; rename one, or name another with {flag}"
            )
        return lambda row: row.get(name)
    parts = name.split("/")
    if len(parts) > 1 and flag == "--label-column":
        cells = [_named(source, present, part, flag) for part in parts]
        return lambda row: _joined([cell(row) for cell in cells])
    first, *rest = name.split(".")
    if rest and first in present:
        return lambda row: _nested(row, (first, *rest))
    raise DataError(f"{source}: no column {name!r}; it has: {', '.join(present)}; name one of them with {flag}")


def _joined(values: Sequence[Any]) -> str | None:
    given = [str(value) for value in values if value not in (None, "")]
    return "/".join(given) or None


def _nested(row: Any, path: Sequence[str]) -> Any:
    for name in path:
        row = row.get(name) if isinstance(row, dict) else None
    return row


def truth(value: object) -> bool:
    """Read a cell that says yes or no."""
    return value.strip().lower() not in FALSE if isinstance(value, str) else bool(value)


def several(value: object) -> tuple[object, ...]:
    """Read a cell that holds labels: a list, or a text that separates them by ``|``, ``;`` or ``,``."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.replace("|", ",").replace(";", ",").split(",") if part.strip())
    return tuple(value) if isinstance(value, list | tuple) else ()
