"""Both services against their own OpenAPI documents, with requests that schemathesis makes up."""

import asyncio
import re
import sys
from pathlib import Path

import pytest

from tests.surface.conftest import APIS, Surface

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
SECONDS = 45


@pytest.mark.timeout(SECONDS * 4)
@pytest.mark.parametrize("name", APIS)
async def test_whatever_is_asked_the_answer_is_documented(surface: Surface, name: str, tmp_path: Path) -> None:
    # In a process of its own: the model that the services ask runs in this one.
    run = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--no-color", "--config-file", str(CONFIGURATION), "run"),
        f"{surface.url(name)}/openapi.json",
        *("--header", f"Authorization: Bearer {surface.token}"),
        *("--max-time", str(SECONDS), "--continue-on-failure", "--warnings", "off"),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = (await run.communicate())[0].decode()
    assert run.returncode == 0, output[-20_000:]
    assert re.search(r"[1-9]\d* generated", output), output
