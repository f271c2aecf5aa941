"""The table of snippets in `cases/`: every marked line is reported, and no other line is."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import CASES, PLUGINS, Project, marked

DISTRIBUTION = Path(__file__).parents[1]
SETTINGS = """
[tool.returns_must_use]
railway-decorators = ["outcomes.railway", "outcomes.railway_named"]
"""
STRICTER = 'warn_unreachable = true\nenable_error_code = ["possibly-undefined"]'


def table(root: Path, python: str = sys.executable, plugins: tuple[str, ...] = PLUGINS) -> Project:
    project = Project(shutil.copytree(CASES, root / "cases"), python)
    project.configure(SETTINGS, plugins=plugins, mypy=STRICTER)
    return project


def test_the_table_marks_both_codes() -> None:
    codes = [code for _, _, code in marked(CASES)]
    assert codes.count("unused-result") > 150
    assert codes.count("unwrap-outside-railway") > 20


@pytest.mark.parametrize("plugins", [PLUGINS, PLUGINS[::-1]], ids=["last plugin", "first plugin"])
def test_with_the_mypy_of_this_environment(tmp_path: Path, plugins: tuple[str, ...]) -> None:
    project = table(tmp_path, plugins=plugins)
    assert project.mypy() == marked(CASES), project.output


@pytest.mark.timeout(300)
def test_with_the_oldest_mypy_that_the_distribution_allows(tmp_path: Path) -> None:
    python = str(tmp_path / "oldest" / "bin" / "python")
    for command in (
        ["venv", "--python", sys.executable, str(tmp_path / "oldest")],
        [
            "pip",
            "install",
            "--python",
            python,
            "--resolution",
            "lowest-direct",
            f"{DISTRIBUTION}[returns]",
            "pydantic>=2.10",
        ],
    ):
        subprocess.run([os.environ.get("UV", "uv"), *command], check=True, capture_output=True)
    project = table(tmp_path, python)

    assert project.mypy() == marked(CASES), project.output
    requirements = importlib.metadata.requires("returns-must-use") or []
    oldest = next(text.removeprefix("mypy>=") for text in requirements if text.startswith("mypy>="))
    assert project.run("-m", "mypy", "--version").stdout.startswith(f"mypy {oldest}.0 ")
