"""Prometheus metrics at ``/metrics``.

With several workers each writes to files in one folder (``PROMETHEUS_MULTIPROC_DIR``,
which ``whybounce serve`` sets), and whichever is asked adds them up.
"""

from __future__ import annotations

import os

from fastapi import FastAPI
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from whybounce.model.prediction import Prediction
from whybounce.model.taxonomy import Action
from whybounce.serving.http.service import Service

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """The metrics of one worker."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.registry = CollectorRegistry()
        self._requests = Counter("whybounce_requests", "HTTP requests.", ("path", "status"), registry=self.registry)
        self._seconds = Histogram(
            "whybounce_request_seconds", "Seconds of HTTP requests.", ("path",), buckets=BUCKETS, registry=self.registry
        )
        self._predictions = Counter(
            "whybounce_predictions", "Predictions given.", ("reason", "decided_by"), registry=self.registry
        )
        self._providers = Counter(
            "whybounce_predictions_by_provider", "Predictions by provider and category.", ("provider", "category"),
            registry=self.registry,
        )  # fmt: skip
        self._unsure = Counter(
            "whybounce_predictions_unsure", "Predictions whose advice is that a person looks.", registry=self.registry
        )
        self._hits = Gauge(
            "whybounce_cache_hits", "Verdicts that were remembered, by the model that answers.",
            registry=self.registry, multiprocess_mode="livesum",
        )  # fmt: skip
        self._misses = Gauge(
            "whybounce_cache_misses", "Verdicts that had to be made.", registry=self.registry,
            multiprocess_mode="livesum",
        )  # fmt: skip
        self._model = Gauge(
            "whybounce_model_info", "1 for the model that answers.", ("version",), registry=self.registry,
            multiprocess_mode="livemax",
        )  # fmt: skip
        self._degraded = Gauge(
            "whybounce_degraded", "Whether rules answer alone.", registry=self.registry, multiprocess_mode="livemax"
        )
        self._version: str | None = None

    def request(self, path: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def prediction(self, prediction: Prediction, count: int) -> None:
        """Count a prediction that was given ``count`` times."""
        self._predictions.labels(prediction.reason, str(prediction.decided_by)).inc(count)
        self._providers.labels(prediction.provider or "unknown", prediction.category).inc(count)
        if prediction.action == Action.REVIEW:
            self._unsure.inc(count)

    def state(self) -> None:
        """Bring what is read off the service up to date."""
        classifier = self.service.live.classifier
        hits, misses = classifier.cache_stats
        self._hits.set(hits)
        self._misses.set(misses)
        self._degraded.set(classifier.degraded)
        version = classifier.model_version or "none"
        if self._version not in (None, version):
            self._model.labels(self._version).set(0)
        self._model.labels(version).set(1)
        self._version = version

    def text(self) -> bytes:
        """The metrics in Prometheus' text format."""
        self.service.flush()
        self.state()
        if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            joined = CollectorRegistry()
            MultiProcessCollector(joined)  # type: ignore[no-untyped-call]
            return generate_latest(joined)
        return generate_latest(self.registry)


def add(app: FastAPI, metrics: Metrics) -> None:
    """Register the endpoint."""

    @app.get("/metrics", tags=["about"], response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def prometheus() -> Response:
        """Metrics for Prometheus."""
        return Response(metrics.text(), headers={"content-type": CONTENT_TYPE_LATEST})
