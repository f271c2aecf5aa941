"""Clients that send headers without end, or nothing for a long time, seen from raw sockets."""

import asyncio
import time
from dataclasses import dataclass
from uuid import uuid4

import pytest

from apis.shared.http.bounds import BODY_PAUSE_SECONDS, HEADERS_SECONDS
from tests.support.platform import Platform, RunningService

KIB = 1024
SOON = 4.0
"""How much later than it should a busy machine may close a connection."""


@dataclass
class Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def to(cls, service: RunningService) -> "Connection":
        host, port = service.process.base_url.removeprefix("http://").split(":")
        return cls(*await asyncio.open_connection(host, int(port)))

    async def send(self, text: str | bytes) -> None:
        self.writer.write(text.encode() if isinstance(text, str) else text)
        await self.writer.drain()

    async def answer(self) -> str:
        """All that comes until the service closes the connection."""
        return (await asyncio.wait_for(self.reader.read(), 60)).decode()


def request(*headers: str, method: str = "GET", path: str = "/sessions") -> str:
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: x", *headers, "", ""))


async def status(service: RunningService, *headers: str, path: str = "/nowhere") -> int:
    connection = await Connection.to(service)
    await connection.send(request("Connection: close", *headers, path=path))
    return int((await connection.answer()).split(" ")[1])


@pytest.fixture(params=["app_api", "inference_api"])
def service(request: pytest.FixtureRequest, tables: Platform) -> RunningService:
    running: RunningService = getattr(tables, request.param)
    return running


async def test_one_header(service: RunningService) -> None:
    assert await status(service, "x: " + "y" * (32 * KIB - 1)) == 404
    assert await status(service, "x: " + "y" * (32 * KIB)) == 400


async def test_the_header_block(service: RunningService) -> None:
    """Names and values of all headers, and the target."""
    known = len("/nowhere" + "hostx" + "connectionclose")
    three = [f"{name}: " + "y" * 20_000 for name in ("a", "b", "c")]
    rest = 64 * KIB - known - 3 * 20_001 - 1
    assert await status(service, *three, "d: " + "y" * rest) == 404
    assert await status(service, *three, "d: " + "y" * (rest + 1)) == 400


async def test_the_target(service: RunningService) -> None:
    assert await status(service, path="/nowhere?" + "x" * 60 * KIB) == 404
    assert await status(service, path="/nowhere?" + "x" * 64 * KIB) == 400


async def test_a_refusal_of_headers_is_an_error_of_ours(service: RunningService) -> None:
    connection = await Connection.to(service)
    await connection.send(request("x: " + "y" * 40_000))
    answer = await connection.answer()
    assert '"code": "bad_request"' in answer
    assert "content-type: application/json" in answer
    assert "yyy" not in answer


@pytest.mark.parametrize("endless", ["a header", "headers", "a target", "trailers"])
async def test_headers_without_end_are_not_kept(service: RunningService, endless: str) -> None:
    begin, more = {
        "a header": ("GET / HTTP/1.1\r\nx: ", "y" * 8 * KIB),
        "headers": ("GET / HTTP/1.1\r\n", "x: y\r\n" * KIB),
        "a target": ("GET /", "y" * 8 * KIB),
        "trailers": ("GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "x: y\r\n" * KIB),
    }[endless]
    connection = await Connection.to(service)
    await connection.send(begin)
    sent = 0
    try:
        while sent < 16 * KIB * KIB and not connection.reader.at_eof():
            await connection.send(more)
            sent += len(more)
            await asyncio.sleep(0.001)
    except ConnectionError:
        pass
    # More than the service keeps: buffers of the network take some of it.
    assert sent < 8 * KIB * KIB


async def closed_after(connection: Connection, begun: float, drip: bytes = b"") -> tuple[float, str]:
    """How long the service left it open, with `drip` sent every second, and what it answered."""

    async def dripping() -> None:
        while drip:
            await asyncio.sleep(1)
            await connection.send(drip)

    dripper = asyncio.create_task(dripping())
    try:
        answer = await connection.answer()
    except ConnectionError:
        answer = ""
    dripper.cancel()
    await asyncio.gather(dripper, return_exceptions=True)
    return time.monotonic() - begun, answer


async def test_slow_clients_are_let_go(tables: Platform) -> None:
    """All at once: each of them takes its time."""
    authorization = f"Authorization: Bearer {tables.user.token}"
    put = {"method": "PUT", "path": "/sessions/s1/metadata"}
    chunked = "Transfer-Encoding: chunked"

    async def slow(begin: str, drip: bytes = b"") -> tuple[float, str]:
        connection = await Connection.to(tables.app_api)
        begun = time.monotonic()
        await connection.send(begin)
        return await closed_after(connection, begun, drip)

    async def long_turn() -> None:
        """The bounds are for what a client sends: an answer may take longer."""
        begun = time.monotonic()
        async with tables.chatting(str(uuid4()), "[slow]") as events:
            async for _ in events:
                if time.monotonic() - begun > BODY_PAUSE_SECONDS + 2:
                    return
        raise AssertionError

    turn = asyncio.create_task(long_turn())
    nothing, half, dripping, blank, second, body, small, refused, discarded = await asyncio.gather(
        slow(""),
        slow("GET /sessions HTTP/1.1\r\nHost: x\r\n"),
        slow("GET /sessions HTTP/1.1\r\nx: ", b"y"),
        slow("", b"\r\n"),
        slow(request(path="/health") + "GET /sess"),
        slow(request(authorization, "Content-Length: 100000", **put) + "{"),
        slow(request("Content-Length: 100", **put) + "{"),
        slow(request("Content-Length: 100000", **put), b"x"),
        slow(request(chunked, path="/health"), b"1\r\nx\r\n"),
    )
    await turn
    for seconds, answer in (nothing, half, dripping, blank):
        assert HEADERS_SECONDS - 0.5 < seconds < HEADERS_SECONDS + SOON
        assert answer == ""
    assert second[0] < HEADERS_SECONDS + SOON
    for seconds, answer in (body, small):
        assert BODY_PAUSE_SECONDS - 0.5 < seconds < BODY_PAUSE_SECONDS + SOON
        assert answer.startswith("HTTP/1.1 400 ")
        assert "did not arrive in time" in answer
    for (seconds, answer), first_line in ((refused, "HTTP/1.1 401 "), (discarded, "HTTP/1.1 200 ")):
        assert answer.startswith(first_line)
        assert seconds < BODY_PAUSE_SECONDS + SOON


@pytest.mark.parametrize("announced", ["Content-Length: 39000000", "Transfer-Encoding: chunked"])
async def test_a_stranger_is_answered_before_the_body_is_there(tables: Platform, announced: str) -> None:
    connection = await Connection.to(tables.inference_api)
    await connection.send(request(announced, method="POST", path="/invocations"))
    if "chunked" in announced:
        await connection.send(f"{65537:x}\r\n" + "{" * 65537 + "\r\n")
    first = await asyncio.wait_for(connection.reader.readline(), SOON)
    assert first.startswith(b"HTTP/1.1 401 ")


async def test_a_client_that_is_only_slow_is_served(tables: Platform) -> None:
    connection = await Connection.to(tables.app_api)
    for piece in ("GET /health HTTP/1.1\r\n", "Host: x\r\n", "Connection: close\r\n", "\r\n"):
        await connection.send(piece)
        await asyncio.sleep(0.5)
    assert (await connection.answer()).startswith("HTTP/1.1 200 ")


async def test_a_connection_is_used_again(tables: Platform) -> None:
    connection = await Connection.to(tables.app_api)
    await connection.send(request(path="/health"))
    assert (await connection.reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 ")
    await connection.send(request("Connection: close", path="/health"))
    assert (await connection.answer()).startswith("HTTP/1.1 200 ")
