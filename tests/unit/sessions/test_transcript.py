from typing import Any

import pytest

from apis.app_api.sessions.transcript import content_block, message_response
from apis.shared.sessions.models import StoredMessage

BYTES = b"\x89PNG\xff"
TEXT = "iVBORw=="


def media(kind: str, **more: Any) -> dict[str, Any]:
    return {kind: {"source": {"bytes": b"\x89PNG"}, **more}}


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ({"text": "a\n\n[Attached files: x]"}, {"type": "text", "text": "a\n\n[Attached files: x]"}),
        (media("image"), {"type": "image", "image": {"format": "png", "data": TEXT}}),
        (media("image", format="jpeg"), {"type": "image", "image": {"format": "jpeg", "data": TEXT}}),
        ({"image": {"format": "png", "data": "x"}}, {"type": "image", "image": {"format": "png", "data": "x"}}),
        (media("document"), {"type": "document", "document": {"format": "txt", "name": "document", "data": TEXT}}),
        (
            {"reasoningContent": {"redactedContent": b"\x89PNG"}},
            {"type": "reasoningContent", "reasoningContent": {"redactedContent": TEXT}},
        ),
        ({"video": {"a": 1}}, {"type": "text", "text": '{"video": {"a": 1}}'}),
        (
            {"toolUse": {"toolUseId": "t", "name": "n", "input": {"a": None}}},
            {"type": "toolUse", "toolUse": {"toolUseId": "t", "name": "n", "input": {"a": None}}},
        ),
    ],
)
def test_content_blocks_on_the_wire(stored: dict[str, Any], shown: dict[str, Any]) -> None:
    assert content_block(stored).model_dump(by_alias=True) == shown


def stored(role: Any) -> StoredMessage:
    return StoredMessage({"role": role, "content": [{"text": "x"}]}, "t")


@pytest.mark.parametrize(
    ("role", "cost", "metadata", "citations"),
    [
        ("assistant", None, None, None),
        ("user", {"cost": 1.0}, None, None),
        ("assistant", {"cost": 1.0}, {"cost": 1.0}, None),
        ("assistant", {"cost": None, "latency": {"endToEndLatency": 5}}, {"latency": {"endToEndLatency": 5}}, None),
        ("assistant", {"latency": {"endToEndLatency": None}}, {"latency": {"endToEndLatency": None}}, None),
        (
            "assistant",
            {"citations": [{"assistantId": "a", "text": None}]},
            {},
            [{"assistantId": "a", "documentId": "", "fileName": "", "text": ""}],
        ),
    ],
)
def test_metadata_and_citations(role: str, cost: Any, metadata: Any, citations: Any) -> None:
    shown = message_response("s", 3, stored(role), cost).unwrap().model_dump(by_alias=True)
    assert shown["id"] == "msg-s-3"
    assert (shown.get("metadata"), shown.get("citations")) == (metadata, citations)


@pytest.mark.parametrize("citations", [["x"], [None], "x", {"text": "x"}, 5])
def test_a_citation_that_is_none_is_corrupt(citations: Any) -> None:
    assert message_response("s", 0, stored("assistant"), {"citations": citations}).failure().code == "internal_error"


@pytest.mark.parametrize("block", [{"text": 5}, {"image": None}, {"toolResult": "x"}, {"toolUse": ["x"]}, None, 5])
def test_a_block_that_is_none_is_corrupt_and_not_quoted(block: Any) -> None:
    error = message_response("s", 0, StoredMessage({"role": "user", "content": [block]}, "t"), None).failure()
    assert (error.code, error.cause) == ("internal_error", None)


def test_a_cache_point_is_no_content() -> None:
    message = StoredMessage({"role": "user", "content": [{"cachePoint": {"type": "default"}}, {"text": "x"}]}, "t")
    assert [block.text for block in message_response("s", 0, message, None).unwrap().content] == ["x"]
