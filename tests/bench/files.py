"""What a user with 1,000 files waits for, under load: see `store`. An address is signed, and nobody is asked for it."""

from collections.abc import Mapping
from dataclasses import dataclass

from devstack.aws import service_environment
from devstack.services import APP_API, DEVELOPMENT, running_service
from tests.bench import children
from tests.bench.store import Measured, Measuring, Operation, rows_of
from tests.support.fast_aws import FILES

# A list of a thousand takes some 30 ms of the processor: more at once only wait for it.
CONCURRENCIES = (1, 4)
TARGET_MS = 100.0
OPERATIONS: Mapping[str, Operation] = {
    "presign a file": (
        "POST",
        ["/files/presign"],
        '{"sessionId": "s1", "filename": "Report (1).pdf", "mimeType": "application/pdf", "sizeBytes": 48213}',
    ),
    f"list files (20 of {FILES:,})": ("GET", ["/files"], ""),
    f"list files of a session ({FILES:,})": ("GET", ["/files?sessionId=s1"], ""),
    f"list files by size (100 of {FILES:,})": ("GET", ["/files?sortBy=size&limit=100"], ""),
}


@dataclass(frozen=True, slots=True)
class FileResults:
    rows: list[Measured]


def measure(seconds: float) -> FileResults:
    with children.server("tests.support.fast_aws") as (endpoint, url):
        environment = {**DEVELOPMENT, **service_environment(url), "LOG_LEVEL": "WARNING"}
        with running_service(APP_API, environment) as service:
            return FileResults(list(rows_of(Measuring(service, url, endpoint.pid, seconds, OPERATIONS, CONCURRENCIES))))
