"""``/v1/predict`` and its batch."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from whybounce.model.predictor import BounceClassifier
from whybounce.serving.http.problems import DOCUMENTED
from whybounce.serving.http.schemas import BatchIn, BatchOut, DiagnosticIn, PredictionOut
from whybounce.serving.http.service import Service


def add(app: FastAPI, service: Service) -> None:
    """Register the endpoints."""

    @app.post("/v1/predict", response_model=PredictionOut, responses=DOCUMENTED, tags=["predict"])
    async def predict(request: DiagnosticIn) -> Any:
        """Predict why one message bounced."""
        return service.live.classifier.predict_one(request.diagnostic, **request.fields()).to_dict()

    @app.post("/v1/predict/batch", response_model=BatchOut, responses=DOCUMENTED, tags=["predict"])
    async def predict_batch(request: BatchIn) -> Any:
        """Predict up to 1,000 diagnostics; the answers keep their order."""
        classifier = service.live.classifier
        return {"predictions": [_predict(classifier, item).to_dict() for item in request.diagnostics]}


def _predict(classifier: BounceClassifier, item: str | DiagnosticIn) -> Any:
    if isinstance(item, str):
        return classifier.predict_one(item)
    return classifier.predict_one(item.diagnostic, **item.fields())
