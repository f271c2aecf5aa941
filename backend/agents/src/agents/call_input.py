"""What one model call is given: a private copy of the conversation, made ready. Nothing of it is stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agents.cache_mark import place_mark, takes_mark
from agents.compaction import is_turn_start, wrapped_summary
from agents.config import ModelConfig
from agents.history import window
from agents.legal import SentFile, legalised


@dataclass(frozen=True, slots=True)
class CallInput:
    """`files` are those in the messages, for an error that is about one of them."""

    messages: list[Any]
    files: Sequence[SentFile]


def for_model_call(
    messages: list[Any], *, config: ModelConfig, memory_context: str | None, summary: str | None = None
) -> CallInput:
    """`messages` is the framework's private copy for this call; `summary` stands for what came before them."""
    shown = window(messages)
    if summary is not None:
        _add_summary(shown, summary)
    if memory_context is not None:
        _add_context(shown, memory_context)
    sent, files = legalised(shown, config.provider)
    if takes_mark(config):
        place_mark(sent)
    return CallInput(sent, files)


def _add_summary(messages: list[Any], summary: str) -> None:
    """In front of the first message that is shown, however much of the conversation that is."""
    if not messages or not is_turn_start(messages[0]):
        return
    content = list(messages[0]["content"])
    wrapped = wrapped_summary(summary)
    place = next((i for i, block in enumerate(content) if "text" in block), None)
    if place is None:
        content.insert(0, {"text": wrapped})
    else:
        content[place] = {**content[place], "text": f"{wrapped}\n\n{content[place]['text']}"}
    messages[0] = {**messages[0], "content": content}


def _add_context(messages: list[Any], memory_context: str) -> None:
    """In front of the user's current message: that is where every model reads it as context, not as an answer."""
    for message in reversed(messages):
        if is_turn_start(message):
            message["content"] = [{"text": memory_context}, *message["content"]]
            return
