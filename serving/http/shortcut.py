"""The shortest way for what is asked most: ``/v1/predict`` and its batch with texts alone.

Validating, resolving and serialising by way of FastAPI takes several times as long as a
remembered verdict does. A body that is plainly ``{"diagnostic": "…"}`` or
``{"diagnostics": ["…", …]}`` is therefore answered here; every other one goes on, unread,
to the endpoint, which would have answered the same bytes (a property test holds the
two equal).
"""

from __future__ import annotations

from typing import Any

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from whybounce.serving.http.schemas import MAX_BATCH
from whybounce.serving.http.service import Service
from whybounce.serving.http.verdicts import encoded_many, encoded_one

PATHS = ("/v1/predict", "/v1/predict/batch")


class _Route:
    def __init__(self, path: str) -> None:
        self.path = path


_ROUTES = {path: _Route(path) for path in PATHS}


class Shortcut:
    """ASGI middleware; see the module."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app = app
        self.service = service
        self.most = service.settings.max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer at once, or pass on."""
        route = _ROUTES.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if route is None or not self._fits(scope):
            await self.app(scope, receive, send)
            return
        held = [await receive()]
        while held[-1]["type"] == "http.request" and held[-1].get("more_body", False):
            held.append(await receive())
        if held[-1]["type"] == "http.request":
            answer = await self._answer(b"".join([message.get("body", b"") for message in held]), route.path)
            if answer is not None:
                scope["route"] = route
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
        left = iter(held)

        async def again() -> Message:
            return next(left, None) or await receive()

        await self.app(scope, again, send)

    async def _answer(self, body: bytes, path: str) -> bytes | None:
        if len(body) > self.most:
            return None
        try:
            row: Any = orjson.loads(body)
        except orjson.JSONDecodeError:
            return None
        if type(row) is not dict or len(row) != 1:
            return None
        if path == PATHS[0]:
            text = row.get("diagnostic")
            return await encoded_one(self.service, text) if type(text) is str else None
        texts = row.get("diagnostics")
        if type(texts) is not list or not 0 < len(texts) <= MAX_BATCH or set(map(type, texts)) != {str}:
            return None
        return b'{"predictions":[' + b",".join(await encoded_many(self.service, texts)) + b"]}"

    def _fits(self, scope: Scope) -> bool:
        # Nothing is read here of a body that is announced too large, or not announced.
        kinds, sizes = [], []
        for name, value in scope["headers"]:
            if name == b"content-type":
                kinds.append(value)
            elif name == b"content-length":
                sizes.append(value)
        return kinds == [b"application/json"] and len(sizes) == 1 and sizes[0].isdigit() and int(sizes[0]) <= self.most
