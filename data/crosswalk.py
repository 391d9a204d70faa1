"""Crosswalks: other tools' words for bounces, read as our reasons and back.

One TOML file per vocabulary in ``data/crosswalks``::

    title = "What the vocabulary is"

    [labels]                      # their label -> our reason
    userunknown = "invalid_recipient"
    filtered = { reason = "policy_rejection", lossy = true, note = "what gets lost" }
    subscribe = { note = "why none of our reasons fits" }

    [reasons]                     # our reason -> their label
    invalid_recipient = "userunknown"
    mail_loop = { label = "systemerror", note = "what gets lost" }

    [aliases]                     # other spellings of their labels, such as numbers
    "10" = "userunknown"

A user's own mapping file needs ``[labels]`` only. Case, spaces and punctuation of a
label do not matter: ``User Unknown``, ``user_unknown`` and ``UserUnknown`` are one.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from whybounce.model.errors import DataError
from whybounce.model.taxonomy import TAXONOMY, Taxonomy

_FOLDER = Path(__file__).parent / "crosswalks"
_ENTRY_KEYS = {"reason", "lossy", "note"}


@dataclass(frozen=True, slots=True)
class LabelMapping:
    """What a label of another vocabulary means in ours.

    Attributes
    ----------
    label : str
        As the vocabulary spells it.
    reason : str or None
        Our reason; ``None`` when the label stands for something that none of ours covers.
    lossy : bool
        Whether something gets lost: the label also covers bounces that have another
        reason of ours, or says more than our reason does.
    note : str
        What gets lost, or why there is no reason.
    """

    label: str
    reason: str | None
    lossy: bool
    note: str


@dataclass(frozen=True, slots=True)
class ReasonMapping:
    """The word of another vocabulary for a reason of ours; ``lossy`` when it means more or something else."""

    reason: str
    label: str
    lossy: bool
    note: str


class Crosswalk:
    """A vocabulary with its way into our reasons and back.

    Parameters
    ----------
    name, title : str
    labels : mapping of str to LabelMapping
    reasons : mapping of str to ReasonMapping
    aliases : mapping of str to str
        Other spellings of labels.

    Raises
    ------
    DataError
        When two labels differ in case and punctuation only, or an alias or a reason
        names a label that is not there.
    """

    def __init__(
        self,
        name: str,
        title: str,
        labels: Mapping[str, LabelMapping],
        reasons: Mapping[str, ReasonMapping],
        aliases: Mapping[str, str],
    ) -> None:
        self.name = name
        self.title = title
        self.labels = tuple(labels)
        self.aliases = dict(aliases)
        self._reasons = dict(reasons)
        self._found: dict[str, LabelMapping] = {}
        for spelling, label in [*((label, label) for label in labels), *aliases.items()]:
            if label not in labels:
                raise DataError(f"crosswalk {name}: {spelling!r} leads to {label!r}, which is not under [labels]")
            if self._found.setdefault(_folded(spelling), labels[label]) is not labels[label]:
                raise DataError(f"crosswalk {name}: {spelling!r} stands there twice; case and punctuation do not count")
        for reason in reasons.values():
            if reason.label not in labels:
                raise DataError(f"crosswalk {name}: {reason.reason} leads to {reason.label!r}, which is no label of it")

    def to_ours(self, label: str) -> LabelMapping | None:
        """Map a label of the vocabulary; ``None`` when the vocabulary has no such label."""
        return self._found.get(_folded(label))

    def from_ours(self, reason: str) -> str | None:
        """Name the label for a reason of ours; ``None`` for a reason that the crosswalk does not know."""
        found = self._reasons.get(reason)
        return found.label if found else None

    def back(self, reason: str) -> ReasonMapping | None:
        """Map a reason of ours, saying what gets lost."""
        return self._reasons.get(reason)


def crosswalk_names() -> tuple[str, ...]:
    """Names of the built-in crosswalks."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


@lru_cache(maxsize=64)
def crosswalk(name: str) -> Crosswalk:
    """Return a built-in crosswalk by its name; raises DataError that lists the names."""
    path = _FOLDER / f"{name.lower()}.toml"
    if name.lower() not in crosswalk_names():
        raise DataError(
            f"no crosswalk {name!r}; built in are: {', '.join(crosswalk_names())}; or name a mapping file (.toml)"
        )
    return read_crosswalk(path)


def read_crosswalk(path: Path, *, taxonomy: Taxonomy = TAXONOMY) -> Crosswalk:
    """Read a crosswalk, built in or a user's own mapping file.

    Parameters
    ----------
    path : Path
        TOML; see the module's docstring.
    taxonomy : Taxonomy
        The reasons that labels may lead to.

    Raises
    ------
    DataError
        Naming the file, the entry and the fix.
    """
    table = read_toml(path, "label mapping")
    unknown = sorted(set(table) - {"title", "labels", "reasons", "aliases"})
    if unknown:
        raise DataError(f"{path}: unknown key {unknown[0]!r}; a mapping has [labels], [reasons] and [aliases]")
    labels = _section(path, table, "labels")
    if not labels:
        raise DataError(f'{path}: no [labels]; write lines such as: "their label" = "invalid_recipient"')
    mapped = {label: _label(path, label, entry, taxonomy) for label, entry in labels.items()}
    reasons = {
        reason: _reason(path, reason, entry, mapped, taxonomy)
        for reason, entry in _section(path, table, "reasons").items()
    }
    aliases = {alias: str(label) for alias, label in _section(path, table, "aliases").items()}
    return Crosswalk(path.stem, str(table.get("title", path.name)), mapped, reasons, aliases)


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """Read a small TOML file; raises DataError that names it."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise DataError(f"{path}: the {what} cannot be read ({error.strerror}); check the path") from error
    except ValueError as error:  # not TOML, or not UTF-8
        raise DataError(f"{path}: the {what} is no valid TOML ({error}); fix the file") from error


def _section(path: Path, table: dict[str, Any], name: str) -> dict[str, Any]:
    section = table.get(name, {})
    if not isinstance(section, dict):
        raise DataError(f"{path}: {name} must be a table; write [{name}] and one entry a line")
    return section


def _label(path: Path, label: str, entry: object, taxonomy: Taxonomy) -> LabelMapping:
    if isinstance(entry, str):
        entry = {"reason": entry}
    if not isinstance(entry, dict) or set(entry) - _ENTRY_KEYS:
        raise DataError(f'{path}: {label!r} must be "a_reason" or {{ reason = "a_reason", lossy = true, note = "…" }}')
    reason = entry.get("reason")
    if reason is not None and reason not in taxonomy:
        raise DataError(
            f"{path}: {label!r} leads to {reason!r}, which is no reason; known: {', '.join(taxonomy.reasons)}"
        )
    note = str(entry.get("note", ""))
    return LabelMapping(label, reason, bool(entry.get("lossy", reason is None)), note)


def _reason(path: Path, reason: str, entry: object, labels: Mapping[str, LabelMapping], taxonomy: Taxonomy) -> Any:
    if isinstance(entry, str):
        entry = {"label": entry}
    if not isinstance(entry, dict) or "label" not in entry or reason not in taxonomy:
        raise DataError(f'{path}: under [reasons] write: a_reason = "their label"; not {reason} = {entry!r}')
    label, note = str(entry["label"]), str(entry.get("note", ""))
    there = labels.get(label)
    # What comes back as another reason, or as one that means more, has lost something on the way.
    if there is not None and there.reason != reason:
        note = note or f"comes back as {there.reason or 'nothing'}"
    elif there is not None and there.lossy:
        note = note or there.note
    return ReasonMapping(reason, label, bool(note), note)


@lru_cache(maxsize=4096)
def _folded(label: str) -> str:
    return "".join(char for char in label.casefold() if char.isalnum())
