"""What stands before every request: API keys, a bounded queue, a time limit, security headers, timing.

One ASGI middleware, because every request pays for it.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Callable, Iterable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from whybounce.serving.http.load import Load
from whybounce.serving.http.problems import refused
from whybounce.serving.keys import ApiKey, Role, role_of
from whybounce.serving.logs import REQUEST_ID, access
from whybounce.serving.settings import Settings

HEALTH = ("/health/", "/v2/health/")
"""What answers however much there is to do, and to everybody."""
OPEN = frozenset({"/", "/docs", "/openapi.json"})
"""Paths that need no key, besides those of health: they hold nobody's data."""
_OPEN_FOLDERS = ("/docs/", "/web/")

_ROLES = (
    ("/v1/feedback", Role.FEEDBACK),
    ("/v1/review", Role.FEEDBACK),
    ("/v1/models", Role.ADMIN),
    ("/metrics", Role.METRICS),
    ("/v1/counters", Role.METRICS),
)

HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
"""On every answer."""

_GIVEN_ID = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")
_METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"})
_SLOW_SECONDS = 1.0

Observe = Callable[[str, str, int, float], None]
"""Told of the method, the path, the status and the seconds of every request."""


class Gate:
    """ASGI middleware; see the module.

    Parameters
    ----------
    app : ASGIApp
    settings : Settings
    load : Load, optional
        Made as the settings say by default.
    observe : callable, optional
    streams : iterable of str
        Paths that stay open as long as their client likes: no time limit here.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        load: Load | None = None,
        observe: Observe | None = None,
        streams: Iterable[str] = (),
    ) -> None:
        self.app = app
        self.keys: tuple[ApiKey, ...] = settings.keys
        self.observe = observe
        self.streams = frozenset(streams)
        self.load = load or load_of(settings)
        self.request_timeout = settings.request_timeout
        self._log = settings.log_requests
        self._ids = secrets.token_hex(6)
        self._count = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer why not."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path: str = scope["path"]
        started = time.perf_counter()
        status = 500
        method: str = scope["method"]
        if method == "HEAD":
            # What answers GET answers HEAD, too, as balancers and monitors expect; the server leaves the body out.
            scope = {**scope, "method": "GET"}
        identity = self._identity(scope)
        REQUEST_ID.set(identity)
        id_header = (b"x-request-id", identity.encode("ascii"))

        async def answered(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *HEADERS, id_header]
            await send(message)

        try:
            if path.startswith(HEALTH):
                await self.app(scope, receive, answered)
            elif self.keys and (refusal := self._refusal(path, scope)):
                await refusal(scope, receive, answered)
            else:
                await self._in_turn(path, scope, receive, answered)
        finally:
            seconds = time.perf_counter() - started
            # The template of the path: what is filled in may be somebody's address.
            route: str = getattr(scope.get("route"), "path", "other")
            if self.observe is not None:
                self.observe(method if method in _METHODS else "other", route, status, seconds)
            if self._log == "all" or (self._log == "errors" and (status >= 400 or seconds > _SLOW_SECONDS)):
                self._note(method, route, status, seconds, identity)

    def _identity(self, scope: Scope) -> str:
        """Return the request's id: the one that was given if it is harmless, or a new one."""
        given = _header(scope, b"x-request-id")
        if given and _GIVEN_ID.fullmatch(given):
            return given.decode("ascii")
        self._count += 1
        return f"{self._ids}-{self._count:x}"

    @staticmethod
    def _note(method: str, route: str, status: int, seconds: float, identity: str) -> None:
        fields = {
            "method": method if method in _METHODS else "other",
            "path": route,
            "status": status,
            "ms": round(seconds * 1000, 1),
            "request_id": identity,
        }
        say = access.error if status >= 500 and status != 503 else access.info
        say("request", extra={"fields": fields})

    def _refusal(self, path: str, scope: Scope) -> Any:
        wanted = role_for(path)
        if wanted is None or (scope["method"] == "OPTIONS" and _header(scope, b"origin")):
            return None
        role = role_of(_token(scope), self.keys)
        if role is None:
            return refused(
                path,
                401,
                "This service asks for an API key. Send it as: Authorization: Bearer KEY.",
                headers={"www-authenticate": 'Bearer realm="whybounce"'},
            )
        if wanted in role.includes:
            return None
        return refused(path, 403, f"This key is for {role}; here one for {wanted} is asked for.")

    async def _in_turn(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        load, lasting = self.load, path in self.streams
        # Requests that were not begun yet count, too: the server tells how many there are.
        ahead = scope.get("state", {}).get("ahead", 0)
        if ahead >= load.room + load.queue or not await load.enter(lasting=lasting):
            refusal = refused(path, 503, "The service is busy; try again in a moment.", headers={"retry-after": "1"})
            await refusal(scope, receive, send)
            return
        try:
            if lasting:
                await self.app(scope, receive, send)
            else:
                await self._limited(scope, receive, send)
        finally:
            load.leave(lasting=lasting)

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def noted(message: Message) -> None:
            # It is answered in time; how long the client takes to read is the connection's concern.
            limit.reschedule(None)
            await send(message)

        limit = asyncio.timeout(self.request_timeout)
        try:
            async with limit:
                await self.app(scope, receive, noted)
        except TimeoutError:
            if not limit.expired():
                raise
            late = f"The request was not complete after {self.request_timeout:g} seconds."
            refusal = refused(scope["path"], 408, late, headers={"connection": "close"})
            await refusal(scope, receive, send)


def role_for(path: str) -> Role | None:
    """Return the role that a path asks for when there are keys; None when it is open to everybody."""
    if path in OPEN or path.startswith((*HEALTH, *_OPEN_FOLDERS)):
        return None
    return next((needed for start, needed in _ROLES if path.startswith(start)), Role.PREDICT)


def load_of(settings: Settings) -> Load:
    """Return the load that the settings allow."""
    return Load(settings.max_concurrency, settings.max_queue, settings.queue_timeout)


def _header(scope: Scope, name: bytes) -> bytes:
    return next((bytes(value) for key, value in scope["headers"] if key == name), b"")


def _token(scope: Scope) -> bytes:
    bearer = _header(scope, b"authorization")
    if bearer[:7].lower() == b"bearer ":
        return bearer[7:].strip()
    return _header(scope, b"x-api-key")
