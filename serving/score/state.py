"""How far a job is, as it stands in ``OUT.partial/state.json``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from whybounce.model.artifact import replace_file
from whybounce.model.errors import DataError
from whybounce.serving.score.chunks import Position

NAME = "state.json"
LOCK = "lock"


@dataclass(slots=True)
class State:
    """How far a job is.

    Attributes
    ----------
    job : dict
        What is scored, how, and by which model: only the same job is gone on with.
    position : Position
        Where the parts end.
    parts, rejects : list of str
        Names of the files, complete and on the disk, of rows and of rows that could not be read.
    count : int
        How many times parts were closed; the next ones are named after it.
    rows, rejected : int
        What is in them.
    cut : list of str
        Which files ended too early, in words.
    columns : str or None
        See ``Shape.to_text``.
    whole : list of int or None
        What tells the finished output from any other file; see ``mark_of``.
    """

    job: dict[str, Any]
    position: Position = field(default_factory=Position)
    parts: list[str] = field(default_factory=list)
    rejects: list[str] = field(default_factory=list)
    count: int = 0
    rows: int = 0
    rejected: int = 0
    cut: list[str] = field(default_factory=list)
    columns: str | None = None
    whole: list[int] | None = None

    def save(self, folder: Path) -> None:
        """Write it down, in one step."""
        replace_file(folder / NAME, (json.dumps(asdict(self)) + "\n").encode())

    @classmethod
    def load(cls, folder: Path) -> State | None:
        """Read what an earlier run has written; None when there was none.

        Raises
        ------
        DataError
            When it cannot be read, or when parts are missing.
        """
        path = folder / NAME
        try:
            told = json.loads(path.read_text("utf-8"))
            state = cls(**{**told, "position": Position(**told["position"])})
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(f"{path}: is damaged ({error}); begin anew with --restart") from error
        return state

    def check(self, folder: Path, job: dict[str, Any]) -> None:
        """Raise DataError unless this is the state of a job, with all its parts."""
        different = next((name for name in job if self.job.get(name) != job[name]), None)
        if different is not None:
            raise DataError(
                f"{folder}: was begun with other {different}; begin anew with --restart, or undo the change"
            )
        missing = next((name for name in (*self.parts, *self.rejects) if not (folder / name).exists()), None)
        if missing is not None:
            raise DataError(f"{folder / missing}: is missing; begin anew with --restart")

    def finished(self, out: Path) -> bool:
        """Whether the output is in place, and only clearing up was left."""
        return self.whole is not None and out.is_file() and self.whole == mark_of(out)


def mark_of(path: Path) -> list[int]:
    """Size and time of a file: they stay when it is renamed."""
    told = path.stat()
    return [told.st_size, told.st_mtime_ns]


def clear(folder: Path, keep: tuple[str, ...] = ()) -> None:
    """Remove what is in a folder, but for some files and the lock."""
    for one in folder.iterdir():
        if one.name not in keep and one.name != LOCK:
            one.unlink()


def remove(folder: Path) -> None:
    """Remove a folder; its state last, so that being killed on the way leaves no half of it behind."""
    clear(folder, (NAME,))
    clear(folder)
    (folder / LOCK).unlink()
    folder.rmdir()
