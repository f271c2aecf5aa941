"""The stream reader: `python -m tests.bench.stream_load PLAN` in a process of its own, results as JSON on stdout.

It reads stamped deltas (see `tests.bench.model`), from the model server itself or through the Inference API, and says
how late each arrived.
"""

import asyncio
import json
import re
import sys
import time
import uuid
from dataclasses import asdict, dataclass, field
from typing import cast

import uvloop

from tests.bench.load import percentile

_STAMP = re.compile(rb'"(?:text|content)": ?"(\d{9,}) "')


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """`streams` at once, each of `deltas` deltas `pause_ms` apart; `direct` asks the model server itself, without the
    assistant that answers otherwise, if there is one."""

    host: str
    port: int
    direct: bool
    streams: int
    deltas: int
    pause_ms: int
    assistant_id: str | None = None


@dataclass(frozen=True, slots=True)
class Streams:
    """Delays from the stamp to the arrival here, in milliseconds. `events` counts what the server sent, `first_p50`
    is from the request to the first delta."""

    deltas: int
    failures: int
    events: int
    seconds: float
    p50: float
    p99: float
    first_p50: float
    cpu_seconds: float


@dataclass(slots=True)
class _Reader(asyncio.Protocol):
    request: bytes
    ended: asyncio.Future[None]
    delays: list[float] = field(default_factory=list)
    events: int = 0
    asked: float = 0.0
    first: float | None = None
    """Milliseconds from the request to the first delta."""
    _rest: bytes = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.asked = time.perf_counter_ns()
        cast("asyncio.Transport", transport).write(self.request)  # uvloop's own class has the same interface

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter_ns()
        received = self._rest + data
        cut = received.rfind(b"\n\n") + 2
        if cut == 1:
            self._rest = received
            return
        complete, self._rest = received[:cut], received[cut:]
        self.events += complete.count(b"data: ")
        self.delays += [(now - int(stamp)) / 1e6 for stamp in _STAMP.findall(complete)]
        if self.first is None and self.delays:
            self.first = (now - self.asked) / 1e6
        if b"event: done" in complete or b"data: [DONE]" in complete:
            self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish()

    def _finish(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


def _request(plan: StreamPlan) -> bytes:
    order = f"{plan.deltas} {plan.pause_ms}"
    path, body = (
        ("/chat/completions", {"messages": [{"role": "user", "content": order}], "stream": True})
        if plan.direct
        else (
            "/invocations",
            {
                "session_id": f"bench-{uuid.uuid4()}",
                "message": order,
                "model_id": "bench",
                "provider": "openai",
                "assistant_id": plan.assistant_id,
            },
        )
    )
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n"
    )
    return head.encode() + b"\r\n" + content


async def run(plan: StreamPlan) -> Streams:
    loop = asyncio.get_running_loop()
    cpu, begun = time.process_time(), time.perf_counter()

    async def one(number: int) -> _Reader:
        # Spread over one pause, as independent users are.
        await asyncio.sleep(plan.pause_ms / 1000 * number / plan.streams)
        reader = _Reader(_request(plan), loop.create_future())
        transport, _ = await loop.create_connection(lambda: reader, plan.host, plan.port)
        await reader.ended
        transport.close()
        return reader

    readers = await asyncio.gather(*(one(number) for number in range(plan.streams)))
    delays = sorted(delay for reader in readers for delay in reader.delays)
    return Streams(
        deltas=len(delays),
        failures=sum(len(reader.delays) != plan.deltas for reader in readers),
        events=sum(reader.events for reader in readers),
        seconds=time.perf_counter() - begun,
        p50=percentile(delays, 0.5),
        p99=percentile(delays, 0.99),
        first_p50=percentile(sorted(reader.first for reader in readers if reader.first is not None), 0.5),
        cpu_seconds=time.process_time() - cpu,
    )


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(uvloop.run(run(StreamPlan(**json.loads(sys.argv[1])))))))
