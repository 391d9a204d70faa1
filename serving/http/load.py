"""How much is being worked on, and who may come in next."""

from __future__ import annotations

import asyncio
from collections import deque


class Load:
    """Room for so many requests at once and a queue of those that wait.

    A place is handed on by whoever leaves, in the order of arrival: nobody who comes later can
    take it in between, and a client that goes while it waits loses none.

    Parameters
    ----------
    room : int
        Requests that are worked on at once.
    queue : int
        Requests that wait beyond those.
    patience : float
        Seconds that a request waits.
    """

    def __init__(self, room: int, queue: int, patience: float) -> None:
        self.room = room
        self.queue = queue
        self.patience = patience
        self.active = 0
        self.lasting = 0
        # A stream lasts as long as its client likes; others must not find every place taken by such.
        self.room_for_lasting = max(1, room // 2)
        self._turns: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """Requests that wait for a place."""
        return len(self._turns)

    @property
    def full(self) -> bool:
        """Whether the next request would be refused."""
        return self.active >= self.room and len(self._turns) >= self.queue

    async def enter(self, *, lasting: bool = False) -> bool:
        """Take a place, waiting for it if need be; False when there is none."""
        if lasting and self.lasting >= self.room_for_lasting:
            return False
        if self.active < self.room and not self._turns:
            self.active += 1
        elif not await self._turn():
            return False
        if lasting:
            self.lasting += 1
        return True

    def leave(self, *, lasting: bool = False) -> None:
        """Give the place back, to the one that waits longest."""
        if lasting:
            self.lasting -= 1
        while self._turns:
            turn = self._turns.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.active -= 1

    async def _turn(self) -> bool:
        if len(self._turns) >= self.queue:
            return False
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._turns.append(turn)
        try:
            async with asyncio.timeout(self.patience):
                await turn
        except (TimeoutError, asyncio.CancelledError) as error:
            if turn in self._turns:
                self._turns.remove(turn)
            given = turn.done() and not turn.cancelled()
            if isinstance(error, asyncio.CancelledError):
                if given:
                    self.leave()
                raise
            return given  # the place came at the last moment
        return True
