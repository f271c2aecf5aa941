"""A session with one tool server: JSON-RPC over streamable HTTP, as the Model Context Protocol has it.

It is a state and nothing that runs: each request is awaited by who makes it, the optional stream for what a server may
want to say by itself is not asked for, and nothing is left to end but the session on the server. Written against the
protocol and not with the client of its SDK, which refuses a whole list for one odd tool or a whole result for one odd
part, and whose tasks have to end where they began.
"""

import asyncio
import itertools
import json
import logging
import zlib
from collections.abc import Collection, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from agents.outgoing.bodies import body_of
from agents.outgoing.guard import Refused
from agents.tools.mcp.access import Access, OnBehalf
from agents.tools.mcp.event_stream import EventReader
from apis.shared.errors import ErrorCode, ErrorDetail, internal_error, service_unavailable, timed_out
from apis.shared.lifecycle import background
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, attempt_async, error_of, railway

logger = logging.getLogger(__name__)

PROTOCOL_VERSION = "2025-11-25"
KNOWN_VERSIONS = frozenset({"2024-11-05", "2025-03-26", "2025-06-18", PROTOCOL_VERSION})
MAX_ANSWER_BYTES = 40 * 1024 * 1024
MAX_PAGES = 100
MAX_TOOLS = 1_000
MAX_REDIRECTS = 3
MAX_RESUMPTIONS = 5
MAX_REPLIES = 20
RESUME_AFTER_SECONDS = 1.0
CLOSING_SECONDS = 5.0
_PARSED_HERE = 256 * 1024
_ERROR_BYTES = 64 * 1024
SHOWN_LENGTH = 2_000
_METHOD_NOT_FOUND = -32601

type Json = dict[str, Any]
"""An object of JSON."""


def _of_tool(text: str) -> ErrorDetail:
    return ErrorDetail(code=ErrorCode.TOOL_ERROR, message=text)


SESSION_LOST = _of_tool("The server has ended the session.")
REFUSED = _of_tool("The server refuses access.")
FORBIDDEN = _of_tool("The server does not permit this.")
NO_ANSWER = _of_tool("The server ended its answer before it was complete.")
UNREADABLE = _of_tool("The answer of the server cannot be read.")
TOO_LARGE = _of_tool("The answer of the server is too large.")
ELSEWHERE = _of_tool("The server redirects to another place.")
NOT_ACCEPTED = _of_tool("The server did not accept the request.")


def rpc_error(text: str) -> ErrorDetail:
    """What the server itself says that went wrong."""
    return _of_tool(text)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`name` is what the server is called where something is told of it: the id of its tool."""

    name: str
    url: str
    access: Access


@dataclass(slots=True)
class _Interrupted:
    """How far a stream was read."""

    event_id: str | None = None
    wait: float = RESUME_AFTER_SECONDS


class Session:
    """`client` is the session's own and follows no redirects."""

    def __init__(self, client: httpx.AsyncClient, endpoint: Endpoint) -> None:
        self._client = client
        self._endpoint = endpoint
        self._url = httpx.URL(endpoint.url)
        self._session_id: str | None = None
        self._version: str | None = None
        self._ids = itertools.count(1)
        self._replies = 0
        self._opening = asyncio.Lock()
        self._telling: set[asyncio.Task[None]] = set()

    async def start(self, *, seconds: float, wanted: Collection[str] = ()) -> Result[list[Json], ErrorDetail]:
        """Agree on a session, and all tools that the server offers, each once; with `wanted`, no more than these are
        looked for. Both within `seconds`. Fails as `request` does."""
        tried = await attempt_async(self._started, seconds, wanted, errors=_ERRORS)
        return tried.bind(lambda result: result)

    async def _started(self, seconds: float, wanted: Collection[str]) -> Result[list[Json], ErrorDetail]:
        async with asyncio.timeout(seconds):
            return await self._opened_and_listed(wanted)

    @railway
    async def _opened_and_listed(self, wanted: Collection[str]) -> Result[list[Json], ErrorDetail]:
        opened = await self._open()
        if error_of(opened) == REFUSED and (await self._endpoint.access.renew()).unwrap():
            opened = await self._open()
        (await self._note_refusal(opened)).unwrap()
        return await self._listed(wanted)

    @railway
    async def _listed(self, wanted: Collection[str]) -> Result[list[Json], ErrorDetail]:
        found: dict[str, Json] = {}
        followed: set[str] = set()
        params: Json = {}
        for _ in range(MAX_PAGES):
            page = (await self._request("tools/list", params)).unwrap()
            tools = page.get("tools")
            if not isinstance(tools, list):
                return Failure(UNREADABLE)
            for tool in tools:
                if isinstance(tool, dict) and isinstance(name := tool.get("name"), str) and name:
                    found.setdefault(name, tool)
            cursor = page.get("nextCursor")
            is_complete = bool(wanted) and found.keys() >= set(wanted)
            if is_complete or not isinstance(cursor, str) or cursor in followed:
                return Success(list(found.values())[:MAX_TOOLS])
            if len(found) >= MAX_TOOLS:
                break
            followed.add(cursor)
            params = {"cursor": cursor}
        logger.warning("tools of a server left out", extra={"tool": self._endpoint.name, "looked_at": len(found)})
        return Success(list(found.values())[:MAX_TOOLS])

    @railway
    async def _note_refusal[T](self, answer: Result[T, ErrorDetail]) -> Result[T, ErrorDetail]:
        if error_of(answer) == REFUSED:
            (await self._endpoint.access.refused()).unwrap()
        return answer

    @railway
    async def _open(self) -> Result[None, ErrorDetail]:
        """Also after the server has lost the session before."""
        self._session_id = self._version = None
        params = {
            "protocolVersion": PROTOCOL_VERSION,
            "capabilities": {},
            "clientInfo": {"name": "agentcore-agents", "version": "2.0.0"},
        }
        agreed = (await self._request("initialize", params)).unwrap()
        version = agreed.get("protocolVersion")
        if version not in KNOWN_VERSIONS:
            return Failure(service_unavailable(None, reason="protocol version", version=str(version)[:40]))
        self._version = version
        return await self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    async def request(self, method: str, params: Json, *, seconds: float) -> Result[Json, ErrorDetail]:
        """The result. What the server has lost or refused before it began is sent once more; nothing else is.

        Fails with `timeout`, `service_unavailable`, `internal_error` for credentials of our own, and `tool_error` for
        what the server said or did. A request that is given up is told to the server.
        """
        number = next(self._ids)
        is_given_up = True
        try:
            tried = await attempt_async(self._within, number, method, params, seconds, errors=_ERRORS)
            answer = tried.bind(lambda result: result)
            error = error_of(answer)
            is_given_up = error is not None and error.code is ErrorCode.TIMEOUT
            return answer
        finally:
            if is_given_up:
                self._beside(self._cancel(number), name="give up a tool call")

    async def close(self) -> Result[None, ErrorDetail]:
        """End the session on the server, where there is one. What it is still being told is told first."""
        if self._telling:
            await asyncio.wait(self._telling)
        if self._session_id is None:
            return Success(None)
        done = await attempt_async(self._delete, errors=_ERRORS)
        return done.bind(lambda result: result)

    async def _within(self, number: int, method: str, params: Json, seconds: float) -> Result[Json, ErrorDetail]:
        async with asyncio.timeout(seconds):
            return await self._persistently(number, method, params)

    @railway
    async def _persistently(self, number: int, method: str, params: Json) -> Result[Json, ErrorDetail]:
        session_id = self._session_id
        answer = await self._request(method, params, number)
        if error_of(answer) == SESSION_LOST:
            answer = await self._again(session_id, method, params, number)
        if error_of(answer) == REFUSED and (await self._endpoint.access.renew()).unwrap():
            answer = await self._again(None, method, params, number)
        return await self._note_refusal(answer)

    @railway
    async def _again(self, lost: str | None, method: str, params: Json, number: int) -> Result[Json, ErrorDetail]:
        """In another session than the `lost` one, and in any case in one."""
        async with self._opening:
            if self._version is None or (lost is not None and self._session_id == lost):
                (await self._open()).unwrap()
        return await self._request(method, params, number)

    @railway
    async def _request(self, method: str, params: Json, number: int | None = None) -> Result[Json, ErrorDetail]:
        number = next(self._ids) if number is None else number
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        stream = _Interrupted()
        message_or_none = (await self._exchange("POST", _encoded(message), number, stream)).unwrap()
        for _ in range(MAX_RESUMPTIONS):
            if message_or_none is not None or stream.event_id is None:
                break
            await asyncio.sleep(stream.wait)
            message_or_none = (await self._exchange("GET", b"", number, stream)).unwrap()
        if message_or_none is None:
            return Failure(NO_ANSWER)
        return _result(message_or_none)

    async def _send(self, message: Json) -> Result[None, ErrorDetail]:
        """What has no answer."""
        return (await self._exchange("POST", _encoded(message), None, _Interrupted())).map(lambda _: None)

    async def _delete(self) -> Result[None, ErrorDetail]:
        async with asyncio.timeout(CLOSING_SECONDS):
            answer = await self._exchange("DELETE", b"", None, _Interrupted())
            return answer.map(lambda _: None)

    def _beside(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        """What nobody waits for but `close`."""
        task = background.start(work, name=name)
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _cancel(self, number: int) -> None:
        message = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number}}
        told = await self._tell(message)
        logger.info("tool call given up", extra={"tool": self._endpoint.name, "is_told": error_of(told) is None})

    async def _reply(self, message: Json) -> None:
        told = await self._tell(message)
        logger.debug("answered a tool server", extra={"tool": self._endpoint.name, "is_told": error_of(told) is None})

    async def _tell(self, message: Json) -> Result[None, ErrorDetail]:
        told = await attempt_async(self._in_a_moment, message, errors=_ERRORS)
        return told.bind(lambda result: result)

    async def _in_a_moment(self, message: Json) -> Result[None, ErrorDetail]:
        async with asyncio.timeout(CLOSING_SECONDS):
            return await self._send(message)

    @railway
    async def _exchange(
        self, method: str, body: bytes, number: int | None, stream: _Interrupted
    ) -> Result[Json | None, ErrorDetail]:
        """The answer to `number`; None when the response ended without it, or nothing was asked for."""
        target = self._url
        for _ in range(MAX_REDIRECTS + 1):
            proof = (await self._endpoint.access.headers(method, str(target), body)).unwrap()
            headers = {**self._headers(body, stream), **proof}
            # The bytes that were signed.
            request = self._client.build_request(method, target, headers=headers, content=body or None)
            response = await self._client.send(request, stream=True)
            try:
                if response.status_code not in {307, 308}:
                    return await self._answer(response, method, number, stream)
                target = self._further(target, response).unwrap()
            finally:
                await response.aclose()
        return Failure(ELSEWHERE)

    def _headers(self, body: bytes, stream: _Interrupted) -> Mapping[str, str]:
        return {
            "Accept": "application/json, text/event-stream",
            "Accept-Encoding": "identity",
            **({"Content-Type": "application/json"} if body else {}),
            **({"Mcp-Session-Id": self._session_id} if self._session_id else {}),
            **({"MCP-Protocol-Version": self._version} if self._version else {}),
            **({"Last-Event-ID": stream.event_id} if stream.event_id else {}),
        }

    @staticmethod
    def _further(target: httpx.URL, response: httpx.Response) -> Result[httpx.URL, ErrorDetail]:
        location = response.headers.get("location")
        if not location:
            return Failure(ELSEWHERE)
        further = target.join(location)
        same = (further.scheme, further.netloc) == (target.scheme, target.netloc)
        return Success(further) if same and not further.userinfo else Failure(ELSEWHERE)

    async def _answer(
        self, response: httpx.Response, method: str, number: int | None, stream: _Interrupted
    ) -> Result[Json | None, ErrorDetail]:
        status = response.status_code
        if method == "DELETE" or (number is None and status < 400):
            return Success(None)
        if status >= 300:
            return await self._refusal(response, number)
        if session_id := response.headers.get("mcp-session-id"):
            self._session_id = session_id
        if status == 202:
            return Failure(NO_ANSWER)
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "text/event-stream":
            return await self._from_stream(response, number, stream)
        return await self._from_json(response, number)

    @railway
    async def _from_json(self, response: httpx.Response, number: int | None) -> Result[Json | None, ErrorDetail]:
        body = bytearray()
        async for part in body_of(response).alt(_unencoded).unwrap():
            body += part
            if len(body) > MAX_ANSWER_BYTES:
                return Failure(TOO_LARGE)
        message = (await _parsed(bytes(body))).unwrap()
        return Success(message) if _answers(message, number) else Failure(UNREADABLE)

    @railway
    async def _from_stream(
        self, response: httpx.Response, number: int | None, stream: _Interrupted
    ) -> Result[Json | None, ErrorDetail]:
        reader = EventReader()
        async for part in body_of(response).alt(_unencoded).unwrap():
            for event in reader.feed(part):
                stream.event_id = event.event_id or stream.event_id
                stream.wait = stream.wait if event.retry_ms is None else event.retry_ms / 1000
                if event.data:
                    message = (await _parsed(event.data)).unwrap()
                    if _answers(message, number):
                        return Success(message)
                    self._heard(message)
            if reader.held > MAX_ANSWER_BYTES:
                return Failure(TOO_LARGE)
        return Success(None)

    def _heard(self, message: Json) -> None:
        """Notifications are for nobody here; what the server asks for is not supported, and it is told so."""
        number = message.get("id")
        if not isinstance(message.get("method"), str) or not isinstance(number, int | str):
            return
        self._replies += 1
        if self._replies <= MAX_REPLIES:
            error = {"code": _METHOD_NOT_FOUND, "message": "Not supported"}
            told = {"result": {}} if message["method"] == "ping" else {"error": error}
            reply = {"jsonrpc": "2.0", "id": number, **told}
            self._beside(self._reply(reply), name="answer a tool server")

    @railway
    async def _refusal(self, response: httpx.Response, number: int | None) -> Result[Json | None, ErrorDetail]:
        """What a status means; the error of the protocol where the body holds one."""
        status, access = response.status_code, self._endpoint.access
        text = (await _beginning(response)).unwrap()
        had_session = self._session_id is not None
        if had_session and (
            status == 404
            or (status == 400 and "session" in text.lower())
            or (status == 401 and not access.is_ours and not isinstance(access, OnBehalf))
        ):
            return Failure(SESSION_LOST)
        if status in {401, 403}:
            context = {"tool": self._endpoint.name, "http_status": str(status)}
            if access.is_ours:
                return Failure(internal_error(None, **context))
            return Failure((REFUSED if status == 401 else FORBIDDEN).caused_by(None, **context))
        told = attempt(json.loads, text, errors=_NOT_JSON).value_or(None)
        if isinstance(told, dict) and isinstance(told.get("error"), dict) and told.get("id") in {None, number}:
            return Success(told)
        if status >= 500 or status == 429:
            return Failure(service_unavailable(None, tool=self._endpoint.name, http_status=str(status)))
        return Failure(NOT_ACCEPTED.caused_by(None, tool=self._endpoint.name, http_status=str(status)))


def _encoded(message: Json) -> bytes:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


async def _parsed(data: bytes) -> Result[Json, ErrorDetail]:
    """Large ones beside the event loop."""
    if len(data) < _PARSED_HERE:
        return _as_object(data)
    return await asyncio.to_thread(_as_object, data)


def _as_object(data: bytes) -> Result[Json, ErrorDetail]:
    read = attempt(json.loads, data, errors=_NOT_JSON)
    return read.bind(lambda value: Success(value) if isinstance(value, dict) else Failure(UNREADABLE))


def _answers(message: Json, number: int | None) -> bool:
    """An error without an id is of the request that it answers: the server could not read even that."""
    if "result" in message or "error" in message:
        return message.get("id") == number or ("error" in message and message.get("id") is None)
    return False


def _result(message: Json) -> Result[Json, ErrorDetail]:
    match message:
        case {"result": dict(result)}:
            return Success(result)
        case {"error": {"message": str(text)}} if text.strip():
            return Failure(rpc_error(text[:SHOWN_LENGTH]))
        case {"error": _}:
            return Failure(NOT_ACCEPTED)
        case _:
            return Failure(UNREADABLE)


@railway
async def _beginning(response: httpx.Response) -> Result[str, ErrorDetail]:
    begun = bytearray()
    async for part in body_of(response).alt(_unencoded).unwrap():
        begun += part
        if len(begun) > _ERROR_BYTES:
            break
    return Success(bytes(begun[:_ERROR_BYTES]).decode("utf-8", "replace"))


def _unparsed(_: Exception) -> ErrorDetail:
    # The exception's own text quotes the answer.
    return UNREADABLE


def _unencoded(_: ErrorDetail) -> ErrorDetail:
    return UNREADABLE


_NOT_JSON = ErrorTable.of((ValueError, _unparsed), (RecursionError, _unparsed))
_ERRORS = ErrorTable.of(
    (Refused, lambda error: _of_tool(error.error.message)),
    (TimeoutError, timed_out),
    (httpx.TimeoutException, timed_out),
    (httpx.InvalidURL, internal_error),
    (zlib.error, _unparsed),
    (httpx.RequestError, service_unavailable),
)
