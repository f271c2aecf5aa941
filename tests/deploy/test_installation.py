"""Each service runs from its own distribution, without the other one and without development tools."""

import signal
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from devstack.environment import plumbing
from devstack.ports import free_port
from devstack.processes import Child, or_raise, stop, wait_until_answers
from tests.deploy.conftest import Installation
from tests.deploy.services import OTHER

pytestmark = pytest.mark.timeout(300)

DEVELOPMENT_PACKAGES = ("devstack", "returns_must_use", "moto", "pytest", "mypy", "ruff", "hypothesis", "xllamacpp")


def test_it_starts_with_its_image_command_answers_and_stops(installation: Installation, tmp_path: Path) -> None:
    service = installation.service
    port = free_port()
    command = installation.command(port)
    log = tmp_path / "log"
    empty = tmp_path / "empty"
    empty.mkdir()
    with log.open("wb") as sink:
        process = subprocess.Popen(command, cwd=empty, env=plumbing(), stdout=sink, stderr=subprocess.STDOUT)
    child = Child(str(service), process, log)
    try:
        url = f"http://127.0.0.1:{port}{service.health_path}"
        or_raise(wait_until_answers(child, url, timeout=60))
        assert httpx.get(url, trust_env=False).json()["status"] == "healthy"

        begun = time.monotonic()
        child.terminate()
        assert child.wait() in {0, -signal.SIGTERM}
        assert time.monotonic() - begun < 4
    finally:
        stop([child])


def test_the_other_service_cannot_be_imported(installation: Installation) -> None:
    attempt = installation.runs(f"import {OTHER[installation.service].module}")
    assert attempt.returncode == 1
    assert f"No module named '{OTHER[installation.service].module}'" in attempt.stderr


def test_it_holds_no_file_of_the_other_service(installation: Installation) -> None:
    other = OTHER[installation.service].distribution
    names = (other.wheel_stem, other.package.rstrip("/").rpartition("/")[2])
    files = [
        path.relative_to(folder).as_posix()
        for folder in {installation.venv, installation.code}
        for path in folder.rglob("*")
    ]
    assert [path for path in files if any(name in path for name in names)] == []


def test_no_development_package_is_installed(installation: Installation) -> None:
    look = f"import importlib.util as u; print([n for n in {DEVELOPMENT_PACKAGES} if u.find_spec(n)])"
    assert installation.runs(look).stdout.strip() == "[]"


def test_its_code_is_a_copy_and_not_a_link_to_the_sources(installation: Installation) -> None:
    modules = ", ".join((installation.service.module, "apis.shared", "agents"))
    locations = installation.runs(f"import {modules}; print(*(m.__file__ for m in ({modules})))").stdout.split()
    assert len(locations) == 3
    assert all(location.startswith(str(installation.code)) for location in locations)
