"""A wheel holds the package of its own distribution, all of it and nothing else."""

import zipfile
from pathlib import Path

import pytest

from tests.deploy.services import DISTRIBUTIONS, ROOT, Distribution

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=lambda distribution: distribution.name)
def test_a_wheel_holds_exactly_its_own_sources(wheels: Path, distribution: Distribution) -> None:
    source = ROOT / distribution.folder / "src"
    expected = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(next(wheels.glob(f"{distribution.wheel_stem}-*.whl"))) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == expected
    assert {name for name in held if not name.startswith(distribution.package)} == set()
    assert f"{distribution.package}py.typed" in held
