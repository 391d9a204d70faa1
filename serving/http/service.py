"""What the parts of the HTTP service share."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from whybounce.model.prediction import Prediction
from whybounce.model.predictor import Remembered
from whybounce.serving.http.live import LiveModel
from whybounce.serving.http.store import StoreWatch
from whybounce.serving.http.together import Together
from whybounce.serving.settings import Settings

Observer = Callable[[Prediction, int], None]
"""Called with a prediction and how often it was given since the last call; must not block."""


@dataclass(slots=True)
class Service:
    """State of one worker process.

    Attributes
    ----------
    settings : Settings
    live : LiveModel
    observers : list of Observer
        Told of every prediction soon after it was given, with a count; never in the request.
    background : list of callables
        Coroutine functions that run while the service runs; cancelled at shutdown.
    closing : list of callables
        Called once at shutdown, in order.
    touched : dict
        Verdicts given since the last :meth:`flush`, and how often.
    together : Together
        Recalls verdicts on single texts.
    store : StoreWatch
        Knows whether feedback can be stored.
    """

    settings: Settings
    live: LiveModel
    observers: list[Observer] = field(default_factory=list)
    background: list[Callable[[], Coroutine[Any, Any, None]]] = field(default_factory=list)
    closing: list[Callable[[], None]] = field(default_factory=list)
    touched: dict[Remembered, int] = field(default_factory=dict)
    together: Together = field(init=False)
    store: StoreWatch = field(default_factory=StoreWatch)

    def __post_init__(self) -> None:
        self.together = Together(self.live)

    def count(self, remembered: Remembered) -> None:
        """Note that a verdict was given; costs next to nothing, the observers hear of it later."""
        self.touched[remembered] = self.touched.get(remembered, 0) + 1

    def count_all(self, found: Iterable[Remembered]) -> None:
        """Note that verdicts were given; see :meth:`count`."""
        touched = self.touched
        for remembered in found:
            touched[remembered] = touched.get(remembered, 0) + 1

    def flush(self, most: int | None = None) -> None:
        """Tell the observers what was given since the last time, of ``most`` templates at most."""
        for remembered in list(islice(self.touched, most)):
            count = self.touched.pop(remembered)
            for observe in self.observers:
                observe(remembered.prediction, count)

    @property
    def ready(self) -> bool:
        """Whether predictions are served as the settings want them."""
        return not (self.settings.require_model and self.live.classifier.degraded)

    def cache_stats(self) -> tuple[int, int]:
        """Hits and misses of the verdicts remembered for the model that answers now."""
        return self.live.classifier.cache_stats
