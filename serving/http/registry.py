"""Which model answers: the promoted one of a registry, and taking over another without a pause."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.responses import FileResponse, Response

from whybounce.model.errors import WhybounceError
from whybounce.model.predictor import BounceClassifier
from whybounce.model.registry import Registry
from whybounce.serving.http.problems import documented, problem
from whybounce.serving.http.schemas_models import ModelsOut
from whybounce.serving.http.service import Service
from whybounce.serving.settings import Settings

log = logging.getLogger(__name__)

POLL_SECONDS = 2.0
"""How often a service looks whether another model was promoted."""

RETRY_SECONDS = 30.0
"""How long it waits before it tries a model again that did not load."""

_REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A loaded classifier, and what stood in the way of the promoted one, if anything did."""

    classifier: BounceClassifier
    error: str | None = None


def load_chosen(settings: Settings) -> Chosen:
    """Load the promoted model; when it does not load, the one that answers without a registry."""
    try:
        folder = _promoted(settings.registry)
        if folder is not None:
            return Chosen(BounceClassifier.load(folder, strict=True, cache_size=settings.cache_size))
    except WhybounceError as error:
        log.warning("the promoted model is not used: %s", error)
        return Chosen(BounceClassifier.load(settings.artifact, cache_size=settings.cache_size), str(error))
    return Chosen(BounceClassifier.load(settings.artifact, cache_size=settings.cache_size))


def add(app: FastAPI, service: Service) -> None:
    """Register the endpoints, and watch the registry."""
    folder = service.settings.registry
    if folder is not None:
        service.background.append(Watch(service, folder).run)

    @app.get("/v1/models", response_model=ModelsOut, tags=["about"])
    def models() -> Any:
        """List the models of the registry and their promotions."""
        live = service.live
        found: dict[str, Any] = {
            "registry": folder is not None,
            "serving": live.classifier.model_version,
            "promoted": None,
            "error": live.error,
            "versions": [],
            "history": [],
        }
        if folder is None:
            return found
        registry = Registry(folder)
        try:
            promotions = registry.promotions()
            versions = registry.versions() if (folder / "versions").is_dir() else []
        except WhybounceError as error:
            found["error"] = str(error)
            return found
        found["promoted"] = promotions.current
        found["versions"] = [
            {
                "version": version.name,
                "promoted": version.name == promotions.current,
                "serving": version.name == live.classifier.model_version,
                "created": version.created,
                "problem": version.problem,
                "report": (version.folder / "report.html").is_file(),
                "data": version.manifest.data if version.manifest else {},
                "metrics": version.manifest.metrics if version.manifest else {},
            }
            for version in versions
        ]
        found["history"] = [
            {
                "action": event.action,
                "version": event.version,
                "previous": event.previous,
                "at": event.at,
                "because": event.because,
                "forced": event.forced,
            }
            for event in promotions.history
        ]
        return found

    @app.get(
        "/v1/models/{version}/report",
        response_class=FileResponse,
        responses={200: {"content": {"text/html": {}}}, **documented(404)},
        tags=["about"],
    )
    def report(version: str) -> Response:
        """Show the HTML report of a model of the registry."""
        try:
            path = Registry(folder).path(version) / "report.html" if folder is not None else None
        except WhybounceError as error:
            return problem(404, str(error))
        if path is None or not path.is_file():
            return problem(404, "There is no report of this version. The versions are listed at /v1/models.")
        # The report stands alone; whatever it holds can run nothing and reach nothing.
        return FileResponse(path, media_type="text/html", headers={"content-security-policy": _REPORT_POLICY})


class Watch:
    """Looks every two seconds, and at SIGHUP, whether another model was promoted.

    The new model is loaded in a thread while the old one answers, and taken over
    between two requests. One that does not load changes nothing.
    """

    def __init__(self, service: Service, folder: Path) -> None:
        self.service = service
        self.registry = Registry(folder)
        self._seen: object = None
        self._failed_at: float | None = None

    async def run(self) -> None:
        """Watch until cancelled."""
        wanted = asyncio.Event()
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError, RuntimeError, ValueError):  # signals reach the main thread only
            loop.add_signal_handler(signal.SIGHUP, wanted.set)
        try:
            # Once at the start: a promotion may have come between loading and listening.
            await self._look(force=False)
            while True:
                with suppress(TimeoutError):
                    await asyncio.wait_for(wanted.wait(), POLL_SECONDS)
                force = wanted.is_set()
                wanted.clear()
                await self._look(force=force)
        finally:
            with suppress(NotImplementedError, RuntimeError, ValueError):
                loop.remove_signal_handler(signal.SIGHUP)

    async def _look(self, *, force: bool) -> None:
        now = asyncio.get_running_loop().time()
        stamp = self._stamp()
        again = self._failed_at is not None and now - self._failed_at > RETRY_SECONDS
        if stamp == self._seen and not force and not again:
            return
        self._seen = stamp
        try:
            loaded = await asyncio.to_thread(self._load)
        except Exception as error:
            # Whatever is wrong with the new model, the old one goes on answering.
            if not isinstance(error, WhybounceError):
                log.exception("a promoted model could not be loaded")
            message = str(error) if isinstance(error, WhybounceError) else type(error).__name__
            log.warning("the model stays as it was: %s", message)
            self.service.live.error = message
            self._failed_at = now
            return
        self._failed_at = None
        self.service.live.error = None
        if loaded is not None:
            before = self.service.live.classifier.model_version
            self.service.live.swap(loaded)
            log.info("model %s answers instead of %s", loaded.model_version, before)

    def _load(self) -> BounceClassifier | None:
        settings = self.service.settings
        current = self.registry.promotions().current
        live = self.service.live.classifier
        if current is not None:
            if live.model_version == current:
                return None
            loaded = BounceClassifier.load(self.registry.path(current), strict=True, cache_size=settings.cache_size)
        else:
            loaded = BounceClassifier.load(settings.artifact, strict=True, cache_size=settings.cache_size)
            if live.model_version == loaded.model_version:
                return None
        loaded.predict(["550 5.1.1 <a@example.com>: User unknown", ""])  # what cannot answer must not take over
        return loaded

    def _stamp(self) -> object:
        try:
            found = self.registry.promoted_file.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino


def _promoted(folder: Path | None) -> Path | None:
    if folder is None:
        return None
    registry = Registry(folder)
    current = registry.promotions().current
    return registry.path(current) if current is not None else None
