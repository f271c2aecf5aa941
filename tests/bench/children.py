"""The processes that a benchmark starts, each with only what it needs in its environment."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from devstack import processes
from devstack.environment import plumbing
from devstack.ports import LOOPBACK, free_port
from devstack.processes import Child, or_raise

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

ROOT = Path(__file__).resolve().parents[2]
_START_SECONDS = 10.0
_RUN_SECONDS = 120.0


def _environment() -> dict[str, str]:
    return {**plumbing(), "PYTHONPATH": str(ROOT)}


@contextmanager
def server(module: str) -> Iterator[tuple[Child, str]]:
    """`python -m module PORT` while the block runs, and its base URL."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="bench-") as log_dir:
        child = processes.start(module, module, str(port), environment=_environment(), log_dir=Path(log_dir))
        try:
            url = f"http://{LOOPBACK}:{port}"
            or_raise(processes.wait_until_answers(child, url, timeout=_START_SECONDS))
            yield child, url
        finally:
            processes.stop([child])


def run(module: str, argument: str) -> Any:
    """The JSON that `python -m module argument` writes."""
    done = subprocess.run(
        [sys.executable, "-m", module, argument],
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=_RUN_SECONDS,
    )
    if done.returncode != 0:
        msg = f"{module} failed:\n{done.stderr[-3000:]}"
        raise RuntimeError(msg)
    return json.loads(done.stdout)


def run_plan(module: str, plan: "DataclassInstance") -> Any:
    return run(module, json.dumps(asdict(plan)))


def address(base_url: str) -> Mapping[str, Any]:
    parts = urlsplit(base_url)
    return {"host": parts.hostname, "port": parts.port}
