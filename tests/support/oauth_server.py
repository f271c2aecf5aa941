"""An OAuth provider on loopback that answers as a test says, per path: `server.answers["/p1/token"] = granted(...)`.

A path that no test has chosen an answer for is a healthy one: `/.../token` gives `AT1` and `RT1`, `/.../revoke` agrees.
"""

import asyncio
import base64
import json
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from tests.support.threaded_server import ThreadedServer

_PIECE = b" " * 65536


@dataclass(frozen=True, slots=True)
class Answer:
    """`delay` in seconds; `drips` sends a byte every tenth of a second; `resets` breaks the connection off without an
    answer; `blanks` are so many bytes before the body."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    delay: float = 0.0
    drips: bool = False
    resets: bool = False
    blanks: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def credentials(self) -> str:
        return base64.b64decode(self.headers["authorization"].removeprefix("Basic ")).decode("latin-1")


type Answering = Answer | Callable[[Request], Answer]


def answer(body: Any = None, status: int = 200, **options: Any) -> Answer:
    """JSON, or bytes as they are."""
    return Answer(body if isinstance(body, bytes) else json.dumps(body).encode(), status, **options)


def granted(access_token: Any = "AT1", refresh_token: Any = "RT1", **members: Any) -> Answer:
    """Without those that are None."""
    body = {
        "access_token": access_token,
        "refresh_token": refresh_token,
        "expires_in": 3600,
        "token_type": "Bearer",
        **members,
    }
    return answer({name: value for name, value in body.items() if value is not None})


def refused(error: str = "invalid_grant", status: int = 400) -> Answer:
    return answer({"error": error, "error_description": "said by the provider"}, status)


class OAuthServer(ThreadedServer):
    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[str, Answering] = {}
        self.requests: list[Request] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def of(self, path: str) -> list[Request]:
        """What was asked of this path."""
        return [request for request in self.requests if request.path == path]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await _read(reader)
        self.requests.append(request)
        chosen = self.answers.get(request.path, _healthy)
        await _write(writer, chosen if isinstance(chosen, Answer) else chosen(request))


def _healthy(request: Request) -> Answer:
    if request.path.endswith("/token"):
        return granted()
    return answer({}) if request.path.endswith("/revoke") else answer({}, 404)


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    method, target, _ = first.split(" ")
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, target.partition("?")[0], headers, body)


async def _write(writer: asyncio.StreamWriter, chosen: Answer) -> None:
    await asyncio.sleep(chosen.delay)
    if chosen.resets:
        sock: socket.socket = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return
    length = chosen.blanks + len(chosen.body)
    headers = {"Content-Type": chosen.content_type, "Content-Length": str(length), **chosen.headers}
    lines = [f"HTTP/1.1 {chosen.status} Answer", "Connection: close", *(f"{k}: {v}" for k, v in headers.items())]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    for _ in range(0, chosen.blanks, len(_PIECE)):
        writer.write(_PIECE)
        await writer.drain()
    for byte in chosen.body if chosen.drips else ():
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.1)
    writer.write(b"" if chosen.drips else chosen.body)
    await writer.drain()
    writer.close()
    await writer.wait_closed()
