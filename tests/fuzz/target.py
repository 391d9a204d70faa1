"""What a fuzzed parser is: where its inputs come from, how it is run, what must hold."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from whybounce.model.predictor import BounceClassifier
from whybounce.serving.intake.format import Skipped
from whybounce.serving.intake.record import BounceRecord

FIXTURES = Path(__file__).parent.parent / "fixtures"

Items = list[BounceRecord | Skipped]
Mutate = Callable[[bytes, random.Random, list[bytes]], bytes]
"""Bytes, chance and the seeds → bytes that a parser may still understand in part."""

ONE = 1.0
"""CPU seconds that one small input may take with all its checks; a hundred times what the slowest takes."""
PUMPED = 8.0
"""CPU seconds for reading an input that was blown up to ``PUMPED_BYTES``: a few times what linear time takes, counted."""
PUMPED_BYTES = 256 * 1024


class Broken(AssertionError):  # noqa: N818 - a verdict more than an error
    """Something that must hold does not; the part before the colon says what."""


class TooSlow(Exception):  # noqa: N818 - a verdict more than an error
    """An input took more CPU time than it may."""


@dataclass(frozen=True)
class Target:
    """A parser with its oracles.

    Attributes
    ----------
    name : str
    modules : tuple of str
        Modules whose coverage leads the fuzzer, and whose strings are its dictionary.
    seeds : callable
        Returns the inputs to begin with.
    parse : callable
        Reads an input as the program does.
    check : callable
        Runs the oracles; raises on what does not hold. Takes the input and the classifier.
    mutate : callable
        Knows the structure of the inputs.
    """

    name: str
    modules: tuple[str, ...]
    seeds: Callable[[], list[bytes]]
    parse: Callable[[bytes], Items]
    check: Callable[[bytes, BounceClassifier], None]
    mutate: Mutate

    def run(self, data: bytes, classifier: BounceClassifier, limit: float = ONE) -> None:
        """Check one input within the time that it may take."""
        with cpu_limit(limit):
            self.check(data, classifier)

    def run_pumped(self, data: bytes, rng: random.Random, classifier: BounceClassifier) -> bytes:
        """Blow pieces of an input up and read it; returns what was read."""
        large = pumped(data, rng)
        try:
            with cpu_limit(PUMPED):
                for item in self.parse(large)[:20]:
                    if isinstance(item, BounceRecord):
                        classifier.predict_one(item.diagnostic, **item.fields())
        except TooSlow as error:
            raise PumpedTooSlow(large) from error
        return large


class PumpedTooSlow(TooSlow):
    """Large input made of few pieces that takes more than linear time."""

    def __init__(self, data: bytes) -> None:
        super().__init__(f"{len(data):,} bytes took more than {PUMPED} s of CPU")
        self.data = data


def pumped(data: bytes, rng: random.Random) -> bytes:
    """Repeat one or two short pieces of an input until it is large: what shows time that is not linear."""
    pieces = rng.choice((1, 1, 2))
    for _ in range(pieces):
        start = rng.randrange(len(data) + 1)
        end = min(len(data), start + rng.choice((1, 2, 4, 12, 60)))
        piece = data[start:end] or rng.choice((b"(", b"\n", b" ", b"<a@b.c>,", b'"', b"[", b"a;", b"=?"))
        data = data[:end] + piece * (PUMPED_BYTES // pieces // len(piece)) + data[end:]
    return data


@contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    """Raise ``TooSlow`` when the block uses more CPU time than that; time spent waiting does not count."""

    def ring(number: int, frame: object) -> None:
        raise TooSlow(f"took more than {seconds} s of CPU")

    before = signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    start = time.process_time()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    if time.process_time() - start > seconds:  # the signal waits while a library works
        raise TooSlow(f"took more than {seconds} s of CPU")
