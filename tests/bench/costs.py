"""What administrators see of the costs of 10,000 users, under load: see `store`."""

from collections.abc import Mapping
from dataclasses import dataclass

from devstack.aws import service_environment
from devstack.services import APP_API, DEVELOPMENT, running_service
from tests.bench import children
from tests.bench.machine import resident_megabytes
from tests.bench.store import Measured, Measuring, Operation, rows_of
from tests.support.fast_aws import MONTH, USERS

# Administrators are few; the second shows that nobody else has to wait for them.
CONCURRENCIES = (1, 4)
TARGET_MS = 100.0
TARGET_HEALTH_P99_MS = 50.0
OPERATIONS: Mapping[str, Operation] = {
    "system summary": ("GET", [f"/admin/costs/system-summary?period={MONTH}"], ""),
    f"dashboard, top 100 of {USERS:,}": ("GET", [f"/admin/costs/dashboard?period={MONTH}"], ""),
    f"export, 1,000 of {USERS:,}": ("GET", [f"/admin/costs/export?period={MONTH}"], ""),
}


@dataclass(frozen=True, slots=True)
class CostResults:
    rows: list[Measured]
    resident_megabytes: float
    """Of the App API, after all the load."""


def measure(seconds: float) -> CostResults:
    with children.server("tests.support.fast_aws") as (endpoint, url):
        environment = {
            **DEVELOPMENT,
            **service_environment(url),
            "DEV_USER_ROLES": '["Admin"]',
            "LOG_LEVEL": "WARNING",
        }
        with running_service(APP_API, environment) as service:
            measuring = Measuring(service, url, endpoint.pid, seconds, OPERATIONS, CONCURRENCIES)
            return CostResults(list(rows_of(measuring)), resident_megabytes(service.process.pid))
