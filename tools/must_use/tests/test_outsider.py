"""Somebody else's first minutes: the built wheel, a new environment, and the README's example."""

import re
from pathlib import Path

import pytest

from .conftest import DISTRIBUTION, Project, environment

README = (DISTRIBUTION / "README.md").read_text(encoding="utf-8")


def block(language: str, number: int = 0) -> str:
    blocks = list(re.finditer(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE))
    return blocks[number][1]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, wheel: str) -> Project:
    root = tmp_path_factory.mktemp("shop")
    project = Project(root, environment(root / "env", wheel, "returns"))
    project.write(shop=block("python"))
    (root / "pyproject.toml").write_text(block("toml") + "\n", encoding="utf-8")
    return project


def test_mypy_says_what_the_readme_says(shop: Project) -> None:
    expected = [
        (number, line.partition("  [")[2].removesuffix("]"))
        for number, line in enumerate(block("python").splitlines(), start=1)
        if "# error: " in line
    ]
    completed = shop.run("-m", "mypy", "--strict", "--no-error-summary", "shop.py")
    reported = re.findall(r"^shop\.py:(\d+): error: .*  \[([\w-]+)\]$", completed.stdout, re.MULTILINE)
    assert len(expected) == 3
    assert [(int(number), code) for number, code in reported] == expected
    assert len(completed.stdout.splitlines()) == 3


def test_the_railway_of_the_readme_runs(shop: Project) -> None:
    completed = shop.run("-c", "import shop; print(shop.receipt('tea'), shop.receipt('milk'), sep='\\n')")
    assert completed.stdout.splitlines() == ["paid 6", "sorry: no milk"]


def test_the_blessed_way_to_drop_is_silent(shop: Project) -> None:
    shop.write(dropping="from shop import pay as save\n\norder = 1\n" + block("python", 1))
    completed = shop.run("-m", "mypy", "--strict", "dropping.py")
    assert "dropping.py" not in completed.stdout


def test_the_wheel_has_the_licence_and_nothing_of_the_tests(shop: Project) -> None:
    listing = "from importlib.metadata import files; print(*files('returns-must-use'), sep='\\n')"
    files = [Path(line) for line in shop.run("-c", listing).stdout.splitlines()]
    assert any(file.name == "LICENSE" for file in files)
    assert any(file.name == "py.typed" for file in files)
    assert not any("tests" in file.parts for file in files)
