"""The npm packages of `clients/package.json`, installed when a test first asks for them."""

import functools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

CLIENTS = Path(__file__).with_name("clients")
_INSTALLED = CLIENTS / "node_modules" / ".package-lock.json"


def missing(what: str) -> None:
    """Skip the test, or fail it where everything has to be there (in CI)."""
    if os.environ.get("REQUIRE_TEST_TOOLS"):
        pytest.fail(what)
    pytest.skip(what)


@functools.cache
def node_modules() -> str | None:
    """What is wrong, None when the packages are there."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "Node.js and npm are not installed: the TypeScript client and the browser are not tested"
    if not _INSTALLED.exists() or _INSTALLED.stat().st_mtime < (CLIENTS / "package-lock.json").stat().st_mtime:
        done = subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=CLIENTS,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        if done.returncode != 0:
            return f"npm could not install the packages (no network?): {done.stderr[-500:]}"
    return None


def require_node_modules() -> None:
    wrong = node_modules()
    if wrong is not None:
        missing(wrong)
