"""Refusing bodies that are too large, or packed, before they are in memory."""

from __future__ import annotations

from collections.abc import Collection

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from whybounce.serving.http.problems import refused

MAX_BODY = 24 * 1024 * 1024
"""Bytes of a request body: 1,000 diagnostics of 16 Ki characters, and their JSON."""


class BodyLimit:
    """ASGI middleware: answers 413 to a body of more than ``max_body`` bytes.

    Paths that are ``unlimited`` read their body piece by piece and hold none of it. A body with a
    ``content-encoding`` is unpacked by nobody but the ``packed`` paths, and refused elsewhere.
    """

    def __init__(
        self, app: ASGIApp, max_body: int = MAX_BODY, unlimited: Collection[str] = (), packed: Collection[str] = ()
    ) -> None:
        self.app = app
        self.max_body = max_body
        self.unlimited = frozenset(unlimited)
        self.packed = frozenset(packed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the announced length, then count what really arrives."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path: str = scope["path"]
        announced = b""
        for name, value in scope["headers"]:
            if name == b"content-length":
                announced = value
            elif name == b"content-encoding" and value.lower() not in (b"identity", b"") and path not in self.packed:
                plain = refused(path, 415, _PACKED, headers={"accept-encoding": "identity"})
                await plain(scope, receive, send)
                return
        if path in self.unlimited:
            await self.app(scope, receive, send)
            return
        if announced.isdigit() and int(announced) > self.max_body:
            await self._refuse(scope, receive, send)
            return
        received = 0
        started = False

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_body:
                raise _TooLargeError(self.max_body)
            return message

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, counted, watched)
        except _TooLargeError:
            if not started:
                await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = _TooLargeError(self.max_body)
        answer = refused(scope["path"], error.status_code, error.detail, headers=error.headers)
        await answer(scope, receive, send)


_PACKED = "The body is packed. Send it as it is, without content-encoding."


class _TooLargeError(HTTPException):
    # FastAPI turns any other exception that it meets while reading the body into a 400.
    def __init__(self, max_body: int) -> None:
        detail = f"The body is larger than {max_body} bytes. Send fewer diagnostics at a time."
        super().__init__(413, detail, headers={"connection": "close"})
