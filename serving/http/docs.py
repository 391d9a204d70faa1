"""The documentation at ``/docs``: Swagger UI from an installed package, so that it works without the internet."""

from __future__ import annotations

from importlib.resources import files

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response

from whybounce.serving.http.problems import problem
from whybounce.serving.http.service import Service

_ASSETS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
}
_START = """SwaggerUIBundle({
  url: "../openapi.json", dom_id: "#docs", deepLinking: true, tryItOutEnabled: true,
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset],
});
"""
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>whybounce: the HTTP API</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_POLICY = {
    "content-security-policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
}
_KEPT = {"cache-control": "public, max-age=86400"}


def add(app: FastAPI, service: Service) -> None:
    """Register the page and what it loads."""

    @app.get("/docs", include_in_schema=False)
    def page() -> Response:
        return HTMLResponse(_PAGE, headers=_POLICY)

    @app.get("/docs/{name}", include_in_schema=False)
    def asset(name: str) -> Response:
        if name == "start.js":
            return Response(_START, media_type="text/javascript", headers=_KEPT)
        if name not in _ASSETS:
            return problem(404, "There is nothing here. The documentation is at /docs.")
        content = files("fastapi_offline").joinpath("static", name).read_bytes()
        return Response(content, media_type=_ASSETS[name], headers=_KEPT)
