import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

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


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    project = Project(tmp_path)
    project.configure()
    yield project
    if (tmp_path / ".dmypy.json").exists():
        project.run("-m", "mypy.dmypy", "stop")
