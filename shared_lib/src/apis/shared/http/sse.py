"""Server-sent events: the only place where a stream item becomes text."""

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from enum import Enum, auto
from typing import Any, Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from apis.shared.errors import (
    ConversationalErrorEvent,
    ErrorCode,
    ErrorDetail,
    build_conversational_error_event,
)
from apis.shared.http import context
from apis.shared.lifecycle import background, shutdown
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 15.0
# How long the end of a stream waits for what cannot be stopped, and, in a process that stops, for what hangs.
CLOSING_SECONDS = 0.5
RECORDING_GRACE_SECONDS = 1.0


class SseEvent(Protocol):
    @property
    def event(self) -> str:
        """The event's name on the wire, never empty."""
        ...

    def payload(self) -> Mapping[str, object]:
        """The data: JSON types only."""
        ...


type FailureRecorder = Callable[[ErrorDetail, str], Coroutine[object, object, Result[None, ErrorDetail]]]
"""Persists a failed turn: gets the failure and the text that the user was shown."""

type Closer = Callable[[], Coroutine[object, object, None]]
"""Ends what the stream stands for, whatever became of the stream."""


class _Signal(Enum):
    END = auto()
    HANG_UP = auto()
    HEARTBEAT = auto()


class EventStream(Response):
    """A response that streams Results as events, one flush per event, and ends with exactly one `done`.

    A Failure is the last item. It is delivered as the conversational error sequence: five message events, then
    `record_failure` runs, then `stream_error` and `done`; of one that is not shown only the last two. When the client
    hangs up, the items are cancelled and closed, and this response waits for their clean-up. A silent stream is kept
    alive by `ping` events.

    On every way out a failure that was met is recorded, and then `close` runs, once, in a task that no cancellation
    of the request reaches.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        items: AsyncIterator[Result[SseEvent, ErrorDetail]],
        *,
        session_id: str,
        record_failure: FailureRecorder | None = None,
        close: Closer | None = None,
    ) -> None:
        self.status_code = 200
        self.background = None
        self._items = items
        self._session_id = session_id
        self._record_failure = record_failure
        self._close = close
        self._failure: ErrorDetail | None = None
        self._recording: asyncio.Task[bool] | None = None
        self._queue: asyncio.Queue[bytes | _Signal] = asyncio.Queue()
        self._started = False
        self._failed_early: ErrorCode | None = None
        self.init_headers(
            {
                "Content-Type": "text/event-stream; charset=utf-8",
                "Cache-Control": "no-cache",
                "X-Accel-Buffering": "no",
                "X-Session-ID": session_id,
            }
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        loop = asyncio.get_running_loop()
        producer = loop.create_task(self._produce())
        producer.add_done_callback(lambda _: self._queue.put_nowait(_Signal.END))
        watcher = loop.create_task(self._watch(receive))
        heartbeat = loop.call_later(HEARTBEAT_SECONDS, self._queue.put_nowait, _Signal.HEARTBEAT)
        try:
            while (item := await self._queue.get()) not in {_Signal.END, _Signal.HANG_UP}:
                heartbeat.cancel()
                await self._send(send, frame("ping", {}) if isinstance(item, _Signal) else item)
                heartbeat = loop.call_later(HEARTBEAT_SECONDS, self._queue.put_nowait, _Signal.HEARTBEAT)
            if item is _Signal.END:
                producer.result()
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            heartbeat.cancel()
            watcher.cancel()
            producer.cancel()
            await background.finish(self._wind_up(producer), name="wind up a stream")

    async def _send(self, send: Send, body: bytes) -> None:
        if not self._started:
            self._started = True
            if self._failed_early is not None:
                self.headers["X-Error-Code"] = self._failed_early.value
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": body, "more_body": True})

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._queue.put_nowait(_Signal.HANG_UP)

    async def _wind_up(self, producer: asyncio.Task[None]) -> None:
        await asyncio.wait((producer,), timeout=CLOSING_SECONDS)
        try:
            if self._failure is not None and self._recording is None:
                self._begin_recording(self._failure)
            if self._recording is not None:
                await asyncio.wait((self._recording,), timeout=CLOSING_SECONDS)
        finally:
            if self._close is not None:
                await self._close()

    async def _produce(self) -> None:
        await self._forward()
        if self._failure is not None:
            await self._fail(self._failure)
        self._put("done", {})

    async def _forward(self) -> None:
        """Queue the events; the failure that ended them, if any, is noted before they are closed."""
        try:
            async for item in self._items:
                match item:
                    case Success(event):
                        match attempt(frame, event.event, event.payload(), errors=_NOT_JSON):
                            case Success(body):
                                self._queue.put_nowait(body)
                            case Failure(error):
                                self._note(error)
                                return
                    case Failure(error):
                        self._note(error)
                        return
        except Exception as bug:
            logger.exception("stream failed")
            self._note(_STREAM_FAILED.caused_by(bug))
        finally:
            close: Callable[[], Awaitable[None]] | None = getattr(self._items, "aclose", None)
            if close is not None:
                await close()

    def _note(self, error: ErrorDetail) -> None:
        self._failure = error
        context.current().error = error

    async def _fail(self, error: ErrorDetail) -> None:
        if not self._started and self._queue.empty():
            self._failed_early = error.code
        event = conversational(error, self._session_id)
        if not error.is_shown:
            self._put_error(event, persisted=False)
            return
        self._put("message_start", {"role": "assistant"})
        self._put("content_block_start", {"contentBlockIndex": 0, "type": "text"})
        self._put("content_block_delta", {"contentBlockIndex": 0, "type": "text", "text": event.message})
        self._put("content_block_stop", {"contentBlockIndex": 0})
        self._put("message_stop", {"stopReason": "error"})
        recording = self._begin_recording(error)
        is_recorded = await shutdown.wait_for(recording, grace=RECORDING_GRACE_SECONDS) and recording.result()
        self._put_error(event, persisted=is_recorded)

    def _put_error(self, event: ConversationalErrorEvent, *, persisted: bool) -> None:
        if not persisted:
            event = event.model_copy(update={"metadata": {**(event.metadata or {}), "persisted": False}})
        self._put("stream_error", event.model_dump(mode="json", exclude_none=True))

    def _begin_recording(self, error: ErrorDetail) -> asyncio.Task[bool]:
        # A task of its own: a client that hangs up now must not leave the conversation without its ending.
        self._recording = background.start(self._recorded(error), name="record a failed turn")
        return self._recording

    async def _recorded(self, error: ErrorDetail) -> bool:
        if self._record_failure is None:
            return True
        try:
            result = await self._record_failure(error, conversational(error, self._session_id).message)
        except Exception:
            logger.exception("recording a failed turn failed")
            return False
        match result:
            case Failure(reason):
                logger.error(
                    "recording a failed turn failed",
                    extra={"code": reason.code.value, **reason.context},
                    exc_info=reason.cause,
                )
                return False
            case _:
                return True

    def _put(self, event: str, payload: Mapping[str, object]) -> None:
        self._queue.put_nowait(frame(event, payload))


def conversational(error: ErrorDetail, session_id: str) -> ConversationalErrorEvent:
    """The failure as the chat shows it: only its own message, which is written for users, is quoted."""
    return build_conversational_error_event(
        error.code,
        error.message,
        session_id=session_id,
        recoverable=error.recoverable,
        retry_after=error.retry_after,
    )


def frame(event: str, payload: Mapping[str, object]) -> bytes:
    """One event: a name and one line of JSON. Raises TypeError or ValueError for what JSON cannot hold."""
    data = json.dumps(payload, separators=(", ", ": "), allow_nan=False, default=_encode_bytes)
    return f"event: {event}\ndata: {data}\n\n".encode()


def _encode_bytes(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    msg = f"{type(value).__name__} is not JSON"
    raise TypeError(msg)


_STREAM_FAILED = ErrorDetail(
    code=ErrorCode.STREAM_ERROR, message="The answer was interrupted by an unexpected problem."
)
_NOT_JSON = ErrorTable.of((TypeError, _STREAM_FAILED.caused_by), (ValueError, _STREAM_FAILED.caused_by))


def described_turn(example: str) -> dict[int | str, dict[str, Any]]:  # Any: as OpenAPI has it
    """`responses` of a route that answers a message with an `EventStream`."""
    text = {"type": "string"}
    return {
        200: {
            "description": "The answer as server-sent events, from `message_start` to `done`. A failure after this "
            "point arrives as `stream_error`.",
            "headers": {
                "X-Session-ID": {"description": "The session that the message belongs to.", "schema": text},
                "X-Error-Code": {
                    "description": "The code of a failure before the first event. Absent otherwise.",
                    "schema": text,
                },
            },
            "content": {"text/event-stream": {"example": example}},
        }
    }
