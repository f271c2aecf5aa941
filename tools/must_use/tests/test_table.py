"""The table of snippets in `cases/`: every marked line is reported, and no other line is, by every supported mypy."""

import os
import shutil
import sys
import tomllib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from returns_must_use.versions import NEWEST, OLDEST

from .conftest import CASES, DISTRIBUTION, PLUGINS, Project, Reports, environment, marked

SUPPORTED = ("1.16.0", "1.17.*", "1.18.*", "1.19.*", "1.20.*", "2.0.*", "2.1.*", "2.2.*", "2.3.*", "2.4.*")
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
    assert codes.count("unused-result") > 300
    assert codes.count("unwrap-outside-railway") > 30


@pytest.mark.parametrize("plugins", [PLUGINS, PLUGINS[::-1]], ids=["last plugin", "first plugin"])
def test_with_the_mypy_of_this_environment(tmp_path: Path, plugins: tuple[str, ...]) -> None:
    project = table(tmp_path, plugins=plugins)
    assert project.mypy() == marked(CASES), project.output


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, wheel: str) -> Iterator[dict[str, Future[tuple[Reports, str]]]]:
    """The table under each version, a few at a time."""

    def run(version: str) -> tuple[Reports, str]:
        root = tmp_path_factory.mktemp("mypy")
        python = environment(root / "env", f"mypy=={version}", wheel, "returns>=0.26", "pydantic>=2.10")
        project = table(root, python)
        return project.mypy(), project.output

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield {version: pool.submit(run, version) for version in SUPPORTED}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("version", SUPPORTED)
def test_with_every_mypy_that_the_distribution_allows(
    runs: dict[str, Future[tuple[Reports, str]]], version: str
) -> None:
    reports, output = runs[version].result()
    assert reports == marked(CASES), output


def test_the_distribution_allows_the_tested_versions_and_no_others() -> None:
    project = tomllib.loads((DISTRIBUTION / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    major, minor = SUPPORTED[-1].split(".")[:2]
    oldest = SUPPORTED[0].removesuffix(".0")
    assert f"mypy>={oldest},<{major}.{int(minor) + 1}" in project["dependencies"]
    assert tuple(f"{release[0]}.{release[1]}" for release in (OLDEST, NEWEST)) == (oldest, f"{major}.{minor}")
