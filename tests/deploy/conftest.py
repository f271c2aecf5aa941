import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
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
    code: Path
    """Where the distributions of this repository are: in an image beside the environment."""

    @property
    def python(self) -> Path:
        return self.venv / "bin" / "python"

    def command(self, port: int) -> list[str]:
        """The image's command at another port, without its init."""
        given = self.service.dockerfile.command
        words = [str(port) if word == str(self.service.port) else word for word in given]
        return [str(self.venv / "bin" / words[0]), *words[1:]]

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
    if how == "wheels":
        install_wheels(service, request.getfixturevalue("wheels"), folder / "venv")
        yield Installation(service, how, folder / "venv", folder / "venv")
    else:
        Builder(service, folder).run(service.dockerfile.steps)
        yield Installation(service, how, folder / "app" / "venv", folder / "app" / "code")
    shutil.rmtree(folder)


def install_wheels(service: Deployable, wheels: Path, venv: Path) -> None:
    locked = wheels / f"{service}.txt"
    locked.write_text(uv("export", "--frozen", "--no-dev", "--no-emit-workspace", "--no-hashes", "--no-header",
                         "--package", service.distribution.name))  # fmt: skip
    uv("venv", "--quiet", str(venv))
    files = [next(wheels.glob(f"{part.wheel_stem}-*.whl")) for part in (SHARED, AGENTS, service.distribution)]
    uv("pip", "install", "--quiet", "--python", str(venv), "--constraint", str(locked), *map(str, files))


@dataclass(frozen=True)
class Builder:
    """Does what the builder stage does: only the files that it copies, and its own commands, below another root."""

    service: Deployable
    root: Path

    def run(self, steps: Sequence[str]) -> None:
        build = self.root / "build"
        self._copy(build)
        for step in steps:
            done = subprocess.run(
                step.replace("/app/", f"{self.root}/app/").replace(f"backend{self.root}/app/", "backend/app/"),
                shell=True,
                cwd=build,
                env=self._environment(),
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{step}\n{done.stdout}{done.stderr}"

    def _copy(self, build: Path) -> None:
        for source in self.service.dockerfile.sources:
            target = build / source
            target.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / source, target, ignore=ignored, dirs_exist_ok=True)
            else:
                shutil.copy(ROOT / source, target)

    def _environment(self) -> dict[str, str]:
        """The stage's variables, with `python` and `uv` on the path as in the base image."""
        commands = self.root / "bin"
        commands.mkdir(exist_ok=True)
        for name, target in (("python", sys.executable), ("uv", UV)):
            # Without this folder on the path: what is started here looks for commands of the same names itself.
            (commands / name).write_text(f'#!/bin/sh\nPATH={shlex.quote(os.environ["PATH"])} exec {target} "$@"\n')
            (commands / name).chmod(0o755)
        inner = self.service.dockerfile.environment(0)
        moved = {name: value.replace("/app/", f"{self.root}/app/") for name, value in inner.items()}
        path = f"{commands}{os.pathsep}{os.environ['PATH']}"
        return {**plumbing(), "UV_PYTHON": sys.executable, **moved, "PATH": path}
