"""Writing the parts of an output, each complete or not there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from whybounce.serving.score.chunks import Chunk
from whybounce.serving.score.outputs import Part, to_disk
from whybounce.serving.score.shapes import Shape
from whybounce.serving.score.state import State
from whybounce.serving.score.verdicts import Verdicts


class Writing:
    """Writes parts one after the other; used by one thread.

    Parameters
    ----------
    folder : Path
        Where parts and state go.
    make : callable
        Opens a part; see ``part_maker``.
    state : State
        Is brought up to date whenever a part is complete.
    shape : Shape or None
        Remembered with the state.
    suffix : str
        Of the names of parts.
    checkpoint : float
        Seconds after which a part is closed.
    """

    def __init__(
        self,
        folder: Path,
        make: Callable[[Path, bool], Part],
        state: State,
        shape: Shape | None,
        suffix: str,
        checkpoint: float,
    ) -> None:
        self._folder = folder
        self._make = make
        self._state = state
        self._shape = shape
        self._suffix = suffix
        self._checkpoint = checkpoint
        self._part: Part | None = None
        self._rejects: BinaryIO | None = None
        self._begun: float | None = None
        self._rows = self._rejected = 0
        self._cut: list[str] = []
        self._position = state.position
        self._failed = False

    def write(self, chunk: Chunk, verdicts: Verdicts) -> None:
        """Write a chunk, and close the part when it is time."""
        if self._failed:  # what comes after a chunk that is missing must not count as done
            return
        self._failed = True
        if self._begun is None:
            self._begun = time.monotonic()
        if chunk.batch.num_rows:
            if self._part is None:
                self._part = self._make(self._folder / self._name(), not self._state.parts)
            self._part.write(chunk, verdicts)
        if chunk.rejected:
            if self._rejects is None:
                self._rejects = (self._folder / self._rejects_name()).open("wb")
            lines = [json.dumps(one, ensure_ascii=False) + "\n" for one in chunk.rejected]
            self._rejects.write("".join(lines).encode("utf-8", "replace"))
        self._rows += chunk.batch.num_rows
        self._rejected += len(chunk.rejected)
        if chunk.cut is not None:
            self._cut.append(chunk.cut)
        self._position = chunk.after
        self._failed = False
        if time.monotonic() - self._begun >= self._checkpoint:
            self.close()

    def close(self) -> None:
        """Close the part and write down that it is complete, unless writing it has failed."""
        part, rejects, self._part, self._rejects = self._part, self._rejects, None, None
        try:
            if part is not None:
                part.close()
        finally:
            if rejects is not None:
                rejects.close()
        if self._failed or self._begun is None:
            return
        state = self._state
        for opened, name, names in (
            (part, self._name(), state.parts),
            (rejects, self._rejects_name(), state.rejects),
        ):
            if opened is not None:
                to_disk(self._folder / name)
                names.append(name)
        to_disk(self._folder)
        state.count += 1
        state.position = self._position
        state.rows += self._rows
        state.rejected += self._rejected
        state.cut += self._cut
        state.columns = self._shape.to_text() if self._shape is not None else None
        self._rows = self._rejected = 0
        self._cut = []
        self._begun = None
        state.save(self._folder)

    def _name(self) -> str:
        return f"{self._state.count:05}{self._suffix}"

    def _rejects_name(self) -> str:
        return f"{self._state.count:05}.rejected"
