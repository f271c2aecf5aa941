"""The plugin changes no other error of mypy's: not where it stands, nor what it says, nor whether it is there.

`int` as a result type makes it report and look at as much as it can in code that knows no Result.
"""

import importlib.util
import re
import shutil
from pathlib import Path

import pytest

from .conftest import Project

SETTINGS = """
[tool.returns_must_use]
result-types = ["builtins.int", "tricky.Outcome"]
railway-decorators = ["functools.wraps"]
"""
STRICTER = """
warn_unreachable = true
disallow_any_expr = true
enable_error_code = ["possibly-undefined", "redundant-expr", "truthy-bool", "unused-awaitable", "explicit-override"]
"""
OWN = re.compile(r"\[(unused-result|unwrap-outside-railway)\]$")
PACKAGES = ("pluggy", "iniconfig")


def run(root: Path, plugins: tuple[str, ...]) -> list[str]:
    project = Project(root)
    project.configure(SETTINGS, plugins=plugins, mypy=STRICTER)
    completed = project.run("-m", "mypy", "--no-error-summary", ".")
    return completed.stdout.splitlines()


def foreign(root: Path) -> Path:
    shutil.copytree(Path(__file__).parent / "foreign", root)
    for name in PACKAGES:
        found = importlib.util.find_spec(name)
        assert found is not None
        assert found.origin is not None
        shutil.copytree(Path(found.origin).parent, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    return root


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], list[str]]:
    root = foreign(tmp_path_factory.mktemp("foreign") / "code")
    return run(root, ()), run(root, ("returns_must_use",))


def test_every_other_error_stays_as_it_was(outputs: tuple[list[str], list[str]]) -> None:
    without, with_plugin = outputs
    assert len(without) > 100
    assert [line for line in with_plugin if not OWN.search(line)] == without


def test_the_code_gives_the_plugin_much_to_report(outputs: tuple[list[str], list[str]]) -> None:
    codes = [match[1] for line in outputs[1] if (match := OWN.search(line))]
    assert codes.count("unused-result") > 30
    assert codes.count("unwrap-outside-railway") >= 6
