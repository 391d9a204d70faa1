"""The ASGI application."""

from __future__ import annotations

import os
from typing import Any

from fastapi import FastAPI

from whybounce import __version__
from whybounce.model.predictor import BounceClassifier
from whybounce.model.taxonomy import Action
from whybounce.serving.http.limits import MAX_BODY, BodyLimit
from whybounce.serving.http.problems import DOCUMENTED, install
from whybounce.serving.http.schemas import (
    BatchIn,
    BatchOut,
    DiagnosticIn,
    HealthOut,
    ModelOut,
    PredictionOut,
    ReasonOut,
    ReasonsOut,
)

ARTIFACT_VARIABLE = "WHYBOUNCE_ARTIFACT"
"""Environment variable that names the artifact folder for worker processes."""

_DESCRIPTION = """
Why did this message bounce, and what should I do about it? Send the diagnostic that
the server gave; get the reason, the report line, the advice, a calibrated confidence
and the words that decided.
"""


def create_app(classifier: BounceClassifier | None = None, *, max_body: int = MAX_BODY) -> FastAPI:
    """Return the application.

    Parameters
    ----------
    classifier : BounceClassifier, optional
        Loaded from the folder in ``WHYBOUNCE_ARTIFACT``, or the shipped artifact, by default.
    max_body : int
        Bytes of a request body beyond which it is refused with 413.
    """
    loaded = classifier or BounceClassifier.load(os.environ.get(ARTIFACT_VARIABLE) or None)
    app = FastAPI(title="whybounce", version=__version__, description=_DESCRIPTION)
    app.add_middleware(BodyLimit, max_body=max_body)
    install(app)
    _add_predictions(app, loaded)
    _add_information(app, loaded)
    return app


def _add_predictions(app: FastAPI, classifier: BounceClassifier) -> None:
    @app.post("/v1/predict", response_model=PredictionOut, responses=DOCUMENTED, tags=["predict"])
    async def predict(request: DiagnosticIn) -> Any:
        """Predict why one message bounced."""
        return classifier.predict_one(request.diagnostic, **request.fields()).to_dict()

    @app.post("/v1/predict/batch", response_model=BatchOut, responses=DOCUMENTED, tags=["predict"])
    async def predict_batch(request: BatchIn) -> Any:
        """Predict up to 1,000 diagnostics; the answers keep their order."""
        return {"predictions": [_predict(classifier, item).to_dict() for item in request.diagnostics]}


def _predict(classifier: BounceClassifier, item: str | DiagnosticIn) -> Any:
    if isinstance(item, str):
        return classifier.predict_one(item)
    return classifier.predict_one(item.diagnostic, **item.fields())


def _add_information(app: FastAPI, classifier: BounceClassifier) -> None:
    @app.get("/v1/reasons", response_model=ReasonsOut, tags=["about"])
    async def reasons() -> Any:
        """List every reason with its report line, category and advice."""
        return {
            "reasons": [
                ReasonOut(
                    reason=str(info.reason),
                    title=info.title,
                    description=info.description,
                    group=str(info.group),
                    categories=[str(category) for category in info.categories],
                    retryable=info.retryable,
                    action=str(info.action),
                    advice=Action(info.action).advice,
                )
                for info in classifier.taxonomy
            ]
        }

    @app.get("/v1/model", response_model=ModelOut, tags=["about"])
    async def model() -> Any:
        """Describe the loaded model, or say why there is none."""
        manifest = classifier.manifest
        return ModelOut(
            model_version=classifier.model_version,
            degraded=classifier.degraded,
            degraded_because=classifier.degraded_because,
            whybounce_version=__version__,
            labels=list(manifest.labels) if manifest else list(classifier.taxonomy.reasons),
            threshold=manifest.threshold if manifest else None,
            hard_threshold=manifest.hard_threshold if manifest else None,
            review_below=manifest.review_below if manifest else None,
            libraries=manifest.libraries if manifest else {},
            data=manifest.data if manifest else {},
            metrics=manifest.metrics if manifest else {},
        )

    @app.get("/health/live", response_model=HealthOut, response_model_exclude_none=True, tags=["health"])
    async def live() -> Any:
        """Answer as long as the process runs."""
        return {"status": "alive"}

    @app.get("/health/ready", response_model=HealthOut, tags=["health"])
    async def ready() -> Any:
        """Answer when predictions are served; ``degraded`` says whether by rules alone."""
        return {"status": "ready", "degraded": classifier.degraded}
