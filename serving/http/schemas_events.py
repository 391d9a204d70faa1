"""Responses of ``/v1/events`` and ``/v1/report``."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from whybounce.serving.http.schemas import PredictionOut


class EventRecordOut(BaseModel):
    """One recipient of one event."""

    recipient: str | None
    outcome: Literal["bounced", "deferred", "delivered", "not_a_bounce"]
    diagnostic: str = Field(description="The text that was classified; empty when the event holds none.")
    kind: str | None = Field(description="Of what is no bounce: `vacation`, `challenge`, `feedback_report` …")
    event_id: str | None
    message_id: str | None
    campaign: str | None
    date: str | None = Field(description="When it happened, ISO 8601.")
    theirs: str | None = Field(description="The provider's own class, in its own words.")
    agrees: bool | None = Field(description="Whether that class means our reason; null when it says nothing.")
    prediction: PredictionOut | None = Field(description="Null for what was delivered.")


class SkippedOut(BaseModel):
    """A piece that could not be read."""

    where: str
    why: str


class ConfirmationOut(BaseModel):
    """What Amazon SNS asks to confirm. Nothing was fetched: open the URL if you expected it."""

    type: str | None
    topic_arn: str | None
    subscribe_url: str | None
    token: str | None
    message: str | None


class EventsOut(BaseModel):
    """What the events of a provider say, in their order."""

    provider: str
    records: list[EventRecordOut]
    skipped: list[SkippedOut]
    confirmation: ConfirmationOut | None = None


class SourceOut(BaseModel):
    """What was read."""

    name: str
    format: str
    records: int
    skipped: int
    left_out: list[SkippedOut]


class TemplateCountOut(BaseModel):
    """A template and how often it came."""

    template: str
    count: int
    example: str


class ReasonCountOut(BaseModel):
    """A reason of a line of the report."""

    reason: str
    count: int
    action: str
    advice: str = Field(description="The action in words.")
    distinct_templates: int
    examples: list[str]
    templates: list[TemplateCountOut]


class LineOut(BaseModel):
    """One of the fifteen lines."""

    category: str
    line: str
    description: str
    count: int
    share: float
    reasons: list[ReasonCountOut]


class CategoryOut(BaseModel):
    """A category and its part of the bounces."""

    category: Literal["hard", "soft", "technical", "other"]
    description: str
    count: int
    share: float = Field(ge=0, le=1)


class PeriodOut(BaseModel):
    """The time that the file covers, ISO 8601."""

    first: str
    last: str


class CountOut(BaseModel):
    """A reason and how often it came."""

    reason: str
    count: int


class ToDoOut(BaseModel):
    """An action, and the bounces that ask for it."""

    action: str
    advice: str
    count: int
    reasons: list[CountOut]


class RowOut(BaseModel):
    """Bounces of a provider, a domain, a campaign or a day."""

    name: str
    bounced: int
    hard: int
    soft: int
    technical: int
    other: int
    delivered: int
    rate: float | None = Field(
        description="Bounced, of delivered and bounced; null where nobody says what was delivered."
    )


class IncidentOut(BaseModel):
    """A sudden spike of one text at one provider."""

    provider: str
    template: str
    start: str
    end: str
    count: int
    held_back: int
    warning: str


class ReportOut(BaseModel):
    """The bounce report; addresses stand in none of it."""

    sources: list[SourceOut]
    model_versions: list[str] = Field(description="Of the models that judged.")
    period: PeriodOut | None
    sent: int | None = Field(description="Delivered or bounced; null when the file does not tell what was delivered.")
    delivered: int | None
    deferred: int
    bounced: int
    not_bounces: int
    complaints: int = Field(description="Those of them in which somebody reported the mail as spam.")
    categories: list[CategoryOut]
    lines: list[LineOut] = Field(description="The fifteen lines, those without bounces, too.")
    other: list[CountOut]
    to_do: list[ToDoOut] = Field(description="What is to be done, for the most bounces first.")
    deferrals: list[CountOut]
    by_provider: list[RowOut]
    by_domain: list[RowOut]
    by_campaign: list[RowOut]
    by_day: list[RowOut]
    actions: dict[str, int] = Field(description="Addresses by what to do with them.")
    bounces_without_address: int
    incidents: list[IncidentOut]
    policy: dict[str, Any]
