"""Response of ``/v1/message``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from whybounce.serving.http.schemas import PredictionOut


class MessageRecordOut(BaseModel):
    """What a message says of one recipient."""

    recipient: str | None
    outcome: Literal["bounced", "deferred", "delivered", "not_a_bounce"]
    diagnostic: str = Field(description="The text that was classified; empty when the message holds none.")
    kind: str | None = Field(description="Of what is no bounce: `vacation`, `challenge`, `delay`, `list_notice` …")
    reporting_mta: str | None
    remote_mta: str | None
    status: str | None = Field(description="Enhanced status code (RFC 3463).")
    message_id: str | None = Field(description="Of the message that bounced.")
    date: str | None = Field(description="When the bounce was written, ISO 8601.")
    prediction: PredictionOut


class MessageOut(BaseModel):
    """What a bounce message says, recipient by recipient."""

    format: str = Field(description="Which kind of message it is: `dsn`, `qmail`, `exim`, `auto-reply` …")
    cut: bool = Field(description="Whether the message was cut on its way, or was too long or deep to be read whole.")
    records: list[MessageRecordOut]
