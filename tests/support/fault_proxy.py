"""A proxy between the SDK and an AWS endpoint: it records every call and fails the ones that a test names."""

import asyncio
import itertools
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self
from urllib.parse import urlsplit

import h11
import uvloop

from tests.support import aws_wire
from tests.support.aws_wire import Answer, Target

_CHUNK = 65536
_numbers = itertools.count(1)
"""Of calls that come without an SDK, each of which is one of its own."""
_HOP_BY_HOP = frozenset({b"connection", b"transfer-encoding", b"content-length", b"keep-alive", b"expect"})


class FaultKind(StrEnum):
    ACCESS_DENIED = "access_denied"
    THROTTLED = "throttled"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    """Accepted and never answered, until the fault is lifted or the caller gives up."""
    RESET = "reset"
    """Carried out, but the connection breaks in the middle of the answer."""
    CORRUPT_ITEM = "corrupt_item"
    """Carried out, and answered in the right protocol with content that fits no record."""
    GARBAGE = "garbage"
    """Carried out, and answered 200 with a web page."""


_REFUSALS: Mapping[FaultKind, Callable[[Target], Answer]] = {
    FaultKind.ACCESS_DENIED: aws_wire.access_denied,
    FaultKind.THROTTLED: aws_wire.throttled,
    FaultKind.SERVER_ERROR: aws_wire.server_error,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """Which calls fail, and how. None matches all; `nth` counts the matching calls from 1.

    A call is what the service does once, the SDK's retries included: `once` fails only its first attempt.
    `containing` is looked for in path and body, for tests that run side by side.
    """

    kind: FaultKind
    service: str | None = None
    operation: str | None = None
    table: str | None = None
    nth: int | None = None
    once: bool = False
    containing: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt as it arrived. `invocation` is the same for all attempts of one call."""

    target: Target
    invocation: str
    attempt: int
    text: str = field(repr=False)


@dataclass(slots=True)
class Recording:
    """The calls that arrived while it was open, one entry per attempt."""

    containing: str | None
    attempts: list[Call] = field(default_factory=list)

    @property
    def calls(self) -> list[Call]:
        """One entry per call: the first attempt of each."""
        return list({attempt.invocation: attempt for attempt in reversed(self.attempts)}.values())[::-1]


@dataclass(slots=True)
class Injection:
    """A fault in force. `hits` counts the attempts that it failed."""

    fault: Fault
    hits: int = 0
    without_content: int = 0
    """Answers that `corrupt_item` had to leave as they were, because they carry no content."""
    _matching: list[str] = field(default_factory=list)
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    def wants(self, call: Call) -> bool:
        fault, target = self.fault, call.target
        if (
            fault.service not in {None, target.service}
            or fault.operation not in {None, target.operation}
            or fault.table not in {None, target.table}
            or (fault.containing is not None and fault.containing not in call.text)
        ):
            return False
        if call.invocation not in self._matching:
            self._matching.append(call.invocation)
            is_first = True
        else:
            is_first = False
        chosen = fault.nth is None or self._matching.index(call.invocation) + 1 == fault.nth
        return chosen and (is_first or not fault.once)


@dataclass(slots=True)
class Hold:
    """Calls whose answers are on their way, and do not arrive before the block is left."""

    operation: str
    containing: str
    held: int = 0
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    async def has(self, number: int) -> None:
        """Until so many calls have been carried out and are held."""
        async with asyncio.timeout(10):
            while self.held < number:  # noqa: ASYNC110 - it happens in another thread
                await asyncio.sleep(0.01)


type OwnAnswer = Callable[[Call], Answer | None]
"""None where the call is none of its business."""


class FaultProxy:
    """Runs in a thread of its own; the test reads and controls it directly, from any thread or event loop."""

    def __init__(self, upstream: str) -> None:
        address = urlsplit(upstream)
        self._upstream = (address.hostname or "127.0.0.1", address.port or 80)
        self._lock = threading.Lock()
        self._recordings: list[Recording] = []
        self._injections: list[Injection] = []
        self._answers: dict[tuple[str, str], Callable[[Call], Mapping[str, Any]]] = {}
        self._own_answers: list[OwnAnswer] = []
        self._holds: list[Hold] = []
        self._loop = uvloop.new_event_loop()
        self._stop = asyncio.Event()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)
        self.delay_seconds = 0.0
        """Added before each answer."""
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._listening.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()

    @contextmanager
    def recording(self, *, containing: str | None = None) -> Iterator[Recording]:
        recording = Recording(containing)
        with self._lock:
            self._recordings.append(recording)
        try:
            yield recording
        finally:
            with self._lock:
                self._recordings.remove(recording)

    @contextmanager
    def injecting(self, fault: Fault) -> Iterator[Injection]:
        """The fault is in force inside the block; on exit, calls that hang are let go."""
        injection = Injection(fault)
        with self._lock:
            self._injections.append(injection)
        try:
            yield injection
        finally:
            with self._lock:
                self._injections.remove(injection)
            self._loop.call_soon_threadsafe(injection._released.set)

    @contextmanager
    def holding(self, operation: str, *, containing: str) -> Iterator[Hold]:
        """Carry such calls out, and let their answers arrive when the block is left."""
        hold = Hold(operation, containing)
        with self._lock:
            self._holds.append(hold)
        try:
            yield hold
        finally:
            with self._lock:
                self._holds.remove(hold)
            self._loop.call_soon_threadsafe(hold._released.set)

    @contextmanager
    def answering(self, answer: OwnAnswer) -> Iterator[None]:
        """Answer calls without asking the endpoint, as long as the block lasts; the latest is asked first."""
        with self._lock:
            self._own_answers.append(answer)
        try:
            yield
        finally:
            with self._lock:
                self._own_answers.remove(answer)

    def answer(self, service: str, operation: str, body: Callable[[Call], Mapping[str, Any]]) -> None:
        """Answer an operation that the endpoint does not know. Faults and records apply as to any other."""
        self._answers[service, operation] = body

    async def _serve(self) -> None:
        connections: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = self._loop.create_task(self._connection(reader, writer))
            connections.add(task)
            task.add_done_callback(connections.discard)

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._listening.set()
        await self._stop.wait()
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, h11.RemoteProtocolError, asyncio.CancelledError):
            connection = h11.Connection(h11.SERVER)
            while await self._exchange(connection, reader, writer):
                connection.start_next_cycle()
        writer.close()
        with suppress(OSError, asyncio.CancelledError):
            await writer.wait_closed()

    async def _exchange(
        self, connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Handle one request; whether the connection can carry another one."""
        request: h11.Request | None = None
        body = b""
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                if connection.they_are_waiting_for_100_continue:
                    go_on = h11.InformationalResponse(status_code=100, headers=[])
                    writer.write(connection.send(go_on) or b"")
                connection.receive_data(await reader.read(_CHUNK))
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                return False
        assert request is not None
        call = _call(request, body)
        injection = self._note(call)
        if self.delay_seconds:
            await asyncio.sleep(self.delay_seconds)
        answer = await self._answer(call, request, body, injection, reader)
        if answer is None:
            return False
        content = b"" if request.method == b"HEAD" else answer.body
        is_broken = injection is not None and injection.fault.kind is FaultKind.RESET
        head = connection.send(
            h11.Response(
                status_code=answer.status,
                headers=[
                    ("content-type", answer.content_type),
                    ("content-length", str(len(answer.body) if answer.length is None else answer.length)),
                    *answer.headers,
                ],
            )
        )
        if is_broken:
            whole = (head or b"") + content
            writer.write(whole[: len(whole) - len(content) // 2 - 3])
            await writer.drain()
            _reset(writer)
            return False
        writer.write((head or b"") + (connection.send(h11.Data(content)) or b""))
        writer.write(connection.send(h11.EndOfMessage()) or b"")
        await writer.drain()
        return connection.our_state is h11.DONE and connection.their_state is h11.DONE

    def _note(self, call: Call) -> Injection | None:
        with self._lock:
            for recording in self._recordings:
                if recording.containing is None or recording.containing in call.text:
                    recording.attempts.append(call)
            chosen = [injection for injection in self._injections if injection.wants(call)]
            for injection in chosen[:1]:
                injection.hits += 1
            return chosen[0] if chosen else None

    async def _answer(
        self,
        call: Call,
        request: h11.Request,
        body: bytes,
        injection: Injection | None,
        reader: asyncio.StreamReader,
    ) -> Answer | None:
        """The answer, or None when the connection ends without one."""
        if injection is None:
            answer = await self._forward(call, request, body)
            for hold in self._holding(call):
                await hold._released.wait()
            return answer
        kind = injection.fault.kind
        if kind in _REFUSALS:
            return _REFUSALS[kind](call.target)
        if kind is FaultKind.TIMEOUT:
            await _first(injection._released.wait(), reader.read(1))
            return None
        answer = await self._forward(call, request, body)
        if answer is not None and kind is FaultKind.GARBAGE:
            return aws_wire.garbage()
        if answer is not None and kind is FaultKind.CORRUPT_ITEM:
            return self._corrupt(call, answer, injection)
        return answer

    def _holding(self, call: Call) -> list[Hold]:
        with self._lock:
            chosen = [
                hold for hold in self._holds if hold.operation == call.target.operation and hold.containing in call.text
            ]
            for hold in chosen:
                hold.held += 1
            return chosen

    def _corrupt(self, call: Call, answer: Answer, injection: Injection) -> Answer:
        changed = aws_wire.corrupt(call.target, answer.body) if answer.status < 300 else None
        if changed is None:
            with self._lock:
                injection.hits -= 1
                injection.without_content += 1
            return answer
        return Answer(answer.status, answer.content_type, changed)

    async def _forward(self, call: Call, request: h11.Request, body: bytes) -> Answer | None:
        with self._lock:
            own = next((given for answer in reversed(self._own_answers) if (given := answer(call)) is not None), None)
        if own is not None:
            return own
        known = self._answers.get((call.target.service, call.target.operation))
        if known is not None:
            return Answer(200, "application/json", json.dumps(known(call)).encode())
        try:
            reader, writer = await asyncio.open_connection(*self._upstream)
        except OSError:
            return None
        try:
            return await _exchange_upstream(reader, writer, request, body)
        except (OSError, h11.RemoteProtocolError):
            return None
        finally:
            writer.close()


def _call(request: h11.Request, body: bytes) -> Call:
    headers = {name.decode(): value.decode("latin-1") for name, value in request.headers}
    path = request.target.decode()
    progress = dict(part.strip().split("=", 1) for part in headers.get("amz-sdk-request", "attempt=1").split(";"))
    return Call(
        target=aws_wire.identify(request.method.decode(), path, headers, body),
        invocation=headers.get("amz-sdk-invocation-id") or f"{next(_numbers)}",
        attempt=int(progress.get("attempt", "1")),
        text=f"{path} {body.decode('utf-8', 'replace')}",
    )


async def _exchange_upstream(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: h11.Request, body: bytes
) -> Answer:
    connection = h11.Connection(h11.CLIENT)
    headers = [(name, value) for name, value in request.headers.raw_items() if name.lower() not in _HOP_BY_HOP]
    headers += [(b"Content-Length", str(len(body)).encode()), (b"Connection", b"close")]
    out = connection.send(h11.Request(method=request.method, target=request.target, headers=headers)) or b""
    out += connection.send(h11.Data(body)) or b""
    writer.write(out + (connection.send(h11.EndOfMessage()) or b""))
    await writer.drain()
    response: h11.Response | None = None
    content = b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_CHUNK))
        elif isinstance(event, h11.Response):
            response = event
        elif isinstance(event, h11.Data):
            content += event.data
        elif isinstance(event, h11.EndOfMessage):
            break
        elif isinstance(event, h11.ConnectionClosed):
            raise h11.RemoteProtocolError("the endpoint closed the connection")
    assert response is not None
    kept = {name.decode(): value.decode("latin-1") for name, value in response.headers if name not in _HOP_BY_HOP}
    content_type = kept.pop("content-type", "application/octet-stream")
    told = {name: value for name, value in response.headers if name == b"content-length"}
    length = int(told.get(b"content-length", b"0")) if request.method == b"HEAD" else None
    return Answer(response.status_code, content_type, content, tuple(kept.items()), length)


async def _first(*waits: Any) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def _reset(writer: asyncio.StreamWriter) -> None:
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
