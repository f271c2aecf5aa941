import copy
from typing import Any

import pytest

from agents.call_input import for_model_call
from agents.config import ModelConfig, resolve_model_config
from tests.unit.agents.turns import BEDROCK_CLAUDE, assistant, results, user, uses

MARKER = {"cachePoint": {"type": "default"}}
CACHING = ModelConfig(model_id=BEDROCK_CLAUDE)


def prepared(messages: list[Any], config: ModelConfig = CACHING, memory_context: str | None = None) -> list[Any]:
    return for_model_call(copy.deepcopy(messages), config=config, memory_context=memory_context).messages


def markers(messages: list[Any]) -> list[tuple[int, int]]:
    return [(n, i) for n, one in enumerate(messages) for i, block in enumerate(one["content"]) if "cachePoint" in block]


def test_one_marker_at_the_end_of_the_last_assistant_message() -> None:
    messages = [user("a"), assistant("b"), user("c"), uses("t1"), results("t1")]
    assert markers(prepared(messages)) == [(3, 1)]
    assert markers(prepared(messages[:3])) == [(1, 1)]


def test_no_marker_without_an_assistant_message() -> None:
    assert prepared([user("a")]) == [user("a")]


def test_other_markers_are_removed() -> None:
    marked: list[Any] = [
        user("a"),
        {"role": "assistant", "content": [{"text": "b"}, MARKER]},
        user("c"),
        {"role": "assistant", "content": [{"text": "d"}, MARKER]},
        user("e"),
    ]
    assert markers(prepared(marked)) == [(3, 1)]


@pytest.mark.parametrize(
    ("model_id", "caching", "marked"),
    [
        (BEDROCK_CLAUDE, True, True),
        ("US.ANTHROPIC.CLAUDE-opus", True, True),
        ("amazon.nova-pro-v1:0", True, True),
        ("meta.llama3", True, False),
        (BEDROCK_CLAUDE, False, False),
        ("gpt-4o", True, False),
    ],
)
def test_only_models_that_cache_get_one(model_id: str, caching: bool, marked: bool) -> None:
    config = resolve_model_config(model_id=model_id, caching_enabled=caching)
    assert bool(markers(prepared([user("a"), assistant("b"), user("c")], config))) == marked


def test_memory_comes_first_in_the_current_user_message() -> None:
    messages = [user("a"), assistant("b"), user("c"), uses("t1"), results("t1")]
    call = prepared(messages, ModelConfig(provider="openai"), "<user_context>\nlikes python\n</user_context>")
    assert call[2]["content"] == [{"text": "<user_context>\nlikes python\n</user_context>"}, {"text": "c"}]
    assert [call[0], call[1], *call[3:]] == [messages[0], messages[1], *messages[3:]]


def test_a_conversation_that_lost_its_ending_is_one_user_message() -> None:
    call = prepared([user("asked before the process died"), user("asked again")])
    assert call == [
        {"role": "user", "content": [{"text": "asked before the process died"}, {"text": "asked again"}]},
    ]
