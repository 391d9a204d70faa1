"""The golden set: diagnostics whose reason was checked by hand, that every model is held to.

The files lie with the tests and travel with the package, since the gate before a
promotion needs them wherever whybounce is installed. They are never trained on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from whybounce import data
from whybounce.model.errors import DataError
from whybounce.training.sources.row import Labelled

FOLDER = Path(data.__file__).parent / "golden"


@dataclass(frozen=True, slots=True)
class GoldenCase:
    """A diagnostic with its reason.

    Attributes
    ----------
    id : str
    text : str
    reason : str
    also : tuple of str
        Other reasons that a careful reader would accept.
    why : str
        What the label rests on.
    provider, lang : str
    tags : tuple of str
    """

    id: str
    text: str
    reason: str
    also: tuple[str, ...]
    why: str
    provider: str
    lang: str
    tags: tuple[str, ...]

    def accepts(self, reason: str) -> bool:
        """Whether an answer is right."""
        return reason == self.reason or reason in self.also

    def labelled(self) -> Labelled:
        """The case as a labelled row."""
        return Labelled(self.text, self.reason, self.also, slices=(("lang", self.lang), ("provider", self.provider)))


@cache
def golden_cases(folder: Path = FOLDER) -> tuple[GoldenCase, ...]:
    """Read the golden set, in the order of its files.

    Raises
    ------
    DataError
        When there is none, or a line is not a case.
    """
    found = []
    for path in sorted(folder.glob("*.jsonl")):
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
            try:
                row = json.loads(line)
                lists: dict[str, Any] = {"also": tuple(row.pop("also")), "tags": tuple(row.pop("tags"))}
                found.append(GoldenCase(**row, **lists))
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise DataError(
                    f"{path}, line {number}: not a golden case ({error}); install whybounce again"
                ) from error
    if not found:
        raise DataError(f"{folder} holds no golden set; install whybounce again")
    return tuple(found)
