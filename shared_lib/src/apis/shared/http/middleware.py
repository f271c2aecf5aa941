"""Around every request: its id, its one log record when it fails, and the 500 of last resort."""

import asyncio
import logging
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from apis.shared.errors import ErrorCode, ErrorDetail, bad_request, internal_error, service_unavailable, status_of
from apis.shared.http import context
from apis.shared.http.bounds import BODY_PAUSE_SECONDS, HEADER_BLOCK_BYTES, HEADER_BYTES
from apis.shared.http.failures import FailureRaised, failure_response
from apis.shared.lifecycle import Shutdown

logger = logging.getLogger("apis.requests")

SHUTDOWN_GRACE_SECONDS = 2.5

_HEADERS_TOO_LONG = bad_request("The headers of the request are too long.")
_BODY_TOO_SLOW = bad_request("The request body did not arrive in time.")


class RequestLog:
    """Outermost: gives each response its `X-Request-ID` and writes one record per failed request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = context.RequestContext(context.request_id_from(Headers(scope=scope).get("x-request-id")))
        context.enter(request)
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request.request_id
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            if request.error is not None:
                _write(request, request.error, status, scope)


class WholeBodies:
    """For clients of HTTP/1.0, which know no chunks: a response whose length is not known in advance, as an event
    stream, is held back until it is complete. A proxy that is to pass streams on has to speak HTTP/1.1 to the service.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["http_version"] != "1.0":
            await self._app(scope, receive, send)
            return
        held: Message | None = None
        body = bytearray()

        async def send_whole(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start" and "content-length" not in Headers(raw=message["headers"]):
                held = message
                return
            if held is None:
                await send(message)
                return
            body.extend(message.get("body", b""))
            if not message.get("more_body", False):
                if held["status"] not in {204, 304}:
                    MutableHeaders(scope=held)["Content-Length"] = str(len(body))
                await send(held)
                await send({"type": "http.response.body", "body": bytes(body), "more_body": False})

        await self._app(scope, receive, send_whole)


class ErrorBoundary:
    """Innermost: no exception leaves it, so that every answer passes the CORS headers on its way out.

    It also refuses headers that are too long, waits for no slow body, and ends what still runs when the grace period
    of a shutdown is over.
    """

    def __init__(self, app: ASGIApp, *, shutdown: Shutdown) -> None:
        self._app = app
        self._shutdown = shutdown

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _has_long_headers(scope):
            await failure_response(_HEADERS_TOO_LONG)(scope, receive, send)
            return
        started = False
        more_body, too_slow = True, False
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = True
            if too_slow and message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        async def receive_in_time() -> Message:
            nonlocal more_body, too_slow
            if not more_body:
                return await receive()
            try:
                async with asyncio.timeout(BODY_PAUSE_SECONDS):
                    message = await receive()
            except TimeoutError:
                too_slow = True
                raise FailureRaised(_BODY_TOO_SLOW) from None
            more_body = message.get("more_body", False)
            return message

        def stop_later() -> None:
            if task is not None:
                loop.call_later(SHUTDOWN_GRACE_SECONDS, task.cancel)

        unsubscribe = self._shutdown.subscribe(stop_later)
        try:
            await self._app(scope, receive_in_time, send_and_note)
        except Exception as bug:  # noqa: BLE001 - the handler of last resort
            error = internal_error(bug)
            response = failure_response(error)
            if not started:
                await response(scope, receive, send)
        except asyncio.CancelledError:
            if started or task is None or not self._shutdown.is_stopping:
                raise
            task.uncancel()
            await failure_response(service_unavailable(None, reason="the process is stopping"))(scope, receive, send)
        finally:
            unsubscribe()


def _has_long_headers(scope: Scope) -> bool:
    block = 0
    for name, value in scope["headers"]:
        size = len(name) + len(value)
        # A token that is too long is no good credentials, which is another answer.
        if size > HEADER_BYTES and name != b"authorization":
            return True
        block += size
    return block + len(scope["path"]) + len(scope["query_string"]) > HEADER_BLOCK_BYTES


def _write(request: context.RequestContext, error: ErrorDetail, status: int, scope: Scope) -> None:
    route = scope.get("route")
    fields = {
        "code": error.code.value,
        "status": status or status_of(error.code),
        "method": scope["method"],
        "route": getattr(route, "path", None) or "unmatched",
        "request_id": request.request_id,
        "user_id": request.user_id,
        "duration_ms": round((time.perf_counter() - request.started) * 1000, 1),
        "causes": _causes(error.cause),
        **error.context,
    }
    server_side = status_of(error.code) >= 500
    is_bug = error.code is ErrorCode.INTERNAL_ERROR and error.cause is not None
    logger.log(
        logging.ERROR if server_side else logging.INFO,
        "request failed",
        extra=fields,
        exc_info=error.cause if is_bug else None,
    )


def _causes(cause: BaseException | None) -> list[str]:
    """The chain of exceptions behind a failure, outermost first."""
    causes: list[str] = []
    while cause is not None and len(causes) < 10:
        causes.append(f"{type(cause).__qualname__}: {cause}")
        cause = cause.__cause__ or cause.__context__
    return causes
