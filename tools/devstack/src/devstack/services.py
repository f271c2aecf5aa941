"""The two APIs as processes of their own."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from apis.shared.errors import ErrorDetail
from apis.shared.result import Result
from devstack import processes
from devstack.environment import plumbing
from devstack.ports import LOOPBACK, free_port
from devstack.processes import Child, or_raise

APP_API = "apis.app_api.main:app"
INFERENCE_API = "apis.inference_api.main:app"
HTTP = "apis.shared.http.protocol:BoundedHttp"
HEALTH_PATHS: Mapping[str, str] = {APP_API: "/health", INFERENCE_API: "/ping"}
_START_SECONDS = 60.0

DEVELOPMENT: Mapping[str, str] = {
    "ENVIRONMENT": "development",
    "ENABLE_AUTHENTICATION": "false",
    "DEV_USER_ROLES": '["Developer", "DotNetDevelopers", "Admin"]',
}


@dataclass(frozen=True, slots=True)
class Service:
    base_url: str
    process: Child
    start_seconds: float
    """From the start of the process to its first healthy answer."""

    def terminate(self) -> None:
        self.process.terminate()

    def kill(self) -> None:
        self.process.kill()

    def wait(self, timeout: float = processes.STOP_SECONDS) -> int:
        return self.process.wait(timeout)

    def output(self) -> str:
        return self.process.output()


def start(app: str, name: str, port: int, environment: Mapping[str, str], log_dir: Path) -> tuple[Child, str]:
    """The process and its base URL; `environment` is all that it gets."""
    command = ("uvicorn", app, "--http", HTTP, "--host", LOOPBACK, "--port", str(port))
    child = processes.start(name, *command, environment=environment, log_dir=log_dir)
    return child, f"http://{LOOPBACK}:{port}"


def ready(child: Child, base_url: str, health_path: str, timeout: float = _START_SECONDS) -> Result[float, ErrorDetail]:
    """Seconds until the service answered that it is healthy."""
    return processes.wait_until_answers(child, base_url + health_path, timeout=timeout)


@contextmanager
def running_service(
    app: str, env: Mapping[str, str], *, port: int = 0, health_path: str | None = None, timeout: float = _START_SECONDS
) -> Iterator[Service]:
    """`uvicorn app` in a process of its own, healthy on entry and gone on exit; port 0 takes a free one.

    `env` configures it; of this process's environment it only gets paths, proxies and CA bundles. For an app other
    than the two APIs `health_path` says which path answers 200.
    """
    with tempfile.TemporaryDirectory(prefix="devstack-service-") as log_dir:
        environment = {**plumbing(), **env}
        child, base_url = start(app, app.partition(":")[0], port or free_port(), environment, Path(log_dir))
        try:
            path = health_path or HEALTH_PATHS[app]
            seconds = or_raise(ready(child, base_url, path, timeout))
            yield Service(base_url, child, seconds)
        finally:
            processes.stop([child])
