"""The client hangs up, or sends twice."""

import asyncio
import json
import signal
import time
from contextlib import aclosing
from typing import Any

import pytest

from tests.support.fault_proxy import Fault, FaultKind
from tests.support.model_server import ModelServer, answer, tool_call, usage
from tests.support.platform import USER_ID, Platform, until

STOPPED = "Session stopped by user"
LOST = "an aborted turn could not be stored completely"
HANGING = {"steps": [{"text": "abc"}, {"hang": True}]}


async def hang_up_after(platform: Platform, session_id: str, event: str, **members: Any) -> None:
    async with platform.chatting(session_id, **members) as events:
        async for name, _ in events:
            if name == event:
                return


async def settled(platform: Platform, session_id: str, messages: int) -> list[tuple[str, list[Any]]]:
    """The conversation once it has this many messages; an aborted turn may take five seconds."""

    async def long_enough() -> list[tuple[str, list[Any]]]:
        stored = await platform.conversation(session_id)
        return stored if len(stored) >= messages else []

    return await until(long_enough, seconds=6)


async def called(model: ModelServer, times: int = 1) -> None:
    async def enough() -> bool:
        return len(model.calls) >= times

    await until(enough)


async def hung_up(model: ModelServer) -> None:
    async def left() -> bool:
        return model.requests[0].hung_up

    await until(left, seconds=5)


async def test_what_was_said_until_the_client_hung_up_is_stored(
    platform: Platform, model: ModelServer, session_id: str
) -> None:
    model.script(HANGING)

    await hang_up_after(platform, session_id, "content_block_delta")

    assert await settled(platform, session_id, 2) == [("user", ["hi"]), ("assistant", ["abc", STOPPED])]
    await hung_up(model)

    async def recorded() -> bool:
        answer = await platform.ask(platform.user, "GET", f"/sessions/{session_id}/metadata")
        return answer.status_code == 200 and answer.json()["messageCount"] == 1

    # Messages and session are written at the same time; nothing says which is there first.
    await until(recorded)

    model.reset()
    model.script(tool_call(("t1", "calculator", {"expression": "6*7"})), answer("42."))
    turn = await platform.chat(session_id, "compute", enabled_tools=["calculator"])
    (result,) = turn.of("tool_result")
    assert result["tool_result"]["content"] == [{"text": "Result: 42"}]
    stored = await platform.messages(session_id)
    assert [message["role"] for message in stored] == ["user", "assistant"] * 3
    assert [message.get("metadata") is not None for message in stored] == [False, False, False, True, False, True]


async def test_what_cannot_be_stored_while_the_client_hangs_up_is_told_to_the_operator(
    tables: Platform, model: ModelServer, session_id: str
) -> None:
    """The answer is complete and its end is being written: nobody else would hear of the failure."""
    model.script(answer("Hello."))
    fault = Fault(FaultKind.ACCESS_DENIED, operation="TransactWriteItems", containing=session_id)
    tables.proxy.delay_seconds = 0.5
    try:
        with tables.proxy.injecting(fault):
            async with tables.chatting(session_id) as events:
                async for name, _ in events:
                    if name == "message_stop":
                        break

            async def told() -> list[dict[str, Any]]:
                lines = tables.inference_api.process.output().splitlines()
                return [json.loads(line) for line in lines if LOST in line and session_id in line]

            (record,) = await until(told, seconds=8)
    finally:
        tables.proxy.delay_seconds = 0.0
    assert (record["level"], record["code"]) == ("ERROR", "internal_error")


async def test_hanging_up_before_the_first_word(tables: Platform, model: ModelServer, session_id: str) -> None:
    model.script({"steps": [{"hang": True}]})
    running = asyncio.create_task(tables.chat(session_id))
    await called(model)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert await settled(tables, session_id, 2) == [("user", ["hi"]), ("assistant", [STOPPED])]
    assert (await tables.chat(session_id, "again")).shown[0].text == "Hello world."


async def test_hanging_up_after_a_tool_bills_what_was_used(
    tables: Platform, model: ModelServer, session_id: str
) -> None:
    model.script(tool_call(("t1", "calculator", {"expression": "6*7"}), counted=usage(20, 7)), HANGING)
    async with tables.chatting(session_id, enabled_tools=["calculator"]) as events:
        async for name, data in events:
            if name == "content_block_delta" and data.get("text") == "abc":
                break
    stored = await settled(tables, session_id, 4)
    assert stored[3] == ("assistant", ["abc", STOPPED])

    async def billed() -> list[dict[str, Any]]:
        return tables.of_session(USER_ID, session_id, "C#")

    records = await until(billed, seconds=5)
    assert [(record["messageId"], record["tokenUsage"]["inputTokens"]) for record in records] == [(1, 20)]
    model.reset()
    await tables.chat(session_id, "again")
    roles = [message["role"] for message in model.calls[0]["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "user"]


async def test_hanging_up_during_a_tool_starts_no_other(tables: Platform, model: ModelServer, session_id: str) -> None:
    slow = "integrate(" + "sin(x)*" * 3 + "1)"
    hard = {"expression": "exp(sin(x)**3)*cos(x**2)*log(x+sqrt(x))/(1+x**5)", "mode": "integrate"}
    model.script(tool_call(("t1", "calculator", hard), ("t2", "calculator", {"expression": slow})))
    async with tables.chatting(session_id, enabled_tools=["calculator"]) as events:
        async for name, _ in events:
            if name == "message_stop":
                break
        await asyncio.sleep(0.2)
    stored = await tables.messages(session_id) if await settled(tables, session_id, 4) else []
    results = [block["toolResult"] for block in stored[2]["content"]]
    assert [(one["toolUseId"], one["status"], one["content"]) for one in results] == [
        ("t1", "error", [{"text": STOPPED}]),
        ("t2", "error", [{"text": STOPPED}]),
    ]
    assert stored[3]["content"] == [{"type": "text", "text": STOPPED}]


@pytest.mark.parametrize("event", ["message_start", "tool_use", "message_stop", "tool_result", "metadata"])
async def test_after_a_hang_up_at_any_event_the_conversation_goes_on(
    tables: Platform, model: ModelServer, session_id: str, event: str
) -> None:
    first = tool_call(("t1", "calculator", {"expression": "6*7"}), text="Let me see.")
    model.script({"steps": [*first["steps"], {"pause_ms": 100}]}, answer("42."))
    await hang_up_after(tables, session_id, event, enabled_tools=["calculator"])

    model.reset()
    turn = await tables.chat(session_id, "again")

    assert turn.shown[-1].text == "Hello world."
    stored = await tables.messages(session_id)
    assert [message["role"] for message in stored] == ["user", "assistant"] * (len(stored) // 2)
    uses = [block["toolUse"]["toolUseId"] for one in stored for block in one["content"] if "toolUse" in block]
    results = [block["toolResult"]["toolUseId"] for one in stored for block in one["content"] if "toolResult" in block]
    assert uses == results
    assert stored[-1]["metadata"]["tokenUsage"]["inputTokens"] == 10
    assert {message["role"] for message in stored if "metadata" in message} == {"assistant"}


async def test_the_same_message_again_waits_for_the_aborted_turn(
    tables: Platform, model: ModelServer, session_id: str
) -> None:
    """What a browser does whose page was hidden and becomes visible again."""
    model.script(HANGING, answer("Here."))
    await hang_up_after(tables, session_id, "content_block_delta")
    turn = await tables.chat(session_id)
    assert turn.shown[0].text == "Here."
    assert await tables.conversation(session_id) == [
        ("user", ["hi"]),
        ("assistant", ["abc", STOPPED]),
        ("user", ["hi"]),
        ("assistant", ["Here."]),
    ]


async def test_a_session_runs_one_turn_at_a_time(platform: Platform, model: ModelServer, session_id: str) -> None:
    model.script({"steps": [{"text": "One."}, {"pause_ms": 1500}, *answer()["steps"]]})
    async with platform.chatting(session_id) as events, aclosing(events) as running:  # type: ignore[type-var]  # a generator
        async for name, _ in running:
            if name == "content_block_delta":
                break
        started = time.monotonic()
        refused = await platform.chat(session_id, "second")
        assert (refused.status, refused.body["code"]) == (409, "conflict")
        assert time.monotonic() - started < 1.4
        assert (await platform.chat(f"{session_id}-other", "hi")).shown[0].text == "Hello world."
        assert [name async for name, _ in running][-1] == "done"
    assert await platform.conversation(session_id) == [("user", ["hi"]), ("assistant", ["One."])]


async def test_of_two_at_once_one_answers(tables: Platform, model: ModelServer, session_id: str) -> None:
    model.script({"steps": [{"pause_ms": 1000}, *answer("One.")["steps"]]})
    turns = await asyncio.gather(tables.chat(session_id, "a"), tables.chat(session_id, "b"))
    assert sorted(turn.status for turn in turns) == [200, 409]
    assert len(model.calls) == 1
    assert [role for role, _ in await tables.conversation(session_id)] == ["user", "assistant"]


@pytest.mark.parametrize("clients", [8])
async def test_many_sessions_answer_at_once(
    tables: Platform, model: ModelServer, session_id: str, clients: int
) -> None:
    model.script(*[{"steps": [{"text": "a"}, {"pause_ms": 500}, *answer("b")["steps"]]}] * clients)
    turns = await asyncio.gather(*(tables.chat(f"{session_id}-{number}", str(number)) for number in range(clients)))
    assert [turn.shown[0].text for turn in turns] == ["ab"] * clients
    for number in range(clients):
        assert await tables.conversation(f"{session_id}-{number}") == [("user", [str(number)]), ("assistant", ["ab"])]


async def test_a_service_that_is_stopped_ends_its_turns_properly(
    tables: Platform, model: ModelServer, session_id: str
) -> None:
    model.script(HANGING)
    async with tables.fresh() as platform:
        running = asyncio.create_task(platform.chat(session_id))
        await called(model)
        await asyncio.sleep(0.2)
        platform.inference_api.process.terminate()
        async with asyncio.timeout(5):
            turn = await running
        assert await asyncio.to_thread(platform.inference_api.process.wait) in {0, -signal.SIGTERM}
        assert turn.names[-3:] == ["message_stop", "stream_error", "done"]
        assert (turn.error["code"], turn.error["recoverable"]) == ("service_unavailable", True)
        assert turn.error["metadata"] == {"session_id": session_id}, "the ending is stored"
        assert await platform.conversation(session_id) == [("user", ["hi"]), ("assistant", [turn.error["message"]])]
