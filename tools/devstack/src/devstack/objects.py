"""An S3 server that verifies signatures, as S3 does and the embedded endpoint does not: SeaweedFS, from a package.

There is a package for Linux on x86-64 only. Elsewhere the embedded endpoint keeps the objects, and takes every upload.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from apis.shared.errors import ErrorDetail
from apis.shared.result import Result
from devstack import processes
from devstack.environment import DUMMY_CREDENTIALS, REGION, plumbing
from devstack.object_server import binary
from devstack.ports import LOOPBACK, free_port
from devstack.processes import Child, or_raise

_START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """`endpoint` also takes requests whose `Host` is a bucket of this region on AWS."""

    endpoint: str
    process: Child


def is_installed() -> bool:
    return binary().is_file()


def start(port: int, log_dir: Path, *, buckets: Sequence[str] = ()) -> tuple[Child, str]:
    """The process and its URL; what it stores is gone when it ends."""
    child = processes.start(
        "objects",
        "devstack.object_server",
        str(port),
        f"s3.{REGION}.amazonaws.com",
        ",".join(buckets),
        environment={**plumbing(), **DUMMY_CREDENTIALS},
        log_dir=log_dir,
    )
    return child, f"http://{LOOPBACK}:{port}"


def ready(child: Child, endpoint: str) -> Result[float, ErrorDetail]:
    """Seconds until it answered."""
    return processes.wait_until_answers(child, f"{endpoint}/healthz", timeout=_START_SECONDS)


@contextmanager
def object_store(port: int = 0) -> Iterator[ObjectStore]:
    """An empty one, for tests and benchmarks; port 0 takes a free one."""
    with tempfile.TemporaryDirectory(prefix="devstack-objects-") as log_dir:
        child, endpoint = start(port or free_port(), Path(log_dir))
        try:
            or_raise(ready(child, endpoint))
            yield ObjectStore(endpoint, child)
        finally:
            processes.stop([child])
