"""Bedrock's ConverseStream on the wire: block indices of the provider, cache markers, and its errors."""

from typing import Any

import pytest

from tests.support.model_server import ModelServer, Reply, events
from tests.support.platform import CLAUDE, USER_ID, Platform, inline_file

DEFAULT_MODEL = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
MARKER = {"cachePoint": {"type": "default"}}


def delta(index: int, **content: Any) -> dict[str, Any]:
    return {"contentBlockDelta": {"contentBlockIndex": index, "delta": content}}


def stop(index: int) -> dict[str, Any]:
    return {"contentBlockStop": {"contentBlockIndex": index}}


def message(
    *blocks: dict[str, Any], reason: str = "end_turn", counted: tuple[int, ...] = (10, 5), **cached: int
) -> Reply:
    """A complete answer; Bedrock's usage comes with the last event."""
    used, made = counted
    usage = {"inputTokens": used, "outputTokens": made, "totalTokens": used + made, **cached}
    return events(
        {"messageStart": {"role": "assistant"}},
        *blocks,
        {"messageStop": {"stopReason": reason}},
        {"metadata": {"usage": usage, "metrics": {"latencyMs": 420}}},
    )


def refused(status: int, kind: str, text: str = "arn:aws:secret") -> Reply:
    return {"status": status, "headers": {"x-amzn-ErrorType": kind}, "body": {"message": text}}


HELLO = message(delta(0, text="Hel"), delta(0, text="lo"), stop(0))


async def test_a_plain_answer_of_the_default_model(tables: Platform, model: ModelServer, session_id: str) -> None:
    model.script(HELLO)
    turn = await tables.chat(session_id, model_id=None, enabled_tools=[], provider=None)
    assert turn.events[:5] == [
        ("message_start", {"role": "assistant"}),
        ("content_block_delta", {"contentBlockIndex": 0, "type": "text", "text": "Hel"}),
        ("content_block_delta", {"contentBlockIndex": 0, "type": "text", "text": "lo"}),
        ("content_block_stop", {"contentBlockIndex": 0}),
        ("message_stop", {"stopReason": "end_turn"}),
    ]
    assert turn.names[5:] == ["metadata", "metadata", "done"]
    assert turn.of("metadata")[0]["metrics"]["latencyMs"] == 420
    assert model.requests[0].path.startswith("/model/us.anthropic.claude-haiku-4-5-20251001-v1")
    body = model.calls[0]
    assert body["messages"] == [{"role": "user", "content": [{"text": "hi"}]}]
    assert body["inferenceConfig"] == {"temperature": 0.7}
    assert (await tables.session(session_id))["preferences"]["lastModel"] == DEFAULT_MODEL
    (record,) = tables.of_session(USER_ID, session_id, "C#")
    assert record["messageId"] == 1
    assert record["modelInfo"]["modelName"] == "Claude Haiku 4.5"
    assert record["latency"]["endToEndLatency"] == 420


async def test_the_cache_marker_is_sent_and_not_stored(tables: Platform, model: ModelServer, session_id: str) -> None:
    cached = message(delta(0, text="Two."), stop(0), counted=(300, 100), cacheReadInputTokens=6000)
    model.script(HELLO, cached)
    await tables.chat(session_id, "one", model_id=CLAUDE)
    turn = await tables.chat(session_id, "two", model_id=CLAUDE)

    first, second = model.calls
    assert MARKER not in [block for one in first["messages"] for block in one["content"]]
    assert second["messages"] == [
        {"role": "user", "content": [{"text": "one"}]},
        {"role": "assistant", "content": [{"text": "Hello"}, MARKER]},
        {"role": "user", "content": [{"text": "two"}]},
    ]
    assert "cachePoint" not in str(await tables.messages(session_id))
    assert turn.total["usage"]["cacheReadInputTokens"] == 6000
    assert turn.total["usage"]["inputTokens"] == 300
    assert turn.total["cost"] == pytest.approx(0.0014, rel=1e-12)


@pytest.mark.parametrize(
    "members", [{"model_id": CLAUDE, "caching_enabled": False}, {"model_id": "meta.llama3-70b-instruct-v1:0"}]
)
async def test_no_cache_marker_where_it_is_not_wanted_or_not_known(
    tables: Platform, model: ModelServer, session_id: str, members: dict[str, Any]
) -> None:
    model.script(HELLO, HELLO)
    await tables.chat(session_id, "one", **members)
    await tables.chat(session_id, "two", **members)
    assert "cachePoint" not in str(model.calls)


@pytest.mark.parametrize("cached", [{}, {"cacheReadInputTokens": 0, "cacheWriteInputTokens": 0}], ids=["absent", "0"])
async def test_g4_a_prefix_that_is_not_kept_costs_money_and_nothing_else(
    tables: Platform, model: ModelServer, session_id: str, cached: dict[str, Any]
) -> None:
    missed = message(delta(0, text="Two."), stop(0), counted=(1000, 100), **cached)
    model.script(HELLO, missed)
    await tables.chat(session_id, "one", model_id=CLAUDE)
    turn = await tables.chat(session_id, "two", model_id=CLAUDE)
    assert turn.failure is None
    assert len(model.calls) == 2, "no call is repeated"
    assert {name: turn.total["usage"].get(name) for name in cached} == cached
    assert turn.total["cost"] == pytest.approx(0.0015, rel=1e-12)


async def test_a_tool_with_the_indices_of_the_provider(tables: Platform, model: ModelServer, session_id: str) -> None:
    start = {"toolUse": {"toolUseId": "tooluse_1", "name": "calculator"}}
    model.script(
        message(
            delta(0, text="Let me compute."),
            stop(0),
            {"contentBlockStart": {"contentBlockIndex": 1, "start": start}},
            delta(1, toolUse={"input": '{"expressi'}),
            delta(1, toolUse={"input": 'on": "2+2"}'}),
            stop(1),
            reason="tool_use",
            counted=(1000, 200),
            cacheWriteInputTokens=5000,
        ),
        message(delta(0, text="It is 4"), stop(0), counted=(300, 100), cacheReadInputTokens=6000),
    )

    turn = await tables.chat(session_id, model_id=CLAUDE, enabled_tools=["calculator"])

    assert turn.names[:13] == [
        "message_start",
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
    ]
    (use,) = turn.shown[0].tools
    assert (use.input, use.result and use.result["content"]) == ({"expression": "2+2"}, [{"text": "Result: 4"}])
    # The worked example of the cost rules.
    assert turn.total["usage"] == {
        "inputTokens": 1300,
        "outputTokens": 300,
        "totalTokens": 1600,
        "cacheReadInputTokens": 6000,
        "cacheWriteInputTokens": 5000,
    }
    assert turn.total["cost"] == pytest.approx(0.00965, rel=1e-12)
    records = tables.of_session(USER_ID, session_id, "C#")
    assert [record["messageId"] for record in records] == [1, 3]
    assert [float(record["cost"]) for record in records] == pytest.approx([0.00825, 0.0014])
    markers = [one["content"].count(MARKER) for one in model.calls[1]["messages"]]
    assert markers == [0, 1, 0]


async def test_reasoning_with_a_signature(tables: Platform, model: ModelServer, session_id: str) -> None:
    model.script(
        message(
            delta(0, reasoningContent={"text": "Think"}),
            delta(0, reasoningContent={"text": " hard"}),
            delta(0, reasoningContent={"signature": "sig=="}),
            stop(0),
            delta(1, text="Forty-two."),
            stop(1),
        )
    )
    turn = await tables.chat(session_id, model_id=CLAUDE)
    assert turn.of("reasoning") == [
        {"reasoningText": "Think"},
        {"reasoningText": " hard"},
        {"reasoning_signature": "sig=="},
    ]
    assert turn.of("content_block_delta") == [{"contentBlockIndex": 1, "type": "text", "text": "Forty-two."}]
    assert turn.of("content_block_stop") == [{"contentBlockIndex": 1}]
    assert turn.of("content_block_start") == []


async def test_files_are_sent_as_blocks(tables: Platform, model: ModelServer, session_id: str) -> None:
    model.script(HELLO)
    await tables.chat(session_id, "look", model_id=CLAUDE, files=[inline_file("a.pdf", "application/pdf", b"%PDF")])
    assert model.calls[0]["messages"][0]["content"] == [
        {"text": "look\n\n[Attached files: a.pdf]"},
        {"document": {"format": "pdf", "name": "a_pdf", "source": {"bytes": "JVBERg=="}}},
    ]


REFUSALS: dict[str, tuple[Reply, str, bool, int]] = {
    "access denied": (refused(403, "AccessDeniedException"), "model_error", False, 1),
    "throttled": (refused(429, "ThrottlingException"), "model_error", True, 6),
    "unknown model": (refused(404, "ResourceNotFoundException"), "model_error", False, 1),
    "bad model id": (
        refused(400, "ValidationException", "The provided model identifier is invalid."),
        "model_error",
        False,
        1,
    ),
    "unsupported": (refused(400, "ValidationException"), "model_error", False, 1),
    "server error": (refused(500, "InternalServerException"), "service_unavailable", True, 1),
    "unavailable": (refused(503, "ServiceUnavailableException"), "service_unavailable", True, 1),
    "model timeout": (refused(408, "ModelTimeoutException"), "timeout", True, 1),
    "throttled in the stream": (
        {"steps": [{"exception": ["throttlingException", "arn:aws:secret"]}]},
        "model_error",
        True,
        6,
    ),
    "failed in the stream": (
        {"steps": [{"exception": ["internalServerException", "arn:aws:secret"]}]},
        "service_unavailable",
        True,
        1,
    ),
    "reset": ({"steps": [{"reset": True}]}, "service_unavailable", True, 1),
    "cut": ({"steps": [*HELLO["steps"][:2], {"truncate": True}]}, "service_unavailable", True, 1),
}


@pytest.mark.parametrize("case", REFUSALS)
async def test_errors_of_the_provider(tables: Platform, model: ModelServer, session_id: str, case: str) -> None:
    reply, code, recoverable, calls = REFUSALS[case]
    model.script(*[reply] * calls)
    turn = await tables.chat(session_id, model_id=CLAUDE)
    assert (turn.error["code"], turn.error["recoverable"]) == (code, recoverable)
    assert len(model.calls) == calls
    assert "arn:" not in str(turn.events)
    assert await tables.conversation(session_id) == [("user", ["hi"]), ("assistant", [turn.error["message"]])]
    model.script(HELLO)
    assert (await tables.chat(session_id, "again", model_id=CLAUDE)).shown[-1].text == "Hello"
    assert [role for role, _ in await tables.conversation(session_id)] == ["user", "assistant"] * 2


async def test_too_long_for_the_model(tables: Platform, model: ModelServer, session_id: str) -> None:
    model.script(refused(400, "ValidationException", "Input is too long for requested model."))
    turn = await tables.chat(session_id, model_id=CLAUDE)
    assert (turn.error["code"], turn.error["recoverable"]) == ("model_error", False)
    assert "shorten" in turn.error["message"]


async def test_p16_a_model_that_refuses_the_cache_mark_is_asked_once_more_without(
    tables: Platform, model: ModelServer, session_id: str
) -> None:
    """And not again with it in this process; what was stored and shown says nothing of it."""
    model_id = "anthropic.claude-v2"
    not_supported = refused(
        400, "ValidationException", "You invoked an unsupported model or prompt caching: cachePoint"
    )
    model.script(HELLO, not_supported, HELLO, HELLO)
    for message_text in ("one", "two", "three"):
        assert (await tables.chat(session_id, message_text, model_id=model_id)).failure is None
    assert [str(MARKER) in str(body) for body in model.calls] == [False, True, False, False]
    assert model.calls[2]["messages"] == [
        {"role": "user", "content": [{"text": "one"}]},
        {"role": "assistant", "content": [{"text": "Hello"}]},
        {"role": "user", "content": [{"text": "two"}]},
    ]
    assert [role for role, _ in await tables.conversation(session_id)] == ["user", "assistant"] * 3
    await tables.inference_api.steer("forget")


async def test_h6_an_overflow_that_nothing_can_mend_ends(tables: Platform, model: ModelServer, session_id: str) -> None:
    for text in ("one", "two", "three"):
        model.script(HELLO)
        await tables.chat(session_id, text, model_id=CLAUDE)
    model.reset()
    too_long = refused(400, "ValidationException", "Input is too long for requested model.")
    model.script(*[too_long] * 10)
    turn = await tables.chat(session_id, "four", model_id=CLAUDE)
    assert (turn.error["code"], turn.error["recoverable"]) == ("model_error", False)
    sizes = [len(body["messages"]) for body in model.calls]
    assert sizes == [7, 5, 3, 1]
    model.reset()
    model.script(too_long, too_long, HELLO)
    assert (await tables.chat(session_id, "five", model_id=CLAUDE)).failure is None
    assert len(await tables.messages(session_id)) == 10
