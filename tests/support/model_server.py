"""A scripted model provider: OpenAI chat completions, Bedrock Converse(Stream) and Gemini over real HTTP.

Each request takes the next scripted reply, or `DEFAULT_REPLY` when none is left, and is recorded. One that the real
provider would refuse is refused (`model_rules`). In a test:

    async with ModelServer().running() as server:
        server.script(answer("Hel", "lo"), refusal(429, retry_after=7))

As a process of its own: `python -m tests.support.model_server --port 9000`, steered over HTTP: `POST /script` takes a
JSON array of replies, `GET /requests` tells what came in, `DELETE /requests` forgets it and the script.

`GET /v1/models` and `GET /v1beta/models` are no model calls: `listings` holds the replies to them. What embeds a text
(`POST /model/{id}/invoke`) is none either, and is handed to `embeddings`.

A reply is a JSON object: either `status`, `headers`, `body` and the `pause` before it in seconds, or `steps`, which are
written one after the other:

    {"text": "Hel"}  {"reasoning": "..."}          a delta of the answer
    {"tool": {"id", "name", "arguments": [..]}}    a tool call, its arguments in fragments
    {"finish": "stop"}  {"usage": {..}}            how an answer ends
    {"event": {..}}                                one Bedrock event, or one Gemini chunk
    {"exception": ["throttlingException", ".."]}   a Bedrock failure inside the stream
    {"raw": "data: ..."}                           these bytes
    {"pause_ms": 50}  {"hang": true}               wait; wait until the client leaves
    {"reset": true}  {"close": true}               break the connection: with an RST, or with a FIN in the middle
    {"truncate": true}                             end the response properly, but before the answer's end
"""

import argparse
import asyncio
import base64
import json
import re
import socket
import struct
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

import uvloop

from devstack import event_stream
from tests.support.model_rules import illegality, refused

type Reply = dict[str, Any]
type Step = dict[str, Any]

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_REASONS = {429: "Too Many Requests", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 400: "Bad Request"}


def usage(input_tokens: int = 10, output_tokens: int = 5, **details: Any) -> Step:
    """An OpenAI usage chunk; `details` are further members, such as `prompt_tokens_details`."""
    total = input_tokens + output_tokens
    counters = {"prompt_tokens": input_tokens, "completion_tokens": output_tokens, "total_tokens": total}
    return {"usage": {**counters, **details}}


def answer(*deltas: str, finish: str = "stop", counted: Step | None = None) -> Reply:
    return {"steps": [*({"text": delta} for delta in deltas), {"finish": finish}, counted or usage()]}


def tool_call(*calls: tuple[str, str, dict[str, Any]], text: str = "", counted: Step | None = None) -> Reply:
    """An assistant message that asks for tools, as (id, name, input); each input comes in two fragments."""
    steps: list[Step] = [{"text": text}] if text else []
    for call_id, name, given in calls:
        encoded = json.dumps(given)
        halves = [encoded[: len(encoded) // 2], encoded[len(encoded) // 2 :]]
        steps.append({"tool": {"id": call_id, "name": name, "arguments": halves}})
    return {"steps": [*steps, {"finish": "tool_calls"}, counted or usage()]}


def refusal(status: int, *, code: str = "refused", message: str = "no", retry_after: int | None = None) -> Reply:
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return {"status": status, "headers": headers, "body": {"error": {"message": message, "type": code, "code": code}}}


def events(*members: dict[str, Any]) -> Reply:
    """A Bedrock stream of these events, or a Gemini stream of these chunks."""
    return {"steps": [{"event": member} for member in members]}


OPENAI_MODELS, GEMINI_MODELS = "/v1/models", "/v1beta/models"
NO_MODELS: dict[str, Callable[[str], Reply]] = {
    OPENAI_MODELS: lambda _: {"status": 200, "body": {"object": "list", "data": []}},
    GEMINI_MODELS: lambda _: {"status": 200, "body": {"models": []}},
}
DEFAULT_REPLY = answer("Hello", " world", ".")


@dataclass(slots=True)
class Request:
    """`finished` is false while a reply is being written, and stays so when the client left before its end."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    connection: int
    finished: bool = False
    hung_up: bool = False


@dataclass(slots=True)
class ModelServer:
    """`otherwise` makes the reply to a request for which the script has none."""

    url: str = ""
    otherwise: Callable[[Any], Reply] = lambda _: DEFAULT_REPLY
    requests: list[Request] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    """Why requests were refused. A server that has run to its end with any fails the test."""
    listings: dict[str, Callable[[str], Reply]] = field(default_factory=lambda: dict(NO_MODELS))
    """By path; each is given the query."""
    embeddings: str = ""
    """URL of the AWS endpoint that has the embedding model."""
    _script: deque[Reply] = field(default_factory=deque)
    _connections: int = 0

    def script(self, *replies: Reply) -> None:
        self._script.extend(replies)

    def reset(self) -> None:
        """Forget what came in, and the script."""
        self.requests.clear()
        self._script.clear()

    @property
    def calls(self) -> list[Any]:
        """The bodies of all model calls so far."""
        return [request.body for request in self.requests]

    @asynccontextmanager
    async def running(self, port: int = 0) -> AsyncIterator["ModelServer"]:
        tasks: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        server = await asyncio.start_server(accept, "127.0.0.1", port, backlog=512)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        assert not self.violations, self.violations

    @contextmanager
    def running_in_a_thread(self) -> Iterator["ModelServer"]:
        """For a test that has no event loop, or whose event loop is busy."""
        listening, loop, stop = threading.Event(), uvloop.new_event_loop(), asyncio.Event()

        async def serve() -> None:
            async with self.running():
                listening.set()
                await stop.wait()

        thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), name="model", daemon=True)
        thread.start()
        assert listening.wait(10)
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join()
            loop.close()
        assert not self.violations, self.violations

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, kept alive as long as replies are complete."""
        self._connections += 1
        connection = self._connections
        try:
            while (request := await _read(reader, connection)) is not None:
                path, _, query = request.path.partition("?")
                if request.method == "GET" and path in self.listings:
                    handled = self._list(self.listings[path](query), reader, writer)
                elif path.endswith("/invoke"):
                    handled = self._hand_over(request, writer)
                else:
                    handled = self._handle(request, reader, writer)
                if not await handled:
                    return
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    async def _handle(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        match request.method, request.path:
            case "POST", "/script":
                self.script(*request.body)
                return await _send(writer, {"status": 200, "body": {}})
            case "GET", "/requests":
                return await _send(writer, {"status": 200, "body": [asdict(one) for one in self.requests]})
            case "DELETE", "/requests":
                self.reset()
                return await _send(writer, {"status": 200, "body": {}})
        self.requests.append(request)
        wrong = illegality(_provider(request.path), request.body)
        if wrong is not None:
            self.violations.append(wrong)
            return await _send(writer, refused(_provider(request.path), wrong))
        reply = self._script.popleft() if self._script else self.otherwise(request.body)
        if request.path.endswith("/converse") and "steps" in reply:
            reply = {"status": 200, "body": _in_one_piece(reply["steps"])}
        if "steps" not in reply:
            return await _send(writer, reply)
        stream = _STREAMS[_provider(request.path)](writer)
        leaving = asyncio.ensure_future(_departure(reader))
        writing = asyncio.ensure_future(stream.write(reply["steps"]))
        try:
            await asyncio.wait((leaving, writing), return_when=asyncio.FIRST_COMPLETED)
            request.hung_up = not writing.done()
        finally:
            leaving.cancel()
            writing.cancel()
            await asyncio.gather(leaving, writing, return_exceptions=True)
        request.finished = not request.hung_up
        return request.finished and not writer.is_closing()

    async def _hand_over(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Ask the AWS endpoint, and answer what it answers, or break off where it does."""
        address = urlsplit(self.embeddings)
        upstream, asking = await asyncio.open_connection(address.hostname, address.port)
        body = json.dumps(request.body).encode()
        headers = {**request.headers, "connection": "close", "content-length": str(len(body))}
        lines = [f"{request.method} {request.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        try:
            asking.write("\r\n".join([*lines, "", ""]).encode() + body)
            writer.write(await upstream.read())
            await writer.drain()
        finally:
            asking.close()
        return False

    async def _list(self, reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if not reply.get("hang"):
            return await _send(writer, reply)
        await _departure(reader)
        return False


async def _departure(reader: asyncio.StreamReader) -> None:
    while not reader.at_eof() and reader.exception() is None:  # noqa: ASYNC110 - reading would eat a next request
        await asyncio.sleep(0.005)


async def _read(reader: asyncio.StreamReader, connection: int) -> Request | None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    body = await reader.readexactly(int(length.group(1)) if length else 0)
    start, *lines = head.decode().split("\r\n")
    method, path, _ = start.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    return Request(method, path, headers, json.loads(body) if body else None, connection)


async def _send(writer: asyncio.StreamWriter, reply: Reply) -> bool:
    status = reply["status"]
    await asyncio.sleep(reply.get("pause", 0))
    body = json.dumps(reply.get("body", {})).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **reply.get("headers", {})}
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Reply')}", *(f"{k}: {v}" for k, v in headers.items())]
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
    await writer.drain()
    return True


class _Stream:
    """Writes the steps of a reply; a subclass says how a provider frames them."""

    content_type = "text/event-stream"

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    async def write(self, steps: Sequence[Step]) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {self.content_type}\r\nTransfer-Encoding: chunked\r\n\r\n"
        if not steps or "reset" not in steps[0]:
            self._writer.write(head.encode())
        for step in steps:
            match step:
                case {"pause_ms": int(pause)}:
                    await self._writer.drain()
                    await asyncio.sleep(pause / 1000)
                case {"hang": True}:
                    await self._writer.drain()
                    await asyncio.Event().wait()
                case {"reset": True}:
                    await self._reset()
                    return
                case {"close": True}:
                    await self._writer.drain()
                    self._writer.close()
                    return
                case {"truncate": True}:
                    break
                case {"raw": str(text)}:
                    self._send(text.encode())
                case _:
                    self._send(b"".join(self.encode(step)))
        else:
            self._send(self.ending())
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    def _send(self, data: bytes) -> None:
        if data:
            self._writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def _reset(self) -> None:
        await self._writer.drain()
        await asyncio.sleep(0.02)
        sock: socket.socket = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def encode(self, step: Step) -> Iterable[bytes]:
        raise NotImplementedError

    def ending(self) -> bytes:
        return b""


class _OpenAi(_Stream):
    def __init__(self, writer: asyncio.StreamWriter) -> None:
        super().__init__(writer)
        self._tools = 0

    def encode(self, step: Step) -> Iterable[bytes]:
        match step:
            case {"text": text}:
                yield self._delta({"content": text})
            case {"reasoning": text}:
                yield self._delta({"reasoning_content": text})
            case {"tool": tool}:
                index, self._tools = self._tools, self._tools + 1
                first, *others = tool["arguments"]
                function = {"name": tool["name"], "arguments": first}
                call = {"index": index, "id": tool["id"], "type": "function", "function": function}
                yield self._delta({"role": "assistant", "tool_calls": [call]})
                for fragment in others:
                    yield self._delta({"tool_calls": [{"index": index, "function": {"arguments": fragment}}]})
            case {"finish": reason}:
                yield self._delta({}, reason)
            case {"usage": counters}:
                yield self._chunk(choices=[], usage=counters)

    def ending(self) -> bytes:
        return b"data: [DONE]\n\n"

    def _delta(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        return self._chunk(choices=[{"index": 0, "delta": delta, "finish_reason": finish}])

    def _chunk(self, **members: Any) -> bytes:
        common = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "scripted"}
        return f"data: {json.dumps({**common, **members})}\n\n".encode()


class _Gemini(_Stream):
    def encode(self, step: Step) -> Iterable[bytes]:
        match step:
            case {"event": chunk}:
                yield f"data: {json.dumps(chunk)}\r\n\r\n".encode()
            case {"text": text}:
                yield f"data: {json.dumps(gemini_text(text))}\r\n\r\n".encode()


def gemini_text(text: str, finish: str | None = None, **members: Any) -> dict[str, Any]:
    return {
        "candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": finish}],
        **members,
    }


class _Bedrock(_Stream):
    content_type = event_stream.CONTENT_TYPE

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        super().__init__(writer)
        self._has_begun = False

    def encode(self, step: Step) -> Iterable[bytes]:
        """An answer of plain steps is one block of text."""
        match step:
            case {"text": text}:
                if not self._has_begun:
                    self._has_begun = True
                    yield from self.encode({"event": {"messageStart": {"role": "assistant"}}})
                yield from self.encode(
                    {"event": {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": text}}}}
                )
            case {"finish": "stop"}:
                yield from self.encode({"event": {"contentBlockStop": {"contentBlockIndex": 0}}})
                yield from self.encode({"event": {"messageStop": {"stopReason": "end_turn"}}})
            case {"usage": counted}:
                used, made = counted["prompt_tokens"], counted["completion_tokens"]
                counters = {"inputTokens": used, "outputTokens": made, "totalTokens": used + made}
                yield from self.encode({"event": {"metadata": {"usage": counters, "metrics": {"latencyMs": 100}}}})
            case {"event": event}:
                for kind, payload in event.items():
                    yield frame({":message-type": "event", ":event-type": kind}, payload)
            case {"exception": [kind, message]}:
                yield frame({":message-type": "exception", ":exception-type": kind}, {"message": message})


def frame(headers: dict[str, str], payload: dict[str, Any]) -> bytes:
    return event_stream.frame(headers, json.dumps(payload, default=_base64).encode())


def _base64(value: object) -> str:
    assert isinstance(value, bytes)
    return base64.b64encode(value).decode("ascii")


def _in_one_piece(steps: Sequence[Step]) -> dict[str, Any]:
    """Bedrock's answer to a question that is not streamed: one text."""
    text = "".join(step["text"] for step in steps if "text" in step)
    return converse_answer({"text": text})


def converse_answer(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {
        "output": {"message": {"role": "assistant", "content": list(blocks)}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15},
        "metrics": {"latencyMs": 100},
    }


def _provider(path: str) -> str:
    if path.endswith(("/converse-stream", "/converse")):
        return "bedrock"
    return "gemini" if "GenerateContent" in path else "openai"


_STREAMS: dict[str, type[_Stream]] = {"openai": _OpenAi, "gemini": _Gemini, "bedrock": _Bedrock}


async def _main(port: int) -> None:
    async with ModelServer().running(port) as server:
        print(server.url, flush=True)  # noqa: T201 - how a parent process learns the port
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(_main(parser.parse_args().port))
