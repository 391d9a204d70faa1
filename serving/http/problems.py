"""Errors as RFC 9457 problem+json, mapped in one place."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from whybounce.model.errors import WhybounceError
from whybounce.serving.http.examples import examples
from whybounce.serving.http.schemas import Problem

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

_DESCRIPTIONS = {
    400: "The body is not JSON; the answer says where it breaks.",
    401: "The service asks for an API key, and none that it knows was sent.",
    403: "The API key is for other endpoints.",
    404: "There is nothing under this name.",
    408: "The request was not complete in time.",
    409: "The event id came with other content before.",
    413: "The body is larger than the service accepts.",
    415: "The body is of another type than the endpoint takes; the answer names the right one.",
    422: "What was sent is not what is expected; the answer names each field.",
    503: "The service cannot do this now; the answer says what is missing.",
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what the OpenAPI document says of these error responses."""
    return {
        status: {
            "model": Problem,
            "description": _DESCRIPTIONS[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


DOCUMENTED = documented(400, 413, 415, 422)
"""The error responses of the endpoints that take a body."""


def problem(
    status: int, detail: str, *, errors: list[dict[str, str]] | None = None, headers: Any = None, **more: Any
) -> Response:
    """Return a problem+json response; ``more`` are members of its own."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **more,
    }
    if errors is not None:
        body["errors"] = errors
    return JSONResponse(body, status_code=status, media_type=MEDIA_TYPE, headers=headers)


def refused(
    path: str, status: int, detail: str, *, errors: list[dict[str, str]] | None = None, headers: Any = None
) -> Response:
    """Return a problem as clients of this path look for it: those of ``/v2`` read ``error``."""
    more = {"error": detail} if path.startswith("/v2") else {}
    return problem(status, detail, errors=errors, headers=headers, **more)


def _example(request: Request) -> str:
    """Show what the endpoint takes, as its documentation does."""
    route = getattr(request.scope.get("route"), "path", "")
    example = examples().get(f"{request.method} {route}", {})
    if example.get("type") != "application/json":
        return ""
    return f"Send for example: {json.dumps(example['request'], ensure_ascii=False)} "


def _is_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def install(app: FastAPI) -> None:
    """Register the handlers."""

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        path = request.url.path
        if not _is_json(request) and any(item["loc"] == ("body",) and item["input"] for item in error.errors()):
            # Its body was not even looked at.
            return refused(path, 415, "Send JSON with content-type: application/json.")
        # The errors carry the input, which may be somebody's address: only place and message go out.
        found = [
            {"location": ".".join(str(part) for part in item["loc"]), "message": str(item["msg"])}
            for item in error.errors()
        ]
        if any(item["type"] == "json_invalid" for item in error.errors()):
            return refused(
                path, 400, 'The body is not valid JSON. Send an object such as {"diagnostic": "550 …"}.', errors=found
            )
        places = ", ".join(dict.fromkeys(item["location"] for item in found[:5]))
        expected = _example(request) if any(item["loc"][:1] == ("body",) for item in error.errors()) else ""
        detail = f"The request is not valid at: {places}. {expected}See /docs for the expected fields."
        return refused(path, 422, detail, errors=found[:50])

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        details = {
            404: "There is nothing here. The endpoints are listed at /docs.",
            405: "This endpoint does not take this method. See /docs.",
            400: "The body cannot be read: it is not UTF-8, nested too deeply or holds a number that is too long. "
            "Send plain JSON in UTF-8.",
        }
        detail = details.get(error.status_code, str(error.detail))
        return refused(request.url.path, error.status_code, detail, headers=error.headers)

    @app.exception_handler(WhybounceError)
    async def ours(request: Request, error: WhybounceError) -> Response:
        return refused(request.url.path, 400, str(error))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        log.error("unexpected %s", type(error).__name__, exc_info=error)
        return refused(request.url.path, 500, "Something went wrong in the service. It has been logged.")
