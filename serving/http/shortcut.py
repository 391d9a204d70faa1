"""The shortest way for what is asked most: ``/v1/predict`` with a text alone.

Validating, resolving and serialising by way of FastAPI takes several times as long as a
remembered verdict does. A body that is plainly ``{"diagnostic": "…"}`` is therefore answered
here; every other one goes on, unread, to the endpoint, which would have answered the
same bytes (a property test holds the two equal).
"""

from __future__ import annotations

from typing import Any

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from whybounce.serving.http.service import Service
from whybounce.serving.http.verdicts import encoded_one

PATH = "/v1/predict"


class _Route:
    path = PATH


class Shortcut:
    """ASGI middleware; see the module."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app = app
        self.service = service
        self.most = service.settings.max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer at once, or pass on."""
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST" or not self._fits(scope):
            await self.app(scope, receive, send)
            return
        message = await receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            answer = self._answer(message.get("body", b""))
            if answer is not None:
                scope["route"] = _Route
                await send(
                    {
                        "type": "http.response.start",
                        "status": 200,
                        "headers": [
                            (b"content-length", b"%d" % len(answer)),
                            (b"content-type", b"application/json"),
                        ],
                    }
                )
                await send({"type": "http.response.body", "body": answer})
                return
        first: Message | None = message

        async def again() -> Message:
            nonlocal first
            if first is not None:
                message, first = first, None
                return message
            return await receive()

        await self.app(scope, again, send)

    def _answer(self, body: bytes) -> bytes | None:
        if len(body) > self.most:
            return None
        try:
            row: Any = orjson.loads(body)
        except orjson.JSONDecodeError:
            return None
        if type(row) is not dict or len(row) != 1:
            return None
        text = row.get("diagnostic")
        return encoded_one(self.service, text) if type(text) is str else None

    def _fits(self, scope: Scope) -> bool:
        # Nothing is read here of a body that is announced too large, or not announced.
        kinds, sizes = [], []
        for name, value in scope["headers"]:
            if name == b"content-type":
                kinds.append(value)
            elif name == b"content-length":
                sizes.append(value)
        return kinds == [b"application/json"] and len(sizes) == 1 and sizes[0].isdigit() and int(sizes[0]) <= self.most
