"""Responses about the registry of models."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field


class ModelVersionOut(BaseModel):
    """One version in the registry."""

    version: str
    promoted: bool
    serving: bool
    created: datetime | None
    problem: str | None = Field(description="Why it cannot be used, when it is damaged.")
    report: bool = Field(description="Whether there is a report at `/v1/models/{version}/report`.")
    data: dict[str, Any]
    metrics: dict[str, Any]


class PromotionOut(BaseModel):
    """A promotion or a rollback; `version` null stands for the model outside of the registry."""

    action: Literal["promote", "rollback"]
    version: str | None
    previous: str | None
    at: str
    because: str | None
    forced: bool


class ModelsOut(BaseModel):
    """The registry of models."""

    registry: bool = Field(description="Whether the service was started with a registry.")
    serving: str | None = Field(description="The version that answers now.")
    promoted: str | None
    error: str | None = Field(description="Why the promoted model does not answer, when it does not.")
    versions: list[ModelVersionOut]
    history: list[PromotionOut]
