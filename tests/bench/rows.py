"""Tables of bounces to score: popular templates often, and in every row other addresses, hosts, IPs and ids."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.bench.traffic import TEMPLATES, ZIPF
from whybounce.data.slots import SLOT, SLOTS
from whybounce.training.corpus import load_corpus

BATCH = 100_000
_FIRST = ("alex", "maria", "li", "olga", "jean", "anna", "sam", "jan", "taro", "ola", "mario", "juan", "j", "m", "k")
_LAST = ("smith", "garcia", "wei", "ivanova", "dupont", "muller", "doe", "novak", "yamada", "rossi", "perez", "tanaka")
_NAMES = tuple(f"{first}.{last}" for last in _LAST for first in _FIRST)
_TOPS = ("example.com", "example.net", "example.org", "example", "test")
_NETS = ("192.0.2", "198.51.100", "203.0.113")


def _domain(rng: random.Random) -> str:
    """Draw a domain: of 50,000, each as popular as Zipf's law has it."""
    number = int(50_000 ** rng.random())
    return f"d{number}.{_TOPS[number % 5]}"


def _address(rng: random.Random) -> str:
    return f"{_NAMES[int(rng.random() * 180)]}{int(rng.random() * 1_000_000)}@{_domain(rng)}"


def _ip(rng: random.Random) -> str:
    if rng.random() < 0.1:
        return f"2001:db8:{int(rng.random() * 65536):x}::{int(rng.random() * 65536):x}"
    return f"{_NETS[int(rng.random() * 3)]}.{int(rng.random() * 255)}"


def _reference(rng: random.Random) -> str:
    if rng.random() < 0.5:
        return f"{int(rng.random() * 2**44):011X}"  # as Postfix names its queue files
    return f"d{int(rng.random() * 2**36):09x}si{int(rng.random() * 10**10):010}.{int(rng.random() * 1000)}"


_FRESH: dict[str, Callable[[random.Random], str]] = {
    "rcpt": _address,
    "sender": _address,
    "user": lambda rng: _NAMES[int(180 ** rng.random())],
    "domain": _domain,
    "sdomain": _domain,
    "host": lambda rng: f"mx{int(rng.random() * 4)}.{_domain(rng)}",
    "client": lambda rng: f"out{int(rng.random() * 20)}.{_domain(rng)}",
    "ip": _ip,
    "mxip": _ip,
    "reference": _reference,
}
"""Slots of which the corpus knows few values; the others are drawn as it draws them."""


def filler(template: str) -> Callable[[random.Random], str]:
    """Return what fills a template; as :func:`whybounce.data.slots.fill`, with fresh values and faster."""
    pieces = SLOT.split(template)
    slots = [
        (_FRESH.get(name) or (SLOTS[name].draw if name in SLOTS else None), name, text)
        for name, text in zip(pieces[1::2], pieces[2::2], strict=True)
    ]

    def fill(rng: random.Random) -> str:
        drawn: dict[str, str] = {}
        found = [pieces[0]]
        for draw, name, text in slots:
            if name not in drawn:
                drawn[name] = draw(rng) if draw is not None else f"{{{name}}}"
            found += (drawn[name], text)
        return "".join(found)

    return fill


WRAPPED = (
    "host {host}[{mxip}] said: TEXT (in reply to RCPT TO command)",
    "<{rcpt}>: TEXT",
    "TEXT {reference}",
)
"""What queues and servers put around a text; a text that names nothing is never without."""


def texts(count: int, *, seed: int = 1) -> Iterator[str]:
    """Yield diagnostics whose templates are as popular as Zipf's law has it; a third of them wrapped."""
    rng = random.Random(seed)
    templates = sorted({row.text for row in load_corpus()})
    rng.shuffle(templates)
    popular = templates[:TEMPLATES]
    bare = [filler(text if SLOT.search(text) else f"{text} {{reference}}") for text in popular]
    wrapped = [filler(rng.choice(WRAPPED).replace("TEXT", text)) for text in popular]
    weights = list(accumulate((rank + 1) ** -ZIPF for rank in range(TEMPLATES)))
    for place in rng.choices(range(TEMPLATES), cum_weights=weights, k=count):
        yield (wrapped if rng.random() < 0.33 else bare)[place](rng)


def batches(count: int, *, seed: int = 1) -> Iterator[Any]:
    """Yield record batches of rows as a sender keeps them; one diagnostic in a hundred is missing."""
    rng = random.Random(seed)
    source = texts(count, seed=seed + 1)
    for start in range(0, count, BATCH):
        size = min(BATCH, count - start)
        numbers = range(start, start + size)
        yield pa.RecordBatch.from_pydict(
            {
                "message_id": [f"<{number:x}.{seed}@news.example.org>" for number in numbers],
                "recipient": [_address(rng) for _ in numbers],
                "campaign": [f"news-{number // 40_000}" for number in numbers],
                "sent_at": pa.array([1_790_000_000_000_000 + number * 1000 for number in numbers], pa.timestamp("us")),
                "bytes": [int(rng.random() * 90_000) for _ in numbers],
                "diagnostic": [None if rng.random() < 0.01 else next(source) for _ in numbers],
            }
        )


def write(path: Path, count: int, *, seed: int = 1) -> None:
    """Write a Parquet file of such rows."""
    writer = None
    for batch in batches(count, seed=seed):
        if writer is None:
            writer = pq.ParquetWriter(path, batch.schema)
        writer.write_batch(batch)
    if writer is not None:
        writer.close()
