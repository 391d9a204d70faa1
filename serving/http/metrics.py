"""Prometheus metrics at ``/metrics``.

With several workers each writes to files in one folder (``PROMETHEUS_MULTIPROC_DIR``,
which ``whybounce serve`` sets), and whichever is asked adds them up.
"""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics import disable_created_metrics
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from whybounce import __version__
from whybounce.model.prediction import Prediction
from whybounce.model.predictor import BounceClassifier
from whybounce.model.taxonomy import Action
from whybounce.serving.http.load import Load
from whybounce.serving.http.service import Service

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

EVERY_SECONDS = 1.0
"""How often a worker writes down what is not counted request by request: any of them may be asked for all."""

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_LIVE_FILE = re.compile(r"gauge_live\w*_(\d+)\.db")


class Metrics:
    """The metrics of one worker.

    Parameters
    ----------
    service : Service
    load : Load
    """

    def __init__(self, service: Service, load: Load) -> None:
        self.service = service
        self.load = load
        self.registry = CollectorRegistry()
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which nobody asks for
        self._requests = self._counter("http_requests", "HTTP requests.", "method", "path", "status")
        self._seconds = Histogram(
            "whybounce_http_request_duration_seconds", "Seconds that HTTP requests took.", ("path",), buckets=BUCKETS,
            registry=self.registry,
        )  # fmt: skip
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._in_progress = self._gauge("http_requests_in_progress", "HTTP requests that are worked on.")
        self._waiting = self._gauge("http_requests_waiting", "HTTP requests that wait for their turn.")
        self._predictions = self._counter(
            "predictions", "Predictions given, by what was found and who decided.",
            "reason", "category", "decided_by", "provider",
        )  # fmt: skip
        self._unsure = self._counter("predictions_unsure", "Predictions whose advice is that a person looks.")
        self._hits = self._counter("cache_hits", "Verdicts that were remembered.")
        self._misses = self._counter("cache_misses", "Verdicts that had to be made.")
        self._cached: tuple[BounceClassifier | None, int, int] = (None, 0, 0)
        self._model = self._gauge("model_info", "1 for the model that answers.", "version", mode="livemax")
        self._degraded = self._gauge("degraded", "1 when rules answer alone, without a model.", mode="livemax")
        self._promotion = self._gauge("promotion_failed", "1 when the promoted model does not answer.", mode="livemax")
        build = self._gauge("build_info", "1 for the version of whybounce.", "version", mode="livemax")
        build.labels(__version__).set(1)
        self._version: str | None = None
        if not os.environ.get(_FOLDER):
            ProcessCollector(registry=self.registry)
            PlatformCollector(registry=self.registry)
        self.state()

    def _counter(self, name: str, documentation: str, *labels: str) -> Counter:
        return Counter(f"whybounce_{name}", documentation, labels, registry=self.registry)

    def _gauge(self, name: str, documentation: str, *labels: str, mode: Any = "livesum") -> Gauge:
        return Gauge(f"whybounce_{name}", documentation, labels, registry=self.registry, multiprocess_mode=mode)

    def request(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count a request."""
        found = self._known.get((method, path, status))
        if found is None:  # looking labels up takes longer than counting, and every request pays for it
            found = self._requests.labels(method, path, str(status)), self._seconds.labels(path)
            self._known[method, path, status] = found
        found[0].inc()
        found[1].observe(seconds)

    def prediction(self, prediction: Prediction, count: int) -> None:
        """Count a prediction that was given ``count`` times."""
        self._predictions.labels(
            prediction.reason, str(prediction.category), str(prediction.decided_by), prediction.provider or "unknown"
        ).inc(count)
        if prediction.action == Action.REVIEW:
            self._unsure.inc(count)

    def state(self) -> None:
        """Bring what is read off the service up to date."""
        live = self.service.live
        classifier = live.classifier
        hits, misses = classifier.cache_stats
        before = self._cached if self._cached[0] is classifier else (classifier, 0, 0)  # a new model forgets
        self._hits.inc(max(0, hits - before[1]))
        self._misses.inc(max(0, misses - before[2]))
        self._cached = (classifier, hits, misses)
        self._in_progress.set(self.load.active)
        self._waiting.set(self.load.waiting)
        self._degraded.set(classifier.degraded)
        self._promotion.set(live.error is not None)
        version = classifier.model_version or "none"
        if self._version not in (None, version):
            if os.environ.get(_FOLDER):
                self._model.labels(self._version).set(0)  # files forget no label
            else:
                self._model.remove(self._version)
        self._model.labels(version).set(1)
        self._version = version

    async def run(self) -> None:
        """Keep the state up to date until cancelled."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            self.state()

    def collected(self) -> CollectorRegistry:
        """The figures of all workers, up to date."""
        self.service.flush()
        self.state()
        folder = os.environ.get(_FOLDER)
        if not folder:
            return self.registry
        forget_the_dead(Path(folder))
        joined = CollectorRegistry()
        MultiProcessCollector(joined, folder)  # type: ignore[no-untyped-call]
        return joined

    def text(self, accept: str = "") -> tuple[bytes, str]:
        """The metrics in Prometheus' text format, or in OpenMetrics' if that is asked for, and its media type."""
        encode, media_type = choose_encoder(accept)
        return encode(self.collected()), media_type


def forget_the_dead(folder: Path) -> None:
    """Remove what processes said of their present state that have none any more; what they counted stays."""
    for file in folder.iterdir():
        found = _LIVE_FILE.fullmatch(file.name)
        if found is None:
            continue
        try:
            os.kill(int(found[1]), 0)
        except ProcessLookupError:
            mark_process_dead(int(found[1]), str(folder))  # type: ignore[no-untyped-call]
        except OSError:
            pass  # it lives, and is not ours


def add(app: FastAPI, metrics: Metrics) -> None:
    """Register the endpoint."""
    kinds = ("text/plain", "application/openmetrics-text")

    @app.get(
        "/metrics",
        tags=["about"],
        response_class=Response,
        responses={200: {"content": {kind: {"schema": {"type": "string"}} for kind in kinds}}},
    )
    async def prometheus(request: Request) -> Response:
        """Metrics for Prometheus: its text format, or OpenMetrics when the `Accept` header asks for it."""
        text, media_type = metrics.text(request.headers.get("accept", ""))
        return Response(text, headers={"content-type": media_type})
