"""What the parts of the HTTP service share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from whybounce.model.prediction import Prediction
from whybounce.serving.http.live import LiveModel
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
    """

    settings: Settings
    live: LiveModel
    observers: list[Observer] = field(default_factory=list)
    background: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    closing: list[Callable[[], None]] = field(default_factory=list)

    def flush(self) -> None:
        """Tell the observers what was predicted since the last time."""
