"""``/v1/predict/stream``: JSON Lines in, JSON Lines out, of any length.

The answer goes out while the request still comes in. A ``StreamingResponse`` cannot do
that: its watch for a disconnect takes the body away. Here one loop receives, answers
and sends, in turns: the order is kept, a client that does not read is not read from,
and nothing is held but the chunk at hand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from enum import Enum
from operator import itemgetter
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.responses import Response
from pydantic import ValidationError
from starlette.types import Message, Receive, Scope, Send

from whybounce.serving.http.problems import DOCUMENTED, problem
from whybounce.serving.http.schemas import DiagnosticLine
from whybounce.serving.http.service import Service
from whybounce.serving.http.verdicts import encoded_many, encoded_one

NDJSON = "application/x-ndjson"
PATH = "/v1/predict/stream"

MAX_LINE = 1024 * 1024
"""Bytes of one line; the rest of a longer one is passed over."""

_ACCEPTED = frozenset(["", NDJSON, "application/jsonl", "application/jsonlines", "application/json", "text/plain"])
_START: Message = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", NDJSON.encode()), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")],
}


def add(app: FastAPI, service: Service) -> None:
    """Register the endpoint."""

    @app.post(
        PATH,
        response_class=Response,
        responses={
            200: {"content": {NDJSON: {}}, "description": "One prediction or error a line, in their order."},
            415: DOCUMENTED[415],
        },
        tags=["predict"],
        openapi_extra={
            "requestBody": {"required": True, "content": {NDJSON: {"schema": {"type": "string"}}}},
        },
    )  # fmt: skip
    async def predict_stream(request: Request) -> Any:
        """Predict JSON Lines of any length; every line is a text or an object like that of /v1/predict with an `id`.

        Answers carry the `id` of their line; a line that cannot be read is answered with `error` and its number.
        """
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in _ACCEPTED:
            return problem(415, f"Send JSON Lines with content-type {NDJSON}, one diagnostic a line.")
        return _Answer(service)


class _Answer(Response):
    def __init__(self, service: Service) -> None:
        self.service = service
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(_START)
        lines = Lines()
        more = True
        while more:
            try:
                async with asyncio.timeout(self.service.settings.stream_timeout):
                    message = await receive()
            except TimeoutError:
                silent = "Nothing came for too long; what came before this line is answered."
                await self._send(send, [*await self._answers(lines.feed(b"", last=True)), _error(None, 0, silent, 408)])
                break
            if message["type"] == "http.disconnect":
                return
            more = message.get("more_body", False)
            answers = await self._answers(lines.feed(message.get("body", b""), last=not more))
            if answers:
                await self._send(send, answers)
                await asyncio.sleep(0)  # let other requests in between two chunks
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, send: Send, answers: list[bytes]) -> None:
        answers.append(b"")
        # A client that stops reading is waited for, but not for ever: the error closes its connection.
        async with asyncio.timeout(self.service.settings.stream_timeout):
            await send({"type": "http.response.body", "body": b"\n".join(answers), "more_body": True})

    async def _answers(self, lines: Iterable[tuple[int, bytes | None]]) -> list[bytes]:
        numbered = list(lines)
        rows = _rows([line for _, line in numbered])
        alike = _alike(rows)
        if alike is not None:
            names, texts = alike
            return list(map(_named, names, await encoded_many(self.service, texts)))
        answers: list[bytes] = []
        plain: list[str] = []
        waiting: list[tuple[int, str | int | None]] = []
        for (number, _), row in zip(numbered, rows, strict=True):
            # Nearly every line is one that pydantic would find right anyway.
            if type(row) is str:
                identity, text = None, row
            elif type(row) is dict and row.keys() <= _PLAIN and type(row.get("diagnostic")) is str:
                identity, text = row.get("id"), row["diagnostic"]
                if not (identity is None or type(identity) in (str, int)):
                    answers.append(_error(None, number, "The line is not valid at: id. It is a text or a number."))
                    continue
            elif isinstance(row, _Unread):
                answers.append(_error(None, number, row.value))
                continue
            else:
                answers.append(await self._with_fields(row, number))
                continue
            waiting.append((len(answers), identity))
            answers.append(b"")
            plain.append(text)
        for (place, identity), verdict in zip(waiting, await encoded_many(self.service, plain), strict=True):
            answers[place] = verdict if identity is None else _named(identity, verdict)
        return answers

    async def _with_fields(self, row: object, number: int) -> bytes:
        try:
            read = DiagnosticLine.model_validate(row)
        except ValidationError as error:
            return _invalid(row, number, error)
        verdict = await encoded_one(self.service, read.diagnostic, read.fields())
        return verdict if read.id is None else _named(read.id, verdict)


class _Unread(Enum):
    """What is wrong with a line that is no JSON."""

    LONG = f"The line is longer than {MAX_LINE} bytes. Cut the diagnostic."
    NOT_JSON = 'The line is not JSON. Send {"id": …, "diagnostic": "550 …"}, one object a line.'


def _rows(lines: list[bytes | None]) -> list[Any]:
    """The values of lines."""
    together = _together(lines)
    return [_row(line) for line in lines] if together is None else together


def _together(lines: list[Any]) -> list[Any] | None:
    """Read many lines in one go, which takes half the time; None where they are not plainly an object each."""
    if None in lines or {line[:1] for line in lines} != {b"{"}:
        return None
    joined = b",".join(lines)
    # With one brace a line, at its beginning, as many objects as lines can only be each line's own.
    if joined.count(b"{") != len(lines):
        return None
    try:
        rows: list[Any] = orjson.loads(b"[%b]" % joined)
    except orjson.JSONDecodeError:
        return None
    return rows if len(rows) == len(lines) and set(map(type, rows)) == {dict} else None


def _row(line: bytes | None) -> Any:
    if line is None:
        return _Unread.LONG
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return _Unread.NOT_JSON


def _alike(rows: list[Any]) -> tuple[list[str | int], list[str]] | None:
    """Return ids and texts when every line is an object of just these: looked at together, not one by one."""
    if set(map(type, rows)) != {dict} or set(map(len, rows)) != {len(_PLAIN)}:
        return None
    try:
        names = list(map(_ID, rows))
        texts = list(map(_DIAGNOSTIC, rows))
    except KeyError:
        return None
    return (names, texts) if set(map(type, texts)) == {str} and {str, int}.issuperset(map(type, names)) else None


def _named(identity: str | int, verdict: bytes) -> bytes:
    return b'{"id":%b,%b' % (orjson.dumps(identity), verdict[1:])


_PLAIN = frozenset(["id", "diagnostic"])
_ID = itemgetter("id")
_DIAGNOSTIC = itemgetter("diagnostic")


def _invalid(row: object, number: int, error: ValidationError) -> bytes:
    places = ", ".join(dict.fromkeys(".".join(map(str, item["loc"])) or "line" for item in error.errors()))
    identity = row.get("id") if isinstance(row, dict) else None
    return _error(
        identity if type(identity) in (str, int) else None,
        number,
        f"The line is not valid at: {places}. See /docs for the expected fields.",
    )


def _error(identity: str | int | None, number: int, detail: str, status: int = 422) -> bytes:
    named = {} if identity is None else {"id": identity}
    return orjson.dumps({**named, "error": {"line": number, "status": status, "detail": detail}})


class Lines:
    """Cuts chunks of bytes into numbered lines; blank ones are left out, over-long ones are None."""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._size = 0
        self._skipping = False
        self._number = 0

    def feed(self, chunk: bytes, *, last: bool) -> Iterator[tuple[int, bytes | None]]:
        """Yield the lines that a chunk completes."""
        *complete, rest = chunk.split(b"\n")
        if not self._held and not self._skipping and complete and len(max(complete, key=len)) <= MAX_LINE:
            numbered = enumerate(complete, self._number + 1)
            self._number += len(complete)
            yield from [(number, part) for number, part in numbered if part and not part.isspace()]
            complete = []
        for part in complete:
            line = self._end(part)
            if line is not None:
                yield line
        if self._skipping:
            pass
        elif self._size + len(rest) > MAX_LINE:
            self._skipping = True
            self._held, self._size = [], 0
            yield self._number + 1, None
        elif rest:
            self._held.append(rest)
            self._size += len(rest)
        if last:
            line = self._end(b"")
            if line is not None:
                yield line

    def _end(self, part: bytes) -> tuple[int, bytes | None] | None:
        self._number += 1
        if self._skipping:
            self._skipping = False
            return None
        if self._held:
            part = b"".join([*self._held, part])
            self._held, self._size = [], 0
        if len(part) > MAX_LINE:
            return self._number, None
        return (self._number, part) if part and not part.isspace() else None
