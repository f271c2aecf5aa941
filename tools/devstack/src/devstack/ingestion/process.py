"""Starting the ingestion."""

from collections.abc import Mapping
from pathlib import Path

from devstack import processes
from devstack.processes import Child


def start(environment: Mapping[str, str], log_dir: Path) -> Child:
    """The process, which nobody has to wait for; `environment` is that of the services."""
    return processes.start("ingestion", "devstack.ingestion.worker", environment=environment, log_dir=log_dir)
