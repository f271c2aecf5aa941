"""The way an answer ends decides whether it is one. Each row is a stream as a server has sent it."""

from typing import Any

import pytest

from agents.failures import CUT, FILTERED, LIMIT_REACHED, MALFORMED, REFUSED_BY_FILTER, STOPPED
from apis.shared.errors import ErrorCode, ErrorDetail
from apis.shared.wiring import forget_all
from tests.support.model_server import ModelServer, Reply, answer, events, gemini_text, tool_call
from tests.support.openai_bytes import DONE, U, call, d, sent, sse
from tests.unit.agents.turns import BEDROCK_CLAUDE, Conversation, assistant, failure, summary, tokens, turn, user, wire

GEMINI = "gemini-2.5-flash"
SUM = '{"expression": "6*7"}'
HALF = d({"content": "The three steps are: first"})
USAGE = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}


def bedrock(reason: str | None, *chunks: dict[str, Any]) -> Reply:
    stop = {} if reason is None else {"stopReason": reason}
    return events({"messageStart": {"role": "assistant"}}, *chunks, {"messageStop": stop}, BEDROCK_USAGE)


BEDROCK_USAGE = {
    "metadata": {"usage": {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}, "metrics": {"latencyMs": 7}}
}
SPOKEN = ({"contentBlockDelta": {"delta": {"text": "Half"}, "contentBlockIndex": 0}},)
BEDROCK_CALL = (
    {"contentBlockStart": {"start": {"toolUse": {"toolUseId": "t1", "name": "calculator"}}, "contentBlockIndex": 0}},
    {"contentBlockDelta": {"delta": {"toolUse": {"input": SUM}}, "contentBlockIndex": 0}},
    {"contentBlockStop": {"contentBlockIndex": 0}},
)


def gemini(reason: str, *texts: str) -> Reply:
    return events(*(gemini_text(text) for text in texts), {"candidates": [{"finishReason": reason}]})


def reasons(items: Any) -> list[str]:
    return [payload["stopReason"] for name, payload in wire(items) if name == "message_stop"]


def shown(items: Any) -> str:
    return "".join(payload.get("text", "") for name, payload in wire(items) if name == "content_block_delta")


WORDS = ("abort", "error", "insufficient_system_resource", "an_invented_word", "Some Words; of a server")
MALFORMED_WORDS = ("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL")
FORBIDDEN_WORDS = ("PROHIBITED_CONTENT", "BLOCKLIST", "SPII")
UNKNOWN_WORDS = ("OTHER", "LANGUAGE", "FINISH_REASON_UNSPECIFIED", "AN_INVENTED_WORD")
FAILED_ENDS: list[tuple[str, str, Reply, ErrorDetail]] = [
    *[("E1", "gpt-x", sent(HALF, d({}, word), U, DONE), STOPPED) for word in WORDS],
    ("E1", "gpt-x", sent(HALF, d({}, "abort"), d({}, "stop"), U, DONE), STOPPED),
    ("E1", "gpt-x", sent(d({}, "abort"), U, DONE), STOPPED),
    *[
        ("E2", GEMINI, gemini(word, *texts), failed)
        for words, failed in ((MALFORMED_WORDS, MALFORMED), (FORBIDDEN_WORDS, FILTERED), (UNKNOWN_WORDS, STOPPED))
        for word in words
        for texts in ((), ("Half",))
    ],
    ("E2", GEMINI, gemini("SAFETY"), FILTERED),
    ("E2", GEMINI, gemini("RECITATION"), FILTERED),
    ("E2", GEMINI, events({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": USAGE}), REFUSED_BY_FILTER),
    *[
        ("E4", BEDROCK_CLAUDE, bedrock(word, *chunks), failed)
        for word, failed in (
            ("malformed_tool_use", MALFORMED),
            ("malformed_model_output", STOPPED),
            ("an_invented_word", STOPPED),
            (None, STOPPED),
        )
        for chunks in ((), SPOKEN)
    ],
    ("E4", BEDROCK_CLAUDE, bedrock("content_filtered"), FILTERED),
    ("E5", "gpt-x", sent(d(call(SUM, id="t1", function={"arguments": SUM}), "tool_calls"), U, DONE), MALFORMED),
    ("E8", "gpt-x", sent(d({}, "content_filter"), U, DONE), FILTERED),
]


@pytest.mark.parametrize(("row", "model_id", "reply", "failed"), FAILED_ENDS)
async def test_an_end_that_is_none(
    provider: ModelServer, row: str, model_id: str, reply: Reply, failed: ErrorDetail
) -> None:
    provider.script(reply)
    conversation = Conversation()
    items = await turn(conversation, model_id=model_id, tools=["calculator"])
    error = failure(items)
    assert (error.message, error.code, error.recoverable) == (failed.message, ErrorCode.MODEL_ERROR, failed.recoverable)
    assert reasons(items) == []
    # As any interrupted answer: what was said so far is not stored, the turn's ending will be.
    assert conversation.messages == [user("hi")]
    assert len(provider.calls) == 1
    assert " " not in error.context.get("provider_code", ""), row


TEXT = d({"content": "Hi"})
RAW_LINE_ENDS = 'data: {"choices": [{"delta": {"content": "a\u2028b\u0085c"}, "finish_reason": "stop"}]}\r\n\r\n'
COMPLETE: list[tuple[str, str, Reply, str, str]] = [
    ("E5", "gpt-x", sent(TEXT, d({}, "tool_calls"), U, DONE), "end_turn", "Hi"),
    ("E7", "gpt-x", sent(TEXT, DONE), "end_turn", "Hi"),
    ("E7", "gpt-x", sent(TEXT, U), "end_turn", "Hi"),
    ("E7", "gpt-x", sent(TEXT, d({}, "stop")), "end_turn", "Hi"),
    (
        "E8",
        "gpt-x",
        sent(d({"refusal": "I can't "}), d({"refusal": "help."}), d({}, "stop"), U, DONE),
        "end_turn",
        "I can't help.",
    ),
    (
        "E9",
        "gpt-x",
        {
            "steps": [
                {"raw": d({"content": "Then data: [DONE] ends"})},
                {"pause_ms": 300},
                {"raw": d({"content": " it."})},
                {"raw": d({}, "stop") + U + DONE},
                {"truncate": True},
            ]
        },
        "end_turn",
        "Then data: [DONE] ends it.",
    ),
    ("E9", "gpt-x", sent(RAW_LINE_ENDS, DONE), "end_turn", "a\u2028b\u0085c"),
    ("E3", GEMINI, events(gemini_text("Hi", "STOP"), {"usageMetadata": USAGE}), "end_turn", "Hi"),
    ("E3", GEMINI, events(gemini_text("a\u2028b\u0085c", "STOP")), "end_turn", "a\u2028b\u0085c"),
    ("E4", BEDROCK_CLAUDE, bedrock("stop_sequence", *SPOKEN), "stop_sequence", "Half"),
    ("E4", BEDROCK_CLAUDE, bedrock("guardrail_intervened", *SPOKEN), "guardrail_intervened", "Half"),
]


@pytest.mark.parametrize(("row", "model_id", "reply", "reason", "text"), COMPLETE)
async def test_a_complete_answer(
    provider: ModelServer, row: str, model_id: str, reply: Reply, reason: str, text: str
) -> None:
    provider.script(reply)
    conversation = Conversation()
    items = await turn(conversation, model_id=model_id, tools=["calculator"])
    assert summary(items), row
    assert (reasons(items), shown(items)) == ([reason], text)
    assert conversation.messages == [user("hi"), assistant(text)]
    assert len(provider.calls) == 1


CUT_SHORT: list[tuple[str, str, Reply, str, ErrorDetail]] = [
    ("E3", GEMINI, events(gemini_text("Half", "MAX_TOKENS"), {"usageMetadata": USAGE}), "max_tokens", CUT),
    ("E4", BEDROCK_CLAUDE, bedrock("model_context_window_exceeded", *SPOKEN), "max_tokens", CUT),
    ("E2", GEMINI, events(gemini_text("Half", "SAFETY", usageMetadata=USAGE)), "content_filtered", FILTERED),
    ("E4", BEDROCK_CLAUDE, bedrock("content_filtered", *SPOKEN), "content_filtered", FILTERED),
    ("E1", "gpt-x", sent(d({"content": "Half"}, "content_filter"), U, DONE), "content_filtered", FILTERED),
    ("E1", "gpt-x", sent(d({"content": "Half"}, "length"), U, DONE), "max_tokens", CUT),
]


@pytest.mark.parametrize(("row", "model_id", "reply", "reason", "failed"), CUT_SHORT)
async def test_an_answer_that_was_cut_short(
    provider: ModelServer, row: str, model_id: str, reply: Reply, reason: str, failed: ErrorDetail
) -> None:
    provider.script(reply)
    conversation = Conversation()
    items = await turn(conversation, model_id=model_id)
    assert failure(items).message == failed.message, row
    assert reasons(items) == [reason]
    assert conversation.messages == [user("hi"), assistant("Half")]
    assert [payload["usage"]["totalTokens"] for name, payload in wire(items) if name == "metadata"] == [15]


NO_ID = [sent(d(call(SUM, index=0, **given), "tool_calls"), U, DONE) for given in ({}, {"id": ""}, {"id": None})]
WITH_A_TOOL: list[tuple[str, str, Reply]] = [
    *[("E5", "gpt-x", reply) for reply in NO_ID],
    ("E6", "gpt-x", sent(d(call(SUM, index=0, id="t1")), d({}, "stop"), U, DONE)),
    ("E6", "gpt-x", sent(d(call(SUM, index=0, id="t1")), U, DONE)),
    ("E6", "gpt-x", sent(d(call(SUM, index=0, id="t1")), DONE)),
    ("E6", BEDROCK_CLAUDE, bedrock("end_turn", *BEDROCK_CALL)),
    (
        "E6",
        GEMINI,
        events(
            {
                "candidates": [
                    {
                        "content": {
                            "role": "model",
                            "parts": [{"functionCall": {"name": "calculator", "args": {"expression": "6*7"}}}],
                        },
                        "finishReason": "STOP",
                    }
                ]
            }
        ),
    ),
]
FINAL: dict[str, Reply] = {
    "gpt-x": answer("It is 42."),
    BEDROCK_CLAUDE: bedrock(
        "end_turn", {"contentBlockDelta": {"delta": {"text": "It is 42."}, "contentBlockIndex": 0}}
    ),
    GEMINI: events(gemini_text("It is 42.", "STOP")),
}


@pytest.mark.parametrize(("row", "model_id", "reply"), WITH_A_TOOL)
async def test_a_tool_call_is_run_whatever_the_end_is_called(
    provider: ModelServer, row: str, model_id: str, reply: Reply
) -> None:
    provider.script(reply, FINAL[model_id])
    conversation = Conversation()
    items = await turn(conversation, model_id=model_id, tools=["calculator"])
    assert len(summary(items).calls) == 2, row
    names = [name for name, _ in wire(items)]
    assert reasons(items) == ["tool_use", "end_turn"]
    assert names.index("message_stop") < names.index("tool_result")
    (result,) = [payload["tool_result"] for name, payload in wire(items) if name == "tool_result"]
    assert (result["content"], bool(result["toolUseId"])) == ([{"text": "Result: 42"}], True)
    assert [message["role"] for message in conversation.messages] == ["user", "assistant", "user", "assistant"]


@pytest.mark.parametrize(
    "reply",
    [
        sent(TEXT),
        sent(d({"content": "Hi"}, usage={"prompt_tokens": 10, "completion_tokens": 1})),
        sent(sse(choices=[])),
    ],
)
async def test_the_mere_end_of_a_connection_is_no_end(provider: ModelServer, reply: Reply) -> None:
    provider.script(reply)
    assert failure(await turn()).code is ErrorCode.SERVICE_UNAVAILABLE


@pytest.mark.parametrize("model_id", ["gpt-x", BEDROCK_CLAUDE, GEMINI])
@pytest.mark.parametrize("text", [None, " \n"])
async def test_an_empty_answer_is_shown_as_it_is_stored(provider: ModelServer, model_id: str, text: str | None) -> None:
    spoken = [] if text is None else [text]
    replies = {
        "gpt-x": answer(*spoken),
        GEMINI: events(*map(gemini_text, spoken), {"candidates": [{"finishReason": "STOP"}]}),
        BEDROCK_CLAUDE: bedrock("end_turn", *({"contentBlockDelta": {"delta": {"text": one}}} for one in spoken)),
    }
    provider.script(replies[model_id])
    conversation = Conversation()
    items = await turn(conversation, model_id=model_id)
    assert summary(items)
    assert shown(items).strip() == "(The model gave no answer.)"
    assert conversation.messages == [user("hi"), assistant("(The model gave no answer.)")]
    names = [name for name, _ in wire(items) if name != "metadata"]
    assert names[-4:] == ["content_block_start", "content_block_delta", "content_block_stop", "message_stop"]


async def test_a_model_that_never_stops_asking_reaches_the_limit(
    provider: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_MODEL_CALLS_PER_TURN", "3")
    forget_all()
    provider.script(*[tool_call((f"t{n}", "calculator", {"expression": "1"})) for n in range(9)])
    conversation = Conversation()
    items = await turn(conversation, tools=["calculator"])
    error = failure(items)
    assert (error, error.recoverable) == (LIMIT_REACHED, False)
    assert (error.code, "limit" in error.message) == (ErrorCode.AGENT_ERROR, True)
    assert len(provider.calls) == 3
    assert [message["role"] for message in conversation.messages] == ["user", *["assistant", "user"] * 3]


async def test_the_limit_is_fifty(provider: ModelServer) -> None:
    provider.script(*[tool_call((f"t{n}", "browser_get_page_info", {})) for n in range(60)])
    items = await turn(tools=["browser_get_page_info"])
    assert failure(items) == LIMIT_REACHED
    assert len(provider.calls) == 50
    assert reasons(items) == ["tool_use"] * 50


async def test_usage_of_an_answer_without_a_reason(provider: ModelServer) -> None:
    provider.script(sent(TEXT, U, DONE))
    assert [one.usage for one in summary(await turn()).calls] == [tokens(10, 5, 15)]
