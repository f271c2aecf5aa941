"""What one model call is given: a private copy of the conversation, made ready. Nothing of it is stored."""

from typing import Any

from agents.config import ModelConfig
from agents.history import is_tool_result, window

_CACHING_MODELS = ("anthropic.claude", "amazon.nova")


def for_model_call(messages: list[Any], *, config: ModelConfig, memory_context: str | None) -> list[Any]:
    """`messages` is the framework's private copy for this call."""
    messages = window(messages)
    if memory_context is not None:
        _add_context(messages, memory_context)
    messages = _alternate(messages)
    if supports_cache_marker(config):
        _add_cache_marker(messages)
    return messages


def supports_cache_marker(config: ModelConfig) -> bool:
    model_id = config.model_id.lower()
    return config.caching and config.provider == "bedrock" and any(name in model_id for name in _CACHING_MODELS)


def _add_context(messages: list[Any], memory_context: str) -> None:
    """In front of the user's current message: that is where every model reads it as context, not as an answer."""
    for message in reversed(messages):
        if message["role"] == "user" and not is_tool_result(message):
            message["content"] = [{"text": memory_context}, *message["content"]]
            return


def _alternate(messages: list[Any]) -> list[Any]:
    """Two messages of one role in a row become one: a conversation that lost its ending would be refused for ever."""
    merged: list[Any] = []
    for message in messages:
        if merged and merged[-1]["role"] == message["role"]:
            merged[-1] = {**merged[-1], "content": [*merged[-1]["content"], *message["content"]]}
        else:
            merged.append(message)
    return merged


def _add_cache_marker(messages: list[Any]) -> None:
    """Exactly one, at the end of the last assistant message."""
    assistants = [message for message in messages if message["role"] == "assistant"]
    for message in messages:
        message["content"] = [block for block in message["content"] if "cachePoint" not in block]
    if assistants and assistants[-1]["content"]:
        assistants[-1]["content"].append({"cachePoint": {"type": "default"}})
