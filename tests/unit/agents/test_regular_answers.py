"""Whatever a server sends, the framework reads a regular answer: the two steps alone, without a server."""

import json
from collections.abc import AsyncGenerator, Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.characters import JsonPieces, Pieces, whole
from agents.failures import CutStream, RunHalted
from agents.providers import bedrock
from agents.providers.answer import normalised
from agents.providers.event_lines import ServerEvent, events_of
from agents.providers.openai_chunks import Chunks

HALF = "[\ud800-\udfff]"
TEXTS = st.lists(st.sampled_from(["a", "\\", '"', "\ud83d", "\ude00", "\u2028", "ud83d", "\\ud83d"]), max_size=6).map(
    "".join
)
KEYS = st.sampled_from([None, 0, 1, 2])
IDS = st.sampled_from([None, "", "a", "b", "earlier", "x" * 400, 7])
NAMES = st.sampled_from([None, "", " ", "calculator", "b", 7])
JSON = st.recursive(
    TEXTS | st.integers() | st.floats(),
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=6,
)
MEMBERS = st.sampled_from(
    ["choices", "delta", "usage", "content", "tool_calls", "function", "index", "arguments", "text"]
)
SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(MEMBERS, inner),
)


def at(key: int | None) -> dict[str, Any]:
    return {} if key is None else {"contentBlockIndex": key}


def delta(key: int | None, **content: Any) -> dict[str, Any]:
    return {"contentBlockDelta": {"delta": content, **at(key)}}


def start(key: int | None, use: dict[str, Any]) -> dict[str, Any]:
    return {"contentBlockStart": {"start": {"toolUse": use}, **at(key)}}


CHUNKS = st.one_of(
    st.just({"messageStart": {"role": "assistant"}}),
    KEYS.map(lambda key: {"contentBlockStart": {"start": {}, **at(key)}}),
    st.tuples(KEYS, IDS, NAMES).map(
        lambda given: {
            "contentBlockStart": {"start": {"toolUse": {"toolUseId": given[1], "name": given[2]}}, **at(given[0])}
        }
    ),
    st.tuples(KEYS, TEXTS).map(lambda given: delta(given[0], text=given[1])),
    st.tuples(KEYS, TEXTS).map(lambda given: delta(given[0], reasoningContent={"text": given[1], "signature": "s"})),
    st.tuples(KEYS, JSON | TEXTS, NAMES).map(
        lambda given: delta(given[0], toolUse={"input": given[1], "name": given[2]})
    ),
    KEYS.map(lambda key: {"contentBlockStop": at(key)}),
    JSON.map(lambda counted: {"metadata": {"usage": {"inputTokens": counted, "outputTokens": 5}}}),
    st.sampled_from([None, "end_turn", "tool_use", "max_tokens", "content_filtered", "odd"]).map(
        lambda reason: {"messageStop": {"stopReason": reason}}
    ),
)


@settings(deadline=None)
@given(st.lists(CHUNKS, max_size=30))
async def test_whatever_is_sent(sent: list[dict[str, Any]]) -> None:
    async def raw() -> AsyncGenerator[dict[str, Any]]:
        for chunk in sent:
            yield chunk

    made: list[dict[str, Any]] = []
    try:
        async for event in normalised(raw, ends=bedrock.ENDS, taken=["earlier"]):
            made.append(dict(event))  # noqa: PERF401 - what came before a failure counts too
    except (RunHalted, CutStream):
        assert all(_blocks(made))
        return
    names = [next(iter(event)) for event in made]
    assert names[0] == "messageStart"
    assert (names.count("messageStart"), names.count("messageStop")) == (1, 1)
    assert names[-1] in {"messageStop", "metadata"}
    ids = list(_blocks(made))
    assert len(set(ids)) == len(ids)
    assert "earlier" not in ids
    (stop,) = [event["messageStop"]["stopReason"] for event in made if "messageStop" in event]
    assert stop in {"end_turn", "tool_use", "max_tokens", "content_filtered"}
    assert stop not in {"end_turn", "tool_use"} or (stop == "tool_use") == bool(ids)
    text = "".join(
        event["contentBlockDelta"]["delta"].get("text", "") for event in made if "contentBlockDelta" in event
    )
    assert ids or text.strip()
    for event in made:
        if "metadata" in event:
            usage = event["metadata"]["usage"]
            assert all(isinstance(value, int) and value >= 0 for value in usage.values())
            assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"]


def _blocks(made: list[dict[str, Any]]) -> Iterator[str]:
    """One block at a time, each of one kind; the ids of the tools."""
    tool: str | None = None
    for event in made:
        match event:
            case {"contentBlockStart": {"start": {"toolUse": use}}}:
                tool = use["toolUseId"]
                assert use["name"].strip()
                yield use["toolUseId"]
            case {"contentBlockStart": _}:
                tool = None
            case {"contentBlockDelta": {"delta": content}}:
                assert ("toolUse" in content) == (tool is not None)
                json.dumps(content, ensure_ascii=False).encode()
            case {"contentBlockStop": _}:
                tool = None


@settings(deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=[])), st.lists(st.integers(0, 40), max_size=6))
def test_text_in_pieces(text: str, cuts: list[int]) -> None:
    pieces = Pieces()
    read = "".join(pieces.feed(piece) for piece in _cut(text, cuts))
    read.encode()
    assert read == whole(text)


@settings(deadline=None)
@given(JSON, st.booleans(), st.lists(st.integers(0, 60), max_size=8))
def test_json_text_in_pieces(value: Any, is_ascii: bool, cuts: list[int]) -> None:
    """Escaped or not, and wherever it is divided."""
    pieces = JsonPieces()
    read = "".join(pieces.feed(piece) for piece in _cut(json.dumps(value, ensure_ascii=is_ascii), cuts)) + pieces.rest()
    read.encode()
    assert repr(whole(json.loads(read))) == repr(whole(value))
    json.dumps(json.loads(read), ensure_ascii=False).encode()


def _cut(text: str, cuts: list[int]) -> list[str]:
    places = sorted({0, len(text), *(place for place in cuts if place < len(text))})
    return [text[start:end] for start, end in pairwise(places)]


@settings(deadline=None)
@given(SHAPES)
def test_no_shape_of_a_chunk_breaks_the_reader(chunk: Any) -> None:
    chunks = Chunks()
    for one in (chunk, {"choices": chunk}, {"choices": [{"delta": chunk}]}, {"usage": chunk},
                {"choices": [{"delta": {"tool_calls": chunk, "content": chunk}, "finish_reason": chunk}]}):  # fmt: skip
        if not (isinstance(one, dict) and one.get("error")):
            list(chunks.feed(one))
    list(chunks.end())


EVENTS = b'event: e\r\ndata: {"a":\r\ndata: 1}\r\n\r\n: comment\n\ndata:\xe2\x82\xac\n\nid: 1\ndata: last'


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
async def test_events_wherever_the_transport_divides_them(size: int) -> None:
    async def chunks() -> AsyncGenerator[bytes]:
        for start in range(0, len(EVENTS), size):
            yield EVENTS[start : start + size]

    read = [event async for event in events_of(chunks())]
    assert read == [ServerEvent("e", '{"a":\n1}'), ServerEvent("", "\u20ac"), ServerEvent("", "last")]
