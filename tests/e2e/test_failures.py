"""What a turn does when its model, its storage or its time fails, what is stored of it, and that it goes on."""

import asyncio
from typing import Any

import pytest

from tests.support import stored
from tests.support.chat_client import ERROR_SEQUENCE
from tests.support.fault_proxy import Fault, FaultKind
from tests.support.model_server import ModelServer, Reply, answer, refusal, tool_call, usage
from tests.support.platform import Platform, until
from tests.support.service_log import FAILED

SECRETS = ("sk-secret", "127.0.0.1", "OPENAI", "refusal-text", "Traceback", "httpx", "openai.")


def refused(status: int, code: str = "x", **options: Any) -> Reply:
    return refusal(status, code=code, message="refusal-text of key sk-secret", **options)


def steps(*given: dict[str, Any]) -> Reply:
    return {"steps": list(given)}


BEFORE_THE_FIRST_TOKEN: dict[str, tuple[list[Reply], str, bool]] = {
    "access denied": ([refused(401)], "model_error", False),
    "not allowed": ([refused(403)], "model_error", False),
    "unknown model": ([refused(404)], "model_error", False),
    "unsupported parameter": ([refused(400, code="unsupported_parameter")], "model_error", False),
    "server error": ([refused(500)], "service_unavailable", True),
    "overloaded": ([refused(503)], "service_unavailable", True),
    "connection reset": ([steps({"reset": True})], "service_unavailable", True),
    "nonsense": ([steps({"raw": "data: {not json\n\n"})], "service_unavailable", True),
    "an error in the stream": ([steps({"raw": 'data: {"error": {"message": "x"}}\n\n'})], "service_unavailable", True),
}
IN_MID_STREAM: dict[str, dict[str, Any]] = {
    "connection reset": {"reset": True},
    "connection closed": {"close": True},
    "ended before the end": {"truncate": True},
    "nonsense": {"raw": "data: {not json\n\n"},
}


async def goes_on(platform: Platform, model: ModelServer, session_id: str, *, before: int) -> None:
    """The next turn works, is stored behind `before` messages, and is billed there."""
    model.reset()
    model.script(answer("Here again.", counted=usage(7, 3)))
    turn = await platform.chat(session_id, "still there?")
    assert turn.shown[-1].text == "Here again."
    stored = await platform.messages(session_id)
    assert [message["role"] for message in stored] == ["user", "assistant"] * (len(stored) // 2)
    assert len(stored) == before + 2
    assert stored[-1]["metadata"]["tokenUsage"]["inputTokens"] == 7
    asked = [message["role"] for message in model.calls[0]["messages"]]
    assert asked == ["system", *["user", "assistant"] * (before // 2), "user"]


@pytest.mark.parametrize("case", BEFORE_THE_FIRST_TOKEN)
async def test_a_model_that_fails_before_the_first_token(
    platform: Platform, model: ModelServer, session_id: str, case: str
) -> None:
    replies, code, recoverable = BEFORE_THE_FIRST_TOKEN[case]
    model.script(*replies)

    turn = await platform.chat(session_id)

    visible = [name for name in turn.names if name in ERROR_SEQUENCE]
    assert visible[-len(ERROR_SEQUENCE) :] == ERROR_SEQUENCE
    assert len(turn.events) in {len(ERROR_SEQUENCE), len(ERROR_SEQUENCE) + 1}
    assert turn.shown[-1].stop_reason == "error"
    assert (turn.error["type"], turn.error["code"], turn.error["recoverable"]) == ("stream_error", code, recoverable)
    assert turn.error["metadata"] == {"session_id": session_id}
    assert turn.error["message"] == turn.shown[-1].text
    assert not [secret for secret in SECRETS if secret in str(turn.events)]
    assert await platform.conversation(session_id) == [("user", ["hi"]), ("assistant", [turn.error["message"]])]
    assert (await platform.session(session_id))["messageCount"] == 0
    assert len(model.calls) == 1
    await goes_on(platform, model, session_id, before=2)
    assert (await platform.session(session_id))["messageCount"] == 1


@pytest.mark.parametrize("case", IN_MID_STREAM)
async def test_a_model_that_fails_in_mid_stream(
    platform: Platform, model: ModelServer, session_id: str, case: str
) -> None:
    model.script(steps({"text": "Hel"}, {"text": "lo"}, IN_MID_STREAM[case]))

    turn = await platform.chat(session_id)

    assert turn.names == ["message_start", "content_block_start", *["content_block_delta"] * 2, *ERROR_SEQUENCE]
    assert [(one.text, one.stop_reason) for one in turn.shown] == [
        ("Hello", None),
        (turn.error["message"], "error"),
    ]
    assert (turn.error["code"], turn.error["recoverable"]) == ("service_unavailable", True)
    assert await platform.conversation(session_id) == [("user", ["hi"]), ("assistant", [turn.error["message"]])]
    await goes_on(platform, model, session_id, before=2)


async def test_a_throttled_model_is_asked_six_times(tables: Platform, model: ModelServer, session_id: str) -> None:
    model.script(*[refused(429, code="rate_limit_exceeded", retry_after=7)] * 6)
    turn = await tables.chat(session_id)
    assert len(model.calls) == 6
    assert turn.names == ERROR_SEQUENCE
    assert (turn.error["code"], turn.error["recoverable"], turn.error["retry_after"]) == ("model_error", True, 7)
    await goes_on(tables, model, session_id, before=2)


async def test_a_model_that_is_throttled_at_first_answers_in_the_end(
    tables: Platform, model: ModelServer, session_id: str
) -> None:
    model.script(*[refused(429, code="rate_limit_exceeded")] * 5, answer("At last."))
    turn = await tables.chat(session_id)
    assert "stream_error" not in turn.names
    assert turn.shown[-1].text == "At last."
    assert turn.total["usage"]["inputTokens"] == 10
    assert await tables.conversation(session_id) == [("user", ["hi"]), ("assistant", ["At last."])]


async def test_an_answer_that_is_cut_at_the_token_limit(tables: Platform, model: ModelServer, session_id: str) -> None:
    model.script(answer("Once upon", finish="length"))
    turn = await tables.chat(session_id, max_tokens=2)
    assert [one.stop_reason for one in turn.shown] == ["max_tokens", "error"]
    assert turn.names[-len(ERROR_SEQUENCE) :] == ERROR_SEQUENCE
    assert (turn.error["code"], turn.error["recoverable"]) == ("model_error", False)
    assert "cut" in turn.error["message"]
    assert turn.total["usage"]["outputTokens"] == 5, "what was used is told"
    roles = [role for role, _ in await tables.conversation(session_id)]
    assert roles == ["user", "assistant"]
    await goes_on(tables, model, session_id, before=2)


async def test_a_conversation_that_is_too_long_is_shortened(
    tables: Platform, model: ModelServer, session_id: str
) -> None:
    for number in range(3):
        await tables.chat(session_id, f"question {number}")
    model.reset()
    too_long = refused(400, code="context_length_exceeded")
    model.script(too_long, too_long, answer("Short enough."))

    turn = await tables.chat(session_id, "the last one")

    assert turn.shown[-1].text == "Short enough."
    asked = [[message["content"] for message in call["messages"] if message["role"] == "user"] for call in model.calls]
    assert [len(questions) for questions in asked] == [4, 3, 2]
    assert len(await tables.messages(session_id)) == 8, "what is stored is never trimmed"


async def test_a_message_that_is_too_long_by_itself(tables: Platform, model: ModelServer, session_id: str) -> None:
    model.script(*[refused(400, code="context_length_exceeded")] * 3)
    turn = await tables.chat(session_id, "x" * 100)
    assert turn.names == ERROR_SEQUENCE
    assert (turn.error["code"], turn.error["recoverable"]) == ("model_error", False)
    assert "shorten" in turn.error["message"]
    await goes_on(tables, model, session_id, before=2)


async def test_a_model_that_fails_after_a_tool_is_billed_for_what_it_did(
    tables: Platform, model: ModelServer, session_id: str
) -> None:
    model.script(tool_call(("t1", "calculator", {"expression": "6*7"}), counted=usage(20, 7)), refused(401))

    turn = await tables.chat(session_id, "go", enabled_tools=["calculator"])

    assert turn.names[-len(ERROR_SEQUENCE) - 1 :] == ["metadata", *ERROR_SEQUENCE]
    assert turn.total["usage"]["inputTokens"] == 20
    stored = await tables.messages(session_id)
    assert [message["role"] for message in stored] == ["user", "assistant", "user", "assistant"]
    assert stored[2]["content"][0]["toolResult"]["content"] == [{"text": "Result: 42"}]
    assert [message.get("metadata", {}).get("tokenUsage", {}).get("inputTokens") for message in stored] == [
        None,
        20,
        None,
        None,
    ]
    model.reset()
    await tables.chat(session_id, "and now?")
    roles = [message["role"] for message in model.calls[0]["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "user"]


async def test_a_provider_without_a_key(tables: Platform, model: ModelServer, session_id: str) -> None:
    turn = await tables.chat(session_id, model_id="gemini-2.5-flash")
    assert turn.names == ERROR_SEQUENCE
    assert (turn.error["code"], turn.error["recoverable"]) == ("agent_error", True)
    assert "GOOGLE" not in str(turn.events)
    assert await tables.conversation(session_id) == [("user", ["hi"]), ("assistant", [turn.error["message"]])]
    await goes_on(tables, model, session_id, before=2)


@pytest.mark.parametrize(
    ("operation", "table", "containing", "step"),
    [
        pytest.param("PutItem", stored.SESSIONS, "C#", "cost record", id="F-SMC-58 cost record"),
        pytest.param("TransactWriteItems", None, "lastMessageAt", None, id="F-SMC-59 session record"),
        pytest.param("UpdateItem", stored.SUMMARIES, "totalCost", "summary", id="F-SMC-48 summary"),
        pytest.param("UpdateItem", stored.ROLLUPS, "ROLLUP#", "rollups", id="F-SMC-49 rollups"),
    ],
)
async def test_a_turn_end_that_cannot_be_recorded(
    tables: Platform,
    model: ModelServer,
    session_id: str,
    operation: str,
    table: str | None,
    containing: str,
    step: str | None,
) -> None:
    fault = Fault(
        FaultKind.THROTTLED,
        service="dynamodb",
        operation=operation,
        table=None if table is None else tables.variables[table],
        containing=containing,
    )
    await tables.chat(session_id)
    with tables.proxy.injecting(fault) as injection:
        turn = await tables.chat(session_id, "again")

    assert injection.hits >= 1
    (failed,) = tables.records(turn.request_id, FAILED)
    assert failed.get("step") == step
    answered = ["message_start", "content_block_start", *["content_block_delta"] * 3, "content_block_stop"]
    assert turn.names == [*answered, "message_stop", "metadata", "metadata", *ERROR_SEQUENCE]
    assert turn.error["code"] == "service_unavailable"
    assert turn.error["recoverable"] is False
    assert len(await tables.messages(session_id)) == 4, "that the saving failed is not itself stored"
    await goes_on(tables, model, session_id, before=4)


async def test_f_smc_61_a_history_that_cannot_be_read_leaves_the_model_alone(
    tables: Platform, model: ModelServer, session_id: str
) -> None:
    await tables.chat(session_id)
    model.reset()
    with tables.proxy.injecting(
        Fault(FaultKind.THROTTLED, service="bedrock-agentcore", operation="ListEvents", containing=session_id)
    ):
        turn = await tables.chat(session_id, "again")
    assert (turn.names, turn.error["code"], turn.error["recoverable"]) == (ERROR_SEQUENCE, "service_unavailable", True)
    assert model.calls == []
    assert [text for _, text in await tables.conversation(session_id)][2:] == [["again"], [turn.error["message"]]]
    await goes_on(tables, model, session_id, before=4)


async def test_a_message_that_cannot_be_stored_ends_the_turn(
    tables: Platform, model: ModelServer, session_id: str
) -> None:
    with tables.proxy.injecting(
        Fault(FaultKind.THROTTLED, service="bedrock-agentcore", operation="CreateEvent", containing=session_id)
    ):
        turn = await tables.chat(session_id)
    assert turn.names == ERROR_SEQUENCE
    assert turn.error["code"] == "service_unavailable"
    assert turn.error["metadata"] == {"session_id": session_id, "persisted": False}
    assert model.calls == []
    assert await tables.messages(session_id) == []
    await goes_on(tables, model, session_id, before=0)


async def test_the_service_answers_while_turns_hang(tables: Platform, model: ModelServer, session_id: str) -> None:
    model.script(*[steps({"text": "a"}, {"hang": True})] * 3)
    hanging = [asyncio.create_task(tables.chat(f"{session_id}-{number}")) for number in range(3)]

    async def all_called() -> bool:
        return len(model.calls) == 3

    await until(all_called)
    async with asyncio.timeout(1):
        assert (await tables.inference.get("/ping")).status_code == 200
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)
