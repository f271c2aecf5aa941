"""The stored conversation as the model sees it. What is stored is never changed."""

from collections.abc import Sequence
from typing import Any

from apis.shared.sessions.models import ContentBlock, Message

WINDOW = 40
MISSING_RESULT = "The tool did not return a result."
RESULT_TOO_LARGE = "The tool result was too large."


def model_history(stored: Sequence[Message]) -> list[Message]:
    """Stored messages, oldest first, as model input: repaired, without cache markers, at most the last 40.

    A first message that is only a tool result is dropped; a tool use without result gets an error result.
    """
    messages = [_without_markers(message) for message in stored]
    messages = _window([message for message in messages if message["content"]])
    return _with_results(messages)


def is_tool_result(message: Message) -> bool:
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

    `messages` is the framework's list, changed in place.
    """
    for message in reversed(messages):
        results = [block["toolResult"] for block in message["content"] if "toolResult" in block]
        if results:
            if all(result["content"] == [{"text": RESULT_TOO_LARGE}] for result in results):
                return False
            for result in results:
                result["status"] = "error"
                result["content"] = [{"text": RESULT_TOO_LARGE}]
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


def _without_markers(message: Message) -> Message:
    return {"role": message["role"], "content": [block for block in message["content"] if "cachePoint" not in block]}


def _window(messages: list[Message]) -> list[Message]:
    """The last 40, beginning with something that a user said; a longer current exchange is kept whole."""
    if len(messages) <= WINDOW and not (messages and is_tool_result(messages[0])):
        return messages
    beginnings = [i for i, message in enumerate(messages) if message["role"] == "user" and not is_tool_result(message)]
    start = max(0, len(messages) - WINDOW)
    inside = [i for i in beginnings if i >= start]
    if inside:
        return messages[inside[0] :]
    return messages[beginnings[-1] :] if beginnings else []


def _with_results(messages: list[Message]) -> list[Message]:
    repaired: list[Message] = []
    for position, message in enumerate(messages):
        repaired.append(message)
        asked = tool_use_ids(message)
        following = messages[position + 1] if position + 1 < len(messages) else None
        answered = (
            {block["toolResult"]["toolUseId"] for block in following["content"] if "toolResult" in block}
            if following is not None
            else set()
        )
        missing = [tool_use_id for tool_use_id in asked if tool_use_id not in answered]
        if not missing:
            continue
        results = error_results(missing, MISSING_RESULT)
        if following is not None and answered:
            following["content"] = [*following["content"], *results]
        else:
            repaired.append({"role": "user", "content": results})
    return repaired
