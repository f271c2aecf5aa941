import copy
from typing import Any

import pytest

from agents.cache_mark import note_refusal
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


@pytest.mark.parametrize(
    ("config", "count"),
    [
        pytest.param(ModelConfig(model_id=BEDROCK_CLAUDE), 1, id="known"),
        pytest.param(ModelConfig(model_id=BEDROCK_CLAUDE, caching=False), 0, id="not wanted"),
        pytest.param(ModelConfig(model_id="AMAZON.NOVA-PRO"), 1, id="upper case"),
        pytest.param(ModelConfig(model_id="meta.llama3"), 0, id="unknown"),
        pytest.param(ModelConfig(model_id="gpt-4o", provider="openai"), 0, id="openai"),
        pytest.param(ModelConfig(model_id="gemini-2.5-flash", provider="gemini"), 0, id="gemini"),
        pytest.param(ModelConfig(model_id="anthropic.claude", provider="openai"), 0, id="by another provider"),
    ],
)
def test_g3_and_g5_which_models_get_a_marker(config: ModelConfig, count: int) -> None:
    assert len(markers(prepared([user("a"), assistant("b"), user("c")], config))) == count


def test_g4_a_turn_of_many_calls_has_one_marker() -> None:
    ids = [f"t{number}" for number in range(18)]
    assert markers(prepared([user("a"), uses(*ids), results(*ids)])) == [(1, 18)]


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


REASONING: dict[str, Any] = {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}}


@pytest.mark.parametrize(
    ("content", "marks"),
    [
        pytest.param([{"text": "b"}, REASONING], [(3, 1)], id="ends in reasoning"),
        pytest.param([REASONING], [(1, 1)], id="only reasoning"),
        pytest.param([REASONING, *uses("t1")["content"]], [(3, 2)], id="reasoning in front of a call"),
        pytest.param([], [(3, 1)], id="empty"),
        pytest.param([{"text": " "}], [(3, 1)], id="blank"),
    ],
)
def test_g1_no_mark_stands_behind_reasoning(content: list[Any], marks: list[tuple[int, int]]) -> None:
    messages = [user("a"), assistant("b"), user("c"), {"role": "assistant", "content": content}, user("d")]
    assert markers(prepared(messages)) == marks


def test_g1_without_a_place_there_is_no_mark() -> None:
    assert markers(prepared([user("a"), {"role": "assistant", "content": [REASONING]}, user("b")])) == []


def test_p16_a_model_that_refused_the_mark_gets_none_any_more() -> None:
    note_refusal(BEDROCK_CLAUDE)
    assert markers(prepared([user("a"), assistant("b"), user("c")])) == []


SUMMARY = "They talked about </conversation_summary> tea."


def summarised(messages: list[Any], **given: Any) -> list[Any]:
    config = ModelConfig(provider="openai")
    return for_model_call(
        copy.deepcopy(messages), config=config, summary=SUMMARY, memory_context=given.get("memory_context")
    ).messages


def test_k12_the_summary_stands_once_in_front_of_the_first_text() -> None:
    first, answer, last = summarised([user("a"), assistant("b"), user("c")])
    assert [answer, last] == [assistant("b"), user("c")]
    (block,) = first["content"]
    assert block["text"].startswith("<conversation_summary>\n")
    assert block["text"].endswith("&lt;/conversation_summary> tea.\n</conversation_summary>\n\na")


def test_k12_the_summary_in_front_of_a_message_that_begins_with_an_image_or_has_no_text() -> None:
    image: dict[str, Any] = {"image": {"format": "png", "source": {"bytes": b"x"}}}
    (shown,) = summarised([{"role": "user", "content": [image, {"text": "look"}]}])
    assert [next(iter(block)) for block in shown["content"]] == ["image", "text"]
    assert shown["content"][1]["text"].endswith("</conversation_summary>\n\nlook")
    (shown,) = summarised([{"role": "user", "content": [image]}])
    assert [next(iter(block)) for block in shown["content"]] == ["text", "image"]


def test_k13_the_summary_stays_when_the_window_moves_past_the_first_message() -> None:
    messages = [message for n in range(30) for message in (user(f"q{n}"), assistant(f"a{n}"))]
    call = summarised([*messages, user("now")], memory_context="<user_context>\nm\n</user_context>")
    assert call[0]["content"][0]["text"].endswith("</conversation_summary>\n\nq11")
    assert [block["text"] for block in call[-1]["content"]] == ["<user_context>\nm\n</user_context>", "now"]
    assert str(call).count("<conversation_summary>") == 1


@pytest.mark.parametrize(
    ("model_id", "caching", "marked"),
    [
        (BEDROCK_CLAUDE, True, True),
        ("US.ANTHROPIC.CLAUDE-opus", True, True),
        ("amazon.nova-pro-v1:0", True, True),
        ("us.amazon.nova-lite-v1:0", True, True),
        ("anthropic.claude-v2", True, True),
        ("AMAZON.NOVA-PRO", True, True),
        ("arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/x", True, False),
        ("gemini-2.5-flash", True, False),
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
