"""Whole turns over real HTTP: what a client sees, what is stored, what the provider gets."""

import json
from typing import Any

import pytest

from agents.config import ModelConfig, Provider
from agents.history import RESULT_TOO_LARGE
from agents.providers import build_model
from agents.run import EMPTY_ANSWER, TOOL_FAILED
from agents.tools.mcp.servers import RemoteTool
from apis.shared.errors import ErrorCode, ErrorDetail, bad_request, service_unavailable
from apis.shared.result import Failure, Result
from apis.shared.sessions.models import Message
from apis.shared.wiring import forget_all
from tests.support.model_server import ModelServer, Reply, answer, events, gemini_text, tool_call, usage
from tests.unit.agents.turns import (
    BEDROCK_CLAUDE,
    Conversation,
    assistant,
    bedrock_answer,
    built,
    failure,
    results,
    summary,
    tokens,
    turn,
    user,
    uses,
    wire,
)

CALL_METADATA = {"usage": {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}, "metrics": {"latencyMs": 0}}


def result_of(items: Any, n: int = 0) -> dict[str, Any]:
    found = [payload["tool_result"] for name, payload in wire(items) if name == "tool_result"]
    chosen: dict[str, Any] = found[n]
    return chosen


async def test_a_plain_turn(provider: ModelServer) -> None:
    provider.script(answer("Hel", "lo"))
    conversation = Conversation()
    items = await turn(conversation)
    assert wire(items) == [
        ("message_start", {"role": "assistant"}),
        ("content_block_start", {"contentBlockIndex": 0}),
        ("content_block_delta", {"contentBlockIndex": 0, "type": "text", "text": "Hel"}),
        ("content_block_delta", {"contentBlockIndex": 0, "type": "text", "text": "lo"}),
        ("content_block_stop", {"contentBlockIndex": 0}),
        ("message_stop", {"stopReason": "end_turn"}),
        ("metadata", CALL_METADATA),
    ]
    (call,) = summary(items).calls
    assert call.usage == tokens(10, 5, 15)
    assert call.first_text is not None
    assert call.started <= call.first_text <= call.ended
    assert conversation.messages == [user("hi"), assistant("Hello")]


async def test_the_request(provider: ModelServer) -> None:
    assert summary(await turn(tools=["calculator"], max_tokens=99, history=[user("a"), assistant("b")]))
    (request,) = provider.requests
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == "Bearer sk-secret"
    body = request.body
    assert (body["model"], body["temperature"], body["max_tokens"], body["stream"]) == ("gpt-test", 0.7, 99, True)
    assert [tool["function"]["name"] for tool in body["tools"]] == ["calculator"]
    assert [message["role"] for message in body["messages"]] == ["system", "user", "assistant", "user"]
    assert body["messages"][0]["content"] == "You are a test."


async def test_a_turn_with_a_tool(provider: ModelServer) -> None:
    provider.script(
        tool_call(("t1", "calculator", {"expression": "6 * 7"}), text="Let me compute.", counted=usage(20, 7)),
        answer("It is 42", counted=usage(40, 9)),
    )
    conversation = Conversation()
    items = await turn(conversation, tools=["calculator"])
    names = [name for name, _ in wire(items)]
    assert names == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
        "tool_use",
        "content_block_delta",
        "tool_use",
        "content_block_stop",
        "message_stop",
        "metadata",
        "tool_result",
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_stop",
        "metadata",
    ]
    told = {"status": "success", "content": [{"text": "Result: 42"}], "toolUseId": "t1"}
    assert result_of(items) == told
    assert [call.usage for call in summary(items).calls] == [tokens(20, 7, 27), tokens(40, 9, 49)]
    assert conversation.messages == [
        user("hi"),
        {
            "role": "assistant",
            "content": [
                {"text": "Let me compute."},
                {"toolUse": {"toolUseId": "t1", "name": "calculator", "input": {"expression": "6 * 7"}}},
            ],
        },
        {"role": "user", "content": [{"toolResult": told}]},
        assistant("It is 42"),
    ]


async def test_usage_does_not_add_up_over_turns(provider: ModelServer) -> None:
    for _ in range(2):
        assert [call.usage for call in summary(await turn()).calls] == [tokens(10, 5, 15)]


async def test_cached_tokens_of_openai_are_not_counted_as_input_too(provider: ModelServer) -> None:
    provider.script(answer("Hi", counted=usage(100, 5, prompt_tokens_details={"cached_tokens": 60})))
    (call,) = summary(await turn()).calls
    assert call.usage == tokens(40, 5, 105, cache_read_input_tokens=60)


@pytest.mark.usefixtures("samples")
async def test_results_of_three_tools_in_call_order_and_the_turn_goes_on(provider: ModelServer) -> None:
    provider.script(
        tool_call(
            ("tu_a", "picture", {}),
            ("tu_b", "raising", {"secret": "s3cret"}),
            ("tu_c", "create_visualization", {"chart_type": "bar", "data": []}),
        ),
        answer("done"),
    )
    conversation = Conversation()
    items = await turn(conversation, tools=["picture", "raising", "create_visualization"])
    assert result_of(items, 0) == {
        "toolUseId": "tu_a",
        "status": "success",
        "content": [{"text": "ok"}, {"image": {"format": "png", "source": {"bytes": b"\x89PNG"}}}],
    }
    assert result_of(items, 1) == {"toolUseId": "tu_b", "status": "error", "content": [{"text": TOOL_FAILED}]}
    assert result_of(items, 2)["status"] == "error"
    told = json.loads(result_of(items, 2)["content"][0]["text"])
    assert told == {"success": False, "error": told["error"], "chart_type": "bar"}
    assert len(summary(items).calls) == 2
    assert [message["role"] for message in conversation.messages] == ["user", "assistant", "user", "assistant"]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (("t1", "no_such_tool", {}), "Unknown tool: no_such_tool"),
        (("t1", "calculator", {}), "Error: expression: Field required"),
        (("t1", "raising", {"secret": "s3cret"}), TOOL_FAILED),
        (("t1", "structured", {}), '{"temperature": 21, "fresh": true}'),
    ],
)
@pytest.mark.usefixtures("samples")
async def test_what_a_model_reads_of_a_tool(
    provider: ModelServer, caplog: pytest.LogCaptureFixture, call: tuple[str, str, dict[str, Any]], text: str
) -> None:
    provider.script(tool_call(call), answer("done"))
    items = await turn(tools=["calculator", "raising", "structured"])
    assert result_of(items)["content"] == [{"text": text}]
    assert result_of(items)["status"] == ("success" if call[1] == "structured" else "error")
    assert provider.calls[1]["messages"][-1]["content"] == text
    assert summary(items)
    assert "s3cret" not in caplog.text
    assert "s3cret" not in str([vars(record) for record in caplog.records])


async def test_a_tool_input_that_is_no_json_is_the_models_mistake(
    provider: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    broken = {"id": "t1", "name": "calculator", "arguments": ['{"expression": "s3cret']}
    provider.script({"steps": [{"tool": broken}, {"finish": "tool_calls"}, usage()]}, answer("done"))
    items = await turn(tools=["calculator"])
    assert result_of(items)["content"] == [{"text": "Error: expression: Field required"}]
    assert summary(items)
    assert "s3cret" not in caplog.text


async def test_without_tools_none_are_offered(provider: ModelServer) -> None:
    assert summary(await turn())
    assert "tools" not in provider.calls[0]


async def test_two_uses_of_a_disabled_tool_are_answered_apart(provider: ModelServer) -> None:
    provider.script(tool_call(("t1", "browser_get_page_info", {}), ("t2", "browser_get_page_info", {})), answer("ok"))
    items = await turn(tools=["browser_get_page_info"])
    assert [(result_of(items, n)["toolUseId"], result_of(items, n)["status"]) for n in (0, 1)] == [
        ("t1", "error"),
        ("t2", "error"),
    ]


async def test_an_answer_without_content_is_stored_as_a_sentence(provider: ModelServer) -> None:
    provider.script(answer())
    conversation = Conversation()
    assert summary(await turn(conversation))
    assert conversation.messages == [user("hi"), assistant(EMPTY_ANSWER)]


async def test_the_prompt_is_stored_before_the_model_is_called(provider: ModelServer) -> None:
    conversation = Conversation(refuses=0, refusal=service_unavailable())
    run = await built(conversation)
    error = failure([item async for item in run.stream([{"text": "hi"}])])
    assert error == service_unavailable()
    assert provider.requests == []
    assert run.progress.calls == []


@pytest.mark.parametrize("refuses", [0, 1, 2, 3])
async def test_a_message_that_cannot_be_stored_ends_the_run_with_that_failure(
    provider: ModelServer, refuses: int
) -> None:
    provider.script(tool_call(("t1", "calculator", {"expression": "1"})), answer("done"))
    refusal = service_unavailable(None, table="t").with_recovery(recoverable=True, retry_after=3)
    conversation = Conversation(refuses=refuses, refusal=refusal)
    run = await built(conversation, tools=["calculator"])
    error = failure([item async for item in run.stream([{"text": "hi"}])])
    assert (error, error.context, error.retry_after) == (refusal, {"table": "t"}, 3)
    assert len(conversation.messages) == refuses
    assert len(run.progress.calls) == (0 if refuses < 2 else 1)


class SmallStore(Conversation):
    """Takes messages of so many characters."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    async def append(self, message: Message) -> Result[None, ErrorDetail]:
        return Failure(bad_request("too large")) if len(repr(message)) > self.most else await super().append(message)


@pytest.mark.parametrize(
    ("most", "kept"),
    [
        pytest.param(30_000, [["said", "image"], ["said", "image"]], id="fits"),
        pytest.param(15_000, [["said", "[image, png, 9 KB, too large to be kept]"]] * 2, id="without images"),
        pytest.param(600, [[RESULT_TOO_LARGE]] * 2, id="without anything"),
    ],
)
async def test_results_that_the_store_finds_too_large_are_no_failing_turn(
    provider: ModelServer, most: int, kept: list[list[str]]
) -> None:
    """M7: all results of one answer are one message of the store. What is kept is what everybody gets."""

    async def draw(_: Any) -> dict[str, Any]:
        said = {"text": "said" if most > 600 else "said" * 500}
        return {"status": "success", "content": [said, {"image": {"format": "png", "source": {"bytes": b"x" * 9_500}}}]}

    provider.script(tool_call(("t1", "draw", {}), ("t2", "draw", {})), answer("Seen"))
    conversation = SmallStore(most)
    items = await turn(conversation, remote_tools=[RemoteTool("draw", "Draws.", {"type": "object"}, draw)])
    assert summary(items)
    shown = [result_of(items, n)["content"] for n in range(2)]
    stored = [block["toolResult"]["content"] for block in conversation.messages[2]["content"]]
    for found in (shown, stored):
        assert [[block.get("text", "image") for block in blocks] for blocks in found] == kept
    assert len(conversation.messages) == 4


async def test_remembered_context_reaches_the_model_and_is_not_stored(provider: ModelServer) -> None:
    provider.script(tool_call(("t1", "calculator", {"expression": "1"})), answer("done"))
    context = "<user_context>\nlikes python\n</user_context>"
    conversation = Conversation()
    assert summary(
        await turn(conversation, tools=["calculator"], memory_context=context, history=[user("a"), assistant("b")])
    )
    for body in provider.calls:
        texts = [[part["text"] for part in message["content"]] for message in body["messages"][1:4]]
        assert texts == [["a"], ["b"], [context, "hi"]]
    assert conversation.messages[0] == user("hi")


async def test_a_repaired_history_is_what_the_model_gets(provider: ModelServer) -> None:
    history: list[Message] = [results("t0"), user("a"), uses("t1"), user("cut off")]
    before = repr(history)
    assert summary(await turn(history=history))
    roles = [message["role"] for message in provider.calls[0]["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "user"]
    assert [part["text"] for part in provider.calls[0]["messages"][-1]["content"]] == ["cut off", "hi"]
    assert repr(history) == before


@pytest.mark.parametrize(
    ("model_id", "reply"),
    [("gpt-x", answer("Hi")), (BEDROCK_CLAUDE, bedrock_answer("Hi")), ("gemini-x", events(gemini_text("Hi", "STOP")))],
)
async def test_connections_are_kept(provider: ModelServer, model_id: str, reply: Reply) -> None:
    provider.script(*[reply] * 3)
    for _ in range(3):
        assert summary(await turn(model_id=model_id))
    assert len({request.connection for request in provider.requests}) == 1


async def test_nothing_is_printed(provider: ModelServer, capfd: pytest.CaptureFixture[str]) -> None:
    provider.script(tool_call(("t1", "calculator", {"expression": "1"})), answer("secret answer"))
    assert summary(await turn(tools=["calculator"]))
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("provider_name", ["openai", "gemini"])
async def test_a_provider_without_a_key(monkeypatch: pytest.MonkeyPatch, provider_name: Provider) -> None:
    variables = ("OPENAI_API_KEY", "GOOGLE_GEMINI_API_KEY")
    for variable in variables:
        monkeypatch.delenv(variable, raising=False)
    forget_all()
    error = (await build_model(ModelConfig(model_id="m", provider=provider_name))).failure()
    assert (error.code, error.recoverable) == (ErrorCode.AGENT_ERROR, True)
    assert not any(variable in error.message for variable in variables)
