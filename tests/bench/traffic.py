"""Bounce traffic to measure on: few templates often, many seldom, every address another one."""

from __future__ import annotations

import random
from itertools import accumulate

from whybounce.data.slots import fill
from whybounce.training.corpus import load_corpus

ZIPF = 1.1
"""Exponent of the popularity of templates by their rank."""

TEMPLATES = 4000
"""Templates that the traffic is made of."""


def distinct(count: int, *, seed: int = 1) -> list[str]:
    """Return texts of as many different templates as the corpus has, up to ``count``."""
    rng = random.Random(seed)
    templates = sorted({row.text for row in load_corpus()})
    rng.shuffle(templates)
    return [fill(text, rng) for text in templates[:count]]


def zipf(count: int, *, seed: int = 1) -> list[str]:
    """Return ``count`` texts whose templates are as popular as Zipf's law has it."""
    rng = random.Random(seed)
    templates = sorted({row.text for row in load_corpus()})
    rng.shuffle(templates)
    weights = list(accumulate((rank + 1) ** -ZIPF for rank in range(TEMPLATES)))
    return [fill(text, rng) for text in rng.choices(templates[:TEMPLATES], cum_weights=weights, k=count)]
