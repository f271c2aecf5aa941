"""Whatever a provider sends, in whatever order: a client that knows only the wire can follow."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.pipeline import Pipeline
from tests.support.chat_client import ChatClient

KEYS = st.sampled_from([None, 0, 1, 2, 5])
TEXTS = st.sampled_from(["", "a", "b"])
USAGE = {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}
END: list[dict[str, Any]] = [
    {"messageStop": {"stopReason": "end_turn"}},
    {"metadata": {"usage": USAGE, "metrics": {"latencyMs": 1}}},
]


def start(key: int | None, **content: Any) -> dict[str, Any]:
    return {"contentBlockStart": {"contentBlockIndex": key, "start": content}}


def delta(key: int | None, **content: Any) -> dict[str, Any]:
    return {"contentBlockDelta": {"contentBlockIndex": key, "delta": content}}


CHUNKS = st.one_of(
    st.builds(start, KEYS),
    st.builds(start, KEYS, toolUse=st.builds(dict, name=st.just("calculator"))),
    st.builds(delta, KEYS, text=TEXTS),
    st.builds(delta, KEYS, toolUse=st.builds(dict, input=TEXTS)),
    st.builds(delta, KEYS, reasoningContent=st.builds(dict, text=TEXTS)),
    st.builds(delta, KEYS, reasoningContent=st.builds(dict, text=TEXTS), text=TEXTS),
    st.builds(lambda key: {"contentBlockStop": {"contentBlockIndex": key}}, KEYS),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(CHUNKS, max_size=12), min_size=1, max_size=2))
def test_a_client_can_follow_any_order(calls: list[list[dict[str, Any]]]) -> None:
    pipeline, client, uses = Pipeline(), ChatClient(), 0
    for call in calls:
        chunks: list[dict[str, Any]] = [{"messageStart": {"role": "assistant"}}, *call, *END]
        for chunk in chunks:
            tool = chunk.get("contentBlockStart", {}).get("start", {}).get("toolUse")
            if tool is not None:
                uses += 1
                tool["toolUseId"] = f"t{uses}"
            for event in pipeline.feed({"event": chunk}):
                client.feed(event.event, event.payload())
        (shown,) = client.messages[-1:]
        reasoned = "".join(one.get("reasoningContent", {}).get("text", "") for one in _deltas(call))
        assert shown.reasoning == reasoned
        texts = [block.text for block in shown.blocks.values() if block.kind == "text"]
        assert sorted("".join(texts)) == sorted("".join(one.get("text", "") for one in _deltas(call)))


def test_a_tool_after_reasoning_that_interrupted_a_text() -> None:
    """One provider sends text and reasoning in one block, and its tools after it."""
    pipeline, client = Pipeline(), ChatClient()
    tool = {"name": "calculator", "toolUseId": "t1"}
    chunks: list[dict[str, Any]] = [
        {"messageStart": {"role": "assistant"}},
        start(None),
        delta(None, text="Let me see."),
        delta(None, reasoningContent={"text": "hm"}),
        {"contentBlockStop": {}},
        start(None, toolUse=tool),
        {"contentBlockStop": {}},
        *END,
    ]
    for chunk in chunks:
        for event in pipeline.feed({"event": chunk}):
            client.feed(event.event, event.payload())
    (shown,) = client.messages
    assert {index: block.kind for index, block in shown.blocks.items()} == {0: "text", 1: "reasoning", 2: "tool_use"}


def _deltas(call: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [chunk["contentBlockDelta"]["delta"] for chunk in call if "contentBlockDelta" in chunk]
