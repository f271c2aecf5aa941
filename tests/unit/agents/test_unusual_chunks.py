"""Chunks that are unusual but legal, and what they leave for the calls that follow."""

import json
from typing import Any

import pytest

from apis.shared.errors import ErrorCode
from tests.support.model_server import ModelServer, Reply, answer, events, gemini_text
from tests.support.openai_bytes import DONE, U, call, counted, d, sent, sse
from tests.unit.agents.turns import (
    BEDROCK_CLAUDE,
    Conversation,
    assistant,
    bedrock_answer,
    failure,
    summary,
    tokens,
    turn,
    user,
    wire,
)

GEMINI = "gemini-2.5-flash"
END = (d({}, "stop"), U, DONE)
TOOLS_END = (d({}, "tool_calls"), U, DONE)


def asks(expression: str) -> str:
    return json.dumps({"expression": expression})


def bedrock_call(
    index: int | None, tool_use_id: str | None, *fragments: str, stops: bool = True
) -> list[dict[str, Any]]:
    at = {} if index is None else {"contentBlockIndex": index}
    named = {"name": "calculator"} if tool_use_id is None else {"name": "calculator", "toolUseId": tool_use_id}
    deltas = [{"contentBlockDelta": {"delta": {"toolUse": {"input": one}}, **at}} for one in fragments]
    return [{"contentBlockStart": {"start": {"toolUse": named}, **at}}, *deltas, *([{"contentBlockStop": at}] * stops)]


def bedrock(*chunks: dict[str, Any], reason: str = "tool_use") -> Reply:
    return events({"messageStart": {"role": "assistant"}}, *chunks, {"messageStop": {"stopReason": reason}})


def gemini_calls(*calls: dict[str, Any]) -> Reply:
    parts = [{"functionCall": {"name": "calculator", **one}} for one in calls]
    return events({"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}]})


ONE, TWO = asks("1+1"), asks("2+2")
HALVES = [ONE[:9], ONE[9:]]
INTERLEAVED = [
    *bedrock_call(0, "a", stops=False),
    *bedrock_call(1, "b", stops=False),
    *(
        {"contentBlockDelta": {"delta": {"toolUse": {"input": one}}, "contentBlockIndex": n}}
        for ones in zip(HALVES, [TWO[:7], TWO[7:]], strict=True)
        for n, one in enumerate(ones)
    ),
    {"contentBlockStop": {"contentBlockIndex": 0}},
    {"contentBlockStop": {"contentBlockIndex": 1}},
]
TWO_CALLS: list[tuple[str, str, Reply]] = [
    ("C1", "gpt-x", sent(d(call(ONE, index=0, id="a")), d(call(TWO, index=0, id="b")), *TOOLS_END)),
    ("C1", "gpt-x", sent(d(call(ONE, id="a")), d(call(TWO, id="b")), *TOOLS_END)),
    ("C1", "gpt-x", sent(d(call(ONE)), d(call(TWO)), *TOOLS_END)),
    (
        "C1",
        "gpt-x",
        sent(d({"tool_calls": [call(ONE, id="a")["tool_calls"][0], call(TWO, id="b")["tool_calls"][0]]}), *TOOLS_END),
    ),
    ("C1", BEDROCK_CLAUDE, bedrock(*bedrock_call(0, "a", ONE, stops=False), *bedrock_call(0, "b", TWO))),
    ("C1", BEDROCK_CLAUDE, bedrock(*bedrock_call(None, "a", ONE), *bedrock_call(None, "b", TWO, stops=False))),
    ("C1", BEDROCK_CLAUDE, bedrock(*INTERLEAVED)),
    ("C2", "gpt-x", sent(d(call(ONE, index=0, id="a")), d(call(TWO, index=1, id="a")), *TOOLS_END)),
    ("C2", "gpt-x", sent(d(call(ONE, index=0, id="a")), d(call(TWO, index=0, id="a")), *TOOLS_END)),
    ("C2", BEDROCK_CLAUDE, bedrock(*bedrock_call(0, "a", ONE), *bedrock_call(1, "a", TWO))),
    (
        "C2",
        GEMINI,
        gemini_calls({"id": "a", "args": {"expression": "1+1"}}, {"id": "a", "args": {"expression": "2+2"}}),
    ),
    ("C2", GEMINI, gemini_calls({"args": {"expression": "1+1"}}, {"args": {"expression": "2+2"}})),
    (
        "C7",
        "gpt-x",
        sent(
            d(call({"expression": "1+1"}, index=0, id="a")), d(call({"expression": "2+2"}, index=1, id="b")), *TOOLS_END
        ),
    ),
    (
        "C7",
        "gpt-x",
        sent(
            d(call(ONE, index=0, id="a")),
            d({"tool_calls": [{"index": 0}]}),
            d({"tool_calls": [{"index": 0, "function": None}, None]}),
            d(call(TWO, index=1, id="b")),
            d({"tool_calls": [{"index": 1, "id": "b", "function": {"name": "calculator", "arguments": ""}}]}),
            *TOOLS_END,
        ),
    ),
]
FINAL: dict[str, Reply] = {
    "gpt-x": answer("done"),
    BEDROCK_CLAUDE: bedrock_answer("done"),
    GEMINI: events(gemini_text("done", "STOP")),
}


@pytest.mark.parametrize(("row", "model_id", "reply"), TWO_CALLS)
async def test_two_tool_calls_are_two(provider: ModelServer, row: str, model_id: str, reply: Reply) -> None:
    provider.script(reply, FINAL[model_id])
    conversation = Conversation()
    items = await turn(conversation, model_id=model_id, tools=["calculator"])
    assert summary(items), row
    results = [payload["tool_result"] for name, payload in wire(items) if name == "tool_result"]
    assert [result["content"][0]["text"] for result in results] == ["Result: 2", "Result: 4"]
    blocks = [
        payload["toolUse"]["toolUseId"]
        for name, payload in wire(items)
        if payload.get("type") == "tool_use" and "toolUse" in payload
    ]
    assert blocks == [result["toolUseId"] for result in results]
    assert len(set(blocks)) == 2
    uses = [block["toolUse"] for block in conversation.messages[1]["content"] if "toolUse" in block]
    assert [(use["toolUseId"], use["input"]["expression"]) for use in uses] == list(
        zip(blocks, ["1+1", "2+2"], strict=True)
    )


async def test_an_id_of_an_earlier_message_is_not_used_again(provider: ModelServer) -> None:
    """C2: some servers begin to count anew with each response."""
    again = sent(d(call(ONE, index=0, id="call_0")), *TOOLS_END)
    provider.script(again, again, answer("done"))
    items = await turn(tools=["calculator"])
    ids = [payload["tool_result"]["toolUseId"] for name, payload in wire(items) if name == "tool_result"]
    assert len(set(ids)) == 2


USAGES: list[tuple[str, Reply, Any]] = [
    ("C3", sent(d({"content": "Hi"}), d({}, "stop", usage=counted()), sse(choices=[]), DONE), tokens(10, 5, 15)),
    ("C3", sent(d({"content": "Hi"}), U, d({}, "stop"), DONE), tokens(10, 5, 15)),
    (
        "C3",
        sent(
            *[d({"content": "."}, usage=counted(completion_tokens=n, total_tokens=10 + n)) for n in (1, 3, 5)],
            d({}, "stop", usage=counted()),
            DONE,
        ),
        tokens(10, 5, 15),
    ),
    (
        "C3",
        sent(
            sse(choices=[{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop", "usage": counted()}]), DONE
        ),
        tokens(10, 5, 15),
    ),
    ("C3", sent(d({"content": "Hi"}, "stop", x_groq={"usage": counted()}), DONE), tokens(10, 5, 15)),
    (
        "C4",
        sent(d({"content": "Hi"}, "stop"), sse(choices=[], usage=counted(completion_tokens=None)), DONE),
        tokens(10, 0, 15),
    ),
    (
        "C4",
        sent(d({"content": "Hi"}, "stop"), sse(choices=[], usage={"prompt_tokens": 10, "completion_tokens": 5}), DONE),
        tokens(10, 5, 15),
    ),
    (
        "C4",
        sent(
            d({"content": "Hi"}, "stop"),
            sse(choices=[], usage=counted(total_tokens="15", prompt_tokens_details=None)),
            DONE,
        ),
        tokens(10, 5, 15),
    ),
    ("C4", sent(d({"content": "Hi"}, "stop"), sse(choices=[], usage=[]), DONE), None),
]


@pytest.mark.parametrize(("row", "reply", "used"), USAGES)
async def test_usage_in_any_position_and_shape(provider: ModelServer, row: str, reply: Reply, used: Any) -> None:
    provider.script(reply)
    items = await turn()
    assert [one.usage for one in summary(items).calls] == [used], row
    assert [name for name, _ in wire(items)].count("metadata") == (used is not None)


PARTS = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, {"type": "text", "text": "Hi"}]
SHAPES: list[tuple[str, Reply, str]] = [
    (
        "C5",
        sent(
            sse(choices=[{"index": 0, "finish_reason": None, "content_filter_offsets": {}}]),
            d({"content": "Hi"}),
            d(None, "stop"),
            DONE,
        ),
        "",
    ),
    (
        "C5",
        sent(sse(choices=[{"index": 0, "delta": None, "finish_reason": None}, None]), d({"content": "Hi"}), *END),
        "",
    ),
    ("C6", sent(d({"content": PARTS}), *END), "Hm."),
    (
        "C6",
        sent(d({"content": [{"type": "thinking", "thinking": "Hm."}]}), d({"content": ["H", {"text": "i"}]}), *END),
        "Hm.",
    ),
    ("C6", sent(d({"reasoning": "Hm.", "content": None}), d({"content": "Hi", "tool_calls": None}), *END), "Hm."),
    ("C6", sent(": keep-alive\n\n", "event: ping\ndata: {}\n\n", "data: null\n\n", d({"content": "Hi"}), *END), ""),
    ("C6", {"status": 200, "body": {"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}}, ""),
    ("C6", sent(sse(choices=[{"index": 1, "delta": {"content": "another answer"}}]), d({"content": "Hi"}), *END), ""),
]


@pytest.mark.parametrize(("row", "reply", "thought"), SHAPES)
async def test_other_shapes(provider: ModelServer, row: str, reply: Reply, thought: str) -> None:
    provider.script(reply)
    conversation = Conversation()
    items = await turn(conversation)
    assert summary(items), row
    assert "".join(payload["text"] for name, payload in wire(items) if name == "content_block_delta") == "Hi"
    assert "".join(payload["reasoningText"] for name, payload in wire(items) if name == "reasoning") == thought
    assert [block["text"] for block in conversation.messages[1]["content"] if "text" in block] == ["Hi"]


@pytest.mark.parametrize("member", ["reasoning_content", "reasoning"])
async def test_reasoning_goes_back_within_the_tool_loop_and_not_beyond(provider: ModelServer, member: str) -> None:
    """C8"""
    provider.script(
        sent(d({member: "Let me "}), d({member: "add."}), d(call(ONE, index=0, id="a")), *TOOLS_END), answer("2")
    )
    conversation = Conversation()
    assert summary(await turn(conversation, tools=["calculator"]))
    assert provider.calls[1]["messages"][-2][member] == "Let me add."
    assert summary(await turn(conversation, history=conversation.messages))
    assert "Let me add." not in str(provider.calls[2])


NICE = "Nice \udcaf day"
WHOLE = "Nice  day"
BROKEN: list[tuple[str, str, Reply]] = [
    ("text", "gpt-x", sent(d({"content": NICE}), *END)),
    ("text", BEDROCK_CLAUDE, bedrock_answer(NICE)),
    ("text", GEMINI, events(gemini_text(NICE, "STOP"))),
    ("reasoning", "gpt-x", sent(d({"reasoning_content": NICE}), d({"content": "Hi"}), *END)),
    (
        "reasoning",
        BEDROCK_CLAUDE,
        bedrock(
            {"contentBlockDelta": {"delta": {"reasoningContent": {"text": NICE}}, "contentBlockIndex": 0}},
            {"contentBlockStop": {"contentBlockIndex": 0}},
            {"contentBlockDelta": {"delta": {"text": "Hi"}, "contentBlockIndex": 1}},
            reason="end_turn",
        ),
    ),
    (
        "reasoning",
        GEMINI,
        events(
            {
                "candidates": [
                    {"content": {"parts": [{"text": NICE, "thought": True}, {"text": "Hi"}]}, "finishReason": "STOP"}
                ]
            }
        ),
    ),
    ("tool", "gpt-x", sent(d(call(asks(NICE), index=0, id="a")), *TOOLS_END)),
    ("tool", "gpt-x", sent(d(call(json.dumps({"expression": NICE}, ensure_ascii=False), index=0, id="a")), *TOOLS_END)),
    ("tool", BEDROCK_CLAUDE, bedrock(*bedrock_call(0, "a", *asks(NICE)))),
    ("tool", GEMINI, gemini_calls({"args": {"expression": NICE}})),
]


@pytest.mark.parametrize(("where", "model_id", "reply"), BROKEN)
async def test_half_a_character_is_never_shown_stored_or_sent(
    provider: ModelServer, where: str, model_id: str, reply: Reply
) -> None:
    """C9"""
    provider.script(reply, FINAL[model_id], FINAL[model_id])
    conversation = Conversation()
    items = await turn(conversation, model_id=model_id, tools=["calculator"])
    assert summary(items)
    assert summary(await turn(conversation, model_id=model_id, history=conversation.messages))
    told = wire(items)
    kept = {
        "text": "".join(payload.get("text", "") for name, payload in told if name == "content_block_delta"),
        "reasoning": "".join(payload.get("reasoningText", "") for name, payload in told if name == "reasoning"),
        "tool": "".join(payload.get("input", "") for name, payload in told if name == "content_block_delta"),
    }[where]
    assert (json.loads(kept)["expression"] if where == "tool" else kept) == WHOLE
    for everything in (told, conversation.messages):
        assert "\\udc" not in json.dumps(everything).lower()


@pytest.mark.parametrize(
    ("model_id", "reply"),
    [
        ("gpt-x", sent(d({"content": "a\ud83d"}), d({"content": "\ude00b"}), *END)),
        (BEDROCK_CLAUDE, bedrock_answer("a\ud83d", "\ude00b")),
    ],
)
async def test_halves_that_belong_together_are_joined(provider: ModelServer, model_id: str, reply: Reply) -> None:
    provider.script(reply)
    conversation = Conversation()
    assert summary(await turn(conversation, model_id=model_id))
    assert conversation.messages[1] == assistant("a\U0001f600b")


async def test_half_a_character_in_a_tools_result(provider: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from agents.tools import registry

    monkeypatch.setitem(registry.LOCAL_TOOLS, "halved", "tests.unit.agents.sample_tools")
    provider.script(
        sent(d(call("{}", index=0, id="a", function={"name": "halved", "arguments": "{}"})), *TOOLS_END), answer("k")
    )
    conversation = Conversation()
    items = await turn(conversation, tools=["halved"])
    assert summary(items)
    for everything in (wire(items), conversation.messages, provider.calls):
        assert "\\udc" not in json.dumps(everything).lower()


@pytest.mark.parametrize(
    "arguments", ['{"expression": NaN}', '{"expression": 1e400}', '{"a": ' * 300 + "1" + "}" * 300]
)
async def test_a_tool_input_that_no_store_could_hold(provider: ModelServer, arguments: str) -> None:
    provider.script(sent(d(call(arguments, index=0, id="a")), *TOOLS_END), answer("done"))
    conversation = Conversation()
    assert summary(await turn(conversation, tools=["calculator"]))
    assert json.dumps(conversation.messages, allow_nan=False)


@pytest.mark.parametrize("arguments", ['{"a": ' * 100_000, "[" * 100_000])
async def test_a_tool_input_nested_without_end(provider: ModelServer, arguments: str) -> None:
    provider.script(sent(d(call(arguments, index=0, id="a")), *TOOLS_END), answer("done"))
    items = await turn(tools=["calculator"])
    assert not items[-1].swap().value_or(None) or failure(items).code is ErrorCode.MODEL_ERROR


async def test_a_native_citation_is_kept_as_readable_text(provider: ModelServer) -> None:
    """H6"""
    citation = {"title": "a", "sourceContent": [{"text": "source"}]}
    provider.script(
        bedrock(
            {"contentBlockDelta": {"delta": {"text": "Forty"}, "contentBlockIndex": 0}},
            {"contentBlockDelta": {"delta": {"citation": citation}, "contentBlockIndex": 0}},
            {"contentBlockDelta": {"delta": {"text": "-two"}, "contentBlockIndex": 0}},
            reason="end_turn",
        ),
        answer("k"),
        events(gemini_text("k", "STOP")),
    )
    conversation = Conversation()
    assert summary(await turn(conversation, model_id=BEDROCK_CLAUDE))
    assert conversation.messages == [user("hi"), assistant("Forty-two")]
    for model_id in ("gpt-x", GEMINI):
        assert summary(await turn(model_id=model_id, history=conversation.messages))
