"""The mark up to which Bedrock keeps a prompt for the next call."""

from typing import Any

from agents.config import ModelConfig
from apis.shared.wiring import on_forget

MARK: dict[str, Any] = {"cachePoint": {"type": "default"}}

_CACHING_MODELS = ("anthropic.claude", "amazon.nova")
# Models whose ids say that they cache, and that refused it; for the life of the process.
_refusing: set[str] = set()
on_forget(_refusing.clear)


def takes_mark(config: ModelConfig) -> bool:
    model_id = config.model_id.lower()
    is_known = config.provider == "bedrock" and any(name in model_id for name in _CACHING_MODELS)
    return config.caching and is_known and config.model_id not in _refusing


def note_refusal(model_id: str) -> None:
    _refusing.add(model_id)


def place_mark(messages: list[Any]) -> None:
    """Exactly one, at the end of the last assistant message. Nothing may be marked that ends in reasoning: the mark
    goes in front of that, or into an earlier message."""
    for message in reversed(messages):
        if message["role"] != "assistant":
            continue
        content = message["content"]
        end = len(content)
        while end and "reasoningContent" in content[end - 1]:
            end -= 1
        if end:
            content.insert(end, dict(MARK))
            return


def without_mark(messages: list[Any]) -> list[Any] | None:
    """The same messages without it; None where there was none."""
    if not any("cachePoint" in block for message in messages for block in message["content"]):
        return None
    return [
        {**message, "content": [block for block in message["content"] if "cachePoint" not in block]}
        for message in messages
    ]
