"""The versions of mypy that the plugin is tested with: it uses parts of mypy that no version promises to keep."""

from mypy import version
from mypy.errors import CompileError

from returns_must_use.config import TABLE, Config

OLDEST = (1, 16)
NEWEST = (2, 4)


def check_version(config: Config) -> None:
    major, minor = (int(part) for part in version.__version__.split("+")[0].split(".")[:2])
    if OLDEST <= (major, minor) <= NEWEST or config.untested_mypy:
        return
    tested = f"mypy {_text(OLDEST)} to {_text(NEWEST)}"
    advice = "Update returns-must-use" if (major, minor) > NEWEST else "Update mypy"
    raise CompileError(
        [
            f"returns-must-use: error: it is tested with {tested}, and this is mypy {version.__version__}. "
            f"{advice}, or set untested-mypy = true in [tool.{TABLE}]."
        ]
    )


def _text(version: tuple[int, int]) -> str:
    return ".".join(str(part) for part in version)
