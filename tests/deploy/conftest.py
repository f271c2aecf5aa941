import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from devstack.environment import plumbing
from tests.deploy.services import AGENTS, APP_API, DISTRIBUTIONS, INFERENCE_API, ROOT, SHARED, UV, Deployable


@dataclass(frozen=True)
class Installation:
    """A service in an environment of its own, made the way that `how` names."""

    service: Deployable
    how: str
    venv: Path

    @property
    def python(self) -> Path:
        return self.venv / "bin" / "python"

    def runs(self, code: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([self.python, "-c", code], capture_output=True, text=True, cwd=self.venv, check=False)


def uv(*arguments: str, cwd: Path = ROOT, venv: Path | None = None) -> str:
    """What `uv` prints; a failure shows what it complained about."""
    environment = {**plumbing(), "UV_PYTHON": sys.executable}
    if venv is not None:
        environment["UV_PROJECT_ENVIRONMENT"] = str(venv)
    done = subprocess.run([UV, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel of each distribution."""
    folder = tmp_path_factory.mktemp("wheels")
    for distribution in DISTRIBUTIONS:
        uv("build", "--quiet", "--wheel", "--package", distribution.name, "--out-dir", str(folder))
    return folder


@pytest.fixture(
    scope="session",
    params=[(service, how) for service in (APP_API, INFERENCE_API) for how in ("wheels", "image")],
    ids=lambda param: f"{param[0]}-{param[1]}",
)
def installation(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One service alone: from wheels as a package index would serve them, and as its image is built."""
    service, how = request.param
    folder = tmp_path_factory.mktemp(f"{service}-{how}")
    venv = folder / "venv"
    if how == "wheels":
        install_wheels(service, request.getfixturevalue("wheels"), venv)
    else:
        build_as_image(service, folder / "build", venv)
    yield Installation(service, how, venv)
    shutil.rmtree(folder)


def install_wheels(service: Deployable, wheels: Path, venv: Path) -> None:
    locked = wheels / f"{service}.txt"
    locked.write_text(uv("export", "--frozen", "--no-dev", "--no-emit-workspace", "--no-hashes", "--no-header",
                         "--package", service.distribution.name))  # fmt: skip
    uv("venv", "--quiet", str(venv))
    files = [next(wheels.glob(f"{part.wheel_stem}-*.whl")) for part in (SHARED, AGENTS, service.distribution)]
    uv("pip", "install", "--quiet", "--python", str(venv), "--constraint", str(locked), *map(str, files))


def build_as_image(service: Deployable, build: Path, venv: Path) -> None:
    """What the builder stage does: only the files that it copies, and its own uv commands."""
    for source in service.dockerfile.sources:
        target = build / source
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, target)
    for command in service.dockerfile.uv_commands:
        uv(*command, cwd=build, venv=venv)
