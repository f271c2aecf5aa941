import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

DISTRIBUTION = Path(__file__).parents[1]
CASES = Path(__file__).parent / "cases"
PLUGINS = ("returns.contrib.mypy.returns_plugin", "pydantic.mypy", "returns_must_use")

_REPORT = re.compile(r"^(?P<file>[^:]+):(?P<line>\d+): error: .*\[(?P<code>[a-z-]+)\]$")

Reports = set[tuple[str, int, str]]


@dataclass
class Project:
    """A folder that mypy checks in a process of its own."""

    root: Path
    python: str = sys.executable
    output: str = field(default="", init=False)

    def write(self, **modules: str) -> None:
        for name, text in modules.items():
            (self.root / f"{name}.py").write_text(text, encoding="utf-8")

    def configure(self, settings: str = "", *, plugins: tuple[str, ...] = PLUGINS, mypy: str = "") -> None:
        (self.root / "pyproject.toml").write_text(
            f"[tool.mypy]\nstrict = true\nplugins = {list(plugins)}\n{mypy}\n{settings}\n", encoding="utf-8"
        )

    def run(self, *command: str, expected: frozenset[int] = frozenset({0, 1})) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MYPY")}
        completed = subprocess.run(
            [self.python, *command], cwd=self.root, env=environment, capture_output=True, text=True, check=False
        )
        self.output = completed.stdout + completed.stderr
        assert completed.returncode in expected, self.output
        return completed

    def mypy(self, *arguments: str) -> Reports:
        return self.reports(self.run("-m", "mypy", *arguments, "."))

    def refusal(self, *arguments: str) -> str:
        """What mypy says when it stops before it has checked anything."""
        self.run("-m", "mypy", *arguments, ".", expected=frozenset({2}))
        assert "Traceback" not in self.output
        return self.output

    @staticmethod
    def reports(completed: subprocess.CompletedProcess[str]) -> Reports:
        found = (_REPORT.match(line) for line in completed.stdout.splitlines())
        return {(match["file"], int(match["line"]), match["code"]) for match in found if match}


def marked(folder: Path) -> Reports:
    """What `# E: code` at the end of a line expects; several codes are separated by commas."""
    return {
        (file.name, number, code.strip())
        for file in folder.glob("*.py")
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        if "# E: " in line
        for code in line.partition("# E: ")[2].split(",")
    }


def _uv() -> str | None:
    """uv of the test extra, or what the caller names."""
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
    return os.environ.get("UV") or shutil.which("uv", path=path)


def environment(folder: Path, *requirements: str) -> str:
    """The Python of a new environment with these requirements."""
    uv = _uv()
    python = str(folder / ("Scripts" if os.name == "nt" else "bin") / "python")
    if uv is not None:
        make, install = [uv, "venv", "--python", sys.executable], [uv, "pip", "install", "--python", python]
    else:
        make, install = [sys.executable, "-m", "venv"], [python, "-m", "pip", "install"]
    for command in ([*make, str(folder)], [*install, *requirements]):
        subprocess.run(command, check=True, capture_output=True)
    return python


@pytest.fixture(scope="session")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What mypy keeps of the libraries that the tests import: most tests then only check their own lines."""
    project = Project(tmp_path_factory.mktemp("seed"))
    project.configure()
    project.write(all="import asyncio\nimport pytest\nimport returns.future\nimport returns.pipeline\n")
    project.mypy()
    return project.root / ".mypy_cache"


@pytest.fixture
def project(tmp_path: Path, seed: Path) -> Iterator[Project]:
    project = Project(tmp_path)
    project.configure()
    shutil.copytree(seed, tmp_path / ".mypy_cache")
    yield project
    if (tmp_path / ".dmypy.json").exists():
        project.run("-m", "mypy.dmypy", "stop")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The distribution as others install it, built from a copy of the folder and nothing around it."""
    folder = tmp_path_factory.mktemp("build")
    source = shutil.copytree(
        DISTRIBUTION, folder / "source", ignore=shutil.ignore_patterns(".*", "__pycache__", "dist", "build")
    )
    uv = _uv()
    command = [uv, "build", "--wheel", "--out-dir"] if uv else [sys.executable, "-m", "pip", "wheel", "--no-deps", "-w"]
    subprocess.run([*command, str(folder), str(source)], check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return str(built)
