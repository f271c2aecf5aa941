"""The stored conversation as the model sees it. What is stored is never changed."""

from collections.abc import Mapping, Sequence
from typing import Any

from agents.compaction import Shortening, is_turn_start
from agents.files import without_refused
from apis.shared.sessions.models import ContentBlock, Message

WINDOW = 40
MISSING_RESULT = "The tool did not return a result."
RESULT_TOO_LARGE = "The tool result was too large."
NOTHING_SAID = "(No text.)"
_LEFT_OUT = ("cachePoint", "reasoningContent")


def model_history(
    stored: Sequence[Message], *, removed: int = 0, shortening: Shortening | None = None
) -> list[Message]:
    """Stored messages, oldest first, as the model's memory: at most the last 40.

    Cache markers are left out, reasoning, which only the model that wrote it would take back, and files that a model
    has refused. `removed` messages at the front are never shown again (see `beginning`); `shortening` says what is left
    of old tools' content. Whether the rest may be sent as it is, is decided before each call.
    """
    kept = without_refused(stored)[beginning(stored, removed) :]
    messages = [_plain(message) for message in (kept if shortening is None else shortening.of(kept))]
    unanswered = tool_use_ids(messages[-1]) if messages else []
    if unanswered:
        # The framework would otherwise answer them itself, in a message that would be stored.
        messages.append({"role": "user", "content": error_results(unanswered, MISSING_RESULT)})
    return window(messages)


def beginning(stored: Sequence[Mapping[str, Any]], removed: int) -> int:
    """The first message to show when `removed` ones are left out: the next one that a user says. 0, which shows all,
    where that makes no sense."""
    if not 0 < removed < len(stored):
        return 0
    return next((i for i in range(removed, len(stored)) if is_turn_start(stored[i])), 0)


def window[M: Mapping[str, Any]](messages: list[M]) -> list[M]:
    """The last 40, beginning with something that a user said."""
    start = max(0, len(messages) - WINDOW)
    beginnings = [i for i, message in enumerate(messages) if is_turn_start(message)]
    if not beginnings:
        return []
    if beginnings[-1] >= start:
        return messages[next(i for i in beginnings if i >= start) :]
    # One exchange alone is longer: what was asked, and the last of what was done about it.
    rest = (i for i in range(start + 1, len(messages)) if messages[i]["role"] == "assistant")
    return [messages[beginnings[-1]], *messages[next(rest, len(messages)) :]]


def tool_use_ids(message: Message) -> list[str]:
    return [block["toolUse"]["toolUseId"] for block in message["content"] if "toolUse" in block]


def error_results(tool_use_ids: Sequence[str], text: str) -> list[ContentBlock]:
    return [
        {"toolResult": {"toolUseId": tool_use_id, "status": "error", "content": [{"text": text}]}}
        for tool_use_id in tool_use_ids
    ]


def reduce(messages: list[Any]) -> bool:
    """Make the next request smaller after an overflow; False when that cannot be done. `messages` is the framework's
    list, whose messages are replaced, never changed."""
    messages[:] = window(messages)
    return replace_latest_tool_result(messages) or drop_oldest(messages)


def replace_latest_tool_result(messages: list[Any]) -> bool:
    """Shrink the latest tool-result message; False when there is none or it is small already."""
    for position in reversed(range(len(messages))):
        message = messages[position]
        ids = [block["toolResult"]["toolUseId"] for block in message["content"] if "toolResult" in block]
        if ids:
            small = error_results(ids, RESULT_TOO_LARGE)
            if _size(small) >= _size(message["content"]):
                return False
            messages[position] = {**message, "content": small}
            return True
    return False


def drop_oldest(messages: list[Any], count: int = 2) -> bool:
    """Drop at least `count` messages from the front, up to a place where a conversation may begin; False when
    nothing but the current exchange is left. `messages` is changed in place."""
    for cut in range(count, len(messages)):
        if is_turn_start(messages[cut]):
            del messages[:cut]
            return True
    return False


def _size(content: Any) -> int:
    return len(repr(content))


def _plain(message: Message) -> Message:
    content = [kept for block in message["content"] if (kept := _without_marks(block))]
    return {"role": message["role"], "content": content or [{"text": NOTHING_SAID}]}


def _without_marks(block: ContentBlock) -> ContentBlock:
    """A mark may stand in a block of something else."""
    if not any(name in block for name in _LEFT_OUT):
        return block
    return {name: value for name, value in block.items() if name not in _LEFT_OUT}
