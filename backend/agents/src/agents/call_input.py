"""What one model call is given: a private copy of the conversation, made ready. Nothing of it is stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agents.config import ModelConfig
from agents.history import is_tool_result, window
from agents.legal import SentFile, legalised

_CACHING_MODELS = ("anthropic.claude", "amazon.nova")


@dataclass(frozen=True, slots=True)
class CallInput:
    """`files` are those in the messages, for an error that is about one of them."""

    messages: list[Any]
    files: Sequence[SentFile]


def for_model_call(messages: list[Any], *, config: ModelConfig, memory_context: str | None) -> CallInput:
    """`messages` is the framework's private copy for this call."""
    shown = window(messages)
    if memory_context is not None:
        _add_context(shown, memory_context)
    sent, files = legalised(shown, config.provider)
    if supports_cache_marker(config):
        _add_cache_marker(sent)
    return CallInput(sent, files)


def supports_cache_marker(config: ModelConfig) -> bool:
    model_id = config.model_id.lower()
    return config.caching and config.provider == "bedrock" and any(name in model_id for name in _CACHING_MODELS)


def _add_context(messages: list[Any], memory_context: str) -> None:
    """In front of the user's current message: that is where every model reads it as context, not as an answer."""
    for message in reversed(messages):
        if message["role"] == "user" and not is_tool_result(message):
            message["content"] = [{"text": memory_context}, *message["content"]]
            return


def _add_cache_marker(messages: list[Any]) -> None:
    """Exactly one, at the end of the last assistant message."""
    assistants = [message for message in messages if message["role"] == "assistant"]
    if assistants:
        assistants[-1]["content"].append({"cachePoint": {"type": "default"}})
