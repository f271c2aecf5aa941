"""What is in an image, and how its process 1 takes a signal: each made and started as the Dockerfile says."""

import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest

from devstack.environment import plumbing
from devstack.ports import free_port
from tests.deploy.conftest import Builder, Installation
from tests.deploy.services import AGENTS, INFERENCE_API, SHARED

pytestmark = pytest.mark.timeout(900)

NAMESPACES = ["unshare", "--user", "--map-root-user", "--fork", "--pid", "--mount-proc", "--kill-child"]


def has_namespaces() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*NAMESPACES, "true"], capture_output=True, check=False).returncode == 0


@pytest.fixture
def image(installation: Installation) -> Installation:
    if installation.how != "image":
        pytest.skip("of images only")
    return installation


def test_code_is_compiled_once_and_for_all(image: Installation) -> None:
    """By hash and unchecked (PEP 552): a file's time, which differs from build to build, does not matter."""
    compiled = [path for folder in (image.venv, image.code) for path in folder.rglob("*.pyc")]
    sources = list(image.code.rglob("*.py"))
    assert len(compiled) > 1000
    assert len([path for path in compiled if image.code in path.parents]) == len(sources)
    assert {int.from_bytes(path.read_bytes()[4:8], "little") for path in compiled} == {0b01}


def test_nothing_of_the_installer_is_left_and_nobody_else_may_write(image: Installation) -> None:
    for folder in (image.venv, image.code):
        for path in (folder, *folder.rglob("*")):
            assert path.name not in {".lock", "uv_cache.json", "CACHEDIR.TAG", ".gitignore"}, path
            if not path.is_symlink():
                assert not path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH), path
    for record in image.code.rglob("RECORD"):
        missing = [
            line for line in record.read_text().splitlines() if not (image.code / line.partition(",")[0]).exists()
        ]
        assert missing == []


def test_it_lists_what_it_is_made_of(image: Installation) -> None:
    bill = json.loads((image.code / "sbom.cdx.json").read_text())
    assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", image.service.distribution.name)
    assert "serialNumber" not in bill
    assert "timestamp" not in bill["metadata"]
    listed = {component["name"].lower().replace("_", "-") for component in bill["components"]}
    look = "import importlib.metadata as m; print(*(d.name.lower().replace('_', '-') for d in m.distributions()))"
    installed = set(image.runs(look).stdout.split()) - {image.service.distribution.name}
    assert installed
    assert installed <= listed
    assert {SHARED.name, AGENTS.name} <= installed


def test_the_same_sources_give_the_same_files(image: Installation, tmp_path: Path) -> None:
    if image.service != INFERENCE_API:
        pytest.skip("one is enough")
    root = image.code.parents[1]
    first = contents(image.code)
    shutil.copytree(image.code, tmp_path / "first")
    shutil.rmtree(image.code)
    steps = image.service.dockerfile.steps
    Builder(image.service, root).run(steps[2:])
    second = contents(image.code)
    assert {name for name in first.keys() | second.keys() if first.get(name) != second.get(name)} == set()


def contents(folder: Path) -> dict[str, tuple[int, str]]:
    return {
        path.relative_to(folder).as_posix(): (int(path.stat().st_mtime), hashlib.sha256(path.read_bytes()).hexdigest())
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_isolated_processes_find_the_code(image: Installation) -> None:
    """The calculator's is one: it knows neither the variables nor the folder of the service."""
    done = subprocess.run(
        [image.python, "-I", "-c", "import agents.tools.calculation as c; print(c.__file__)"],
        capture_output=True,
        text=True,
        env={},
        cwd="/",
        check=False,
    )
    assert done.stdout.startswith(str(image.code)), done.stderr


@pytest.mark.skipif(not has_namespaces(), reason="needs namespaces for users and processes")
@pytest.mark.parametrize("after", [0.05, 0.3, 0.8])
def test_a_signal_in_the_first_second_is_heard(image: Installation, tmp_path: Path, after: float) -> None:
    init = [str(image.venv / "bin" / image.service.dockerfile.entrypoint[0]), *image.service.dockerfile.entrypoint[1:]]
    assert seconds_to_stop([*init, *image.command(free_port())], tmp_path, after) < 4


@pytest.mark.skipif(not has_namespaces(), reason="needs namespaces for users and processes")
def test_without_an_init_it_would_not_be(image: Installation, tmp_path: Path) -> None:
    """So that the test above is known to be able to fail."""
    if image.service != INFERENCE_API:
        pytest.skip("one is enough")
    waiting = [str(image.python), "-c", "import time; time.sleep(6)"]
    assert seconds_to_stop(waiting, tmp_path, 0.5) > 4


def seconds_to_stop(command: list[str], folder: Path, after: float) -> float:
    """How long a process takes that is number 1 of its namespace and gets SIGTERM so long after its start."""
    with subprocess.Popen([*NAMESPACES, *command], cwd=folder, env=plumbing(), stderr=subprocess.DEVNULL) as outer:
        first = child_of(outer.pid)
        time.sleep(after)
        os.kill(first, signal.SIGTERM)
        begun = time.monotonic()
        try:
            outer.wait(timeout=20)
        finally:
            outer.kill()
        return time.monotonic() - begun


def child_of(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    for _ in range(1000):
        if found := children.read_text().split():
            return int(found[0])
        time.sleep(0.005)
    pytest.fail("nothing was started")
