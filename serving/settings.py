"""Configuration of the service: environment variables ``WHYBOUNCE_…`` and flags."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Everything that an operator can set. Flags of ``whybounce serve`` win over the environment."""

    model_config = SettingsConfigDict(env_prefix="WHYBOUNCE_", env_ignore_empty=True, extra="ignore")

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port to listen on.")
    workers: int = Field(default=1, ge=1, le=64, description="Processes.")
    artifact: Path | None = Field(default=None, description="Artifact folder; the shipped model by default.")
    registry: Path | None = Field(default=None, description="Model registry; its promoted version is served.")
    feedback_url: str | None = Field(
        default=None, description="SQLAlchemy URL of the feedback store; no feedback is taken without one."
    )
    max_body: int = Field(default=24 * 1024 * 1024, ge=100, description="Bytes of a request body.")
    cache_size: int = Field(default=65536, ge=0, description="Templates whose verdicts are remembered.")
