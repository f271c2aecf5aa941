"""An OpenAI-compatible server that stamps each delta with its send time: `python -m tests.bench.model PORT`.

The number of deltas and the pause between two come with the request, as the user's text: `DELTAS PAUSE_MS`. Each delta
is the monotonic clock in nanoseconds and a space; all processes of a machine read the same clock.
"""

import asyncio
import json
import re
import sys
import time
from typing import cast

import uvloop

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_ORDER = re.compile(r"(\d+) (\d+)$")
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_COMMON = '"id":"bench","object":"chat.completion.chunk","created":1,"model":"bench"'


def _chunk(data: str) -> bytes:
    body = f"data: {data}\n\n".encode()
    return f"{len(body):x}\r\n".encode() + body + b"\r\n"


def _delta(delta: str, finish: str = "null") -> bytes:
    return _chunk(f'{{{_COMMON},"choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]}}')


def _last(deltas: int) -> bytes:
    usage = json.dumps({"prompt_tokens": 10, "completion_tokens": deltas, "total_tokens": deltas + 10})
    closing = [_delta("{}", '"stop"'), _chunk(f'{{{_COMMON},"choices":[],"usage":{usage}}}'), _chunk("[DONE]")]
    return b"".join(closing) + b"0\r\n\r\n"


class _Model(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self) -> None:
        self._received = b""
        self._writing: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's own class has the same interface

    def connection_lost(self, exc: Exception | None) -> None:
        if self._writing is not None:
            self._writing.cancel()

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(self._received, 0, end)
        total = end + 4 + (int(length.group(1)) if length else 0)
        if len(self._received) < total:
            return
        body, self._received = self._received[end + 4 : total], self._received[total:]
        if not body:
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            return
        self._writing = asyncio.get_running_loop().create_task(self._stream(*_order(body)))

    async def _stream(self, deltas: int, pause: float) -> None:
        self.transport.write(_HEAD + _delta('{"role":"assistant","content":""}'))
        due = time.monotonic()
        for _ in range(deltas):
            due += pause
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.transport.write(_delta(f'{{"content":"{time.perf_counter_ns()} "}}'))
        self.transport.write(_last(deltas))


def _order(body: bytes) -> tuple[int, float]:
    content = json.loads(body)["messages"][-1]["content"]
    text = content if isinstance(content, str) else content[-1]["text"]
    found = _ORDER.search(text)
    assert found is not None
    return int(found.group(1)), int(found.group(2)) / 1000


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Model, "127.0.0.1", port, backlog=512)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
