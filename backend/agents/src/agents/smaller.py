"""What is kept of the results of tools that are too large for one message of the store: no tool may end a turn."""

from collections.abc import Iterator, Mapping
from typing import Any

from agents.history import RESULT_TOO_LARGE, error_results
from apis.shared.sessions.models import ContentBlock, Message

TOO_LARGE_TO_KEEP = "[{kind}, {form}, {size} KB, too large to be kept]"


def smaller(message: Message) -> Iterator[Message]:
    """The same results without their files, then without anything; nothing of a message of other things."""
    ids = [block["toolResult"]["toolUseId"] for block in message["content"] if "toolResult" in block]
    if not ids:
        return
    if any(_is_file(item) for block in message["content"] for item in _items(block)):
        yield {**message, "content": [_without_files(block) for block in message["content"]]}
    yield {**message, "content": error_results(ids, RESULT_TOO_LARGE)}


def _items(block: ContentBlock) -> list[ContentBlock]:
    items: list[ContentBlock] = block.get("toolResult", {}).get("content") or []
    return items


def _without_files(block: ContentBlock) -> ContentBlock:
    if "toolResult" not in block:
        return block
    return {**block, "toolResult": {**block["toolResult"], "content": [_told(item) for item in _items(block)]}}


def _is_file(item: Mapping[str, Any]) -> bool:
    return "image" in item or "document" in item


def _told(item: ContentBlock) -> ContentBlock:
    if not _is_file(item):
        return item
    kind = "image" if "image" in item else "document"
    data = (item[kind].get("source") or {}).get("bytes") or b""
    told = TOO_LARGE_TO_KEEP.format(kind=kind, form=item[kind].get("format"), size=len(data) // 1024)
    return {"text": told}
