"""From framework events to wire events, without a framework: indices, parser rules, usage, timings."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.events import (
    CallMetadata,
    Citation,
    Metrics,
    StreamEvent,
    TextBlockStart,
    TextDelta,
    ToolBlockStart,
    ToolInputDelta,
    TurnMetadata,
)
from agents.pipeline import Pipeline
from apis.shared.costs.models import StoredCitation
from tests.unit.agents.turns import tokens

START = {"messageStart": {"role": "assistant"}}


def begin(index: int | None = None, tool: str | None = None) -> dict[str, Any]:
    start = {"toolUse": {"toolUseId": tool, "name": "calculator"}} if tool else {}
    return {"contentBlockStart": {"start": start, **_at(index)}}


def delta(index: int | None = None, **content: Any) -> dict[str, Any]:
    return {"contentBlockDelta": {"delta": content, **_at(index)}}


def text(value: str, index: int | None = None) -> dict[str, Any]:
    return delta(index, text=value)


def tool_input(value: str, index: int | None = None, **named: str) -> dict[str, Any]:
    return delta(index, toolUse={"input": value, **named})


def reasoning(index: int | None = None, **content: Any) -> dict[str, Any]:
    return delta(index, reasoningContent=content)


def end(index: int | None = None) -> dict[str, Any]:
    return {"contentBlockStop": _at(index)}


def stop(reason: str | None = "end_turn") -> dict[str, Any]:
    return {"messageStop": {"stopReason": reason}}


def _at(index: int | None) -> dict[str, Any]:
    return {} if index is None else {"contentBlockIndex": index}


def fed(*chunks: dict[str, Any], pipeline: Pipeline | None = None) -> list[StreamEvent]:
    pipeline = pipeline or Pipeline()
    return [event for chunk in chunks for event in pipeline.feed({"event": chunk})]


def wire(events: Iterable[StreamEvent]) -> list[tuple[str, Any]]:
    return [(event.event, event.payload()) for event in events]


def block(n: int) -> tuple[str, Any]:
    return ("content_block_start", {"contentBlockIndex": n})


def tool_block(n: int, tool_use_id: str) -> tuple[str, Any]:
    tool = {"toolUseId": tool_use_id, "name": "calculator", "type": "tool_use"}
    return ("content_block_start", {"contentBlockIndex": n, "type": "tool_use", "toolUse": tool})


def block_text(n: int, value: str) -> tuple[str, Any]:
    return ("content_block_delta", {"contentBlockIndex": n, "type": "text", "text": value})


def block_input(n: int, value: str) -> tuple[str, Any]:
    return ("content_block_delta", {"contentBlockIndex": n, "type": "tool_use", "input": value})


def progress(tool_use_id: str, value: str) -> tuple[str, Any]:
    return ("tool_use", {"tool_use": {"name": "calculator", "tool_use_id": tool_use_id, "input": value}})


def block_end(n: int) -> tuple[str, Any]:
    return ("content_block_stop", {"contentBlockIndex": n})


def test_a_provider_with_indices_keeps_them() -> None:
    events = fed(START, text("Let me", 0), end(0), begin(1, "t1"), tool_input("{}", 1), end(1), stop("tool_use"))
    assert wire(events) == [
        ("message_start", {"role": "assistant"}),
        block_text(0, "Let me"),
        block_end(0),
        tool_block(1, "t1"),
        block_input(1, "{}"),
        progress("t1", "{}"),
        block_end(1),
        ("message_stop", {"stopReason": "tool_use"}),
    ]


def test_a_provider_without_indices_gets_them() -> None:
    events = fed(START, begin(), text("a"), end(), begin(tool="t1"), tool_input("{"), tool_input("}"), end())
    assert wire(events)[1:] == [
        block(0),
        block_text(0, "a"),
        block_end(0),
        tool_block(1, "t1"),
        block_input(1, "{"),
        progress("t1", "{"),
        block_input(1, "}"),
        progress("t1", "{}"),
        block_end(1),
    ]


def test_an_empty_text_block_around_a_tool_is_not_shown() -> None:
    events = fed(START, begin(), begin(tool="t1"), tool_input("{}"), end(), end())
    assert wire(events)[1:] == [tool_block(0, "t1"), block_input(0, "{}"), progress("t1", "{}"), block_end(0)]


def test_a_text_block_that_is_used_is_stopped_before_the_next() -> None:
    events = fed(START, begin(), text("a"), begin(tool="t1"), end(), end())
    assert wire(events)[1:] == [block(0), block_text(0, "a"), block_end(0), tool_block(1, "t1"), block_end(1)]


def test_a_tool_that_is_named_in_its_first_delta_gets_a_block() -> None:
    events = fed(START, tool_input("{", toolUseId="t1", name="calculator"), tool_input("}"), end())
    assert wire(events)[1:] == [
        tool_block(0, "t1"),
        block_input(0, "{"),
        progress("t1", "{"),
        block_input(0, "}"),
        progress("t1", "{}"),
        block_end(0),
    ]


@pytest.mark.parametrize("named", [{"toolUseId": "", "name": "x"}, {"toolUseId": "t", "name": ""}, {"name": "x"}])
def test_a_tool_without_id_or_name_is_not_shown(named: dict[str, str]) -> None:
    assert wire(fed(START, {"contentBlockStart": {"start": {"toolUse": named}}}, tool_input("{}"), end()))[1:] == []


def test_reasoning_consumes_an_index_and_has_no_block() -> None:
    thought = [
        reasoning(0, text="Think"),
        reasoning(0, text=" hard"),
        reasoning(0, signature="sig=="),
        reasoning(0, redactedContent=b"\x00\x01"),
    ]
    assert wire(fed(START, *thought, end(0), text("Hi", 1), end(1)))[1:] == [
        ("reasoning", {"reasoningText": "Think"}),
        ("reasoning", {"reasoningText": " hard"}),
        ("reasoning", {"reasoning_signature": "sig=="}),
        ("reasoning", {"redactedContent": "AAE="}),
        block_text(1, "Hi"),
        block_end(1),
    ]


@pytest.mark.parametrize("index", [None, 0])
def test_text_in_a_block_of_reasoning_moves_to_the_next_index_and_is_stopped(index: int | None) -> None:
    events = fed(START, begin(index), reasoning(index, text="Think"), text("Hi", index), end(index), stop())
    assert wire(events)[1:] == [
        ("reasoning", {"reasoningText": "Think"}),
        block_text(1, "Hi"),
        block_end(1),
        ("message_stop", {"stopReason": "end_turn"}),
    ]


def test_what_is_still_open_is_stopped_before_the_message() -> None:
    assert wire(fed(START, text("Hi", 3), stop(None)))[2:] == [
        block_end(3),
        ("message_stop", {"stopReason": "end_turn"}),
    ]


def test_indices_begin_again_with_each_message() -> None:
    events = fed(START, text("a"), end(), stop(), START, text("b"), end(), stop())
    assert [event.index for event in events if isinstance(event, TextDelta)] == [0, 0]


KEYS = st.sampled_from([None, 0, 1, 2])
CHUNKS = st.lists(
    st.one_of(
        KEYS.map(begin),
        st.tuples(KEYS, st.sampled_from(["t1", "t2", "t3"])).map(lambda given: begin(*given)),
        st.tuples(st.sampled_from(["", "a", "b"]), KEYS).map(lambda given: text(*given)),
        st.tuples(st.sampled_from(["", "{", "}"]), KEYS).map(lambda given: tool_input(*given)),
        KEYS.map(lambda key: reasoning(key, text="think")),
        KEYS.map(end),
        st.just(START),
        st.just(stop("tool_use")),
    ),
    max_size=40,
)


@given(CHUNKS)
def test_whatever_order_a_provider_sends_the_clients_parser_follows(chunks: list[dict[str, Any]]) -> None:
    pipeline = Pipeline()
    for message in _messages(chunks):
        events = fed(START, *message, stop(), pipeline=pipeline)
        assert wire(events)[0][0] == "message_start"
        assert wire(events)[-1][0] == "message_stop"
        _follow(events[1:-1])
        shown = "".join(event.text for event in events if isinstance(event, TextDelta))
        sent = "".join(chunk.get("contentBlockDelta", {}).get("delta", {}).get("text", "") for chunk in message)
        assert shown == sent


def _messages(chunks: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    messages: list[list[dict[str, Any]]] = [[]]
    for chunk in chunks:
        if "messageStart" in chunk or "messageStop" in chunk:
            messages.append([])
        else:
            messages[-1].append(chunk)
    return messages


def _follow(events: Iterable[StreamEvent]) -> None:
    """The rules of the client's parser for one message."""
    kinds: dict[int, str] = {}
    started: set[int] = set()
    stopped: set[int] = set()
    for event in events:
        match event:
            case TextBlockStart(index) | ToolBlockStart(index):
                assert index not in kinds
                started.add(index)
                kinds[index] = "tool" if isinstance(event, ToolBlockStart) else "text"
            case TextDelta(index):
                assert kinds.setdefault(index, "text") == "text"
            case ToolInputDelta(index):
                assert kinds[index] == "tool"
                assert index in started
        name, payload = event.event, event.payload()
        if "contentBlockIndex" in payload:
            given_index = payload["contentBlockIndex"]
            assert isinstance(given_index, int)
            assert given_index >= 0
            assert given_index not in stopped
            if name == "content_block_stop":
                assert given_index in kinds
                stopped.add(given_index)
    assert stopped == set(kinds)


@given(st.lists(st.tuples(st.booleans(), KEYS), max_size=12))
def test_no_visible_block_takes_an_index_of_reasoning(order: list[tuple[bool, int | None]]) -> None:
    """The client shows all reasoning in one block above the highest index so far."""
    pipeline = Pipeline()
    taken: set[int] = set()
    for is_reasoning, key in order:
        chunk = reasoning(key, text="think") if is_reasoning else text("a", key)
        before = set(pipeline._call.used)
        events = fed(chunk, end(key), pipeline=pipeline)
        new = pipeline._call.used - before
        assert new
        if is_reasoning:
            taken |= new
        assert not taken & {event.index for event in events if isinstance(event, TextDelta)}


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("milliseconds", "latency", "expected"),
    [(10, 420, 10), (250, 420, 250), (9, 420, 126), (3, 101, 30), (3, 100, None), (None, 420, None)],
)
def test_time_to_the_first_text(milliseconds: int | None, latency: int, expected: int | None) -> None:
    clock = Clock()
    pipeline = Pipeline(clock=clock)
    fed(START, pipeline=pipeline)
    if milliseconds is not None:
        clock.now += (milliseconds + 0.5) / 1000
        fed(text("", 0), text("Hi", 0), pipeline=pipeline)
    (event,) = fed({"metadata": {"usage": {}, "metrics": {"latencyMs": latency}}}, pipeline=pipeline)
    assert isinstance(event, CallMetadata)
    assert event.metrics == Metrics(latency, expected)


def test_a_measured_time_of_the_provider_wins() -> None:
    metrics = {"latency_ms": 500, "time_to_first_byte_ms": 80}
    (event,) = fed({"metadata": {"usage": {}, "metrics": metrics}})
    assert event.payload()["metrics"] == {"latencyMs": 500, "timeToFirstByteMs": 80}


@pytest.mark.parametrize(
    ("reported", "cached_in_input", "shown"),
    [
        ({}, False, {"inputTokens": 0, "outputTokens": 0, "totalTokens": 0}),
        (
            {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15, "cacheReadInputTokens": 0},
            False,
            {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15, "cacheReadInputTokens": 0},
        ),
        (
            {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15, "cache_write_input_tokens": 7},
            False,
            {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15, "cacheWriteInputTokens": 7},
        ),
        (
            {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15, "cacheReadInputTokens": 4},
            True,
            {"inputTokens": 6, "outputTokens": 5, "totalTokens": 15, "cacheReadInputTokens": 4},
        ),
    ],
)
def test_usage_of_a_call(reported: dict[str, int], cached_in_input: bool, shown: dict[str, int]) -> None:
    (event,) = fed({"metadata": {"usage": reported}}, pipeline=Pipeline(input_includes_cached=cached_in_input))
    assert event.payload()["usage"] == shown


def test_a_call_counts_when_its_message_is_complete_not_when_it_starts() -> None:
    clock = Clock()
    pipeline = Pipeline(clock=clock)
    fed(START, text("lost to throttling", 0), pipeline=pipeline)
    assert pipeline.partial_text == "lost to throttling"
    clock.now = 200.0
    fed(START, pipeline=pipeline)
    assert (pipeline.calls, pipeline.partial_text) == ([], "")
    clock.now = 201.0
    fed(text("Hi", 0), end(0), pipeline=pipeline)
    clock.now = 202.0
    fed(stop(), {"metadata": {"usage": {"inputTokens": 10}}}, pipeline=pipeline)
    list(pipeline.feed({"message": {"role": "assistant", "content": [{"text": "Hi"}]}}))
    (call,) = pipeline.calls
    assert (call.started, call.first_text, call.ended, call.usage) == (200.0, 201.0, 202.0, tokens(10))
    assert pipeline.first_delta == 100.0
    assert pipeline.partial_text == ""


def test_results_come_in_the_order_of_the_calls() -> None:
    pipeline = Pipeline()
    asked: list[dict[str, Any]] = [{"toolUse": {"toolUseId": one, "name": "n", "input": {}}} for one in ("a", "b", "c")]
    answered = [
        {"toolResult": {"toolUseId": one, "status": "success", "content": [{"text": one}], "internal": object()}}
        for one in ("b", "c", "a")
    ]
    assert list(pipeline.feed({"message": {"role": "assistant", "content": asked}})) == []
    events = list(pipeline.feed({"message": {"role": "user", "content": answered}}))
    results = [{"toolUseId": one, "status": "success", "content": [{"text": one}]} for one in ("a", "b", "c")]
    assert wire(events) == [
        ("tool_result", {"message": {"role": "user", "content": [{"toolResult": one}]}, "tool_result": one})
        for one in results
    ]


@pytest.mark.parametrize(
    "event",
    [
        {"init_event_loop": True},
        {"start": True},
        {"start_event_loop": True},
        {"data": "Hi", "delta": {"text": "Hi"}, "agent": object()},
        {"event_loop_throttled_delay": 4},
        {"force_stop": True, "force_stop_reason": "secret"},
        {"current_tool_use": {"name": "n", "toolUseId": "t", "input": ""}},
        {"result": object()},
        {"message": {"role": "user", "content": [{"text": "Hi"}]}},
    ],
)
def test_nothing_else_of_the_framework_reaches_a_client(event: dict[str, Any]) -> None:
    assert list(Pipeline().feed(event)) == []


def test_the_other_events() -> None:
    usage = tokens(10, 5, 15) + tokens(1, 2, 3, cache_read_input_tokens=4)
    assert TurnMetadata(usage, Metrics(7, 3), cost=0.5).payload() == {
        "usage": {"inputTokens": 11, "outputTokens": 7, "totalTokens": 18, "cacheReadInputTokens": 4},
        "metrics": {"latencyMs": 7, "timeToFirstByteMs": 3},
        "cost": 0.5,
    }
    assert TurnMetadata(tokens(), Metrics(7)).payload()["metrics"] == {"latencyMs": 7}
    source = StoredCitation(assistant_id="a", document_id="d", file_name="f", text="t")
    members = {"assistantId": "a", "documentId": "d", "fileName": "f", "text": "t"}
    assert Citation(source).payload() == members
    assert Citation(source, is_typed=True).payload() == {"type": "citation", **members}
