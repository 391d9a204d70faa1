"""Rows that cannot be used: listed one by one, never dropped in silence."""

from __future__ import annotations

import json
import os
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import TextIO

from whybounce.model.errors import DataError
from whybounce.model.masking import mask

SHOWN = 20
"""Rejects that are kept for messages."""

MAX_TEXT = 300


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that was not used.

    Attributes
    ----------
    file : str
    line : int
        Of a text file the line it begins in, of others the row; from 1.
    unit : str
        ``line`` or ``row``.
    problem : str
    left_out : bool
        Whether the row is fine and its label stands for something that none of our
        reasons covers. Such rows do not count as bad.
    label : str or None
    """

    file: str
    line: int
    unit: str
    problem: str
    left_out: bool = False
    label: str | None = None

    def __str__(self) -> str:
        return f"{self.file}, {self.unit} {self.line}: {self.problem}"


class Rejects:
    """Collects rejects, and writes them to a JSON Lines file when there are any.

    The file appears when the work is done, whole; a work that is broken off leaves an
    older file as it is.

    Parameters
    ----------
    path : Path, optional
        Without one nothing is written.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.bad = 0
        self.left_out = 0
        self.first: list[Reject] = []
        self.problems: Counter[str] = Counter()
        self.labels: Counter[str] = Counter()
        self._file: TextIO | None = None

    def add(self, reject: Reject, text: object = None) -> None:
        """Keep a reject; of ``text`` only what is left after masking."""
        self.problems[reject.problem if len(self.problems) < 10_000 else "other"] += 1
        if reject.left_out:
            self.left_out += 1
        else:
            self.bad += 1
            if len(self.first) < SHOWN:
                self.first.append(reject)
            if reject.problem.startswith("unknown label") and reject.label is not None and len(self.labels) < 10_000:
                self.labels[reject.label] += 1
        if self.path is not None:
            template = mask(text)[:MAX_TEXT] if isinstance(text, str) else None
            self._write(self.path, json.dumps({**asdict(reject), "template": template}))

    def _write(self, path: Path, line: str) -> None:
        try:
            if self._file is None:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._file = _temporary(path).open("w", encoding="utf-8")
            self._file.write(line + "\n")
        except OSError as error:
            raise DataError(
                f"{path}: the list of bad rows cannot be written ({error.strerror}); name another with --rejects"
            ) from error

    def __enter__(self) -> Rejects:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.path is None:
            return
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None
            if kind is None:
                os.replace(_temporary(self.path), self.path)
            else:
                _temporary(self.path).unlink(missing_ok=True)
        elif kind is None:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)  # of an earlier run: this one had none


def _temporary(path: Path) -> Path:
    return path.with_name(f"{path.name}.{os.getpid()}.tmp")
