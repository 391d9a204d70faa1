"""Requests and responses of the feedback loop."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from whybounce.serving.http.schemas import AlternativeOut

_EXAMPLE: JsonValue = {
    "diagnostic": "554 BX-17 storage cell of <a@example.com> is saturated",
    "reason": "mailbox_full",
    "source": "support",
    "event_id": "ticket-4711",
}


class FeedbackIn(BaseModel):
    """The right reason for a diagnostic, or for a template that a prediction returned."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE]})

    diagnostic: Annotated[str, StringConstraints(min_length=1)] | None = Field(
        default=None, description="The text as in `/v1/predict`; it is masked before it is stored."
    )
    template: Annotated[str, StringConstraints(min_length=1, max_length=16384)] | None = Field(
        default=None, description="Instead of `diagnostic`: a `template` as predictions and the review queue show it."
    )
    reply_code: int | None = Field(default=None, ge=200, le=599)
    enhanced_status: Annotated[str, StringConstraints(pattern=r"^[245]\.[0-9]{1,3}\.[0-9]{1,3}$")] | None = None
    command: Annotated[str, StringConstraints(max_length=64)] | None = None
    remote_host: Annotated[str, StringConstraints(max_length=255)] | None = None
    provider: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None, description="As predictions and the review queue show it; instead of `remote_host`."
    )
    reason: Annotated[str, StringConstraints(max_length=100)] = Field(description="One of `/v1/reasons`.")
    source: Annotated[str, StringConstraints(min_length=1, max_length=100)] = Field(
        default="user", description="Who or what says so: a person, a team, a program. Sources vote."
    )
    event_id: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(
        default=None, description="Your id of this correction: sent again, it is stored once."
    )
    comment: Annotated[str, StringConstraints(max_length=2000)] | None = None

    @model_validator(mode="after")
    def _one_text(self) -> Self:
        if (self.diagnostic is None) == (self.template is None):
            raise ValueError("send either diagnostic or template")
        return self


class FeedbackOut(BaseModel):
    """What was stored; when this arrives, it is on the disk."""

    id: int
    event_id: str
    template: str
    reason: str
    duplicate: bool


class ReviewItemOut(BaseModel):
    """A template that a person should look at."""

    template: str
    reply_code: int | None
    enhanced_status: str | None
    command: str | None
    provider: str | None
    count: int = Field(description="Messages with it since it was first seen.")
    reason: str
    confidence: float
    alternatives: list[AlternativeOut]
    rules_reason: str | None
    why: Literal["unsure", "disagree", "both"]
    first_seen: datetime
    last_seen: datetime
    model_version: str | None


class ReviewOut(BaseModel):
    """The review queue, most valuable first."""

    total: int
    items: list[ReviewItemOut]
