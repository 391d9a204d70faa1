"""When an address is suppressed, and what counts as an incident."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from whybounce.model.errors import DataError
from whybounce.model.taxonomy import TAXONOMY, Action, Taxonomy

_NOT_THE_ADDRESS = frozenset({Action.FIX_SENDER, Action.FIX_MESSAGE, Action.SLOW_DOWN, Action.IGNORE})
"""Actions of reasons that say nothing against an address: no policy makes a suppression of them."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """So many bounces on different days within so many days."""

    times: int
    days: int


@dataclass(frozen=True, slots=True)
class Suppression:
    """When an address is put on the suppression list, on its own evidence alone.

    Attributes
    ----------
    once : frozenset of str
        Reasons for which one bounce is enough.
    min_confidence : float
        One bounce is enough from this confidence on; an unsure one must repeat itself
        as ``unsure`` says, and one that the server called temporary (class 4) as well.
    repeated : mapping of str to Repeated
        Reasons that must come again, and how often. Bounces of one day count once.
    unsure : Repeated
        For the reasons of ``once`` below ``min_confidence``, or where the server called it temporary.
    complaints : bool
        Whether an address that reported the mail as spam (a feedback report) is listed.
    """

    once: frozenset[str] = frozenset({"invalid_recipient", "bad_domain", "closed_account", "address_error"})
    min_confidence: float = 0.8
    repeated: Mapping[str, Repeated] = field(
        default_factory=lambda: {
            "general_hard_bounce": Repeated(3, 30),
            "account_inactive": Repeated(3, 30),
            "mailbox_full": Repeated(5, 60),
            "delivery_expired": Repeated(5, 60),
        }
    )
    unsure: Repeated = Repeated(2, 30)
    complaints: bool = True


@dataclass(frozen=True, slots=True)
class Incidents:
    """When bounces of one template at one provider look like a fault of the provider.

    Attributes
    ----------
    least : int
        So many of them within an hour.
    share : float
        So large a part of what was sent to the provider in that hour came back with it (where
        the source does not tell what was sent: of all bounces in that hour).
    factor : float
        So many times the share outside of these hours.
    known : int
        So much must be known besides, to compare with.
    """

    least: int = 20
    share: float = 0.2
    factor: float = 5.0
    known: int = 100


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything about a report that is the user's choice."""

    suppress: Suppression = field(default_factory=Suppression)
    incidents: Incidents = field(default_factory=Incidents)

    def to_dict(self) -> dict[str, Any]:
        """Plain types only."""
        found = asdict(self)
        found["suppress"]["once"] = sorted(found["suppress"]["once"])
        return found


def read_policy(path: Path, taxonomy: Taxonomy = TAXONOMY) -> Policy:
    """Read a policy file (TOML); what it does not name stays as it is by default.

    ::

        [suppress]
        once = ["invalid_recipient", "closed_account"]
        min_confidence = 0.9
        unsure = { times = 2, days = 30 }
        [suppress.repeated]
        mailbox_full = { times = 5, days = 60 }
        [incidents]
        least = 50

    Raises
    ------
    DataError
        Naming the file and what is wrong in it.
    """
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not valid TOML ({error}); correct it") from error
    _known(path, "", found, {"suppress", "incidents"})
    suppress, incidents = _section(path, found, "suppress"), _section(path, found, "incidents")
    _known(path, "suppress.", suppress, {item.name for item in fields(Suppression)})
    _known(path, "incidents.", incidents, {item.name for item in fields(Incidents)})
    changes: dict[str, Any] = {}
    if "once" in suppress:
        once = suppress["once"]
        if not isinstance(once, list) or not all(isinstance(reason, str) for reason in once):
            raise DataError(f'{path}: suppress.once is no list of reasons; write once = ["invalid_recipient"]')
        changes["once"] = frozenset(once)
    if "min_confidence" in suppress:
        changes["min_confidence"] = _number(path, "suppress.min_confidence", suppress["min_confidence"], 0, 1)
    if "complaints" in suppress:
        if not isinstance(suppress["complaints"], bool):
            raise DataError(f"{path}: suppress.complaints is {suppress['complaints']!r}; write true or false")
        changes["complaints"] = suppress["complaints"]
    if "unsure" in suppress:
        changes["unsure"] = _repeated(path, "suppress.unsure", suppress["unsure"])
    if "repeated" in suppress:
        repeated = _section(path, suppress, "repeated")
        changes["repeated"] = {
            reason: _repeated(path, f"suppress.repeated.{reason}", value) for reason, value in repeated.items()
        }
    for reason in [*changes.get("once", ()), *changes.get("repeated", ())]:
        if reason not in taxonomy:
            raise DataError(f"{path}: unknown reason {reason!r}; known: {', '.join(taxonomy.reasons)}")
        if taxonomy[reason].action in _NOT_THE_ADDRESS:
            raise DataError(
                f"{path}: {reason} is no fault of an address, so nobody is suppressed for it; leave it out, "
                f"what is to be done is {taxonomy[reason].action}"
            )
    limits = {
        name: _number(
            path, f"incidents.{name}", value, 0, 1 if name == "share" else 1e9, whole=name in ("least", "known")
        )
        for name, value in incidents.items()
    }
    return Policy(Suppression(**changes), Incidents(**limits))


def _section(path: Path, found: Mapping[str, Any], name: str) -> dict[str, Any]:
    section = found.get(name, {})
    if not isinstance(section, dict):
        raise DataError(f"{path}: {name} is no table; write [{name}]")
    return section


def _known(path: Path, prefix: str, found: Mapping[str, Any], names: set[str]) -> None:
    for name in found:
        if name not in names:
            raise DataError(f"{path}: unknown key {prefix}{name}; known: {', '.join(sorted(names))}")


def _repeated(path: Path, name: str, value: Any) -> Repeated:
    if not isinstance(value, dict) or set(value) != {"times", "days"}:
        raise DataError(f"{path}: {name} must be {{ times = 3, days = 30 }}")
    return Repeated(
        _number(path, f"{name}.times", value["times"], 1, 1000, whole=True),
        _number(path, f"{name}.days", value["days"], 1, 36500, whole=True),
    )


def _number(path: Path, name: str, value: Any, low: float, high: float, *, whole: bool = False) -> Any:
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or not low <= value <= high:
        kind = "a whole number" if whole else "a number"
        raise DataError(f"{path}: {name} is {value!r}; give {kind} from {low:g} to {high:g}")
    return value
