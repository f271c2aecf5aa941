"""Calculations that take all they may, and what others notice of them."""

import asyncio
import time

from agents.tools.processes import Limits
from tests.support.model_server import ModelServer, tool_call
from tests.support.platform import Platform

SLOW = {"expression": "(a + b + c + d + f + g + h + k)**900"}
AT_ONCE = 8


async def test_a_plain_turn_does_not_wait_for_the_calculations_of_others(
    tables: Platform, model: ModelServer, session_id: str
) -> None:
    await tables.chat(f"{session_id}-warm", "hi")
    usual = await three_plain_turns(tables, f"{session_id}-before")
    model.reset()
    model.script(*(tool_call((f"t{number}", "calculator", SLOW)) for number in range(AT_ONCE)))
    slow = [
        asyncio.create_task(tables.chat(f"{session_id}-{number}", "slow", enabled_tools=["calculator"]))
        for number in range(AT_ONCE)
    ]
    async with asyncio.timeout(60):
        while len(model.calls) < AT_ONCE:  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(0.02)
    took = await three_plain_turns(tables, f"{session_id}-meanwhile")
    assert not all(turn.done() for turn in slow), "they were meant to be running"
    assert took < 4 * usual + 1

    turns = await asyncio.gather(*slow)
    told = [turn.of("tool_result")[0]["tool_result"] for turn in turns]
    assert {result["status"] for result in told} == {"error"}
    texts = [result["content"][0]["text"] for result in told]
    assert set(texts) == {"The calculation takes too long.", "The calculator is busy. Try again in a moment."}
    assert [turn.of("stream_error") for turn in turns] == [[]] * AT_ONCE, "the turns go on"
    assert {turn.names[-1] for turn in turns} == {"done"}


async def three_plain_turns(tables: Platform, session_id: str) -> float:
    begun = time.monotonic()
    turns = [await tables.chat(f"{session_id}-{number}", "hi") for number in range(3)]
    assert [turn.shown[0].text for turn in turns] == ["Hello world."] * 3
    return time.monotonic() - begun


async def test_hanging_up_ends_the_calculation(tables: Platform, model: ModelServer, session_id: str) -> None:
    """Its place is free for the next one: more are begun than one user has places."""
    for number in range(Limits().of_one_user + 2):
        model.script(tool_call((f"t{number}", "calculator", SLOW)))
        async with tables.chatting(f"{session_id}-{number}", "slow", enabled_tools=["calculator"]) as events:
            async for name, _ in events:
                if name == "message_stop":
                    break
            await asyncio.sleep(0.2)
    model.reset()
    model.script(tool_call(("t", "calculator", {"expression": "6 * 7"})))
    turn = await tables.chat(session_id, "quick", enabled_tools=["calculator"])
    assert turn.of("tool_result")[0]["tool_result"]["content"] == [{"text": "Result: 42"}]
