"""What every client calls of the App API, under load, against a DynamoDB endpoint that costs almost nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from devstack.aws import service_environment
from devstack.services import APP_API, DEVELOPMENT, Service, running_service
from tests.bench import children
from tests.bench.load import Load, Plan
from tests.bench.machine import measuring_cpu, resident_megabytes
from tests.support.fast_aws import SESSIONS, session_id

TARGET_REQUESTS_PER_SECOND = 1000.0
TARGET_HEALTH_P99_MS = 50.0
TARGET_HEALTH_MAX_MS = 250.0
BURST_CONCURRENCY, BURST_DELAY_MS = 64, 20
# How many times as many requests as the commit that this is compared with (`--against`).
TARGET_GAIN: Mapping[str, float] = {"list sessions (20)": 3.0, "read metadata": 3.0, "write metadata": 2.5}
CONCURRENCIES = (1, 32, 128)
DELAYS_MS = (0, 20)
_METADATA = [f"/sessions/{session_id(number)}/metadata" for number in range(SESSIONS)]
type Operation = tuple[str, list[str], str]
"""Method, paths and body."""

OPERATIONS: Mapping[str, Operation] = {
    "list sessions (20)": ("GET", ["/sessions"], ""),
    "read metadata": ("GET", _METADATA, ""),
    "list tools (20)": ("GET", ["/tools/"], ""),
    "list models (20)": ("GET", ["/models"], ""),
    "write metadata": ("PUT", _METADATA, '{"title": "A new title", "starred": true}'),
}


@dataclass(frozen=True, slots=True)
class Measured:
    operation: str
    delay_ms: int
    concurrency: int
    load: Load
    aws_calls: float
    """AWS calls per request."""
    cores: Mapping[str, float]
    cpu_ms: float
    """Processor time of the App API per request, probes included: says most on a machine that is not idle."""


@dataclass(frozen=True, slots=True)
class StoreResults:
    burst: Load
    """The first seconds of a process that nobody has asked anything yet."""
    rows: list[Measured]
    resident_megabytes: float
    """Of the App API, after all the load."""
    sdk: Mapping[str, Any]


def measure(seconds: float, *, with_sdk: bool = True) -> StoreResults:
    with children.server("tests.support.fast_aws") as (endpoint, url):
        sdk = children.run("tests.bench.sdk_cost", url) if with_sdk else {}
        environment = {
            **DEVELOPMENT,
            **service_environment(url),
            "DYNAMODB_SESSIONS_METADATA_TABLE_NAME": "sessions",
            "DYNAMODB_MANAGED_MODELS_TABLE_NAME": "models",
            "LOG_LEVEL": "WARNING",
        }
        with running_service(APP_API, environment) as service:
            burst = _burst(service, url, seconds)
        with running_service(APP_API, environment) as service:
            rows = list(rows_of(Measuring(service, url, endpoint.pid, seconds)))
            return StoreResults(burst, rows, resident_megabytes(service.process.pid), sdk)


def _burst(service: Service, aws_url: str, seconds: float) -> Load:
    """Everybody comes at once, and `/health` is asked for all the time, the first second included."""
    _delay(aws_url, BURST_DELAY_MS)
    return _load(service, OPERATIONS["list sessions (20)"], BURST_CONCURRENCY, seconds, warm_up_seconds=0.0)


def _load(service: Service, operation: Operation, concurrency: int, seconds: float, *, warm_up_seconds: float) -> Load:
    method, paths, body = operation
    plan = Plan(
        **children.address(service.base_url),
        method=method,
        paths=paths,
        body=body,
        concurrency=concurrency,
        seconds=seconds,
        warm_up_seconds=warm_up_seconds,
        probe="/health",
    )
    return Load(**children.run_plan("tests.bench.load", plan))


def _delay(aws_url: str, milliseconds: int) -> None:
    httpx.post(f"{aws_url}/delay/{milliseconds}", trust_env=False).raise_for_status()


@dataclass(frozen=True, slots=True)
class Measuring:
    """A service that has just been started, and the endpoint that it talks to."""

    service: Service
    aws_url: str
    aws_pid: int
    seconds: float
    operations: Mapping[str, Operation] = field(default_factory=lambda: OPERATIONS)
    concurrencies: Sequence[int] = CONCURRENCIES


def rows_of(measuring: Measuring) -> Iterator[Measured]:
    service, seconds = measuring.service, measuring.seconds
    warm_up = min(1.0, seconds / 2)
    for delay in DELAYS_MS:
        _delay(measuring.aws_url, delay)
        for name, operation in measuring.operations.items():
            for concurrency in measuring.concurrencies:
                with measuring_cpu({"App API": service.process.pid, "AWS endpoint": measuring.aws_pid}) as shares:
                    load = _load(service, operation, concurrency, seconds, warm_up_seconds=warm_up)
                cores = {**shares.cores, "load": load.cpu_seconds / (seconds + warm_up)}
                method, paths, body = operation
                calls = _calls_per_request(service, measuring.aws_url, method, paths[0], body)
                cpu_ms = shares.seconds["App API"] / load.sent * 1000
                yield Measured(name, delay, concurrency, load, calls, cores, cpu_ms)


def _calls_per_request(service: Service, aws_url: str, method: str, path: str, body: str) -> float:
    with httpx.Client(trust_env=False, headers={"Content-Type": "application/json"}) as client:
        client.post(f"{aws_url}/reset")
        repeats = 5
        for _ in range(repeats):
            client.request(method, service.base_url + path, content=body or None).raise_for_status()
        counts: dict[str, int] = client.get(f"{aws_url}/counts").json()
        return sum(counts.values()) / repeats
