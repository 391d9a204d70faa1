"""A job that scores a file of any size: constant memory, one output at the end, resumable.

While it runs, parts stand in ``OUT.partial/`` beside the output; ``state.json`` there says how far they
reach. A part is closed every ``checkpoint`` seconds, and when the job is interrupted. The same command
then goes on behind the last one. At the end the parts are joined and put in place at once.
"""

from __future__ import annotations

import fcntl
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whybounce import __version__
from whybounce.model.errors import DataError
from whybounce.serving.score.chunks import Chunk, Keys
from whybounce.serving.score.inputs import chunks, files_of, kind_of, rows_of, schema_of
from whybounce.serving.score.outputs import join_parts, output_kind, part_maker, to_disk
from whybounce.serving.score.scorer import Scorer
from whybounce.serving.score.shapes import Shape
from whybounce.serving.score.state import LOCK, NAME, State, clear, mark_of, remove
from whybounce.serving.score.writing import Writing

BATCH_ROWS = 131_072
CHECKPOINT_SECONDS = 30.0
_AHEAD = 3
"""Chunks that are read, and folded, ahead."""

Progress = Callable[[int, float], None]
"""Told of the rows that are done and of their share, 0 to 1."""


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
    cut : list of str
        Which files ended too early, in words: the output has their rows up to there.
    """

    rows: int
    resumed: int
    rejected: int
    rejected_file: Path | None
    seconds: float
    cut: list[str]


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

    def was_finished(self) -> bool:
        """Whether an earlier run of this job has put the output in place and was killed while it cleared up."""
        state = State.load(self.folder)
        return state is not None and state.job == self._job() and state.finished(self.out)

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
            When another job was begun here, or runs now, or when there is no room.
        """
        started = time.perf_counter()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{self.folder}: cannot be made ({error.strerror}); check where to write") from error
        try:
            with ExitStack() as stack:
                self._lock(stack)
                state = self._state(restart)
                resumed = state.rows
                if not state.finished(self.out):
                    self._score(state, self._keys(state), progress)
                    self._finish(state)
                remove(self.folder)
        except OSError as error:
            raise DataError(
                f"{self.out}: cannot be written ({error.strerror or error}); make room or mend it, then give the same "
                "command again: it goes on from what is done"
            ) from error
        return Done(
            state.rows, resumed, state.rejected, self.rejected_file if state.rejected else None,
            time.perf_counter() - started, state.cut,
        )  # fmt: skip

    def _lock(self, stack: ExitStack) -> None:
        lock = stack.enter_context((self.folder / LOCK).open("w"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DataError(f"{self.out}: another process is writing it; wait for it or name another file") from error

    def _job(self) -> dict[str, Any]:
        return {
            "whybounce": __version__,
            "files": [[str(one), *mark_of(one)] for one in self.files],
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
        state = None if restart else State.load(self.folder)
        if state is None:
            state = State(self._job())
            (self.folder / NAME).unlink(missing_ok=True)
        elif not state.finished(self.out) or state.job != self._job():
            state.check(self.folder, self._job())
        clear(self.folder, (*state.parts, *state.rejects, NAME))
        return state

    def _score(self, state: State, keys: Keys, progress: Progress | None) -> None:
        total = rows_of(self.files)
        rows = state.rows
        make = part_maker(self.kind, self.scorer, self.files[0])
        writing = Writing(self.folder, make, state, keys.shape, f".{self.kind}", self.checkpoint)
        source = chunks(self.files, state.position, self.batch_rows, keys)
        reader = ThreadPoolExecutor(1, "whybounce-read")
        folders = ThreadPoolExecutor(1, "whybounce-fold")
        writer = ThreadPoolExecutor(1, "whybounce-write")
        written: deque[Future[None]] = deque()
        try:
            for chunk, prepared in self._prepared(source, reader, folders):
                verdicts = self.scorer.verdicts(chunk.batch, prepared)
                written.append(writer.submit(writing.write, chunk, verdicts))
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
        self, source: Generator[Chunk], reader: ThreadPoolExecutor, folders: ThreadPoolExecutor
    ) -> Iterator[tuple[Chunk, Any]]:
        def load() -> tuple[Chunk, Future[Any]] | None:
            chunk = next(source, None)
            return None if chunk is None else (chunk, folders.submit(self.scorer.prepare, chunk.batch))

        ahead = deque(reader.submit(load) for _ in range(_AHEAD))
        while (loaded := ahead.popleft().result()) is not None:
            ahead.append(reader.submit(load))
            yield loaded[0], loaded[1].result()

    def _finish(self, state: State) -> None:
        schema = schema_of(self.files[0], self.scorer.column)
        whole = self.folder / f"whole.{self.kind}"
        join_parts(self.kind, [self.folder / name for name in state.parts], whole, self.scorer, schema)
        rejects = self.folder / "whole.rejected"
        if state.rejects:
            join_parts("jsonl", [self.folder / name for name in state.rejects], rejects, self.scorer, schema)
        state.whole = mark_of(whole)
        state.save(self.folder)
        if state.rejects:
            rejects.replace(self.rejected_file)
        else:
            self.rejected_file.unlink(missing_ok=True)
        whole.replace(self.out)
        to_disk(self.out.parent)
