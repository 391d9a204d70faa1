"""The OpenAPI document, as somebody reads it who wants to write a client: groups, keys, examples.

The examples are real requests and the service's real answers, cut short; ``examples.json``
holds them and ``tests/openapi_examples.py --write`` makes it again.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from whybounce.serving.http.examples import examples
from whybounce.serving.http.gate import HEALTH, role_for

GROUPS = {
    "predict": "One diagnostic, many, or a stream of them.",
    "intake": "Whole bounce messages, events of sending services, and files to report on.",
    "feedback": "Corrections, and what is worth one.",
    "about": "The reasons, the model, the registry, live figures.",
    "health": "For whoever starts, stops and balances the service. Answers without a key and while it is busy.",
    "open inference protocol": "The same model for clients that speak KServe's protocol.",
}

_SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key: `Authorization: Bearer wb_…`."},
    "header": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "The same key in another header.",
    },
}
_PARAMETERS = {
    "limit": "How many items at most.",
    "offset": "How many items to pass over.",
    "version": "A version that `/v1/models` lists.",
}
_DETAILS = {
    400: 'The body is not valid JSON. Send an object such as {"diagnostic": "550 …"}.',
    401: "This service asks for an API key. Send it as: Authorization: Bearer KEY.",
    403: "This key is for metrics; here one for predict is asked for.",
    404: "There is nothing here. The endpoints are listed at /docs.",
    408: "The request was not complete after 60 seconds.",
    409: "The event id was used for other content before; send a new one.",
    413: "The body is larger than 25165824 bytes. Send fewer diagnostics at a time.",
    415: "Send JSON with content-type: application/json.",
    422: "The request is not valid at: body.diagnostic. Send for example: "
    '{"diagnostic": "550 5.1.1 <a@example.com>: User unknown"} See /docs for the expected fields.',
    503: "The service is busy; try again in a moment.",
}
_FIELD = {"location": "body.diagnostic", "message": "Field required"}


def operation_id(route: APIRoute) -> str:
    """Return the name of an operation in generated clients: that of its function."""
    return {"report": "bounce_report" if route.path == "/v1/report" else "model_report"}.get(route.name, route.name)


def install(app: FastAPI) -> None:
    """Complete the document that FastAPI makes."""
    plain = app.openapi

    def complete() -> dict[str, Any]:
        if app.openapi_schema is None:
            _complete(plain())
        return plain()

    app.openapi = complete  # type: ignore[method-assign]


def _complete(document: dict[str, Any]) -> None:
    document["tags"] = [{"name": name, "description": text} for name, text in GROUPS.items()]
    document["components"]["securitySchemes"] = _SECURITY
    # Keys are the operator's choice: {} stands for none.
    document["security"] = [{}, *({name: []} for name in _SECURITY)]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _access(path, operation)
            for parameter in operation.get("parameters", ()):
                parameter.setdefault("description", _PARAMETERS.get(parameter["name"], ""))
            for status, response in operation["responses"].items():
                _error_example(int(status), response)
                for content in response.get("content", {}).values():
                    content.setdefault("schema", {"type": "string"})
            _example(examples().get(f"{method.upper()} {path}"), operation)
    # FastAPI lists its own form of validation errors, which this service does not send.
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)


def _access(path: str, operation: dict[str, Any]) -> None:
    role = role_for(path)
    if role is not None:
        operation["description"] = f"{operation['description']}\n\nWith API keys: asks for the role `{role}`."
        return
    operation["security"] = []
    for status in ("401", "403", *(["408"] if path.startswith(HEALTH) else [])):
        operation["responses"].pop(status, None)
    if path.endswith("/live"):
        operation["responses"].pop("503", None)


def _error_example(status: int, response: dict[str, Any]) -> None:
    content = response.get("content", {}).get("application/problem+json")
    if content is None:
        return
    example = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": _DETAILS[status]}
    response["content"].pop("application/json", None)  # FastAPI adds it to each model
    content["example"] = {**example, "errors": [_FIELD]} if status == 422 else example
    if status == 503:
        retry = {"description": "Seconds to wait.", "schema": {"type": "integer"}}
        response["headers"] = {"Retry-After": retry}


def _example(example: Any, operation: dict[str, Any]) -> None:
    if example is None:
        return
    if "request" in example:
        content = operation["requestBody"]["content"]
        content.setdefault(example["type"], {}).setdefault("example", example["request"])
    answer = operation["responses"][str(example["status"])].setdefault("content", {})
    answer.setdefault(example["answer_type"], {})["example"] = example["answer"]
