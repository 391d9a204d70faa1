"""``/v1/events/{provider}``: webhooks of sending services, their own class beside ours."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Annotated, Any
from urllib.parse import parse_qsl

import orjson
from fastapi import FastAPI, Path, Query, Request
from fastapi.responses import Response
from starlette.requests import ClientDisconnect

from whybounce.model.errors import DataError
from whybounce.model.predictor import BounceClassifier, Remembered
from whybounce.serving.http.problems import DOCUMENTED, documented, problem
from whybounce.serving.http.schemas_events import EventsOut
from whybounce.serving.http.service import Service
from whybounce.serving.http.verdicts import encoded
from whybounce.serving.intake.events import providers
from whybounce.serving.intake.events.generic import Paths, paths_of
from whybounce.serving.intake.events.generic import records as generic_records
from whybounce.serving.intake.events.ses import confirmation
from whybounce.serving.intake.format import Read, Skipped
from whybounce.serving.intake.judge import agrees, judge
from whybounce.serving.intake.record import BounceRecord, Outcome

GENERIC = "generic"
MAX_RECORDS = 10_000
"""Recipients, and pieces that cannot be read, of one request."""

_INLINE = 32 * 1024
"""Bytes that are read at once; longer bodies go to a thread and let other requests in between."""
_LINES = frozenset(["application/x-ndjson", "application/jsonl", "application/jsonlines", "application/x-jsonlines"])
_FORM = "application/x-www-form-urlencoded"
# Amazon SNS says text/plain of its JSON.
_JSON = frozenset(["", "application/json", "text/plain", "text/json", "application/cloudevents+json"])
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "What the provider sends: an event, an array of events, or an answer of its events interface.",
        "content": {
            "application/json": {
                "schema": {"anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]},
                "examples": {
                    "sendgrid": {
                        "value": [
                            {
                                "event": "bounce", "email": "a@example.com", "sg_event_id": "ZXZlbnQx",
                                "reason": "550 5.1.1 no such user", "bounce_classification": "Invalid Address",
                            }
                        ]
                    }
                },
            },
        },
    }
}  # fmt: skip


class _Refused(Exception):  # noqa: N818 - an answer more than an error
    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


@dataclass(slots=True)
class _Answer:
    provider: str
    records: list[bytes] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)
    given: list[Remembered] = field(default_factory=list)
    confirmation: dict[str, str | None] | None = None

    def body(self) -> bytes:
        return b'{"provider":%b,"records":[%b],"skipped":%b,"confirmation":%b}' % (
            orjson.dumps(self.provider), b",".join(self.records), orjson.dumps(self.skipped),
            orjson.dumps(self.confirmation),
        )  # fmt: skip


def known() -> tuple[str, ...]:
    """Names of the providers."""
    return (*providers(), GENERIC)


def add(app: FastAPI, service: Service) -> None:
    """Register the endpoint."""

    @app.post(
        "/v1/events/{provider}",
        response_model=EventsOut,
        responses={**DOCUMENTED, **documented(404)},
        tags=["intake"],
        openapi_extra=_BODY,
    )
    async def events(
        request: Request,
        provider: Annotated[str, Path(description="Who sends the events.", json_schema_extra={"enum": list(known())})],
        path: Annotated[
            list[str] | None,
            Query(
                description="For `generic`: `NAME:PATH`, such as `diagnostic:answer.smtp.0` or `events:data.items[]`; "
                "may be repeated.",
            ),
        ] = None,
    ) -> Any:
        """Read what a sending service's webhook sends, and predict why each message bounced.

        JSON, JSON Lines, or the form fields of Mailgun's old webhooks. What Amazon SNS wants confirmed is answered
        as data in `confirmation` and never fetched.
        """
        if provider not in known():
            return problem(404, f"There is no provider of this name. Known are: {', '.join(known())}.")
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            body = await request.body()
        except ClientDisconnect:
            return problem(400, "The body did not come whole. Send it again.")
        work = (service.live.classifier, provider, kind, body, path or [], service.settings.max_body)
        try:
            found = _answer(*work) if len(body) < _INLINE else await asyncio.to_thread(_answer, *work)
        except _Refused as refusal:
            return problem(refusal.status, refusal.detail)
        for remembered in found.given:
            service.count(remembered)
        return Response(found.body(), media_type="application/json")


def _answer(
    classifier: BounceClassifier, provider: str, kind: str, body: bytes, path: list[str], most_text: int
) -> _Answer:
    found = _Answer(provider)
    values = list(_parsed(kind, body, provider))
    if provider == "ses" and len(values) == 1 and (asked := confirmation(values[0])):
        found.confirmation = asked
        return found
    recognised, pieces = _generic(values, path) if provider == GENERIC else _of(provider, values, path)
    text = 0
    for count, piece in enumerate(pieces):
        if count >= MAX_RECORDS:
            raise _Refused(413, f"The body lists more than {MAX_RECORDS} recipients. Send fewer events at a time.")
        if isinstance(piece, Skipped):
            found.skipped.append({"where": piece.source, "why": piece.why})
            continue
        # One text may be said of thousands of recipients: the answer must not be much larger than the body.
        text += len(piece.diagnostic)
        if text > most_text:
            raise _Refused(413, "The events say too much of too many recipients. Send fewer at a time.")
        found.records.append(_encoded(classifier, piece, found.given))
    if found.skipped and not found.records and not recognised:
        raise _Refused(422, _nothing(provider, found.skipped[0]["why"]))
    return found


def _nothing(provider: str, why: str) -> str:
    if provider == GENERIC:
        return f"Nothing to predict was found: {why}. Say where it stands, with ?path=diagnostic:PATH."
    return f"No event was found: the first piece {why}. If somebody else sends it: {', '.join(known())}."


def _of(provider: str, values: list[Any], path: list[str]) -> tuple[bool, Read]:
    if path:
        raise _Refused(422, f"Paths go with /v1/events/{GENERIC}; the fields of {provider} are known. Leave path out.")
    known_one = providers()[provider]
    recognised = any(
        isinstance(event, dict) and known_one.is_event(event)
        for value in values
        for event in islice(known_one.unpacked(value), MAX_RECORDS)
    )
    return recognised, (
        piece for place, value in enumerate(values, start=1) for piece in known_one.records(value, _place(place))
    )


def _generic(values: list[Any], path: list[str]) -> tuple[bool, Read]:
    pairs = [item.partition(":") for item in path]
    if any(not colon for _, colon, _ in pairs):
        raise _Refused(422, "A path is NAME:PATH, such as ?path=diagnostic:answer.smtp.0.")
    try:
        paths: Paths = paths_of((name, where) for name, _, where in pairs)
    except DataError as error:
        raise _Refused(422, str(error)) from None
    outer = (event for value in values for event in (value if isinstance(value, list) else [value]))
    return False, (
        piece for place, event in enumerate(outer, start=1) for piece in generic_records(event, _place(place), paths)
    )


def _place(number: int) -> str:
    return f"body:{number}"


def _parsed(kind: str, body: bytes, provider: str) -> Iterator[Any]:
    """Yield the JSON values of a body."""
    body = body.removeprefix(b"\xef\xbb\xbf")
    if kind == _FORM and provider == "mailgun":
        try:
            yield dict(parse_qsl(body.decode(), max_num_fields=1000))
        except ValueError:
            raise _Refused(400, "The body is no form. Send the fields as they came, in UTF-8.") from None
    elif kind in _LINES:
        for number, line in enumerate(body.split(b"\n"), start=1):
            if line.strip():
                yield _loaded(line, f"Line {number}")
    elif kind in _JSON or kind.endswith("+json"):
        yield _loaded(body, "The body")
    else:
        raise _Refused(415, "Send JSON with content-type application/json, or JSON Lines as application/x-ndjson.")


def _loaded(data: bytes, what: str) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise _Refused(400, f"{what} is not valid JSON ({error.msg}). Send it as the provider sent it.") from None


def _encoded(classifier: BounceClassifier, record: BounceRecord, given: list[Remembered]) -> bytes:
    prediction, reason = b"null", None
    if record.outcome is Outcome.NOT_A_BOUNCE:
        judged = judge(classifier, record)
        prediction, reason = orjson.dumps(judged), judged.reason
    elif record.outcome is not Outcome.DELIVERED:
        remembered = classifier.recall(record.diagnostic, **record.fields())
        given.append(remembered)
        prediction, reason = encoded(remembered, record.diagnostic), remembered.prediction.reason
    known_fields = orjson.dumps(
        {
            "recipient": record.recipient,
            "outcome": record.outcome,
            "diagnostic": record.diagnostic,
            "kind": record.kind,
            "event_id": record.event_id,
            "message_id": record.message_id,
            "campaign": record.campaign,
            "date": record.occurred_at.isoformat() if record.occurred_at else None,
            "theirs": record.theirs,
            "agrees": agrees(record, reason) if reason else None,
        }
    )
    return b'%b,"prediction":%b}' % (known_fields[:-1], prediction)
