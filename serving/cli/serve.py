"""``whybounce serve``."""

from __future__ import annotations

import os
import socket
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

_ACCESS, _LIMITS, _LOGS = "Access", "Limits, of each worker", "Logs and metrics"


class PortError(WhybounceError):
    """An address that cannot be listened on."""


def _flag(said: str, panel: str | None = None, **more: Any) -> Any:
    return typer.Option(help=said, rich_help_panel=panel, show_default=False, **more)


def serve(
    host: Annotated[str | None, _flag("Address to listen on; 127.0.0.1 by default.")] = None,
    port: Annotated[int | None, _flag("Port to listen on; 8000 by default.", min=1, max=65535)] = None,
    workers: Annotated[int | None, _flag("Processes; 1 by default.", min=1, max=64)] = None,
    artifact: Annotated[Path | None, _flag("Artifact folder; the shipped model by default.")] = None,
    registry: Annotated[Path | None, _flag("Model registry; its promoted model answers.")] = None,
    feedback_url: Annotated[str | None, _flag(f"Feedback store; {STORE} by default, none for no feedback.")] = None,
    require_model: Annotated[
        bool | None, _flag("Be ready only with a model; by default rules alone are enough.")
    ] = None,
    cache_size: Annotated[int | None, _flag("Templates whose verdicts are remembered.")] = None,
    log_level: Annotated[Literal["debug", "info", "warning", "error"] | None, _flag("What is logged.", _LOGS)] = None,
    log_format: Annotated[
        Literal["auto", "json", "text"] | None, _flag("How; auto is text on a terminal and JSON elsewhere.", _LOGS)
    ] = None,
    log_requests: Annotated[
        Literal["all", "errors", "none"] | None, _flag("Which requests are logged; errors by default.", _LOGS)
    ] = None,
    metrics: Annotated[bool | None, _flag("Whether Prometheus finds metrics at /metrics.", _LOGS)] = None,
    api_keys_file: Annotated[
        Path | None, _flag("File of keys, one role:sha256 a line; make one with: whybounce key new.", _ACCESS)
    ] = None,
    cors_origins: Annotated[
        str | None, _flag("Origins whose pages may call the service, apart by commas; none by default.", _ACCESS)
    ] = None,
    max_body: Annotated[int | None, _flag("Bytes of a request body.", _LIMITS)] = None,
    max_report: Annotated[int | None, _flag("Bytes of a file that is reported on.", _LIMITS)] = None,
    report_timeout: Annotated[float | None, _flag("Seconds that a report may take.", _LIMITS)] = None,
    max_concurrency: Annotated[int | None, _flag("Requests that are worked on at once.", _LIMITS)] = None,
    max_queue: Annotated[int | None, _flag("Requests that wait beyond those.", _LIMITS)] = None,
    queue_timeout: Annotated[float | None, _flag("Seconds that a request waits for its turn.", _LIMITS)] = None,
    request_timeout: Annotated[float | None, _flag("Seconds that a request may take.", _LIMITS)] = None,
    header_timeout: Annotated[float | None, _flag("Seconds that headers may take to come.", _LIMITS)] = None,
    stream_timeout: Annotated[float | None, _flag("Seconds that a stream may stand still.", _LIMITS)] = None,
    keep_alive: Annotated[int | None, _flag("Seconds that an idle connection is kept.", _LIMITS)] = None,
    drain_timeout: Annotated[int | None, _flag("Seconds that requests get to end after SIGTERM.", _LIMITS)] = None,
    show_config: Annotated[bool, typer.Option("--show-config", help="Print all settings and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --show-config: print JSON.")] = False,
) -> None:
    """Serve the HTTP API; documentation at /docs.

    Every flag can be given as an environment variable, too: whybounce serve --show-config
    lists them. Flags win. API keys have no flag of their own, since others see command lines.
    """
    flags = {name: value for name, value in locals().items() if name not in ("show_config", "as_json")}
    try:
        from whybounce.serving.http import server
        from whybounce.serving.settings import load_settings
    except ImportError as error:
        raise MissingExtraError("serve", "the HTTP service") from error
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
    _export(settings, flags)
    if server.log_format(settings) == "text":
        at = f"http://{settings.host}:{settings.port}"
        stderr.print(f"loading the model; then try {at}/docs", highlight=False)
    server.run(settings)


def _export(settings: Settings, flags: dict[str, Any]) -> None:
    """Hand the settings to the worker processes, which read the environment."""
    from whybounce.serving.settings import PREFIX

    for name, value in flags.items():
        if value is not None or name in ("artifact", "registry"):
            value = getattr(settings, name)
            shown = str(value.absolute()) if isinstance(value, Path) else str(value)
            for variable in [one for one in os.environ if one.upper() == (PREFIX + name).upper()]:
                del os.environ[variable]
            if value is not None:
                os.environ[PREFIX + name.upper()] = shown
    os.environ[f"{PREFIX}FEEDBACK_URL"] = settings.feedback_url or ""


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
            why = f"cannot listen on {host}:{port} ({error.strerror}); choose another with --host or --port"
            raise PortError(why) from error
