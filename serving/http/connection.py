"""One connection of the server: limits on slow clients and on headers, which uvicorn leaves to a proxy.

A client that does not finish its headers is told 408 and disconnected, one that sends too
many 431, and one that does not read its answer is cut off: none can hold memory or a socket
for long. The application never sees them.
"""

from __future__ import annotations

from asyncio import TimerHandle, Transport
from functools import cache
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from whybounce.serving.http.problems import problem

MAX_HEADERS = 64 * 1024
"""Bytes of the request line and the headers together."""
_CODING_LENGTH = len(b"transfer-encoding")


@cache
def _seconds() -> tuple[float, float]:
    """How long headers may take, and how long a client may read nothing."""
    from whybounce.serving.settings import load_settings

    settings = load_settings()
    return settings.header_timeout, settings.stream_timeout


class Connection(HttpToolsProtocol):
    """uvicorn's protocol with a time limit and a size limit on headers, and a time limit on reading nothing.

    Each request learns in ``scope["state"]["ahead"]`` how many others are not answered yet.
    """

    _timer: TimerHandle | None = None
    _reader: TimerHandle | None = None
    _unread = 0
    _answered: RequestResponseCycle | None = None
    _size = 0
    _refusal = HTTPStatus.BAD_REQUEST
    _detail: str | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Begin; headers must come in time from here on."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._done()
        self._read()
        super().connection_lost(exc)
        if self._answered is not None:
            # uvicorn tells the request that came last; the one that is being answered may be another.
            self._answered.disconnected = True
            self._answered.message_event.set()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._size = 0
        if self._timer is None:
            self._wait()

    def on_url(self, url: bytes) -> None:
        """Take a piece of the request line."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._count(len(name) + len(value) + 4)
        if len(name) == _CODING_LENGTH and name.lower() == b"transfer-encoding" and value.strip().lower() != b"chunked":
            self._detail = "The only transfer coding is chunked. Send the body as it is."
            raise httptools.HttpParserError("unknown transfer coding")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Take the request on."""
        self._done()
        self.scope["state"]["ahead"] = len(self.tasks)
        super().on_headers_complete()

    def pause_writing(self) -> None:
        """Wait for a client that reads slowly, as long as it reads."""
        super().pause_writing()
        self._unread = self.transport.get_write_buffer_size()
        self._reader = self.loop.call_later(_seconds()[1], self._standing_still)

    def resume_writing(self) -> None:
        """Go on."""
        self._read()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """End an idle connection, also when its client never read the last answer."""
        super().timeout_keep_alive_handler()
        self._end_soon()

    def _standing_still(self) -> None:
        before, self._unread = self._unread, self.transport.get_write_buffer_size()
        if self._unread < before:
            self._reader = self.loop.call_later(_seconds()[1], self._standing_still)
        else:
            # Closing would wait until everything is sent, which is never.
            self.transport.abort()

    def _read(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None

    def _end_soon(self) -> None:
        self._read()
        self._reader = self.loop.call_later(_seconds()[1], self.transport.abort)

    def data_received(self, data: bytes) -> None:
        """Take bytes; a header that grows without an end is counted before it is complete."""
        if self._timer is not None:
            self._raw += len(data)
            if self._raw > MAX_HEADERS * 2 and not self._complete_in(data):
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
                return
        super().data_received(data)
        if self._timer is None and not self._busy() and self.timeout_keep_alive_task is None:
            # Empty lines before a request begin none, and uvicorn waits for ever after them.
            self._wait()

    def _busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    _raw = 0

    def _complete_in(self, data: bytes) -> bool:
        # The end of the headers may lie in this piece, with a body behind it.
        return b"\r\n\r\n" in data or b"\n\n" in data

    def send_400_response(self, msg: str) -> None:
        """Answer a request that is not HTTP, or whose headers are too large."""
        self._refuse(self._refusal)

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > MAX_HEADERS:
            self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            raise httptools.HttpParserError("headers too large")

    def _wait(self) -> None:
        self._raw = 0
        self._timer = self.loop.call_later(_seconds()[0], self._late)

    def _done(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        if self.transport is not None and not self.transport.is_closing():
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)

    def _refuse(self, status: HTTPStatus) -> None:
        self._done()
        body = bytes(problem(status, self._detail or _DETAILS[status]).body)
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()
        self._end_soon()


_DETAILS: dict[Any, str] = {
    HTTPStatus.BAD_REQUEST: "This is not HTTP/1.1: the request line, a header or the length of the body is wrong. "
    "Use an HTTP client, and https only where a proxy offers it.",
    HTTPStatus.REQUEST_TIMEOUT: "The headers of the request did not come in time.",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: f"The headers are larger than {MAX_HEADERS} bytes. Send fewer.",
}
