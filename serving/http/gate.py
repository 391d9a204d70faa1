"""What stands before every request: API keys, a bounded queue, a time limit, security headers, timing.

One ASGI middleware, because every request pays for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from whybounce.serving.http.problems import problem
from whybounce.serving.keys import ApiKey, Role, role_of
from whybounce.serving.settings import Settings

HEALTH = "/health/"
OPEN = frozenset({"/", "/docs", "/openapi.json"})
"""Paths that need no key, besides those of health: they hold nobody's data."""

_ROLES = (
    ("/v1/feedback", Role.FEEDBACK),
    ("/v1/review", Role.FEEDBACK),
    ("/v1/models", Role.ADMIN),
    ("/metrics", Role.METRICS),
)

HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
"""On every answer."""

Observe = Callable[[str, int, float], None]
"""Told of the path, the status and the seconds of every request."""


class Gate:
    """ASGI middleware; see the module.

    Parameters
    ----------
    app : ASGIApp
    settings : Settings
    observe : callable, optional
    streams : iterable of str
        Paths that stay open as long as their client likes: no time limit.
    """

    def __init__(
        self, app: ASGIApp, settings: Settings, observe: Observe | None = None, streams: Iterable[str] = ()
    ) -> None:
        self.app = app
        self.keys: tuple[ApiKey, ...] = settings.keys
        self.observe = observe
        self.streams = frozenset(streams)
        self.room = settings.max_concurrency
        self.queue = settings.max_queue
        self.queue_timeout = settings.queue_timeout
        self.request_timeout = settings.request_timeout
        self.active = 0
        self._turns: list[asyncio.Future[None]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer why not."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path: str = scope["path"]
        started = time.perf_counter()
        status = 500

        async def answered(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        try:
            if path.startswith(HEALTH):
                await self.app(scope, receive, answered)
            elif self.keys and (refusal := self._refusal(path, scope)):
                await refusal(scope, receive, answered)
            else:
                await self._in_turn(path, scope, receive, answered)
        finally:
            if self.observe is not None:
                route = scope.get("route")
                self.observe(getattr(route, "path", "other"), status, time.perf_counter() - started)

    def _refusal(self, path: str, scope: Scope) -> Any:
        if path in OPEN or (scope["method"] == "OPTIONS" and _header(scope, b"origin")):
            return None
        role = role_of(_token(scope), self.keys)
        if role is None:
            return problem(
                401,
                "This service asks for an API key. Send it as: Authorization: Bearer KEY.",
                headers={"www-authenticate": 'Bearer realm="whybounce"'},
            )
        wanted = next((needed for start, needed in _ROLES if path.startswith(start)), Role.PREDICT)
        if wanted in role.includes:
            return None
        return problem(403, f"This key is for {role}; here one for {wanted} is asked for.")

    async def _in_turn(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        if self.active >= self.room and not await self._turn():
            refusal = problem(503, "The service is busy; try again in a moment.", headers={"retry-after": "1"})
            await refusal(scope, receive, send)
            return
        self.active += 1
        try:
            if path in self.streams:
                await self.app(scope, receive, send)
                return
            await self._limited(scope, receive, send)
        finally:
            self.active -= 1
            while self._turns and self.active < self.room:
                turn = self._turns.pop(0)
                if not turn.done():
                    turn.set_result(None)
                    break

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            async with asyncio.timeout(self.request_timeout):
                await self.app(scope, receive, noted)
        except TimeoutError:
            if begun:
                raise
            refusal = problem(408, f"The request was not complete after {self.request_timeout:g} seconds.")
            await refusal(scope, receive, send)

    async def _turn(self) -> bool:
        """Wait for room; False when too many wait already, or it takes too long."""
        if len(self._turns) >= self.queue:
            return False
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._turns.append(turn)
        try:
            async with asyncio.timeout(self.queue_timeout):
                await turn
        except TimeoutError:
            return False
        finally:
            if turn in self._turns:
                self._turns.remove(turn)
        return True


def _header(scope: Scope, name: bytes) -> bytes:
    return next((bytes(value) for key, value in scope["headers"] if key == name), b"")


def _token(scope: Scope) -> bytes:
    bearer = _header(scope, b"authorization")
    if bearer[:7].lower() == b"bearer ":
        return bearer[7:].strip()
    return _header(scope, b"x-api-key")
