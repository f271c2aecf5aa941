"""Cold start to the first healthy answer, and resident memory."""

import statistics
import tempfile
import time
from dataclasses import dataclass

import httpx

from devstack.services import APP_API, DEVELOPMENT, HEALTH_PATHS, INFERENCE_API, running_service
from tests.bench.machine import resident_megabytes

SERVICES = {"App API": APP_API, "Inference API": INFERENCE_API}
TARGET_SECONDS = 1.5
_SETTLE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class StartUp:
    service: str
    runs: list[float]
    """Seconds from the start of the process, sorted."""
    median_seconds: float
    resident_megabytes: float


def measure(repeats: int) -> list[StartUp]:
    results: list[StartUp] = []
    for name, app in SERVICES.items():
        seconds: list[float] = []
        megabytes: list[float] = []
        for _ in range(repeats):
            with (
                tempfile.TemporaryDirectory() as data,
                running_service(app, {**DEVELOPMENT, "SESSIONS_DIR": data}) as service,
            ):
                seconds.append(service.start_seconds)
                httpx.get(service.base_url + HEALTH_PATHS[app], trust_env=False).raise_for_status()
                time.sleep(_SETTLE_SECONDS)
                megabytes.append(resident_megabytes(service.process.pid))
        results.append(StartUp(name, sorted(seconds), statistics.median(seconds), statistics.median(megabytes)))
    return results
