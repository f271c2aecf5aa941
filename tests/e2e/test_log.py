"""What clients write is not what operators read."""

import asyncio
import json

from tests.support.model_server import ModelServer
from tests.support.platform import Platform

LONGEST_RECORD = 8_000
TOOLS = [f"{number:03}-{'t' * 196}" for number in range(200)]


async def test_ids_that_a_client_made_up_are_cut_and_counted(
    tables: Platform, model: ModelServer, session_id: str
) -> None:
    before = len(tables.inference_api.process.output())
    turn = await tables.chat(session_id, model_id="gpt-" + "m" * 1990, enabled_tools=TOOLS)
    assert turn.shown[0].text == "Hello world."
    async with asyncio.timeout(10):
        while "tools left out" not in tables.inference_api.process.output()[before:]:  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.05)
    lines = tables.inference_api.process.output()[before:].splitlines()
    assert max(map(len, lines)) < LONGEST_RECORD
    records = [json.loads(line) for line in lines if line.startswith("{")]
    (left_out,) = (record for record in records if record["message"] == "tools left out")
    assert (left_out["count"], left_out["tools"][-1]) == (200, "... and 180 more")
    (unmanaged,) = (record for record in records if record["message"].startswith("model is not managed"))
    assert unmanaged["model_id"].endswith("... (1994 characters)")


async def test_addresses_are_not_logged(tables: Platform, session_id: str) -> None:
    await tables.app.get("/sessions", params={"next_token": "what a client wrote"})
    await tables.inference.get("/ping", params={"q": "what a client wrote"})
    assert "client+wrote" not in tables.inference_api.process.output()
    assert "client%20wrote" not in tables.inference_api.process.output()
