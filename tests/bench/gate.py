"""What the quota gate costs a turn: the time to its first delta, with the gate and without it.

Sessions and costs are in local files, as in the benchmark of streams; the rules of quota are at a DynamoDB endpoint
that costs almost nothing.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

import httpx

from devstack.aws import service_environment
from devstack.services import DEVELOPMENT, INFERENCE_API, running_service
from tests.bench import children
from tests.bench.stream_load import StreamPlan, Streams

TURNS = 20
TARGET_ADDED_MS = 5.0


@dataclass(frozen=True, slots=True)
class GateResults:
    open_ms: float
    gated_ms: float
    gated_calls: float
    """Calls of AWS per turn of a user whose quota is known."""

    @property
    def added_ms(self) -> float:
        return self.gated_ms - self.open_ms


def measure() -> GateResults:
    with surroundings() as (around, aws_url):
        open_ms, _ = first_delta(around, aws_url)
        gated_ms, calls = first_delta({**around, "ENABLE_QUOTA_ENFORCEMENT": "true"}, aws_url)
        return GateResults(open_ms, gated_ms, calls)


@contextmanager
def surroundings() -> Iterator[tuple[dict[str, str], str]]:
    """A model and an AWS endpoint that cost almost nothing: the environment of a service that uses them, and the URL of
    the endpoint."""
    with (
        children.server("tests.bench.model") as (_, model_url),
        children.server("tests.support.fast_aws") as (_, aws_url),
    ):
        environment = {
            **DEVELOPMENT,
            **service_environment(aws_url),
            "OPENAI_BASE_URL": model_url,
            "OPENAI_API_KEY": "bench",
            "LOG_LEVEL": "WARNING",
        }
        yield environment, aws_url


def first_delta(
    environment: Mapping[str, str], aws_url: str, *, assistant_id: str | None = None
) -> tuple[float, float]:
    """The median, and calls per turn; of turns one after the other, each in a session of its own."""
    with (
        tempfile.TemporaryDirectory() as data,
        running_service(INFERENCE_API, {**environment, "SESSIONS_DIR": data}) as service,
    ):
        _turn(service.base_url, assistant_id)  # loads what the first turn loads
        httpx.post(f"{aws_url}/reset", trust_env=False).raise_for_status()
        firsts = [_turn(service.base_url, assistant_id) for _ in range(TURNS)]
        counts = httpx.get(f"{aws_url}/counts", trust_env=False).json()
        return median(firsts), sum(counts.values()) / TURNS


def _turn(base_url: str, assistant_id: str | None) -> float:
    plan = StreamPlan(
        **children.address(base_url), direct=False, streams=1, deltas=1, pause_ms=0, assistant_id=assistant_id
    )
    streamed = Streams(**children.run_plan("tests.bench.stream_load", plan))
    if streamed.failures:
        msg = "a turn of the benchmark failed"
        raise RuntimeError(msg)
    return streamed.first_p50
