"""Streaming chat: events per second, and how much later a delta arrives than from the model server itself."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

from devstack.services import DEVELOPMENT, INFERENCE_API, Service, running_service
from tests.bench import children
from tests.bench.machine import measuring_cpu, resident_megabytes
from tests.bench.stream_load import StreamPlan, Streams

TARGET_ADDED_MS = 1.0
TARGET_FIRST_MS, TARGET_DONE_SECONDS = 500.0, 7.0
CONCURRENCIES = (1, 50)
PACED_DELTAS, PAUSE_MS = 100, 50
"""20 deltas per second and stream, about the speed at which large models write."""
BURST_DELTAS = 400


@dataclass(frozen=True, slots=True)
class Measured:
    streams: int
    paced: Streams
    paced_direct: Streams
    burst: Streams
    cores: dict[str, float]

    @property
    def added_p50(self) -> float:
        return self.paced.p50 - self.paced_direct.p50

    @property
    def added_p99(self) -> float:
        return self.paced.p99 - self.paced_direct.p99


@dataclass(frozen=True, slots=True)
class StreamResults:
    rows: list[Measured]
    resident_megabytes: float
    """Of the Inference API, after all streams."""


def measure() -> StreamResults:
    with children.server("tests.bench.model") as (model, url), tempfile.TemporaryDirectory() as data:
        environment = {
            **DEVELOPMENT,
            "OPENAI_BASE_URL": url,
            "OPENAI_API_KEY": "bench",
            "SESSIONS_DIR": data,
            "LOG_LEVEL": "WARNING",
        }
        with running_service(INFERENCE_API, environment) as service:
            _stream(service.base_url, direct=False, streams=1, deltas=5, pause_ms=0)  # loads what the first turn loads
            rows = list(_rows(service, url, model.pid))
            return StreamResults(rows, resident_megabytes(service.process.pid))


def _rows(service: Service, model_url: str, model_pid: int) -> Iterator[Measured]:
    for streams in CONCURRENCIES:
        direct = _stream(model_url, direct=True, streams=streams, deltas=PACED_DELTAS, pause_ms=PAUSE_MS)
        with measuring_cpu({"Inference API": service.process.pid, "model": model_pid}) as shares:
            paced = _stream(service.base_url, direct=False, streams=streams, deltas=PACED_DELTAS, pause_ms=PAUSE_MS)
        burst = _stream(service.base_url, direct=False, streams=streams, deltas=BURST_DELTAS, pause_ms=0)
        cores = {**shares.cores, "reader": paced.cpu_seconds / paced.seconds}
        yield Measured(streams, paced, direct, burst, cores)


def _stream(base_url: str, *, direct: bool, streams: int, deltas: int, pause_ms: int) -> Streams:
    plan = StreamPlan(**children.address(base_url), direct=direct, streams=streams, deltas=deltas, pause_ms=pause_ms)
    return Streams(**children.run_plan("tests.bench.stream_load", plan))
