"""The web page at ``/``: files that are served as they are, and may load nothing from elsewhere."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import Response

from whybounce.serving.http.service import Service

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content security policy of the page: its own files and its own service, nothing inline."""

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_PAGE = "index.html"
_LARGEST = b'<meta name="max-report" content="268435456">'
"""Where the page learns how large a file may be: it says so before anything is sent."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the page, in memory."""

    content: bytes
    media_type: str
    etag: str


def _asset(content: bytes, media_type: str) -> Asset:
    return Asset(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:32]}"')


def assets() -> dict[str, Asset]:
    """Read the files of the page."""
    found = {}
    for file in (files("whybounce.serving") / "web").iterdir():
        media_type = TYPES.get("." + file.name.rpartition(".")[2])
        if media_type and file.is_file():
            found[file.name] = _asset(file.read_bytes(), media_type)
    return found


def add(app: FastAPI, service: Service) -> None:
    """Register the page and its files."""
    known = assets()
    own = _LARGEST.replace(b"268435456", str(service.settings.max_report).encode("ascii"))
    known[_PAGE] = _asset(known[_PAGE].content.replace(_LARGEST, own), TYPES[".html"])

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def page(request: Request) -> Response:
        """Show the page; a client that takes JSON only is told where the documentation is."""
        accepted = request.headers.get("accept", "*/*")
        if "text/html" not in accepted and "*/*" not in accepted:
            raise HTTPException(404)
        answer = _answer(known[_PAGE], request)
        answer.headers["vary"] = "accept"
        return answer

    @app.api_route("/web/{name}", methods=["GET", "HEAD"], include_in_schema=False)
    async def asset(name: str, request: Request) -> Response:
        """Send a file of the page."""
        if name not in known or name == _PAGE:
            raise HTTPException(404)
        return _answer(known[name], request)


def _answer(asset: Asset, request: Request) -> Response:
    headers = {
        "etag": asset.etag,
        "cache-control": "no-cache",  # asked for again each time, and sent again only when it changed
        "content-security-policy": POLICY,
        "cross-origin-opener-policy": "same-origin",
    }
    given = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
    if asset.etag in given or given == ["*"]:
        return Response(status_code=304, headers=headers)
    return Response(asset.content, media_type=asset.media_type, headers=headers)
