"""What is special about one provider."""

import asyncio
from typing import Any

from agents.events import Usage
from tests.support.model_server import ModelServer, events, gemini_text
from tests.unit.agents.turns import (
    BEDROCK_CLAUDE,
    Conversation,
    assistant,
    bedrock_answer,
    built,
    results,
    summary,
    turn,
    user,
    wire,
)

MARKER = {"cachePoint": {"type": "default"}}


def bedrock_delta(index: int, **delta: Any) -> dict[str, Any]:
    return {"contentBlockDelta": {"delta": delta, "contentBlockIndex": index}}


def bedrock_end(index: int) -> dict[str, Any]:
    return {"contentBlockStop": {"contentBlockIndex": index}}


async def test_bedrock_with_reasoning_and_a_tool(provider: ModelServer) -> None:
    provider.script(
        events(
            {"messageStart": {"role": "assistant"}},
            bedrock_delta(0, reasoningContent={"text": "Think"}),
            bedrock_delta(0, reasoningContent={"signature": "sig=="}),
            bedrock_end(0),
            bedrock_delta(1, text="Let me"),
            bedrock_end(1),
            {
                "contentBlockStart": {
                    "start": {"toolUse": {"toolUseId": "tooluse_1", "name": "calculator"}},
                    "contentBlockIndex": 2,
                }
            },
            bedrock_delta(2, toolUse={"input": '{"expressi'}),
            bedrock_delta(2, toolUse={"input": 'on": "2+2"}'}),
            bedrock_end(2),
            {"messageStop": {"stopReason": "tool_use"}},
            {
                "metadata": {
                    "usage": {"inputTokens": 20, "outputTokens": 7, "totalTokens": 27},
                    "metrics": {"latencyMs": 7},
                }
            },
        ),
        bedrock_answer("It is 4", cached=0),
    )
    conversation = Conversation()
    items = await turn(conversation, model_id=BEDROCK_CLAUDE, tools=["calculator"])
    shown = [(name, payload) for name, payload in wire(items) if name not in {"tool_use", "metadata", "message_start"}]
    assert shown == [
        ("reasoning", {"reasoningText": "Think"}),
        ("reasoning", {"reasoning_signature": "sig=="}),
        ("content_block_delta", {"contentBlockIndex": 1, "type": "text", "text": "Let me"}),
        ("content_block_stop", {"contentBlockIndex": 1}),
        (
            "content_block_start",
            {
                "contentBlockIndex": 2,
                "type": "tool_use",
                "toolUse": {"toolUseId": "tooluse_1", "name": "calculator", "type": "tool_use"},
            },
        ),
        ("content_block_delta", {"contentBlockIndex": 2, "type": "tool_use", "input": '{"expressi'}),
        ("content_block_delta", {"contentBlockIndex": 2, "type": "tool_use", "input": 'on": "2+2"}'}),
        ("content_block_stop", {"contentBlockIndex": 2}),
        ("message_stop", {"stopReason": "tool_use"}),
        (
            "tool_result",
            {
                "message": {"role": "user", "content": [results("tooluse_1", text="Result: 4")["content"][0]]},
                "tool_result": {"toolUseId": "tooluse_1", "status": "success", "content": [{"text": "Result: 4"}]},
            },
        ),
        ("content_block_delta", {"contentBlockIndex": 0, "type": "text", "text": "It is 4"}),
        ("content_block_stop", {"contentBlockIndex": 0}),
        ("message_stop", {"stopReason": "end_turn"}),
    ]
    assert [call.usage for call in summary(items).calls] == [Usage(20, 7, 27), Usage(10, 5, 15, 0)]
    # The model that wrote the reasoning needs it back within the turn.
    sent = provider.calls[1]["messages"]
    assert sent[1]["content"][0] == {"reasoningContent": {"reasoningText": {"text": "Think", "signature": "sig=="}}}


async def test_the_request_to_bedrock(provider: ModelServer) -> None:
    provider.script(bedrock_answer("Hi"))
    assert summary(await turn(model_id=BEDROCK_CLAUDE, max_tokens=99))
    (request,) = provider.requests
    assert request.path == f"/model/{BEDROCK_CLAUDE.replace(':', '%3A')}/converse-stream"
    assert request.body["inferenceConfig"] == {"temperature": 0.7, "maxTokens": 99}
    assert request.body["system"] == [{"text": "You are a test."}]
    assert "/us-west-2/bedrock/aws4_request" in request.headers["authorization"]


async def test_one_cache_marker_at_the_end_of_the_last_assistant_message(provider: ModelServer) -> None:
    provider.script(bedrock_answer("Hi"), bedrock_answer("Hi"), bedrock_answer("Hi"), bedrock_answer("Hi"))
    history = [user("a"), assistant("b")]
    conversation = Conversation()
    assert summary(await turn(conversation, model_id=BEDROCK_CLAUDE, history=history))
    assert summary(await turn(conversation, model_id=BEDROCK_CLAUDE))
    assert summary(await turn(conversation, model_id="meta.llama3", history=history))
    assert summary(await turn(conversation, model_id=BEDROCK_CLAUDE, history=history, caching=False))
    marked, first_turn, other_model, switched_off = (str(body) for body in provider.calls)
    assert provider.calls[0]["messages"][1]["content"] == [{"text": "b"}, MARKER]
    assert marked.count("cachePoint") == 1
    for body in (first_turn, other_model, switched_off, str(conversation.messages), str(history)):
        assert "cachePoint" not in body


async def test_many_bedrock_streams_at_once(provider: ModelServer) -> None:
    """More than the threads of the event loop's executor."""
    users = 40
    first: dict[str, Any] = {"steps": [{"event": bedrock_delta(0, text="Hi")}, {"hang": True}]}
    provider.script(*[first] * users)
    begun = asyncio.Semaphore(0)

    async def one() -> None:
        run = await built(model_id=BEDROCK_CLAUDE)
        async for event in run.stream([{"text": "hi"}]):
            assert event is not None
            begun.release()

    tasks = [asyncio.create_task(one()) for _ in range(users)]
    async with asyncio.timeout(10):
        for _ in range(users):
            await begun.acquire()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_gemini(provider: ModelServer) -> None:
    call = {"functionCall": {"id": "t1", "name": "calculator", "args": {"expression": "6*7"}}}
    counted = {"promptTokenCount": 30, "cachedContentTokenCount": 10, "candidatesTokenCount": 2, "totalTokenCount": 32}
    provider.script(
        events({"candidates": [{"content": {"role": "model", "parts": [call]}, "finishReason": "STOP"}]}),
        events(gemini_text("It is "), gemini_text("42", "STOP", usageMetadata=counted)),
    )
    conversation = Conversation()
    items = await turn(conversation, model_id="gemini-2.5-flash", tools=["calculator"], max_tokens=99)
    names = [name for name, _ in wire(items)]
    assert names.count("tool_result") == 1
    assert [payload["contentBlockIndex"] for name, payload in wire(items) if name == "content_block_start"] == [0, 0]
    assert [message["role"] for message in conversation.messages] == ["user", "assistant", "user", "assistant"]
    assert conversation.messages[-1] == assistant("It is 42")
    assert [call.usage for call in summary(items).calls] == [None, Usage(20, 2, 32, cache_read_input_tokens=10)]
    request = provider.requests[0]
    assert request.path.startswith("/v1beta/models/gemini-2.5-flash:streamGenerateContent")
    assert request.headers["x-goog-api-key"] == "gemini-secret"
    assert request.body["generationConfig"] == {"temperature": 0.7, "maxOutputTokens": 99}
