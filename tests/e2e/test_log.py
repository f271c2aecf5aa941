"""What clients write is not what operators read."""

import json

from tests.support.model_server import ModelServer, answer, tool_call
from tests.support.platform import Platform

LONGEST_RECORD = 8_000
TOOLS = [f"{number:03}-{'t' * 196}" for number in range(200)]


async def test_f_qtm_58_ids_that_a_client_made_up_are_cut_and_counted(
    tables: Platform, model: ModelServer, session_id: str
) -> None:
    """The turn goes on without tools that nobody knows."""
    turn = await tables.chat(session_id, model_id="gpt-" + "m" * 990, enabled_tools=TOOLS)
    assert turn.shown[0].text == "Hello world."
    await tables.settled(turn.request_id)
    assert max(len(json.dumps(record)) for record in tables.records(turn.request_id)) < LONGEST_RECORD
    (left_out,) = tables.records(turn.request_id, "tools left out")
    assert (left_out["count"], left_out["tools"][-1]) == (200, "... and 180 more")
    (unmanaged,) = tables.records(turn.request_id, "model is not managed, usage is recorded without cost")
    assert unmanaged["model_id"].endswith("... (994 characters)")


async def test_addresses_are_not_logged(tables: Platform) -> None:
    await tables.app.get("/sessions", params={"next_token": "what a client wrote"})
    await tables.inference.get("/ping", params={"q": "what a client wrote"})
    for service in (tables.app_api, tables.inference_api):
        assert "client+wrote" not in service.process.output()
        assert "client%20wrote" not in service.process.output()


async def test_content_is_not_logged_at_any_level(tables: Platform, model: ModelServer, session_id: str) -> None:
    model.script(tool_call(("t1", "calculator", {"expression": "40012 + 1"})), answer("an answer of the model"))
    async with tables.fresh(LOG_LEVEL="DEBUG") as platform:
        turn = await platform.chat(session_id, message="a question of the user", enabled_tools=["calculator"])
        assert turn.shown[-1].text == "an answer of the model"
        await platform.settled(turn.request_id)
        output = platform.inference_api.process.output()
    for content in ("question of the user", "answer of the model", "40012"):
        assert content not in output
