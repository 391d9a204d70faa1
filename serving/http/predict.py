"""``/v1/predict`` and its batch."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.responses import Response

from whybounce.serving.http.problems import DOCUMENTED
from whybounce.serving.http.schemas import BatchIn, BatchOut, DiagnosticIn, PredictionOut
from whybounce.serving.http.service import Service
from whybounce.serving.http.verdicts import encoded_many, encoded_one

_JSON = "application/json"


def add(app: FastAPI, service: Service) -> None:
    """Register the endpoints."""

    @app.post("/v1/predict", response_model=PredictionOut, responses=DOCUMENTED, tags=["predict"])
    async def predict(request: DiagnosticIn) -> Any:
        """Predict why one message bounced."""
        answer = await encoded_one(service, request.diagnostic, request.fields())
        return Response(answer, media_type=_JSON)

    @app.post("/v1/predict/batch", response_model=BatchOut, responses=DOCUMENTED, tags=["predict"])
    async def predict_batch(request: BatchIn) -> Any:
        """Predict up to 1,000 diagnostics; the answers keep their order."""
        answers = await encoded_many(service, request.diagnostics)
        return Response(b'{"predictions":[' + b",".join(answers) + b"]}", media_type=_JSON)
