"""The stored conversation as the model sees it. What is stored is never changed."""

from collections.abc import Mapping, Sequence
from typing import Any

from agents.files import without_refused
from apis.shared.sessions.models import ContentBlock, Message

WINDOW = 40
MISSING_RESULT = "The tool did not return a result."
RESULT_TOO_LARGE = "The tool result was too large."
NOTHING_SAID = "(No text.)"
_LEFT_OUT = {"cachePoint", "reasoningContent"}


def model_history(stored: Sequence[Message], *, removed: int = 0) -> list[Message]:
    """Stored messages, oldest first, as the model's memory: at most the last 40.

    Cache markers are left out, reasoning, which only the model that wrote it would take back, and files that a model
    has refused. `removed` is how many messages an earlier version of the system had trimmed from the front. Whether the
    rest may be sent as it is, is decided before each call.
    """
    messages = [_plain(message) for message in without_refused(stored)[removed:]]
    unanswered = tool_use_ids(messages[-1]) if messages else []
    if unanswered:
        # The framework would otherwise answer them itself, in a message that would be stored.
        messages.append({"role": "user", "content": error_results(unanswered, MISSING_RESULT)})
    return window(messages)


def window[M: Mapping[str, Any]](messages: list[M]) -> list[M]:
    """The last 40, beginning with something that a user said."""
    start = max(0, len(messages) - WINDOW)
    beginnings = [i for i, message in enumerate(messages) if message["role"] == "user" and not is_tool_result(message)]
    if not beginnings:
        return []
    if beginnings[-1] >= start:
        return messages[next(i for i in beginnings if i >= start) :]
    # One exchange alone is longer: what was asked, and the last of what was done about it.
    rest = (i for i in range(start + 1, len(messages)) if messages[i]["role"] == "assistant")
    return [messages[beginnings[-1]], *messages[next(rest, len(messages)) :]]


def is_tool_result(message: Mapping[str, Any]) -> bool:
    return any("toolResult" in block for block in message["content"])


def tool_use_ids(message: Message) -> list[str]:
    return [block["toolUse"]["toolUseId"] for block in message["content"] if "toolUse" in block]


def error_results(tool_use_ids: Sequence[str], text: str) -> list[ContentBlock]:
    return [
        {"toolResult": {"toolUseId": tool_use_id, "status": "error", "content": [{"text": text}]}}
        for tool_use_id in tool_use_ids
    ]


def replace_latest_tool_result(messages: list[Any]) -> bool:
    """Shrink the latest tool-result message; False when there is none or it is small already.

    `messages` is the framework's list; the message is replaced in it, not changed.
    """
    for position in reversed(range(len(messages))):
        message = messages[position]
        ids = [block["toolResult"]["toolUseId"] for block in message["content"] if "toolResult" in block]
        if ids:
            small = error_results(ids, RESULT_TOO_LARGE)
            if message["content"] == small:
                return False
            messages[position] = {**message, "content": small}
            return True
    return False


def drop_oldest(messages: list[Any], count: int = 2) -> bool:
    """Drop at least `count` messages from the front, up to a place where a conversation may begin; False when
    nothing but the current exchange is left. `messages` is changed in place."""
    for cut in range(count, len(messages)):
        if messages[cut]["role"] == "user" and not is_tool_result(messages[cut]):
            del messages[:cut]
            return True
    return False


def _plain(message: Message) -> Message:
    content = [block for block in message["content"] if not _LEFT_OUT & block.keys()]
    return {"role": message["role"], "content": content or [{"text": NOTHING_SAID}]}
