"""The ASGI application: the parts of the service, put together."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from whybounce import __version__
from whybounce.model.predictor import BounceClassifier
from whybounce.serving.http import (
    about,
    card,
    counters,
    docs,
    events,
    explain,
    feedback,
    inference,
    message,
    metrics,
    openapi,
    predict,
    registry,
    report,
    stream,
    web,
)
from whybounce.serving.http.gate import Gate, load_of
from whybounce.serving.http.limits import BodyLimit
from whybounce.serving.http.live import LiveModel
from whybounce.serving.http.problems import documented, install
from whybounce.serving.http.registry import Chosen, load_chosen
from whybounce.serving.http.service import Service
from whybounce.serving.http.shortcut import Shortcut
from whybounce.serving.settings import Settings

_DESCRIPTION = """
Why did this message bounce, and what should I do about it? Send the diagnostic that
the server gave; get the reason, the report line, the advice, a calibrated confidence
and the words that decided.
"""

_PARTS = (predict, stream, events, message, report, feedback, registry, card, about, inference, docs, explain, web)
"""Modules with ``add(app, service)``, which registers the endpoints of one concern."""

_FLUSH_SECONDS = 1.0
_FLUSH_AT_ONCE = 500


def create_app(
    classifier: BounceClassifier | None = None, *, settings: Settings | None = None, **overrides: Any
) -> FastAPI:
    """Return the application.

    Parameters
    ----------
    classifier : BounceClassifier, optional
        Loaded as the settings say by default.
    settings : Settings, optional
        From the environment (``WHYBOUNCE_…``) by default.
    **overrides
        Single settings, for tests: ``create_app(max_body=1000)``.
    """
    chosen = settings or Settings(**overrides)
    loaded = Chosen(classifier) if classifier else load_chosen(chosen)
    service = Service(settings=chosen, live=LiveModel(loaded.classifier, loaded.error))
    app = FastAPI(
        title="whybounce",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would be built from the host that the client names
        responses=documented(401, 403, 408, 503),
        generate_unique_id_function=openapi.operation_id,
    )
    app.state.service = service
    app.state.load = load = load_of(chosen)
    app.add_middleware(BodyLimit, max_body=chosen.max_body, unlimited=[stream.PATH, report.PATH], packed=[report.PATH])
    app.add_middleware(Shortcut, service=service)
    install(app)
    openapi.install(app)
    for part in _PARTS:
        part.add(app, service)
    observe = None
    if chosen.metrics:
        measured = metrics.Metrics(service, load)
        service.observers.append(measured.prediction)
        service.background.append(measured.run)
        metrics.add(app, measured)
        counters.add(app, measured)
        observe = measured.request
    if chosen.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=chosen.origins,
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type", "x-api-key"],
        )
    app.add_middleware(Gate, settings=chosen, load=load, observe=observe, streams=[stream.PATH, report.PATH])
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    jobs = [job() for job in service.background]
    tasks = [asyncio.create_task(job) for job in (*jobs, _flush(service))]
    # The model is a million objects that never go: the collector need not look at them again and again.
    gc.freeze()
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        service.flush()
        for close in service.closing:
            close()


async def _flush(service: Service) -> None:
    while True:
        await asyncio.sleep(_FLUSH_SECONDS)
        while service.touched:
            service.flush(_FLUSH_AT_ONCE)
            await asyncio.sleep(0)  # requests come first
