"""Remembering the verdicts on the templates that came last."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Memory(Generic[Value]):
    """A bounded memory of what was asked for last, filled from outside.

    Two generations: what was asked for since the last turn, and before it. When the young
    one is half of the memory the old one is forgotten, so whatever is asked for once in
    ``size / 2`` new keys stays. Unlike ``functools.lru_cache`` it can be filled with many
    at once; reading and writing are single steps of a dict, so threads may share it.

    Parameters
    ----------
    size : int
        Values kept at most, one more where it is odd; 0 keeps none.
    """

    __slots__ = ("_half", "_old", "_young", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self._half = (size + 1) // 2
        self._young: dict[Hashable, Value] = {}
        self._old: dict[Hashable, Value] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, key: Hashable) -> Value | None:
        """Return what is remembered, or None."""
        found = self._young.get(key)
        if found is None and self._old:
            found = self._old.pop(key, None)
            if found is not None:
                self.put(key, found)
        return found

    def put(self, key: Hashable, value: Value) -> None:
        """Remember."""
        if not self.size:
            return
        if len(self._young) >= self._half:
            self._young, self._old = {}, self._young
        self._young[key] = value
