"""Requests and responses of the HTTP service. pydantic lives here and nowhere further in."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from whybounce.serving.http.store import StoreState

MAX_BATCH = 1000

_EXAMPLE: JsonValue = {"diagnostic": "550 5.1.1 <a@example.com>: User unknown"}
_EXAMPLES: list[JsonValue] = [
    _EXAMPLE,
    {
        "diagnostic": "host mx.example.net[192.0.2.1] said: 452 4.2.2 Mailbox full (in reply to RCPT TO command)",
        "remote_host": "mx.example.net",
    },
]


class DiagnosticIn(BaseModel):
    """One diagnostic and what is known besides its text."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": _EXAMPLES})

    diagnostic: str = Field(
        description="The text that the server or the log gave, wrapper and all. Cut after 16 Ki characters."
    )
    reply_code: int | None = Field(
        default=None, ge=200, le=599, description="SMTP reply code, when known apart from the text."
    )
    enhanced_status: Annotated[str, StringConstraints(pattern=r"^[245]\.[0-9]{1,3}\.[0-9]{1,3}$")] | None = Field(
        default=None, description="Enhanced status code (RFC 3463), when known apart from the text."
    )
    command: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None, description="The SMTP command that was answered, such as `RCPT TO`."
    )
    remote_host: Annotated[str, StringConstraints(max_length=255)] | None = Field(
        default=None, description="Host name of the server that answered."
    )

    def fields(self) -> dict[str, Any]:
        """The keyword arguments of ``predict_one`` besides the text."""
        return {
            "reply_code": self.reply_code,
            "enhanced_status": self.enhanced_status,
            "command": self.command,
            "remote_host": self.remote_host,
        }


class DiagnosticLine(DiagnosticIn):
    """One line of ``/v1/predict/stream``."""

    id: str | int | None = Field(default=None, description="Comes back with the answer.")


class BatchIn(BaseModel):
    """Up to 1,000 diagnostics, as strings or objects."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"diagnostics": ["452 4.2.2 Mailbox full", _EXAMPLE]}]},
    )

    diagnostics: list[str | DiagnosticIn] = Field(min_length=1, max_length=MAX_BATCH)


class AlternativeOut(BaseModel):
    """Another possible reason."""

    reason: str
    confidence: float = Field(ge=0, le=1)


class EvidenceOut(BaseModel):
    """Why a reason was chosen."""

    kind: Literal["rule", "ngram", "code"]
    text: str = Field(description="The deciding words, as they stand in the masked template.")
    id: str | None = Field(description="The rule's id, when a rule decided.")
    weight: float | None = Field(description="What the n-gram added to the reason's score (log-odds).")


class PredictionOut(BaseModel):
    """Why the message bounced, and what to do about it."""

    reason: str = Field(examples=["invalid_recipient"])
    title: str
    group: str = Field(description="The line of the bounce report.")
    category: Literal["hard", "soft", "technical", "other"]
    retryable: bool | None
    action: str = Field(examples=["suppress"])
    confidence: float = Field(ge=0, le=1, description="Calibrated probability that the reason is right.")
    alternatives: list[AlternativeOut]
    decided_by: Literal["model", "rules", "default"]
    evidence: list[EvidenceOut]
    reply_code: int | None
    enhanced_status: str | None
    retry_after_seconds: int | None
    blocklist: str | None
    provider: str | None
    command: str | None
    template: str
    model_version: str | None
    truncated: bool = Field(description="Whether the text was cut after 16 Ki characters.")
    degraded: bool = Field(description="Whether the rules answered alone because no model could be loaded.")


class BatchOut(BaseModel):
    """Predictions in the order of the request."""

    predictions: list[PredictionOut]


class ReasonOut(BaseModel):
    """One reason of the taxonomy."""

    reason: str
    title: str
    description: str
    group: str
    categories: list[str]
    retryable: bool | None
    action: str
    advice: str


class ReasonsOut(BaseModel):
    """All reasons, in the order of the bounce report."""

    reasons: list[ReasonOut]


class ModelOut(BaseModel):
    """What is loaded."""

    model_config = ConfigDict(protected_namespaces=())

    model_version: str | None
    degraded: bool
    degraded_because: str | None
    promoted_error: str | None = Field(description="Why the promoted model does not answer, when it does not.")
    whybounce_version: str
    labels: list[str]
    threshold: float | None
    hard_threshold: float | None
    review_below: float | None
    libraries: dict[str, str]
    data: dict[str, Any]
    metrics: dict[str, Any]


class HealthOut(BaseModel):
    """The process runs."""

    status: Literal["alive"]


class ReadinessOut(BaseModel):
    """Predictions are served."""

    status: Literal["ready"]
    degraded: bool = Field(description="Whether rules answer alone, without a model.")
    overloaded: bool = Field(description="Whether the queue is full: further requests are answered with 503.")
    feedback: StoreState = Field(
        description="Whether feedback can be stored; `trying` until the first try has ended, `none` without a store."
    )
    detail: str | None = Field(description="What does not work although predictions are served; null when all does.")


class FieldError(BaseModel):
    """Where a request is wrong, and how."""

    location: str = Field(examples=["body.diagnostic"])
    message: str = Field(examples=["Field required"])


class Problem(BaseModel):
    """An error as RFC 9457 ``application/problem+json``."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldError] | None = None
