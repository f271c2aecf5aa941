"""A mypy that the plugin is not tested with is refused with a reason, unless the settings say otherwise."""

import pytest
from mypy import version as mypy_version
from mypy.errors import CompileError

from returns_must_use.config import Config
from returns_must_use.versions import check_version


@pytest.mark.parametrize("version", ["1.16.0", "1.20.2", "2.0.0", "2.4.1", "2.4.0+dev.0123abc"])
def test_a_tested_version_is_accepted(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(mypy_version, "__version__", version)
    check_version(Config())


@pytest.mark.parametrize(
    ("version", "advice"), [("1.15.0", "Update mypy"), ("2.5.0", "Update returns-must-use"), ("3.0", "Update returns")]
)
def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch, version: str, advice: str) -> None:
    monkeypatch.setattr(mypy_version, "__version__", version)
    with pytest.raises(CompileError) as refused:
        check_version(Config())
    (message,) = refused.value.messages
    assert "tested with mypy 1.16 to 2.4" in message
    assert f"this is mypy {version}. {advice}" in message
    check_version(Config(untested_mypy=True))
