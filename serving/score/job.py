"""A job that scores a file of any size: constant memory, one output at the end, resumable.

While it runs, parts stand in ``OUT.partial/`` beside the output; ``state.json`` there says how far they
reach. A part is closed every ``checkpoint`` seconds, and when the job is interrupted. The same command
then goes on behind the last one. At the end the parts are joined and put in place at once.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from whybounce import __version__
from whybounce.model.artifact import replace_file
from whybounce.model.errors import DataError
from whybounce.serving.score.inputs import Chunk, Keys, Position, chunks, files_of, header_of, kind_of, rows_of
from whybounce.serving.score.outputs import Part, join_parts, output_kind, part_maker
from whybounce.serving.score.scorer import COLUMNS, Scorer, Verdicts
from whybounce.serving.score.shapes import Shape

BATCH_ROWS = 131_072
CHECKPOINT_SECONDS = 30.0
_AHEAD = 3
"""Chunks that are read, and folded, ahead."""

Progress = Callable[[int, float], None]
"""Told of the rows that are done and of their share, 0 to 1."""


@dataclass(slots=True)
class State:
    """How far a job is; what ``state.json`` holds.

    Attributes
    ----------
    job : dict
        What is scored, how, and by which model: only the same job is gone on with.
    parts : list of str
        File names of the parts that are complete.
    position : Position
        Where they end.
    rows, rejected : int
        Rows in the parts, and rows that could not be read.
    columns : str or None
        See ``Shape.to_text``.
    """

    job: dict[str, Any]
    parts: list[str] = field(default_factory=list)
    position: Position = field(default_factory=Position)
    rows: int = 0
    rejected: int = 0
    columns: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What a job did.

    Attributes
    ----------
    rows, resumed, rejected : int
        Rows in the output; of these, those of earlier runs; rows that could not be read.
    rejected_file : Path or None
        Where the latter are listed.
    seconds : float
        Of this run.
    """

    rows: int
    resumed: int
    rejected: int
    rejected_file: Path | None
    seconds: float


class Job:
    """Scores a file.

    Parameters
    ----------
    source, out : Path
        A file or a folder of files, and a file. What is there is replaced.
    scorer : Scorer
    checkpoint : float
        Seconds between parts.
    batch_rows : int
        Rows that are scored at a time.

    Raises
    ------
    DataError
        For a source that is not there or of no known kind.
    """

    def __init__(
        self,
        source: Path,
        out: Path,
        scorer: Scorer,
        *,
        checkpoint: float = CHECKPOINT_SECONDS,
        batch_rows: int = BATCH_ROWS,
    ) -> None:
        self.files = files_of(source)
        self.out = out
        self.scorer = scorer
        self.checkpoint = checkpoint
        self.batch_rows = batch_rows
        self.kind = output_kind(out)
        self.from_lines = kind_of(self.files[0]) == "jsonl"
        if out.is_dir():
            raise DataError(f"{out}: is a folder; name a file")
        if any(one.resolve() == out.resolve() for one in self.files):
            raise DataError(f"{out}: is the input; write to another file")
        self.folder = out.with_name(out.name + ".partial")
        self.rejected_file = out.with_name(out.name + ".rejected.jsonl")
        self._stack = ExitStack()

    def run(self, progress: Progress | None = None, *, restart: bool = False) -> Done:
        """Do it, or go on with it.

        Parameters
        ----------
        progress : callable, optional
        restart : bool
            Begin anew, whatever an earlier run has done.

        Raises
        ------
        DataError
            When another job was begun here, or runs now.
        """
        started = time.perf_counter()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{self.folder}: cannot be made ({error.strerror}); check where to write") from error
        with self._stack:
            self._lock()
            state = self._state(restart)
            resumed = state.rows
            self._score(state, self._keys(state), progress)
            self._finish(state)
        return Done(
            state.rows, resumed, state.rejected, self.rejected_file if state.rejected else None,
            time.perf_counter() - started,
        )  # fmt: skip

    def _lock(self) -> None:
        lock = self._stack.enter_context((self.folder / "lock").open("w"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DataError(f"{self.out}: another process is writing it; wait for it or name another file") from error

    def _job(self) -> dict[str, Any]:
        return {
            "whybounce": __version__,
            "files": [[str(one), one.stat().st_size, one.stat().st_mtime_ns] for one in self.files],
            "column": self.scorer.column,
            "fields": list(self.scorer.fields),
            "prefix": self.scorer.prefix,
            "model_version": self.scorer.classifier.model_version,
        }

    def _keys(self, state: State) -> Keys:
        becomes_table = self.from_lines and self.kind != "jsonl"
        return Keys(
            self.scorer.column,
            frozenset(self.scorer.added.names),
            Shape.from_text(state.columns) if becomes_table else None,
        )

    def _state(self, restart: bool) -> State:
        path = self.folder / "state.json"
        job = self._job()
        if not restart and path.exists():
            try:
                told = json.loads(path.read_text("utf-8"))
                state = State(**{**told, "position": Position(**told["position"])})
            except (ValueError, TypeError, KeyError) as error:
                raise DataError(f"{path}: is damaged ({error}); begin anew with --restart") from error
            if state.job != job:
                different = next(name for name in job if state.job.get(name) != job[name])
                raise DataError(
                    f"{self.folder}: was begun with other {different}; begin anew with --restart, or undo the change"
                )
        else:
            state = State(job)
        for one in self.folder.iterdir():
            if one.name not in (*state.parts, *map(_rejects, state.parts), "lock", "state.json"):
                one.unlink()
        return state

    def _score(self, state: State, keys: Keys, progress: Progress | None) -> None:
        total = rows_of(self.files)
        rows = state.rows
        writing = _Writing(self.folder, part_maker(self.kind, self.scorer), state, keys.shape, f".{self.kind}")
        source = chunks(self.files, state.position, self.batch_rows, keys)
        reader = ThreadPoolExecutor(1, "whybounce-read")
        folders = ThreadPoolExecutor(2, "whybounce-fold")
        writer = ThreadPoolExecutor(1, "whybounce-write")
        written: deque[Future[None]] = deque()
        try:
            for chunk, prepared in self._prepared(source, reader, folders):
                verdicts = self.scorer.verdicts(chunk.batch, prepared)
                written.append(writer.submit(writing.write, chunk, verdicts, self.checkpoint))
                while len(written) > _AHEAD - 1:
                    written.popleft().result()
                rows += chunk.batch.num_rows
                if progress is not None:
                    share = rows / total if total else (chunk.after.file + chunk.share) / len(self.files)
                    progress(rows, share)
            while written:
                written.popleft().result()
        finally:
            for pool in (reader, folders, writer):
                pool.shutdown(cancel_futures=True)
            source.close()
            # However this ends, what is written stays: the next run goes on behind it.
            writing.close()

    def _prepared(
        self, source: Iterator[Chunk], reader: ThreadPoolExecutor, folders: ThreadPoolExecutor
    ) -> Iterator[tuple[Chunk, Any]]:
        def load() -> tuple[Chunk, Future[Any]] | None:
            chunk = next(source, None)
            return None if chunk is None else (chunk, folders.submit(self.scorer.prepare, chunk.batch))

        ahead = deque(reader.submit(load) for _ in range(_AHEAD))
        while (loaded := ahead.popleft().result()) is not None:
            ahead.append(reader.submit(load))
            yield loaded[0], loaded[1].result()

    def _finish(self, state: State) -> None:
        parts = [one for name in state.parts if (one := self.folder / name).exists()]
        whole = self.folder / f"whole.{self.kind}"
        join_parts(self.kind, parts, whole, self._empty)
        rejects = [one for name in state.parts if (one := self.folder / _rejects(name)).exists()]
        if rejects:
            together = self.folder / "whole.rejected.jsonl"
            join_parts("jsonl", rejects, together, self._empty)
            together.replace(self.rejected_file)
        else:
            self.rejected_file.unlink(missing_ok=True)
        whole.replace(self.out)
        shutil.rmtree(self.folder)

    def _empty(self) -> Any:
        # No rows tell the columns of JSON Lines; every other file names them.
        if kind_of(self.files[0]) == "parquet":
            schema = pq.read_schema(self.files[0]).remove_metadata()
        elif self.from_lines:
            schema = pa.schema([(self.scorer.column or COLUMNS[0], pa.string())])
        else:
            schema = header_of(self.files[0])
        return self.scorer.score(pa.RecordBatch.from_arrays([pa.array([], one.type) for one in schema], schema=schema))


class _Writing:
    """Writes parts one after the other; used by one thread."""

    def __init__(
        self, folder: Path, make: Callable[[Path, bool], Part], state: State, shape: Shape | None, suffix: str
    ) -> None:
        self._folder = folder
        self._make = make
        self._state = state
        self._shape = shape
        self._suffix = suffix
        self._part: Part | None = None
        self._begun = 0.0
        self._rows = 0
        self._rejected: list[dict[str, Any]] = []
        self._position = state.position
        self._sound = True

    def write(self, chunk: Chunk, verdicts: Verdicts, checkpoint: float) -> None:
        """Write a chunk, and close the part when it is time."""
        if self._part is None:
            self._begun = time.monotonic()
            first = not any((self._folder / name).exists() for name in self._state.parts)
            self._part = self._make(self._folder / self._name(), first)
        self._sound = False
        if chunk.batch.num_rows:
            self._part.write(chunk, verdicts)
        self._rows += chunk.batch.num_rows
        self._rejected += chunk.rejected
        self._position = chunk.after
        self._sound = True
        if time.monotonic() - self._begun >= checkpoint:
            self.close()

    def close(self) -> None:
        """Close the part and write down that it is complete."""
        if self._part is None:
            return
        part, self._part = self._part, None
        part.close()
        if not self._sound:  # writing failed on the way: nobody knows how far it came
            return
        name = self._name()
        if self._rejected:
            lines = [json.dumps(one, ensure_ascii=False) + "\n" for one in self._rejected]
            replace_file(self._folder / _rejects(name), "".join(lines).encode("utf-8", "replace"))
        state = self._state
        state.parts.append(name)
        state.position = self._position
        state.rows += self._rows
        state.rejected += len(self._rejected)
        state.columns = self._shape.to_text() if self._shape is not None else None
        self._rows, self._rejected = 0, []
        replace_file(self._folder / "state.json", (json.dumps(asdict(state)) + "\n").encode())

    def _name(self) -> str:
        return f"{len(self._state.parts):05}{self._suffix}"


def _rejects(part: str) -> str:
    return f"{part}.rejected"
