"""What FastAPI costs without us: the same request and response models and a constant answer."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from whybounce.model.predictor import BounceClassifier
from whybounce.serving.http.schemas import DiagnosticIn, PredictionOut

_ANSWER = BounceClassifier(classifier=None, manifest=None).predict_one("452 4.2.2 Mailbox full").to_dict()
app = FastAPI()


@app.post("/v1/predict", response_model=PredictionOut)
async def predict(request: DiagnosticIn) -> Any:
    """Answer the same to everybody."""
    return _ANSWER


@app.get("/health/ready")
async def ready() -> Any:
    """Answer."""
    return {"status": "ready"}
