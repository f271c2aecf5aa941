"""Bodies that cost too much: the service keeps answering its health check meanwhile, and stays small."""

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.platform import PRICED, Platform, RunningService

MIB = 1024 * 1024
LONGEST_WAIT = 1.0
"""For a health check on a busy machine; it was 9.6 s."""
MOST_MEMORY_MIB = 500
"""It was 1,600."""


def filled(begin: str, filling: str, end: str, size: int) -> bytes:
    count = (size - len(begin) - len(end)) // len(filling)
    return (begin + filling * count + end).encode()


def turn(members: str) -> str:
    return f'{{"session_id": "attack", "message": "hi", "model_id": "{PRICED}", {members}'


LARGE = 40 * MIB
TURNS = {
    "one text": filled(turn('"x": "'), "x", '"}', LARGE),
    "one text of escapes": filled(turn('"x": "'), "\\u00e9", '"}', LARGE),
    "one text of quotes": filled(turn('"x": "'), '\\"', '"}', LARGE),
    "one text of backslashes": filled(turn('"x": "'), "\\\\", '"}', LARGE),
    "elements": filled(turn('"x": [0'), ",0", "]}", LARGE),
    "texts": filled(turn('"x": [""'), ',""', "]}", LARGE),
    "openings": filled("", "[", "", LARGE),
    "endings": filled(turn('"x": ['), "]", "", LARGE),
    "quotes": filled("", '"', "", LARGE),
    "blanks": filled(turn('"x": ['), " ", "]}", LARGE),
    "digits": filled(turn('"x": '), "9", "}", LARGE),
    "decimals": filled(turn('"x": 0.'), "9", "}", LARGE),
    "tool ids": json.dumps(
        {"session_id": "a", "message": "x", "enabled_tools": [f"t{n}" for n in range(60_000)]}
    ).encode(),
}
PUTS = {
    "wrong tags": filled('{"tags": [0', ",0", "]}", 2 * MIB),
    "wrong tags within the bounds": json.dumps({"tags": [0] * 90_000}).encode(),
    "wrong tools within the bounds": json.dumps({"enabledTools": [[]] * 90_000}).encode(),
    "members": json.dumps({f"m{n}": n for n in range(99_000)}).encode(),
}


@dataclass
class Trial:
    answers: set[int] = field(default_factory=set)
    longest_wait: float = 0


def send(service: RunningService, request: str, body: bytes) -> int:
    """In a thread: it takes no time of the interpreter that watches. The service may close before all is sent."""
    address = urlsplit(service.process.base_url)
    head = f"{request}\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=60) as connection:
        with suppress(ConnectionError):
            connection.sendall(head.encode() + body)
        return int(connection.recv(64).split(b" ")[1])


async def attack(service: RunningService, health: str, request: str, *bodies: bytes) -> Trial:
    """All bodies at once, and the longest time that a health check took meanwhile."""
    address, trial = urlsplit(service.process.base_url), Trial()
    done = threading.Event()

    def check() -> None:
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)
        begun = time.perf_counter()
        connection.request("GET", health)
        assert connection.getresponse().status == 200
        trial.longest_wait = max(trial.longest_wait, time.perf_counter() - begun)
        connection.close()

    def watch() -> None:
        while not done.is_set():
            check()
            done.wait(0.01)

    watching = asyncio.create_task(asyncio.to_thread(watch))
    try:
        trial.answers |= set(
            await asyncio.gather(*(asyncio.to_thread(send, service, request, body) for body in bodies))
        )
    finally:
        done.set()
        await watching
    return trial


def peak(service: RunningService) -> float:
    """MiB of memory that the process has had at most."""
    status = Path(f"/proc/{service.process.process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


@pytest.fixture
async def fresh(tables: Platform) -> AsyncIterator[Platform]:
    """Services whose peak of memory is that of this test; the first turn loads what all need."""
    async with tables.fresh() as platform:
        await platform.chat("warm-up")
        yield platform


async def test_strangers(fresh: Platform) -> None:
    before = peak(fresh.inference_api)
    bodies = [TURNS[name] for name in ("elements", "one text", "openings")] * 5
    trial = await attack(fresh.inference_api, "/ping", "POST /invocations HTTP/1.1", *bodies)
    assert trial.answers == {401}
    assert trial.longest_wait < LONGEST_WAIT
    assert peak(fresh.inference_api) - before < 40


async def test_one_who_has_signed_in(fresh: Platform) -> None:
    signed = f" HTTP/1.1\r\nAuthorization: Bearer {fresh.user.token}"
    for name, body in TURNS.items():
        trial = await attack(fresh.inference_api, "/ping", f"POST /invocations{signed}", body)
        assert trial.answers <= {200, 422}
        assert trial.longest_wait < LONGEST_WAIT, name
    for name, body in PUTS.items():
        trial = await attack(fresh.app_api, "/health", f"PUT /sessions/attack/metadata{signed}", body)
        assert trial.answers <= {200, 422}
        assert trial.longest_wait < LONGEST_WAIT, name
    assert peak(fresh.inference_api) < MOST_MEMORY_MIB
    assert peak(fresh.app_api) < MOST_MEMORY_MIB
