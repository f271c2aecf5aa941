"""Servers of tools on loopback: real ones of the official package, and one that misbehaves as it is told.

`real_server` runs `tools` of the `mcp` package. `ToolServer` answers each request as `replies` say, by the method of
its JSON-RPC message; what it is not told it answers as a small server of one tool, `echo`, would.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from mcp.server.mcpserver import MCPServer
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tests.support.aws_wire import Answer
from tests.support.fault_proxy import Call
from tests.support.serving import serving

type Json = dict[str, Any]
type Reply = Callable[["Heard"], Response | Json]
"""A whole response, or the result of the request."""

ECHO: Json = {
    "name": "echo",
    "description": "Says it again.",
    "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}},
}


@dataclass(frozen=True, slots=True)
class Heard:
    """A request. `message` is empty for one without a body."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    message: Json

    @property
    def number(self) -> Any:
        return self.message.get("id")

    @property
    def called(self) -> str:
        return str(self.message.get("method", self.method))


@dataclass
class ToolServer:
    url: str = ""
    requests: list[Heard] = field(default_factory=list)
    replies: dict[str, Reply | list[Reply]] = field(default_factory=dict)

    def reset(self) -> None:
        """As if it had just started."""
        self.requests.clear()
        self.replies.clear()

    def of(self, called: str) -> list[Heard]:
        return [one for one in self.requests if one.called == called]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        body = await request.body()
        heard = Heard(request.method, request.url.path, dict(request.headers), body, json.loads(body) if body else {})
        self.requests.append(heard)
        told = self.replies.get(heard.called, _usual)
        if isinstance(told, list):
            told = told.pop(0) if len(told) > 1 else told[0]
        answer = told(heard)
        response = answer if isinstance(answer, Response) else result(heard, answer)
        await response(scope, receive, send)


def result(heard: Heard, value: Json, headers: Mapping[str, str] | None = None) -> Response:
    return json_response({"jsonrpc": "2.0", "id": heard.number, "result": value}, headers=headers)


def json_response(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(json.dumps(value), status, {"content-type": "application/json", **(headers or {})})


def events(*parts: str | float, headers: Mapping[str, str] | None = None) -> Response:
    """These bytes of an event stream one after the other; a number is a pause in seconds."""

    async def stream() -> AsyncIterator[str]:
        for part in parts:
            if isinstance(part, str):
                yield part
            else:
                await asyncio.sleep(part)

    return StreamingResponse(stream(), headers=headers, media_type="text/event-stream")


def event(message: Json) -> str:
    return f"event: message\ndata: {json.dumps(message)}\n\n"


def called(*content: Json, **members: Any) -> Reply:
    """An answer to `tools/call`."""
    return lambda _: {"content": list(content), **members}


def text(said: str) -> Json:
    return {"type": "text", "text": said}


def offering(*tools: Json) -> Reply:
    return lambda _: {"tools": list(tools)}


def _usual(heard: Heard) -> Response | Json:
    match heard.called:
        case "initialize":
            agreed = {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}}
            return result(heard, agreed, {"mcp-session-id": "session-1"})
        case "tools/list":
            return {"tools": [ECHO]}
        case "tools/call":
            return {"content": [text(f"again: {heard.message['params']['arguments'].get('text')}")]}
        case "DELETE":
            return Response(status_code=200)
        case _:
            return Response(status_code=202)


def behind_the_proxy(call: Call) -> Answer | None:
    """The small server again, for `FaultProxy.answering`: requests of tools fail there as calls of AWS do."""
    method, _, path = call.target.operation.partition(" ")
    if path != "/mcp":
        return None
    body = call.text.partition(" ")[2]
    heard = Heard(method, path, {}, body.encode(), json.loads(body) if body else {})
    answer = _usual(heard)
    response = answer if isinstance(answer, Response) else result(heard, answer)
    kept = tuple((name, value) for name, value in response.headers.items() if name.startswith("mcp-"))
    return Answer(response.status_code, response.headers.get("content-type", "text/plain"), bytes(response.body), kept)


@asynccontextmanager
async def tool_server() -> AsyncIterator[ToolServer]:
    server = ToolServer()
    async with serving(server) as url:
        server.url = f"{url}/mcp"
        yield server


@asynccontextmanager
async def real_server(server: MCPServer) -> AsyncIterator[str]:
    """The address of a server of the official package."""
    app = server.streamable_http_app()
    async with server.session_manager.run(), serving(app) as url:
        yield f"{url}/mcp"
