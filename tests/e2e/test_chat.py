"""A conversation over both services, as a client and an operator see it."""

import hashlib
import json
from typing import Any

import pytest

from tests.support.fault_proxy import Fault, FaultKind
from tests.support.long_term_memory import REMEMBERED, STRATEGY
from tests.support.model_server import ModelServer, answer, tool_call, usage
from tests.support.platform import PRICED, USER_ID, Event, Platform


def without_times(events: list[Event]) -> list[Event]:
    """`metadata` without its metrics, and without a cost, which test_usage.py looks at."""
    return [(name, {"usage": data["usage"]} if name == "metadata" else data) for name, data in events]


def tokens(input_tokens: int, output_tokens: int) -> dict[str, Any]:
    total = input_tokens + output_tokens
    return {"usage": {"inputTokens": input_tokens, "outputTokens": output_tokens, "totalTokens": total}}


def said(model: ModelServer, call: int = -1) -> list[tuple[str, Any]]:
    """Role and text of what a model call was given, without the system prompt."""
    messages = model.calls[call]["messages"]
    assert messages[0]["role"] == "system"
    return [(message["role"], _text(message.get("content"))) for message in messages[1:]]


def _text(content: Any) -> Any:
    return content if isinstance(content, str) or content is None else "".join(part["text"] for part in content)


async def test_the_service_is_healthy_without_a_token(tables: Platform) -> None:
    answered = await tables.inference.get("/ping")
    assert (answered.status_code, answered.json()) == (200, {"status": "healthy"})


async def test_a_plain_turn(platform: Platform, model: ModelServer, session_id: str) -> None:
    model.script(answer("Hel", "lo"))

    turn = await platform.chat(session_id, "hi", enabled_tools=[], provider=None)

    assert turn.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert turn.headers["cache-control"] == "no-cache"
    assert turn.headers["x-accel-buffering"] == "no"
    assert turn.headers["x-session-id"] == session_id
    assert "content-encoding" not in turn.headers
    assert without_times(turn.events) == [
        ("message_start", {"role": "assistant"}),
        ("content_block_start", {"contentBlockIndex": 0}),
        ("content_block_delta", {"contentBlockIndex": 0, "type": "text", "text": "Hel"}),
        ("content_block_delta", {"contentBlockIndex": 0, "type": "text", "text": "lo"}),
        ("content_block_stop", {"contentBlockIndex": 0}),
        ("message_stop", {"stopReason": "end_turn"}),
        ("metadata", tokens(10, 5)),
        ("metadata", tokens(10, 5)),
        ("done", {}),
    ]
    assert turn.total["metrics"]["latencyMs"] >= turn.total["metrics"]["timeToFirstByteMs"] >= 0
    assert await platform.conversation(session_id) == [("user", ["hi"]), ("assistant", ["Hello"])]
    assert [message["id"] for message in await platform.messages(session_id)] == [
        f"msg-{session_id}-0",
        f"msg-{session_id}-1",
    ]
    system = model.calls[0]["messages"][0]["content"]
    session = await platform.session(session_id)
    assert session["createdAt"] <= session["lastMessageAt"]
    assert {name: session[name] for name in ("title", "status", "messageCount", "starred", "tags", "deleted")} == {
        "title": "New Conversation",
        "status": "active",
        "messageCount": 1,
        "starred": False,
        "tags": [],
        "deleted": False,
    }
    assert session["preferences"] == {
        "lastModel": PRICED,
        "lastTemperature": 0.7,
        "enabledTools": [],
        "systemPromptHash": hashlib.md5(system.encode(), usedforsecurity=False).hexdigest()[:16],
    }


async def test_a_second_turn_counts_only_itself_and_shows_the_model_the_first(
    platform: Platform, model: ModelServer, session_id: str
) -> None:
    model.script(answer("One."), answer("Two."))
    await platform.chat(session_id, "first")

    second = await platform.chat(session_id, "second", temperature=0.0)

    assert second.total["usage"] == tokens(10, 5)["usage"]
    assert said(model) == [("user", "first"), ("assistant", "One."), ("user", "second")]
    assert model.calls[-1]["temperature"] == 0.0
    metadata = [message.get("metadata", {}).get("tokenUsage") for message in await platform.messages(session_id)]
    assert metadata == [None, tokens(10, 5)["usage"], None, tokens(10, 5)["usage"]]
    session = await platform.session(session_id)
    assert session["messageCount"] == 2
    assert session["lastMessageAt"] > session["createdAt"]
    assert session["preferences"]["lastTemperature"] == 0.0


async def test_a_turn_with_a_tool(platform: Platform, model: ModelServer, session_id: str) -> None:
    call = ("tooluse_1", "calculator", {"expression": "2+2"})
    model.script(tool_call(call, text="Let me compute.", counted=usage(20, 7)), answer("It is 4", counted=usage(40, 9)))

    turn = await platform.chat(session_id, "what is 2+2?", enabled_tools=["calculator"])

    result = {"toolUseId": "tooluse_1", "status": "success", "content": [{"text": "Result: 4"}]}
    first, second = '{"expressi', 'on": "2+2"}'
    events = without_times(turn.events)
    assert events == [
        ("message_start", {"role": "assistant"}),
        ("content_block_start", {"contentBlockIndex": 0}),
        ("content_block_delta", {"contentBlockIndex": 0, "type": "text", "text": "Let me compute."}),
        ("content_block_stop", {"contentBlockIndex": 0}),
        (
            "content_block_start",
            {
                "contentBlockIndex": 1,
                "type": "tool_use",
                "toolUse": {"toolUseId": "tooluse_1", "name": "calculator", "type": "tool_use"},
            },
        ),
        ("content_block_delta", {"contentBlockIndex": 1, "type": "tool_use", "input": first}),
        ("tool_use", {"tool_use": {"name": "calculator", "tool_use_id": "tooluse_1", "input": first}}),
        ("content_block_delta", {"contentBlockIndex": 1, "type": "tool_use", "input": second}),
        ("tool_use", {"tool_use": {"name": "calculator", "tool_use_id": "tooluse_1", "input": first + second}}),
        ("content_block_stop", {"contentBlockIndex": 1}),
        ("message_stop", {"stopReason": "tool_use"}),
        ("metadata", tokens(20, 7)),
        ("tool_result", {"message": {"role": "user", "content": [{"toolResult": result}]}, "tool_result": result}),
        ("message_start", {"role": "assistant"}),
        ("content_block_start", {"contentBlockIndex": 0}),
        ("content_block_delta", {"contentBlockIndex": 0, "type": "text", "text": "It is 4"}),
        ("content_block_stop", {"contentBlockIndex": 0}),
        ("message_stop", {"stopReason": "end_turn"}),
        ("metadata", tokens(40, 9)),
        ("metadata", tokens(60, 16)),
        ("done", {}),
    ]
    use = {"toolUseId": "tooluse_1", "name": "calculator", "input": {"expression": "2+2"}}
    assert await platform.conversation(session_id) == [
        ("user", ["what is 2+2?"]),
        ("assistant", ["Let me compute.", {"type": "toolUse", "toolUse": use}]),
        ("user", [{"type": "toolResult", "toolResult": result}]),
        ("assistant", ["It is 4"]),
    ]
    counted = [message.get("metadata", {}).get("tokenUsage") for message in await platform.messages(session_id)]
    assert counted == [None, tokens(20, 7)["usage"], None, tokens(40, 9)["usage"]]
    assert model.calls[1]["messages"][-1]["tool_call_id"] == "tooluse_1"
    assert (await platform.session(session_id))["messageCount"] == 1


async def test_tools_of_one_message_answer_in_order_and_a_failing_one_does_not_end_the_turn(
    tables: Platform, model: ModelServer, session_id: str
) -> None:
    model.script(
        tool_call(
            ("t1", "calculator", {"expression": "1/0"}),
            ("t2", "create_visualization", {"chart_type": "bar", "data": []}),
            ("t3", "calculator", {"wrong": 1}),
            ("t4", "no_such_tool", {}),
            ("t5", "calculator", {"expression": "6*7"}),
        ),
        answer("Done."),
    )

    turn = await tables.chat(session_id, "go", enabled_tools=["calculator", "create_visualization"])

    results = [one["tool_result"] for one in turn.of("tool_result")]
    assert [(one["toolUseId"], one["status"]) for one in results] == [
        ("t1", "error"),
        ("t2", "error"),
        ("t3", "error"),
        ("t4", "error"),
        ("t5", "success"),
    ]
    chart = json.loads(results[1]["content"][0]["text"])
    assert (chart["success"], chart["chart_type"]) == (False, "bar")
    assert results[3]["content"][0]["text"] == "Unknown tool: no_such_tool"
    assert turn.shown[-1].text == "Done."
    stored = await tables.messages(session_id)
    assert [block["toolResult"]["toolUseId"] for block in stored[2]["content"]] == ["t1", "t2", "t3", "t4", "t5"]


async def test_reasoning_is_shown_and_takes_no_place(tables: Platform, model: ModelServer, session_id: str) -> None:
    thinking = [{"reasoning": "Think"}, {"reasoning": " hard"}]
    model.script({"steps": [*thinking, *answer("Forty-two.")["steps"]]}, answer("Again."))

    turn = await tables.chat(session_id)

    assert turn.names == [
        "message_start",
        "reasoning",
        "reasoning",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_stop",
        "metadata",
        "metadata",
        "done",
    ]
    assert turn.of("content_block_stop") == [{"contentBlockIndex": 1}]
    assert (turn.shown[0].reasoning, turn.shown[0].text) == ("Think hard", "Forty-two.")
    kinds = [block["type"] for block in (await tables.messages(session_id))[1]["content"]]
    assert kinds == ["reasoningContent", "text"]
    await tables.chat(session_id, "again")
    assert said(model) == [("user", "hi"), ("assistant", "Forty-two."), ("user", "again")]


async def test_the_prompt_of_the_caller_is_used_as_it_is(tables: Platform, model: ModelServer, session_id: str) -> None:
    await tables.chat(session_id, system_prompt="Answer in Latin.", max_tokens=77)
    assert model.calls[0]["messages"][0] == {"role": "system", "content": "Answer in Latin."}
    assert model.calls[0]["max_tokens"] == 77


async def test_a_model_without_an_answer_keeps_the_roles_alternating(
    tables: Platform, model: ModelServer, session_id: str
) -> None:
    model.script(answer())
    turn = await tables.chat(session_id)
    assert turn.names[-1] == "done"
    assert "stream_error" not in turn.names
    roles = [role for role, _ in await tables.conversation(session_id)]
    assert roles == ["user", "assistant"]


async def test_what_is_remembered_of_a_user_reaches_the_model_and_is_not_stored(
    tables: Platform, model: ModelServer, session_id: str
) -> None:
    await tables.chat(session_id, REMEMBERED)
    await tables.chat(session_id, "and else?")
    assert said(model, 0) == [("user", f"<user_context>\nlikes python\n</user_context>{REMEMBERED}")]
    assert said(model, 1)[0] == ("user", REMEMBERED)
    assert (await tables.conversation(session_id))[0] == ("user", [REMEMBERED])


@pytest.mark.parametrize("is_older", [False, True], ids=["today", "prefixes"])
async def test_l2_what_is_remembered_is_the_users_own(
    tables: Platform, model: ModelServer, session_id: str, is_older: bool
) -> None:
    """Whatever form its namespace has, and whatever the service calls a match."""
    own = f"/strategies/{STRATEGY}/actors/{USER_ID}"
    tables.memory.is_older = is_older
    try:
        for namespace in (own, f"{own}/", f"{own}/extra", f"{own}0", f"{own}0/", None):
            tables.memory.remember(namespace, f"in {namespace}.", score=0.9)
        await tables.chat(session_id, "anything")
    finally:
        tables.memory.reset()
    (_, asked) = said(model, 0)[0]
    context = asked.partition("</user_context>")[0].splitlines()[1:]
    assert sorted(context) == sorted(f"in {one}." for one in (own, f"{own}/", f"{own}/extra"))


async def test_memory_that_cannot_be_searched_is_done_without(
    tables: Platform, model: ModelServer, session_id: str
) -> None:
    fault = Fault(FaultKind.THROTTLED, service="bedrock-agentcore", operation="RetrieveMemoryRecords")
    with tables.proxy.injecting(fault) as injection:
        turn = await tables.chat(session_id, REMEMBERED)
    assert injection.hits == 2, "the namespace, and what is below it"
    assert turn.names[-1] == "done"
    assert "stream_error" not in turn.names
    assert said(model) == [("user", REMEMBERED)]
    await tables.chat(session_id, REMEMBERED)
    assert "likes python" in said(model)[-1][1]


@pytest.mark.parametrize("text", ["Grüße, 世界 \U0001f600", 'a "quoted" \\ back\nslash', "</user_context> \u2028 x"])
async def test_any_text_arrives_and_is_stored_as_it_was(
    tables: Platform, model: ModelServer, session_id: str, text: str
) -> None:
    model.script(answer(text))
    turn = await tables.chat(session_id, text)
    assert turn.shown[0].text == text
    assert await tables.conversation(session_id) == [("user", [text]), ("assistant", [text])]
    assert said(model) == [("user", text)]


async def test_a_long_answer_is_stored_whole(tables: Platform, model: ModelServer, session_id: str) -> None:
    words = [f"word{number} " for number in range(3000)]
    model.script(answer(*words))
    turn = await tables.chat(session_id)
    assert turn.shown[0].text == "".join(words)
    assert (await tables.conversation(session_id))[1] == ("assistant", ["".join(words)])
