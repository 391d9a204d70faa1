"""Reasons of the user's own: checked, and written into and read from a manifest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from whybounce.model.errors import TaxonomyError
from whybounce.model.taxonomy import REPORT_LINES, Action, Category, Group, ReasonInfo

_NAME = re.compile(r"[a-z][a-z0-9_]{1,39}")
_FIELDS = ("title", "description", "group", "category", "retryable", "action")
_CATEGORIES: dict[Group, tuple[Category, ...]] = {
    group: tuple(line.category for line in REPORT_LINES if line.group == group) or (Category.OTHER,) for group in Group
}
"""Where the lines of a group stand in the report."""


def custom_reason(name: str, fields: Mapping[str, Any]) -> ReasonInfo:
    """Make a reason from what a person or a manifest says of it.

    Parameters
    ----------
    name : str
        Small letters, digits and underscores.
    fields : mapping
        ``description``, ``group`` (the title of a report line) and ``action``;
        optional are ``title``, ``category`` (one of those that the group stands under;
        all of them by default) and ``retryable`` (false by default).

    Raises
    ------
    TaxonomyError
        Naming the reason, the field and the fix.
    """
    if not _NAME.fullmatch(name):
        raise TaxonomyError(f"reason {name!r}: a name is 2 to 40 small letters, digits and underscores")
    unknown = sorted(set(fields) - set(_FIELDS))
    if unknown:
        raise TaxonomyError(f"reason {name}: unknown field {unknown[0]!r}; it may have: {', '.join(_FIELDS)}")
    group = Group(_choice(name, "group", fields.get("group"), [str(group) for group in Group]))
    return ReasonInfo(
        reason=name,
        title=_text(name, "title", fields.get("title", name.replace("_", " ").capitalize())),
        description=_text(name, "description", fields.get("description")),
        group=group,
        categories=_categories(name, group, fields.get("category")),
        retryable=_retryable(name, group, fields.get("retryable", False)),
        action=Action(_choice(name, "action", fields.get("action"), [str(action) for action in Action])),
    )


def custom_reasons(table: Mapping[str, Any]) -> tuple[ReasonInfo, ...]:
    """Make reasons from a table of name -> fields; raises TaxonomyError."""
    for name, fields in table.items():
        if not isinstance(fields, Mapping):
            raise TaxonomyError(f"reason {name!r}: give it {', '.join(_FIELDS)}")
    return tuple(custom_reason(name, fields) for name, fields in table.items())


def as_table(reasons: Iterable[ReasonInfo]) -> dict[str, dict[str, Any]]:
    """Turn reasons into the table that :func:`custom_reasons` reads."""
    return {
        str(info.reason): {
            "title": info.title,
            "description": info.description,
            "group": str(info.group),
            "category": " or ".join(info.categories),
            "retryable": info.retryable,
            "action": str(info.action),
        }
        for info in reasons
    }


def _categories(name: str, group: Group, given: object) -> tuple[Category, ...]:
    possible = _CATEGORIES[group]
    if given is None:
        return possible
    wanted = str(given).lower().split(" or ")
    if not set(wanted) <= {str(category) for category in possible}:
        raise TaxonomyError(
            f"reason {name}: category {given!r} has no line {str(group)!r} in the report; use {' or '.join(possible)}"
        )
    return tuple(category for category in possible if category in wanted)


def _retryable(name: str, group: Group, given: object) -> bool | None:
    if given is None and group == Group.NONE:
        return None
    if not isinstance(given, bool):
        raise TaxonomyError(f"reason {name}: retryable is {given!r}; write true or false")
    return given


def _choice(name: str, field: str, given: object, choices: list[str]) -> str:
    for choice in choices:
        if isinstance(given, str) and given.casefold() == choice.casefold():
            return choice
    problem = f"no {field}" if given is None else f"{field} {given!r}"
    raise TaxonomyError(f"reason {name}: {problem}; use one of: {', '.join(choices)}")


def _text(name: str, field: str, given: object) -> str:
    if not isinstance(given, str) or not given.strip():
        raise TaxonomyError(f"reason {name}: no {field}; write one short sentence")
    return " ".join(given.split())
