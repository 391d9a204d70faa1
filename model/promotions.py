"""What a registry remembers: which version answers, and every promotion and rollback so far.

One JSON file holds both, so that replacing it is the one step that switches, and a
switch without its entry in the history cannot be.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from whybounce.model.errors import RegistryError

FORMAT_VERSION = 1
PROMOTE, ROLLBACK = "promote", "rollback"


@dataclass(frozen=True, slots=True)
class Event:
    """One promotion or rollback.

    Attributes
    ----------
    action : str
        ``"promote"`` or ``"rollback"``.
    version : str or None
        The version that answers from then on; None is the model outside of the registry
        (the shipped one, unless the service is told of another).
    previous : str or None
        The version that answered before.
    at : str
        When, in UTC, as ISO 8601.
    by : str
        Who did it.
    because : str or None
        Why, as they said; always there for a forced promotion.
    forced : bool
        Whether it was promoted although the gate refused it.
    gate : dict or None
        What the gate measured; None when no gate was asked.
    """

    action: str
    version: str | None
    previous: str | None
    at: str
    by: str
    because: str | None = None
    forced: bool = False
    gate: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Promotions:
    """The promoted version and how it came to be promoted, oldest event first."""

    current: str | None = None
    history: tuple[Event, ...] = ()

    @property
    def stack(self) -> tuple[str, ...]:
        """The promoted versions that a rollback can still take back, the current one last."""
        standing: list[str] = []
        for event in self.history:
            if event.action == ROLLBACK:
                standing.pop()
            elif event.version is not None:
                standing.append(event.version)
        return tuple(standing)

    def after(self, event: Event) -> Promotions:
        """Return these promotions and one event more."""
        return replace(self, current=event.version, history=(*self.history, event))

    def to_json(self) -> str:
        """Indented JSON."""
        document = {"format_version": FORMAT_VERSION, **asdict(self)}
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def read_promotions(path: Path) -> Promotions:
    """Read a promotions file; without one nothing was promoted yet.

    Raises
    ------
    RegistryError
        When the file is there and cannot be read or does not make sense.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return Promotions()
    except (OSError, ValueError) as error:
        raise RegistryError(f"{path} cannot be read ({error}); make it readable, or restore it") from error
    try:
        return _parsed(json.loads(text))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise RegistryError(
            f"{path} is damaged ({error}); restore it from a copy, or remove it to start without a promotion"
        ) from error


def _parsed(document: Any) -> Promotions:
    if document["format_version"] != FORMAT_VERSION:
        raise ValueError(f"format version {document['format_version']}, this whybounce reads {FORMAT_VERSION}")
    names = {field.name for field in fields(Event)}
    # A later whybounce may say more about an event; what we do not know is left out.
    history = tuple(Event(**{key: row[key] for key in row if key in names}) for row in document["history"])
    found = Promotions(document["current"], history)
    if not all(isinstance(event.version, str | None) for event in history):
        raise ValueError("a version that is no name")
    if any(event.action not in (PROMOTE, ROLLBACK) for event in history):
        raise ValueError("an event that is neither a promotion nor a rollback")
    if found.current != (found.stack[-1] if found.stack else None):
        raise ValueError("the current version is not the one that the history ends with")
    return found
