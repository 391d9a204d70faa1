"""What reading labelled bounces came to, and whether it is good enough to go on."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from pathlib import Path

from whybounce.model.errors import DataError
from whybounce.model.taxonomy import TAXONOMY, Taxonomy
from whybounce.training.sources.labels import advice
from whybounce.training.sources.rejects import Reject

MAX_BAD = 0.01
"""Share of bad rows above which data are refused."""


@dataclass(frozen=True, slots=True)
class Lossy:
    """A label of another vocabulary that lost something, and how many rows have it."""

    label: str
    reason: str
    note: str
    rows: int


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of what was read.

    Attributes
    ----------
    read, bad, left_out, recoded : int
        Rows in all; that cannot be used; whose label has no reason of ours; that were
        no UTF-8 and were read as Windows-1252.
    lossy : tuple of Lossy
    rejects : tuple of Reject
        The first bad rows.
    problems : dict
        What is wrong with how many rows, those that were left out among them.
    unknown_labels : dict
        Labels that nobody knows, and how many rows have them.
    sources, ignored : tuple of str
        What was read, and the files of folders that were not.
    rejects_file : Path or None
        Where all rejects are listed.
    """

    read: int
    bad: int
    left_out: int
    recoded: int
    lossy: tuple[Lossy, ...]
    rejects: tuple[Reject, ...]
    problems: dict[str, int]
    unknown_labels: dict[str, int]
    sources: tuple[str, ...]
    ignored: tuple[str, ...]
    rejects_file: Path | None

    @property
    def used(self) -> int:
        """Rows that can be used."""
        return self.read - self.bad - self.left_out

    @property
    def bad_share(self) -> float:
        """Share of bad rows."""
        return self.bad / self.read if self.read else 0.0

    def refusal(self, max_bad: float, taxonomy: Taxonomy = TAXONOMY) -> str | None:
        """Say why the data cannot be used when more than ``max_bad`` of the rows are bad, or none is good."""
        names = ", ".join(self.sources)
        if not self.read:
            return f"{names}: no rows; a header alone is no data"
        if self.bad and (self.bad_share > max_bad or not self.used):
            return self._too_many(names, max_bad, taxonomy)
        if not self.used:
            return f"{names}: none of the {self.read} labels has a reason of ours; map them with --labels"
        return None

    def refuse_above(self, max_bad: float, taxonomy: Taxonomy = TAXONOMY) -> None:
        """Raise DataError with what :meth:`refusal` says."""
        because = self.refusal(max_bad, taxonomy)
        if because is not None:
            raise DataError(because)

    def _too_many(self, names: str, max_bad: float, taxonomy: Taxonomy) -> str:
        shown = [str(reject).removeprefix(f"{names}, ") for reject in self.rejects[:5]]
        message = f"{names}: {self.bad} of {self.read} rows cannot be used: {'; '.join(shown)}"
        message += " …" if self.bad > len(shown) else ""
        if self.unknown_labels:
            message += f"; {advice(self.unknown_labels, taxonomy)}"
        if self.rejects_file is not None:
            message += f"; all are listed in {self.rejects_file}"
        if 0 < max_bad < 1 and self.used:
            least = min(1.0, ceil(self.bad_share * 1000) / 1000)
            message += f"; fix them, or go on without them with --max-bad {least:g}"
        return message
