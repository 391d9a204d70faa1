"""``/v1/message``: a whole bounce message in, what it says of each recipient out."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.requests import ClientDisconnect

from whybounce.model.predictor import BounceClassifier
from whybounce.serving.http.problems import DOCUMENTED, problem
from whybounce.serving.http.schemas_message import MessageOut
from whybounce.serving.http.service import Service
from whybounce.serving.intake.judge import judge
from whybounce.serving.intake.messages import MessageReading, read_message

_ACCEPTED = frozenset(["", "message/rfc822", "message/global", "text/plain", "application/octet-stream"])
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The message as it was received.",
        "content": {"message/rfc822": {"schema": {"type": "string"}}},
    }
}


def add(app: FastAPI, service: Service) -> None:
    """Register the endpoint."""

    @app.post(
        "/v1/message", response_model=MessageOut, responses=DOCUMENTED, tags=["intake"], openapi_extra=_BODY
    )  # fmt: skip
    async def message(request: Request) -> Any:
        """Read a bounce message, standard (RFC 3464) or not, and predict why each recipient's copy bounced."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in _ACCEPTED:
            return problem(415, "Send the message as it was received, with content-type message/rfc822.")
        try:
            data = await request.body()
        except ClientDisconnect:
            return problem(400, "The message did not come whole.")
        # MIME may be large and deep: other requests go on meanwhile.
        reading, answer = await asyncio.to_thread(_answer, service.live.classifier, data)
        if reading.kind is None and reading.ends_early:
            return problem(422, "This message is cut off before it says what it is. Send it as a whole.")
        if reading.kind is None:
            return problem(
                422,
                "This message is neither a bounce nor an automatic one. Send the whole message with its header; "
                "single diagnostics go to /v1/predict.",
            )
        for record in reading.records:
            service.count(service.live.classifier.recall(record.diagnostic, **record.fields()))
        return Response(answer, media_type="application/json")


def _answer(classifier: BounceClassifier, data: bytes) -> tuple[MessageReading, bytes]:
    reading = read_message(data)
    records = [
        {
            "recipient": record.recipient,
            "outcome": str(record.outcome),
            "diagnostic": record.diagnostic,
            "kind": record.kind,
            "reporting_mta": record.reporting_mta,
            "remote_mta": record.remote_host,
            "status": record.enhanced_status,
            "message_id": record.message_id,
            "date": record.occurred_at.isoformat() if record.occurred_at else None,
            "prediction": judge(classifier, record).to_dict(),
        }
        for record in reading.records
    ]
    return reading, orjson.dumps({"format": reading.kind, "cut": reading.cut, "records": records})
