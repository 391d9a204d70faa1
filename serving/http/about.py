"""What the service knows and how it is: reasons, model, health."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from whybounce import __version__
from whybounce.model.taxonomy import Action
from whybounce.serving.http.load import Load
from whybounce.serving.http.problems import documented, problem
from whybounce.serving.http.schemas import HealthOut, ModelOut, ReadinessOut, ReasonOut, ReasonsOut
from whybounce.serving.http.service import Service

_NO_MODEL = "No model could be loaded, and rules alone are not enough here. /v1/model says why."


def add(app: FastAPI, service: Service) -> None:
    """Register the endpoints."""
    load: Load = app.state.load

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
                for info in service.live.classifier.taxonomy
            ]
        }

    @app.get("/v1/model", response_model=ModelOut, tags=["about"])
    async def model() -> Any:
        """Describe the loaded model, or say why there is none."""
        classifier = service.live.classifier
        manifest = classifier.manifest
        return ModelOut(
            model_version=classifier.model_version,
            degraded=classifier.degraded,
            degraded_because=classifier.degraded_because,
            promoted_error=service.live.error,
            whybounce_version=__version__,
            labels=list(manifest.labels) if manifest else list(classifier.taxonomy.reasons),
            threshold=manifest.threshold if manifest else None,
            hard_threshold=manifest.hard_threshold if manifest else None,
            review_below=manifest.review_below if manifest else None,
            libraries=manifest.libraries if manifest else {},
            data=manifest.data if manifest else {},
            metrics=manifest.metrics if manifest else {},
        )

    @app.get("/health/live", response_model=HealthOut, tags=["health"])
    async def live() -> Any:
        """Answer as long as the process runs."""
        return {"status": "alive"}

    @app.get("/health/ready", response_model=ReadinessOut, responses=documented(503), tags=["health"])
    async def ready() -> Any:
        """Answer when predictions are served; ``degraded`` says whether by rules alone.

        A service that is ``overloaded`` is still ready: taking its traffic away would only overload the next.
        So is one whose ``feedback`` store is unavailable: predictions need none.
        While it shuts down, it accepts no connections any more.
        """
        if not service.ready:
            return problem(503, _NO_MODEL, headers={"retry-after": "10"})
        return {
            "status": "ready",
            "degraded": service.live.classifier.degraded,
            "overloaded": load.full,
            "feedback": service.store.state,
            "detail": service.store.detail,
        }
