"""Configuration of the service: environment variables ``WHYBOUNCE_…`` and flags."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from whybounce.model.errors import WhybounceError
from whybounce.serving.keys import ApiKey, parse_keys

PREFIX = "WHYBOUNCE_"
SECRET = frozenset({"api_keys", "feedback_url"})
"""Settings whose value no message may show as it is."""


class SettingsError(WhybounceError):
    """A setting that is not valid."""


class Settings(BaseSettings):
    """Everything that an operator can set. Flags of ``whybounce serve`` win over the environment.

    Limits hold for each worker process.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", validate_default=False, hide_input_in_errors=True
    )

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port to listen on.")
    workers: int = Field(default=1, ge=1, le=64, description="Processes.")
    artifact: Path | None = Field(default=None, description="Artifact folder; the shipped model by default.")
    registry: Path | None = Field(default=None, description="Model registry; its promoted version is served.")
    feedback_url: str | None = Field(
        default=None, description="SQLAlchemy URL of the feedback store; no feedback is taken without one."
    )
    require_model: bool = Field(
        default=False, description="Whether /health/ready says no when no model could be loaded and rules answer alone."
    )
    cache_size: int = Field(default=65536, ge=0, description="Templates whose verdicts are remembered.")

    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="What is logged.")
    log_format: Literal["auto", "json", "text"] = Field(
        default="auto", description="How: JSON lines, text, or text on a terminal and JSON elsewhere."
    )
    log_requests: Literal["all", "errors", "none"] = Field(
        default="errors", description="Which requests are logged; errors are those of 400 and above, and slow ones."
    )
    metrics: bool = Field(default=True, description="Whether Prometheus finds metrics at /metrics.")

    api_keys: str = Field(
        default="", description="Keys as role:sha256, apart by commas; everybody may do everything without any."
    )
    api_keys_file: Path | None = Field(default=None, description="File of such keys, one a line.")
    cors_origins: str = Field(
        default="", description="Origins whose pages may call the service, apart by commas; none by default."
    )

    max_body: int = Field(default=24 * 1024 * 1024, ge=100, description="Bytes of a request body.")
    max_report: int = Field(default=256 * 1024 * 1024, ge=100, description="Bytes of a file that is reported on.")
    report_timeout: float = Field(
        default=300, gt=0, le=3600, description="Seconds that a report may take when its file has come."
    )
    max_concurrency: int = Field(default=64, ge=1, description="Requests that are worked on at once.")
    max_queue: int = Field(default=256, ge=0, description="Requests that wait beyond those; more get a 503.")
    queue_timeout: float = Field(default=5, gt=0, le=600, description="Seconds that a request waits for its turn.")
    request_timeout: float = Field(default=60, gt=0, le=3600, description="Seconds that a request may take in all.")
    header_timeout: float = Field(default=10, gt=0, le=600, description="Seconds that headers may take to come.")
    stream_timeout: float = Field(
        default=60, gt=0, le=3600, description="Seconds that a stream may stand still before it is closed."
    )
    keep_alive: int = Field(default=75, ge=0, le=3600, description="Seconds that an idle connection is kept.")
    drain_timeout: int = Field(default=10, ge=1, le=600, description="Seconds that requests get to end after SIGTERM.")

    _keys: tuple[ApiKey, ...] = PrivateAttr(default=())

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, value: str) -> str:
        for origin in _listed(value):
            parts = urlsplit(origin)
            if (
                parts.scheme not in ("http", "https")
                or not parts.netloc
                or origin != f"{parts.scheme}://{parts.netloc}"
            ):
                raise ValueError("each origin is like https://app.example.com: scheme and host, no path, no *")
        return value

    @model_validator(mode="after")
    def _read_keys(self) -> Self:
        text = self.api_keys
        if self.api_keys_file is not None:
            try:
                text += "\n" + self.api_keys_file.read_text("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "no UTF-8"
                raise ValueError(f"the file of API keys {self.api_keys_file} cannot be read ({reason})") from error
        self._keys = parse_keys(text)
        if self.api_keys_file is not None and not self._keys:
            # An empty file must not open the service to everybody.
            raise ValueError(f"the file of API keys {self.api_keys_file} holds none; add one with: whybounce key new")
        return self

    @property
    def keys(self) -> tuple[ApiKey, ...]:
        """The API keys of both settings; none means that everybody may do everything."""
        return self._keys

    @property
    def origins(self) -> list[str]:
        """The origins of ``cors_origins``."""
        return _listed(self.cors_origins)


def load_settings(**flags: Any) -> Settings:
    """Read the settings; flags that are ``None`` were not given.

    Raises
    ------
    SettingsError
        Names the variable or flag, its value unless it is a secret, and the fix.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        raise SettingsError(_explained(error, given)) from None


def origin_of(name: str, flags: dict[str, Any]) -> Literal["flag", "environment", "default"]:
    """Say where the value of a setting comes from."""
    if flags.get(name) is not None:
        return "flag"
    return "environment" if _variable(name) is not None else "default"


def shown(settings: Settings, name: str) -> str | int | float | bool | None:
    """Return the value of a setting as it may be shown: secrets are left out."""
    value = getattr(settings, name)
    if name == "api_keys":
        counts: dict[str, int] = {}
        for key in settings.keys:
            counts[key.role] = counts.get(key.role, 0) + 1
        return ", ".join(f"{count} × {role}" for role, count in counts.items()) or None
    if name == "feedback_url" and value:
        return re.sub(r"(?<=://)[^/]*@", "***@", re.sub(r"(?i)(password|passwd|pwd|key)=[^&]*", r"\1=***", value))
    if isinstance(value, Path):
        return str(value)
    return value  # type: ignore[no-any-return]


def unknown_variables() -> list[tuple[str, str | None]]:
    """List ``WHYBOUNCE_…`` variables that set nothing, each with the one that was probably meant."""
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    strange = sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known)
    return [(name, next(iter(difflib.get_close_matches(name.upper(), known, 1)), None)) for name in strange]


def _variable(name: str) -> str | None:
    # pydantic-settings does not mind the case of a variable and passes over an empty one.
    wanted = (PREFIX + name).upper()
    return next((variable for variable, value in os.environ.items() if variable.upper() == wanted and value), None)


def _explained(error: ValidationError, flags: dict[str, Any]) -> str:
    """Say what is wrong with each setting, one a line."""
    return "\n".join(_one_explained(item, flags) for item in error.errors())


def _one_explained(item: ErrorDetails, flags: dict[str, Any]) -> str:
    message = str(item["msg"]).removeprefix("Value error, ")
    if not item["loc"]:
        return message
    name = str(item["loc"][0])
    field = Settings.model_fields[name]
    if name in flags:
        where, value = "--" + name.replace("_", "-"), str(flags[name])
    else:
        where = _variable(name) or PREFIX + name.upper()
        value = os.environ.get(where, "")
    what = where if name in SECRET else f"{where}={value}"
    default = "" if field.default in (None, "") else f" The default is {field.default}."
    return f"{what} is not valid: {message[0].lower()}{message[1:]}. {field.description}{default}"


def _listed(text: str) -> list[str]:
    return [part for part in re.split(r"[,\s]+", text) if part]
