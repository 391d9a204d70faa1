"""``/v1/feedback`` and ``/v1/review``: corrections in, and what is worth a look out."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI, Query, Response

from whybounce.serving.http.problems import DOCUMENTED, documented, problem
from whybounce.serving.http.schemas_feedback import FeedbackIn, FeedbackOut, ReviewOut
from whybounce.serving.http.service import Service
from whybounce.serving.http.store import StoreWatch

if TYPE_CHECKING:
    from whybounce.training.feedback.review import Collector
    from whybounce.training.feedback.store import FeedbackStore

log = logging.getLogger(__name__)

COLLECT_SECONDS = 2.0
"""How often flagged templates are written to the review queue."""

_PRUNE_EVERY = 1000
_NO_STORE = "No feedback store is configured. Start the service with --feedback-url sqlite:///whybounce-feedback.db."


def add(app: FastAPI, service: Service) -> None:
    """Register the endpoints, and collect what a person should look at."""
    store, watch = _open(service)

    @app.post(
        "/v1/feedback",
        status_code=201,
        response_model=FeedbackOut,
        responses={
            200: {"model": FeedbackOut, "description": "It was stored before: the same event id and content."},
            **DOCUMENTED,
            **documented(409, 503),
        },
        tags=["feedback"],
    )
    def feedback(request: FeedbackIn, response: Response) -> Any:
        """Store the right reason for a diagnostic; addresses and IPs are masked first."""
        from whybounce.training.feedback.records import ConflictError, NewFeedback, StoreError, Subject

        if store is None:
            return problem(503, _NO_STORE)
        classifier = service.live.classifier
        if request.reason not in classifier.taxonomy:
            return problem(
                422,
                "The reason is not one that this model knows. They are listed at /v1/reasons.",
                errors=[{"location": "body.reason", "message": "not a known reason"}],
            )
        fields = {
            name: getattr(request, name)
            for name in ("reply_code", "enhanced_status", "command", "remote_host", "provider")
        }
        if request.diagnostic is not None:
            subject = Subject.of_text(request.diagnostic, **fields)
        else:
            subject = Subject.of_template(request.template or "", **fields)
        given = NewFeedback(
            subject, request.reason, source=request.source, event_id=request.event_id, comment=request.comment
        )
        try:
            added = store.add(given.seen(classifier.predict_template(subject.template, **subject.fields())))
        except ConflictError as error:
            return problem(409, str(error))
        except StoreError as error:
            watch.failed(error)
            log.warning("feedback was refused: %s", error)
            return problem(503, str(error), headers={"retry-after": "10"})
        response.status_code = 200 if added.duplicate else 201
        return {
            "id": added.id,
            "event_id": added.event_id,
            "template": subject.template,
            "reason": request.reason,
            "duplicate": added.duplicate,
        }

    @app.get("/v1/review", response_model=ReviewOut, responses=documented(422, 503), tags=["feedback"])
    def review(
        limit: Annotated[int, Query(ge=1, le=500)] = 50, offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0
    ) -> Any:
        """List the templates that a person should look at: unsure, or model and rules disagree."""
        from whybounce.training.feedback.records import StoreError

        if store is None:
            return problem(503, _NO_STORE)
        try:
            total, items = store.queue.page(limit=limit, offset=offset)
        except StoreError as error:
            watch.failed(error)
            return problem(503, str(error), headers={"retry-after": "10"})
        return {"total": total, "items": [item.to_dict() for item in items]}


def _open(service: Service) -> tuple[FeedbackStore | None, StoreWatch]:
    """Open the store, watch it and let the service's predictions fill its review queue."""
    url = service.settings.feedback_url
    if not url:
        return None, service.store
    from whybounce.training.feedback import open_store
    from whybounce.training.feedback.review import Collector

    store = open_store(url)
    service.store = StoreWatch(store)
    service.background.append(service.store.run)
    collector = Collector(lambda: service.live.classifier, store.queue.flag)
    service.observers.append(collector.observe)
    service.background.append(lambda: _collect(collector, store))

    def close() -> None:
        collector.write()
        store.close()

    service.closing.append(close)
    return store, service.store


async def _collect(collector: Collector, store: FeedbackStore) -> None:
    from whybounce.training.feedback.records import StoreError

    rounds = 0
    while True:
        await asyncio.sleep(COLLECT_SECONDS)
        await asyncio.to_thread(collector.write)
        rounds += 1
        if rounds % _PRUNE_EVERY == 0:
            try:
                await asyncio.to_thread(store.queue.prune)
            except StoreError as error:
                log.warning("the review queue could not be pruned: %s", error)
