"""The Inference API loads the framework by itself, after it has said that it is healthy."""

import os
import subprocess
import sys

import pytest

CODE = """
import asyncio, sys
import httpx
from apis.inference_api.main import app

heavy = ("strands", "openai", "botocore", "aiohttp")
loaded = lambda: [name for name in heavy if name in sys.modules]

async def main():
    assert loaded() == [], "before the first answer"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://inference") as client:
        for _ in range(3):
            (await client.get("/ping")).raise_for_status()
        for _ in range(int(sys.argv[1]) * 20):
            if loaded() == list(heavy):
                break
            await asyncio.sleep(0.05)
        (await client.get("/ping")).raise_for_status()
    print(loaded())

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("setting", "seconds", "loaded"),
    [(None, 60, ["strands", "openai", "botocore", "aiohttp"]), ("false", 1, [])],
)
def test_what_a_turn_needs_is_loaded_after_the_first_answer(
    setting: str | None, seconds: int, loaded: list[str]
) -> None:
    variables = {"OPENAI_API_KEY": "key", "DYNAMODB_SESSIONS_METADATA_TABLE_NAME": "sessions", "ENVIRONMENT": "dev"}
    if setting is not None:
        variables["WARM_UP_AFTER_START"] = setting
    ended = subprocess.run(
        [sys.executable, "-c", CODE, str(seconds)],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert (ended.returncode, ended.stdout.strip()) == (0, str(loaded)), ended.stderr
