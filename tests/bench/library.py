"""Texts per second of the library: cold, remembered, in batches; latency of one."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from statistics import median, quantiles

from tests.bench import traffic
from whybounce.model.masking import mask
from whybounce.model.predictor import BounceClassifier


def measure() -> dict[str, float]:
    """Return the figures, per core; every pass is timed on its own and the median kept."""
    cold_texts = traffic.distinct(6000)
    stream = traffic.zipf(200_000)
    classifier = BounceClassifier.load(strict=True, cache_size=0)
    # What the benchmark has loaded to make its texts is not the library's to collect.
    gc.collect()
    gc.freeze()
    for text in cold_texts[:1000]:  # the patterns compile as they are used
        classifier.predict_one(text)
    cold = [_rate(classifier.predict, part) for part in _parts(cold_texts[1000:], 5)]
    single = []
    for text in cold_texts[1000:4000]:
        start = time.perf_counter()
        classifier.predict_one(text)
        single.append(time.perf_counter() - start)
    remembering = BounceClassifier.load(strict=True)
    remembering.predict(stream)
    cached = [_rate(remembering.predict, part) for part in _parts(stream, 8)]
    one_by_one = [
        _rate(lambda part: [remembering.predict_one(text) for text in part], part) for part in _parts(stream, 8)
    ]
    masking = [_rate(lambda part: [mask(text) for text in part], part) for part in _parts(stream, 8)]
    return {
        "cold_texts_per_second": median(cold),
        "cold_p50_ms": median(single) * 1000,
        "cold_p99_ms": quantiles(single, n=100)[98] * 1000,
        "remembered_texts_per_second": median(cached),
        "remembered_one_by_one_texts_per_second": median(one_by_one),
        "masking_texts_per_second": median(masking),
        "characters_per_text": sum(map(len, stream)) / len(stream),
        "templates_in_the_stream": float(len({mask(text) for text in stream})),
    }


def loop_milliseconds() -> float:
    """Return how long a million additions take: what figures of another machine are compared by."""
    times = []
    for _ in range(9):
        start = time.perf_counter()
        total = 0
        for number in range(1_000_000):
            total += number
        times.append((time.perf_counter() - start) * 1000)
    return median(times)


def _parts(texts: list[str], count: int) -> list[list[str]]:
    size = len(texts) // count
    return [texts[start : start + size] for start in range(0, size * count, size)]


def _rate(work: Callable[[list[str]], object], texts: list[str]) -> float:
    start = time.perf_counter()
    work(texts)
    return len(texts) / (time.perf_counter() - start)
