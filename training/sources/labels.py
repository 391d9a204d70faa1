"""From what stands in a label column to our reasons."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from whybounce.data.crosswalk import Crosswalk, crosswalk, crosswalk_names, read_crosswalk
from whybounce.model.taxonomy import TAXONOMY, Taxonomy

_MOST_MEANT = 5
_CLOSE = 0.85


@dataclass(frozen=True, slots=True)
class Reading:
    """What a label was read as.

    Attributes
    ----------
    reason : str or None
        ``None`` with a ``problem``, or when the label is known and has no reason of ours.
    problem : str
        Why the row cannot be used.
    note : str
        What the crosswalk says that gets lost.
    """

    reason: str | None
    problem: str = ""
    note: str = ""


class Labels:
    """Reads labels, each once.

    Parameters
    ----------
    taxonomy : Taxonomy
        The reasons, the user's own among them.
    walk : Crosswalk, optional
        The vocabulary of the labels. What it does not know is taken as a reason of ours.
    """

    def __init__(self, taxonomy: Taxonomy = TAXONOMY, walk: Crosswalk | None = None) -> None:
        self.taxonomy = taxonomy
        self.walk = walk
        self._known: dict[object, Reading] = {}

    def read(self, value: object) -> Reading:
        """Read the cell of a label."""
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # a column of numbers with gaps
        if not isinstance(value, str | int):
            return Reading(None, "no label")
        known = self._known.get(value)
        if known is None:
            known = self._read(str(value).strip())
            if len(self._known) < 100_000:
                self._known[value] = known
        return known

    def _read(self, label: str) -> Reading:
        if not label:
            return Reading(None, "no label")
        mapping = self.walk.to_ours(label) if self.walk else None
        if mapping is not None:
            return Reading(mapping.reason, "", mapping.note if mapping.lossy else "")
        plain = label.lower()
        if plain in self.taxonomy:
            return Reading(plain)
        return Reading(None, f"unknown label {label[:60]!r}")


def named_crosswalk(name: str | None, taxonomy: Taxonomy = TAXONOMY) -> Crosswalk | None:
    """Return the crosswalk of a built-in name or of a mapping file; raises DataError."""
    if name is None:
        return None
    return read_crosswalk(Path(name), taxonomy=taxonomy) if name.endswith(".toml") else crosswalk(name)


def advice(labels: Iterable[str], taxonomy: Taxonomy = TAXONOMY) -> str:
    """Say what to do about unknown labels: name the vocabulary that they look like."""
    labels = list(labels)
    walks = [crosswalk(name) for name in crosswalk_names()]
    known = {walk.name: [label for label in labels if walk.to_ours(label) is not None] for walk in walks}
    spelled = {walk.name: sum(label in walk.labels or label in walk.aliases for label in labels) for walk in walks}
    name = max(known, key=lambda name: (len(known[name]), spelled[name]))
    count = len(known[name])
    if count and count * 2 > len(labels):
        return f"these look like {name}'s; name them with --labels {name}"
    meant = [f"{reason} for {label[:60]!r}" for label in labels[:_MOST_MEANT] if (reason := _meant(label, taxonomy))]
    asked = f"did you mean {', '.join(meant)}? Correct them, or " if meant else ""
    return (
        f'{asked}map them with --labels mapping.toml (in it [labels], below that "their label" = "mailbox_full"); '
        f"known labels: {', '.join(taxonomy.reasons)}"
    )


def _meant(label: str, taxonomy: Taxonomy) -> str | None:
    """Return the reason whose name or title a label nearly is: ``Mailbox-Full``, ``mailbox_ful``."""
    names = {_plain(info.title): str(info.reason) for info in taxonomy}
    names |= {_plain(reason): reason for reason in taxonomy.reasons}
    close = get_close_matches(_plain(label), names, n=1, cutoff=_CLOSE)
    return names[close[0]] if close else None


def _plain(text: str) -> str:
    return "".join(char for char in text.lower() if char.isalnum())
