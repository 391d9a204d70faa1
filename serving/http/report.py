"""``/v1/report``: a file goes in as it is, its bounce report comes out."""

from __future__ import annotations

import asyncio
import io
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import IO, Annotated, Any, BinaryIO, Literal

from fastapi import FastAPI, Query, Request
from fastapi.responses import Response
from starlette.requests import ClientDisconnect

from whybounce.model.errors import DataError, MissingExtraError
from whybounce.model.predictor import BounceClassifier
from whybounce.serving.http.problems import documented, problem
from whybounce.serving.http.schemas_events import ReportOut
from whybounce.serving.http.service import Service

PATH = "/v1/report"
RUNNING = 2
"""Reports that are made at a time, in each process."""

UNPACKED = 20
"""How many times larger than ``max_report`` a packed file may be when it is unpacked."""

MAX_KEPT = 1_000_000
"""Addresses, domains, campaigns and templates that are counted; more need more memory than one request may have."""

_IN_MEMORY = 8 * 1024 * 1024
_EVERY = 1000
_MEDIA = {"json": "application/json", "html": "text/html", "md": "text/markdown", "csv": "text/csv"}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The file, packed (gzip, zstd, bzip2) or not.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_RENDERING = threading.Lock()


class _TooMuchError(DataError):
    """The file is larger than it may be, packed or not, or takes too long."""


class _UnknownError(DataError):
    """The file is in no known format, or no format has that name."""


def add(app: FastAPI, service: Service) -> None:
    """Register the endpoint."""
    running = 0

    @app.post(
        PATH,
        response_model=ReportOut,
        responses={
            200: {
                "content": {
                    media: {"schema": {"type": "string"}} for media in sorted(_MEDIA.values()) if "text" in media
                },
                "description": "The report.",
            },
            **documented(400, 408, 413, 422, 503),
        },
        tags=["intake"],
        openapi_extra=_BODY,
    )
    async def report(
        request: Request,
        name: Annotated[str, Query(max_length=255, description="The file's name, as the report shows it.")] = "upload",
        format: Annotated[Literal["json", "html", "md", "csv"], Query(description="Of the answer.")] = "json",
        input: Annotated[
            str | None, Query(max_length=100, description="Format of the file, when it is not recognised.")
        ] = None,
    ) -> Any:
        """Make the bounce report of a log, a file of events or a table; its format is recognised."""
        nonlocal running
        if running >= RUNNING:
            detail = f"{RUNNING} reports are being made; try again in a moment."
            return problem(503, detail, headers={"retry-after": "10"})
        running += 1
        file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed by end()
        job: asyncio.Task[str] | None = None

        def end(done: asyncio.Task[str] | None = None) -> None:
            nonlocal running
            running -= 1
            file.close()
            if done is not None and not done.cancelled():
                done.exception()  # it was told to the client, if there still is one

        try:
            refusal = await _receive(request, file, service)
            if refusal is not None:
                return refusal
            job = asyncio.create_task(asyncio.to_thread(_made, service, file, name, format, input))
            job.add_done_callback(end)
            # A client that goes does not stop the thread: the file and the place are its own until it ends.
            text = await asyncio.shield(job)
        except _TooMuchError as error:
            return problem(413, str(error))
        except _UnknownError as error:
            return problem(422, str(error))
        except MissingExtraError as error:
            return problem(503, str(error))
        finally:
            if job is None:
                end()
        return Response(text.encode("utf-8", "replace"), media_type=_MEDIA[format])


async def _receive(request: Request, file: IO[bytes], service: Service) -> Response | None:
    """Write the body to a file; returns why not."""
    size, most = 0, service.settings.max_report
    too_large = problem(
        413,
        f"The file is larger than {most} bytes. Use whybounce report, or send its parts.",
        headers={"connection": "close"},
    )
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:20]) > most:
        return too_large
    pieces = request.stream().__aiter__()
    while True:
        try:
            async with asyncio.timeout(service.settings.stream_timeout):
                piece = await anext(pieces, None)
        except TimeoutError:
            return problem(408, "Nothing came for too long. Send the file again.", headers={"connection": "close"})
        except ClientDisconnect:
            return problem(400, "The file did not come whole. Send it again.")
        if piece is None:
            return None
        size += len(piece)
        if size > most:
            return too_large
        file.write(piece)


def _made(service: Service, file: IO[bytes], name: str, form: str, given: str | None) -> str:
    from whybounce.serving.report.document import build
    from whybounce.serving.report.render import render

    classifier = service.live.classifier
    counts = _counted(service, classifier, file, name, given)
    made = build(counts, None, classifier.taxonomy)
    if form == "json":
        return json.dumps(made.document, ensure_ascii=False)
    with _RENDERING:  # matplotlib has settings of the whole process
        return render(made, counts, f".{form}")


def _counted(service: Service, classifier: BounceClassifier, file: IO[bytes], name: str, given: str | None) -> Any:
    from whybounce.serving.intake.format import Source
    from whybounce.serving.intake.formats import EmptyError, FormatError, formats
    from whybounce.serving.intake.open import misread, read
    from whybounce.serving.intake.unpacking import unpacked
    from whybounce.serving.report.counter import Counter

    limit = _Limit(service.settings.max_report * UNPACKED, time.monotonic() + service.settings.report_timeout)
    source = Source(name, lambda: limit.guarded(unpacked(_again(file), name)))
    names = ", ".join(one.name for one in formats())
    try:
        found, records = read(source, given)
    except EmptyError:
        raise _UnknownError("The file is empty. Send the log, the events or the table as it is.") from None
    except FormatError:
        what = f"There is no format {given!r}" if given else "The file is in no known format; name it with ?input="
        raise _UnknownError(f"{what}. Known are: {names}.") from None
    except DataError as error:
        raise error if isinstance(error, _TooMuchError) else _UnknownError(str(error)) from None
    counter = Counter(classifier)

    def watched() -> Iterator[Any]:
        for number, record in enumerate(records):
            if number % _EVERY == 0:
                limit.check(counter.counts)
            yield record

    if not counter.read(name, found, watched()) and given and (why := misread(source, found)):
        raise _UnknownError(f"{why}.")
    return counter.counts


class _Limit:
    """What one report may take: bytes when it is unpacked, seconds, and things that are remembered."""

    def __init__(self, most: int, end: float) -> None:
        self._left = most
        self._most = most
        self._end = end

    def guarded(self, stream: BinaryIO) -> BinaryIO:
        """Return a stream that ends with an error where there is too much of it."""
        self._left = self._most
        return io.BufferedReader(_Guarded(stream, self.took), 65536)

    def took(self, size: int) -> None:
        """Count bytes; raises when there are too many of them, or when it takes too long."""
        self._left -= size
        if self._left < 0:
            raise _TooMuchError(
                f"The file is larger than {self._most} bytes when it is unpacked. "
                "Use whybounce report, or send its parts."
            )
        if time.monotonic() > self._end:
            raise _TooMuchError("The report takes longer than it may. Use whybounce report, or send the file's parts.")

    def check(self, counts: Any) -> None:
        """Raise when too much is remembered, or when it takes too long."""
        self.took(0)
        kept = (counts.addresses, counts.domains, counts.campaigns, counts.spikes, counts.traffic, counts.verdicts)
        if sum(map(len, kept)) > MAX_KEPT:
            raise _TooMuchError(
                f"The file names more than {MAX_KEPT} addresses, domains and the like. "
                "Use whybounce report, or send its parts."
            )


class _Guarded(io.RawIOBase):
    def __init__(self, stream: BinaryIO, took: Any) -> None:
        self._stream = stream
        self._read = getattr(stream, "read1", stream.read)
        self._took = took

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        # What stands before an early end of packed data is given out first: read would lose it.
        data = self._read(min(len(buffer), 65536))
        self._took(len(data))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


class _Again(io.RawIOBase):
    """A reader from the beginning that leaves the file open when it is closed."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        file.seek(0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _again(file: IO[bytes]) -> BinaryIO:
    return io.BufferedReader(_Again(file), 65536)
