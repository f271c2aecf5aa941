"""The load generator: `python -m tests.bench.load PLAN` in a process of its own, results as JSON on stdout.

Raw connections on uvloop, about 20 microseconds of CPU per request, so that it does not measure itself.
"""

import asyncio
import itertools
import json
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import cast

import uvloop

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
PROBE_INTERVAL_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Plan:
    """`concurrency` connections that each send the next request as soon as the answer is complete.

    `paths` are taken in turn. Meanwhile one more connection asks for `probe` every 10 ms.
    """

    host: str
    port: int
    method: str
    paths: Sequence[str]
    body: str
    concurrency: int
    seconds: float
    warm_up_seconds: float
    probe: str


@dataclass(frozen=True, slots=True)
class Load:
    """Latencies in milliseconds."""

    requests: int
    sent: int
    """Warm-up and failures included, probes not."""
    failures: int
    requests_per_second: float
    p50: float
    p99: float
    probe_p50: float
    probe_p99: float
    probe_max: float
    cpu_seconds: float


def percentile(sorted_values: Sequence[float], share: float) -> float:
    """Nearest rank; `share` from 0 to 1."""
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))] if sorted_values else 0.0


def request_bytes(method: str, path: str, body: str) -> bytes:
    content = body.encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\nAccept: application/json\r\n"
    if content:
        head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
    return head.encode() + b"\r\n" + content


class Connection(asyncio.Protocol):
    """One request at a time; `exchange` gives status and seconds."""

    def __init__(self) -> None:
        self._received = b""
        self._sent = 0.0
        self._answer: asyncio.Future[tuple[int, float]] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class has the same interface

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish(0)

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(self._received, 0, end)
        total = end + 4 + (int(length.group(1)) if length else 0)
        if len(self._received) >= total:
            status = int(self._received[9:12])
            self._received = self._received[total:]
            self._finish(status)

    def exchange(self, request: bytes) -> asyncio.Future[tuple[int, float]]:
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._sent = time.perf_counter()
        self._transport.write(request)
        return self._answer

    def _finish(self, status: int) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((status, time.perf_counter() - self._sent))


async def _connect(plan: Plan) -> Connection:
    _, connection = await asyncio.get_running_loop().create_connection(Connection, plan.host, plan.port)
    return connection


async def _load(plan: Plan, requests: Iterator[bytes], start: float, end: float) -> tuple[list[float], int, int]:
    connection = await _connect(plan)
    latencies: list[float] = []
    sent = failures = 0
    while time.perf_counter() < end:
        sent += 1
        status, seconds = await connection.exchange(next(requests))
        if time.perf_counter() < start:
            continue
        if 200 <= status < 300:
            latencies.append(seconds)
        else:
            failures += 1
            if status == 0:
                connection = await _connect(plan)
    return latencies, sent, failures


async def _probe(plan: Plan, start: float, end: float) -> list[float]:
    connection = await _connect(plan)
    request = request_bytes("GET", plan.probe, "")
    latencies: list[float] = []
    while time.perf_counter() < end:
        _, seconds = await connection.exchange(request)
        if time.perf_counter() >= start:
            latencies.append(seconds)
        await asyncio.sleep(PROBE_INTERVAL_SECONDS)
    return latencies


async def run(plan: Plan) -> Load:
    requests = itertools.cycle([request_bytes(plan.method, path, plan.body) for path in plan.paths])
    start = time.perf_counter() + plan.warm_up_seconds
    end = start + plan.seconds
    cpu = time.process_time()
    probing = asyncio.create_task(_probe(plan, start, end))
    runs = await asyncio.gather(*(_load(plan, requests, start, end) for _ in range(plan.concurrency)))
    latencies = sorted(seconds * 1000 for values, _, _ in runs for seconds in values)
    probes = sorted(seconds * 1000 for seconds in await probing)
    return Load(
        requests=len(latencies),
        sent=sum(sent for _, sent, _ in runs),
        failures=sum(failures for _, _, failures in runs),
        requests_per_second=len(latencies) / plan.seconds,
        p50=percentile(latencies, 0.5),
        p99=percentile(latencies, 0.99),
        probe_p50=percentile(probes, 0.5),
        probe_p99=percentile(probes, 0.99),
        probe_max=probes[-1] if probes else 0.0,
        cpu_seconds=time.process_time() - cpu,
    )


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(uvloop.run(run(Plan(**json.loads(sys.argv[1])))))))
