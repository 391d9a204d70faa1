"""Responses about one diagnostic looked at closely, and of the live counters."""

from __future__ import annotations

from pydantic import BaseModel, Field

from whybounce.serving.http.schemas import PredictionOut


class HighlightOut(BaseModel):
    """Words of the diagnostic that decided."""

    start: int = Field(ge=0, description="Where they begin in the given diagnostic, in Unicode code points from 0.")
    end: int = Field(ge=0, description="Where they end; the code point at this offset belongs to them no more.")
    text: str


class ExplanationOut(PredictionOut):
    """A prediction and what it was made from."""

    description: str = Field(description="What happened, in plain words.")
    advice: str = Field(description="What to do about it, in plain words.")
    normalised: str = Field(description="The diagnostic on one line, as it is read.")
    highlights: list[HighlightOut] = Field(
        description="What really decided: the words of the rule, or those that moved the model most. In order, apart."
    )
    rules: list[str] = Field(description="Ids of all rules that match, in order of precedence.")


class CountedOut(BaseModel):
    """A name and how often it came."""

    name: str
    count: int


class CountersOut(BaseModel):
    """What the service did since it was started, all of its workers together."""

    requests: int
    failed_requests: int = Field(description="Answered with a status of 500 or more.")
    refused_requests: int = Field(description="Answered with a status of 400 to 499.")
    mean_milliseconds: float | None = Field(description="Of all requests; null before the first.")
    predictions: int
    unsure: int = Field(description="Predictions whose advice is that a person looks.")
    cache_hits: int
    cache_misses: int
    reasons: list[CountedOut] = Field(description="Most frequent first.")
    decided_by: list[CountedOut]
    providers: list[CountedOut]
