from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.call_input import for_model_call
from agents.config import ModelConfig
from agents.history import (
    MISSING_RESULT,
    NOTHING_SAID,
    RESULT_TOO_LARGE,
    WINDOW,
    beginning,
    drop_oldest,
    error_results,
    model_history,
    reduce,
    replace_latest_tool_result,
    tool_use_ids,
)
from agents.legal import legalised
from apis.shared.sessions.models import Message
from tests.unit.agents.turns import assistant, results, user, uses

PLAIN = ModelConfig(provider="openai")


def failed(*ids: str) -> Message:
    return {"role": "user", "content": error_results(ids, MISSING_RESULT)}


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([user("a"), assistant("b")], [user("a"), assistant("b")], id="as it is"),
        pytest.param([results("t1"), user("a")], [user("a")], id="result without use"),
        pytest.param([assistant("b"), user("a")], [user("a")], id="begins with the user"),
        pytest.param([user("a"), uses("t1")], [user("a"), uses("t1"), failed("t1")], id="last use without result"),
        pytest.param(
            [user("a"), uses("t1"), user("b")],
            [user("a"), uses("t1"), {"role": "user", "content": [*failed("t1")["content"], *user("b")["content"]]}],
            id="use without result",
        ),
        pytest.param(
            [user("a"), uses("t1", "t2"), results("t2"), assistant("b")],
            [
                user("a"),
                uses("t1", "t2"),
                {"role": "user", "content": [*failed("t1")["content"], *results("t2")["content"]]},
                assistant("b"),
            ],
            id="one result of two",
        ),
        pytest.param(
            [user("a"), uses("t1"), results("t1", "stray"), assistant("b")],
            [user("a"), uses("t1"), results("t1"), assistant("b")],
            id="result of another use",
        ),
        pytest.param(
            [
                user("a"),
                {"role": "assistant", "content": [{"text": "b"}, {"cachePoint": {"type": "default"}}]},
            ],
            [user("a"), assistant("b")],
            id="cache marker",
        ),
        pytest.param(
            [user("a"), {"role": "assistant", "content": [{"reasoningContent": {"redactedContent": b"x"}}]}],
            [user("a"), assistant(NOTHING_SAID)],
            id="reasoning of another model",
        ),
    ],
)
def test_repairs(stored: list[Message], shown: list[Message]) -> None:
    assert legalised(model_history(stored), "openai")[0] == shown


def test_what_an_earlier_version_trimmed_stays_trimmed() -> None:
    stored = [user("a"), assistant("b"), user("c"), assistant("d")]
    assert model_history(stored, removed=2) == stored[2:]
    assert model_history(stored, removed=1) == stored[2:]


def test_at_most_forty_messages_beginning_with_the_user() -> None:
    stored = [message for n in range(30) for message in (user(f"q{n}"), assistant(f"a{n}"))]
    assert model_history(stored) == stored[20:]
    assert model_history([*stored, user("last")]) == [*stored[22:], user("last")]


def test_the_window_does_not_begin_with_a_tool_result() -> None:
    exchange = [user("q"), uses("t1"), results("t1"), assistant("a")]
    stored = [*exchange, *([user("x"), assistant("y")] * 19)]
    assert model_history(stored) == stored[4:]


def test_of_an_exchange_longer_than_the_window_its_question_and_its_end_are_kept() -> None:
    stored = [user("q"), *(message for n in range(30) for message in (uses(f"t{n}"), results(f"t{n}")))]
    shown = model_history(stored)
    assert shown == [user("q"), *stored[23:]]
    assert len(shown) <= 40


@st.composite
def conversations(draw: st.DrawFn) -> list[Message]:
    """Anything that a store might hold, also what no turn would write."""
    ids = st.sampled_from(["t1", "t2", "t3"])
    return draw(
        st.lists(
            st.one_of(
                st.just(user("u")),
                st.just(assistant("a")),
                st.lists(ids, min_size=1, max_size=2, unique=True).map(lambda chosen: uses(*chosen)),
                st.lists(ids, min_size=1, max_size=2, unique=True).map(lambda chosen: results(*chosen)),
            ),
            max_size=60,
        )
    )


@given(conversations())
def test_whatever_is_stored_a_provider_accepts_the_call(stored: list[Message]) -> None:
    call = for_model_call([*model_history(stored), user("now")], config=PLAIN, memory_context="m").messages
    assert [message["role"] for message in call] == [("user", "assistant")[n % 2] for n in range(len(call))]
    assert call[-1]["role"] == "user"
    assert len(call) <= 41
    for before, message in zip([None, *call], call, strict=False):
        asked = tool_use_ids(before) if before is not None else []
        answered = [block["toolResult"]["toolUseId"] for block in message["content"] if "toolResult" in block]
        assert sorted(answered) == sorted(asked)
        assert message["content"]


@given(conversations())
def test_what_is_stored_is_not_changed(stored: list[Message]) -> None:
    before = repr(stored)
    shown: list[Any] = model_history(stored)
    replace_latest_tool_result(shown)
    drop_oldest(shown)
    assert repr(stored) == before


def test_an_overflow_first_shrinks_the_latest_tool_result_once() -> None:
    large = results("t1", "t2", text="r" * 1000)
    messages: list[Any] = [user("a"), uses("t1", "t2"), large, assistant("b"), user("c")]
    assert replace_latest_tool_result(messages)
    assert messages[2]["content"] == error_results(["t1", "t2"], RESULT_TOO_LARGE)
    assert large == results("t1", "t2", text="r" * 1000), "what is stored is not changed"
    assert not replace_latest_tool_result(messages)


@pytest.mark.parametrize(
    ("messages", "left"),
    [
        ([user("a"), assistant("b"), user("c")], [user("c")]),
        ([user("a"), uses("t1"), results("t1"), assistant("b"), user("c")], [user("c")]),
        ([user("a"), assistant("b"), user("c"), assistant("d"), user("e")], [user("c"), assistant("d"), user("e")]),
    ],
)
def test_then_the_oldest_messages_are_dropped(messages: Sequence[Message], left: Sequence[Message]) -> None:
    changed: list[Any] = list(messages)
    assert drop_oldest(changed)
    assert changed == left


def test_the_current_exchange_is_not_dropped() -> None:
    messages: list[Any] = [user("c"), uses("t1"), results("t1")]
    assert not drop_oldest(messages)
    assert len(messages) == 3


@pytest.mark.parametrize(
    ("removed", "begins"),
    [(0, 0), (1, 2), (2, 2), (3, 6), (6, 6), (7, 8), (9, 0), (10, 0), (500, 0), (-1, 0)],
)
def test_h4_it_begins_with_the_next_thing_that_a_user_said_or_at_the_beginning(removed: int, begins: int) -> None:
    stored = [
        *(user("0"), assistant("1"), user("2"), uses("t3"), results("t3"), assistant("5")),
        *(user("6"), assistant("7"), user("8"), assistant("9")),
    ]
    assert beginning(stored, removed) == begins
    assert model_history(stored, removed=removed) == stored[begins:]


def test_g2_a_mark_that_is_glued_to_a_text_leaves_the_text() -> None:
    glued: Message = {"role": "assistant", "content": [{"text": "b", "cachePoint": {"type": "default"}}]}
    assert model_history([user("a"), glued]) == [user("a"), assistant("b")]


@given(conversations())
def test_h6_each_reduction_makes_the_next_request_smaller_and_they_end(stored: list[Message]) -> None:
    messages: list[Any] = [*stored, user("now")]
    before = len(repr(for_model_call(list(messages), config=PLAIN, memory_context=None).messages))
    for _ in range(WINDOW):
        if not reduce(messages):
            break
        now = len(repr(for_model_call(list(messages), config=PLAIN, memory_context=None).messages))
        assert now < before
        before = now
    else:
        pytest.fail("it does not end")


def test_h6_of_a_prompt_alone_nothing_can_be_left_out() -> None:
    assert not reduce([user("x" * 1_000_000)])


def test_h6_the_results_of_one_message_are_replaced_once() -> None:
    messages: list[Any] = [user("a"), uses("t1", "t2", "t3"), results("t1", "t2", "t3", text="x" * 300_000)]
    assert reduce(messages)
    assert messages[2]["content"] == error_results(["t1", "t2", "t3"], RESULT_TOO_LARGE)
    assert not reduce(messages)


def test_h7_a_result_that_is_out_of_the_window_is_not_replaced() -> None:
    stored = [user("q"), uses("t1"), assistant("x"), results("t1"), *([user("u"), assistant("a")] * 18), user("last")]
    assert len(stored) == WINDOW + 1
    assert RESULT_TOO_LARGE not in repr(model_history(stored))
