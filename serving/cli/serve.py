"""``whybounce serve``."""

from __future__ import annotations

import os
import socket
from typing import Annotated

import typer

from whybounce.model.errors import MissingExtraError, WhybounceError
from whybounce.serving.cli.loading import ArtifactOption
from whybounce.serving.cli.output import stderr


class PortError(WhybounceError):
    """An address that cannot be listened on."""


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes.")] = 1,
    artifact: ArtifactOption = None,
) -> None:
    """Serve the HTTP API; documentation at /docs."""
    try:
        import uvicorn

        import whybounce.serving.http  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("serve", "the HTTP service") from error
    _check(host, port)
    if artifact is not None:
        os.environ["WHYBOUNCE_ARTIFACT"] = str(artifact.absolute())
    stderr.print(f"loading the model; then try http://{host}:{port}/docs", highlight=False)
    uvicorn.run("whybounce.serving.worker:create_app", factory=True, host=host, port=port, workers=workers)


def _check(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortError(f"cannot listen on {host}:{port} ({error.strerror}); choose another with --port") from error
