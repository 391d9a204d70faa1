"""``whybounce serve``."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape
from rich.table import Table

from whybounce.model.errors import MissingExtraError, WhybounceError
from whybounce.serving.cli.output import print_json, stderr, stdout

if TYPE_CHECKING:
    from whybounce.serving.settings import Settings

STORE = "sqlite:///whybounce-feedback.db"
"""Where ``whybounce serve`` and the feedback commands keep corrections when nothing else is said."""


class PortError(WhybounceError):
    """An address that cannot be listened on."""


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1 by default.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port to listen on; 8000 by default.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Processes; 1 by default.")] = None,
    artifact: Annotated[
        Path | None, typer.Option(help="Artifact folder; the shipped model by default.", show_default=False)
    ] = None,
    registry: Annotated[
        Path | None, typer.Option(help="Model registry; its promoted model answers.", show_default=False)
    ] = None,
    feedback_url: Annotated[
        str | None, typer.Option(help=f"Feedback store; {STORE} by default, none for no feedback.", show_default=False)
    ] = None,
    show_config: Annotated[bool, typer.Option("--show-config", help="Print all settings and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --show-config: print JSON.")] = False,
) -> None:
    """Serve the HTTP API; documentation at /docs.

    Every setting can be given as an environment variable, too: whybounce serve
    --show-config lists them. Flags win.
    """
    try:
        import uvicorn

        from whybounce.serving.http.connection import Connection
        from whybounce.serving.logs import log_config
        from whybounce.serving.settings import load_settings
    except ImportError as error:
        raise MissingExtraError("serve", "the HTTP service") from error
    flags: dict[str, Any] = {
        "host": host, "port": port, "workers": workers, "artifact": artifact, "registry": registry,
        "feedback_url": feedback_url,
    }  # fmt: skip
    settings = load_settings(**flags)
    if settings.feedback_url is None:
        settings = settings.model_copy(update={"feedback_url": STORE})
    elif settings.feedback_url.lower() == "none":
        settings = settings.model_copy(update={"feedback_url": None})
    if show_config:
        _show(settings, flags, as_json)
        return
    _warn_of_unknown()
    _check(settings.host, settings.port)
    # The worker processes read the environment.
    for name in ("artifact", "registry"):
        if (path := getattr(settings, name)) is not None:
            os.environ[f"WHYBOUNCE_{name.upper()}"] = str(path.absolute())
    os.environ["WHYBOUNCE_FEEDBACK_URL"] = settings.feedback_url or ""
    if settings.workers > 1 and settings.metrics:
        # Each worker writes its figures there; whichever is asked for /metrics adds them up.
        os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="whybounce-metrics-"))
    at = f"http://{settings.host}:{settings.port}"
    stderr.print(f"loading the model; then try {at}/docs", highlight=False)
    uvicorn.run(
        "whybounce.serving.worker:create_app",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        timeout_graceful_shutdown=settings.drain_timeout,
        timeout_keep_alive=settings.keep_alive,
        http=Connection,
        ws="none",
        server_header=False,
        access_log=False,  # the service logs its requests itself, without the addresses of clients
        log_config=log_config(_log_format(settings), settings.log_level),
    )


def _log_format(settings: Settings) -> Literal["json", "text"]:
    if settings.log_format != "auto":
        return settings.log_format
    return "text" if sys.stderr.isatty() else "json"


def _show(settings: Settings, flags: dict[str, Any], as_json: bool) -> None:
    from whybounce.serving.settings import PREFIX, Settings, origin_of, shown

    rows = [
        {
            "setting": name,
            "value": shown(settings, name),
            "from": origin_of(name, flags),
            "variable": PREFIX + name.upper(),
            "description": field.description,
        }
        for name, field in Settings.model_fields.items()
    ]
    if as_json:
        print_json(rows)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("variable", "value", "from"):
        table.add_column(name, no_wrap=name != "value", overflow="fold")
    table.add_column("what it is", overflow="fold")
    for row in rows:
        value = "–" if row["value"] is None else str(row["value"])
        table.add_row(str(row["variable"]), escape(value), str(row["from"]), escape(str(row["description"])))
    stdout.print(table)
    _warn_of_unknown()


def _warn_of_unknown() -> None:
    from whybounce.serving.settings import unknown_variables

    for name, meant in unknown_variables():
        hint = f"; did you mean {meant}?" if meant else "; whybounce serve --show-config lists the settings"
        stderr.print(f"[yellow]{escape(name)} sets nothing[/]{hint}", highlight=False, soft_wrap=True)


def _check(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortError(f"cannot listen on {host}:{port} ({error.strerror}); choose another with --port") from error
