"""Whether the feedback store can be used: tried when the service starts, and again and again after that."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from whybounce.training.feedback.store import FeedbackStore

log = logging.getLogger(__name__)

RETRY_SECONDS = 5.0
"""How soon a store that could not be used is tried again."""
LOOK_SECONDS = 30.0
"""How often one that works is tried."""

StoreState = Literal["none", "trying", "ready", "unavailable"]

UNAVAILABLE = (
    "The feedback store cannot be used: feedback is refused and the review queue waits until it can; "
    "predictions are served. The log says why."
)


class StoreWatch:
    """Knows how the store is; a service whose store is away goes on without it.

    Attributes
    ----------
    state : str
        ``none`` without a store, ``trying`` until the first try has ended.
    """

    def __init__(self, store: FeedbackStore | None = None) -> None:
        self._store = store
        self.state: StoreState = "none" if store is None else "trying"

    @property
    def detail(self) -> str | None:
        """What is wrong, for those who ask how the service is: without a host or a path."""
        return UNAVAILABLE if self.state == "unavailable" else None

    def failed(self, error: Exception) -> None:
        """Note that the store could not be used; logs it when that is news."""
        if self.state != "unavailable":
            log.warning("%s; until then feedback is refused, and predictions are served", error)
        self.state = "unavailable"

    def worked(self) -> None:
        """Note that it could."""
        if self.state == "unavailable":
            log.warning("the feedback store can be used again")
        self.state = "ready"

    async def run(self) -> None:
        """Try it at once, and for ever; meant for the background of the service."""
        waited = LOOK_SECONDS
        while self._store is not None:
            if self.state != "ready" or waited >= LOOK_SECONDS:
                await asyncio.to_thread(self._try, self._store)
                waited = 0.0
            await asyncio.sleep(RETRY_SECONDS)
            waited += RETRY_SECONDS

    def _try(self, store: FeedbackStore) -> None:
        from whybounce.training.feedback.records import StoreError

        try:
            store.check()
        except StoreError as error:
            self.failed(error)
        else:
            self.worked()
