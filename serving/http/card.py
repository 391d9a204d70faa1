"""``/v1/models/{version}/card``: the model card of a version, for the page."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import FileResponse, Response

from whybounce.model.errors import WhybounceError
from whybounce.model.registry import Registry
from whybounce.serving.http.problems import documented, problem
from whybounce.serving.http.service import Service

CARD_FILE = "MODEL_CARD.md"
"""As training names it in a run directory."""


def add(app: FastAPI, service: Service) -> None:
    """Register the endpoint."""
    folder = service.settings.registry

    @app.get(
        "/v1/models/{version}/card",
        response_class=FileResponse,
        responses={200: {"content": {"text/markdown": {"schema": {"type": "string"}}}}, **documented(404)},
        tags=["about"],
    )
    def card(version: str) -> Response:
        """Send the model card of a model of the registry, as Markdown."""
        if folder is None:
            return problem(
                404,
                "The model that answers comes with no card: cards belong to versions in a registry. "
                "Start the service with --registry FOLDER.",
            )
        try:
            path = Registry(folder).path(version) / CARD_FILE
        except WhybounceError as error:
            return problem(404, str(error))
        if not path.is_file():
            return problem(404, "This version has no card; “whybounce train” writes one without --bare.")
        return FileResponse(path, media_type="text/markdown")
