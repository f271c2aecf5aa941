"""HTTP for uvicorn (`--http apis.shared.http.protocol:BoundedHttp`), with the bounds that an application comes too late
for: how long a client may take to send its headers, how long these may be, and what may follow an answer."""

import asyncio
import json
import uuid

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from apis.shared.errors import bad_request
from apis.shared.http.bounds import BODY_PAUSE_SECONDS, HEADER_BLOCK_BYTES, HEADER_BYTES, HEADERS_SECONDS
from apis.shared.http.failures import error_body

_UNREADABLE = bad_request("The request is not valid HTTP, or its headers are too long.")


class BoundedHttp(HttpToolsProtocol):
    """A connection is closed when the headers of a request are not complete in time, and when the rest of a body whose
    request has been answered does not end in time. Headers that are too long are answered 400."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base class
        super().connection_made(transport)
        self._deadline: asyncio.TimerHandle | None = None
        self._block = self._unfinished = 0
        # Whether a request is expected or its headers are on their way, and whether a body is.
        self._awaits_headers, self._awaits_body = True, False
        self._close_after(HEADERS_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._keep_open()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unfinished += len(data)
        if self._awaits_headers and self._deadline is None:
            self._close_after(HEADERS_SECONDS)
        super().data_received(data)
        # The parser keeps a header, or a trailer, until it is complete.
        if self._unfinished > HEADER_BLOCK_BYTES and not self.transport.is_closing():
            self.send_400_response("")

    def on_message_begin(self) -> None:
        self._block = self._unfinished = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._measure(len(url), HEADER_BLOCK_BYTES)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        # The application answers 401 for a token that is too long.
        most = HEADER_BLOCK_BYTES if name.lower() == b"authorization" else HEADER_BYTES
        self._measure(len(name) + len(value), most)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._unfinished = 0
        self._awaits_headers, self._awaits_body = False, True
        self._keep_open()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unfinished = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unfinished = 0
        self._awaits_headers, self._awaits_body = True, False
        if self.cycle.response_complete:
            # The base class waits for the next request from the answer on, which is over.
            self._close_after(HEADERS_SECONDS)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._awaits_body:
            # Nobody reads it any more. Closing at once could take the answer away from a client that still sends.
            self._close_after(BODY_PAUSE_SECONDS)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - says what the parser found
        request_id = uuid.uuid4().hex
        body = json.dumps(error_body(_UNREADABLE, request_id)).encode()
        head = (
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n"
            f"content-length: {len(body)}\r\nx-request-id: {request_id}\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _measure(self, size: int, most: int) -> None:
        self._block += size
        if size > most or self._block > HEADER_BLOCK_BYTES:
            # The parser turns it into an error of its own, which is answered 400.
            msg = "the headers are too long"
            raise ValueError(msg)

    def _close_after(self, seconds: float) -> None:
        self._keep_open()
        self._deadline = self.loop.call_later(seconds, self.transport.close)

    def _keep_open(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
