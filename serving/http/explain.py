"""``/v1/explain``: a prediction with the words that decided, where they stand in the given text."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.responses import Response

from whybounce.model.explain import highlight
from whybounce.serving.http.problems import DOCUMENTED
from whybounce.serving.http.schemas import DiagnosticIn
from whybounce.serving.http.schemas_explain import ExplanationOut
from whybounce.serving.http.service import Service


def add(app: FastAPI, service: Service) -> None:
    """Register the endpoint."""

    @app.post("/v1/explain", response_model=ExplanationOut, responses=DOCUMENTED, tags=["predict"])
    async def explain(request: DiagnosticIn) -> Any:
        """Predict why one message bounced, and show which of its words decided."""
        classifier = service.live.classifier
        text, fields = request.diagnostic, request.fields()
        service.count(classifier.recall(text, **fields))
        found = classifier.explain(text, **fields)
        answer = {
            **found.prediction.to_dict(),
            "description": classifier.taxonomy[found.prediction.reason].description,
            "advice": found.advice,
            "normalised": found.diagnostic.normalised,
            "highlights": [asdict(span) for span in highlight(text, found.prediction)],
            "rules": found.rules,
        }
        return Response(orjson.dumps(answer), media_type="application/json")
