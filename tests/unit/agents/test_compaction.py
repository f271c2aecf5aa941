"""Where a conversation is cut, what stands for the part before, and what is left of old tools."""

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.call_input import for_model_call
from agents.compaction import (
    Shortening,
    is_turn_start,
    joined,
    list_of_questions,
    next_checkpoint,
    turn_starts,
)
from agents.config import ModelConfig
from agents.history import model_history
from agents.turn.compaction import Compaction, Compactor
from agents.turn.conversation import NOT_ANSWERED
from apis.shared.costs.models import TokenUsage
from apis.shared.errors import ErrorDetail
from apis.shared.result import Result, Success
from apis.shared.sessions.models import MAX_SUMMARY, CompactionState, Message, StoredMessage
from tests.unit.agents.turns import assistant, results, user, uses

SHORTENING = Shortening(protected_turns=2, max_length=500)
# U0 C1 R2 C3 R4 A5 U6 A7 U8 A9
K3 = [
    *(user("0"), uses("t1"), results("t1"), uses("t3"), results("t3"), assistant("5")),
    *(user("6"), assistant("7"), user("8"), assistant("9")),
]


@st.composite
def conversations(draw: st.DrawFn) -> list[Message]:
    """What turns store: a question, any number of calls with their results, an answer."""
    stored: list[Message] = []
    for turn in range(draw(st.integers(0, 8))):
        stored.append(user(f"question {turn}"))
        for call in range(draw(st.integers(0, 3))):
            text = "x" * draw(st.integers(0, 1200))
            stored += [uses(f"t{turn}-{call}"), results(f"t{turn}-{call}", text=text or "-")]
        stored.append(assistant(draw(st.sampled_from(["answer", NOT_ANSWERED, "Your quota is used up."]))))
    return stored


# --- the cut ---


def test_k3_the_checkpoint_is_where_a_user_said_something() -> None:
    assert next_checkpoint(K3, protected_turns=2) == 6
    with_text = {"role": "user", "content": [*results("t3")["content"], {"text": "beside it"}]}
    assert next_checkpoint([*K3[:4], with_text, *K3[5:]], protected_turns=2) == 6
    assert next_checkpoint([*K3, user("a"), assistant(NOT_ANSWERED)], protected_turns=2) == 8


class HangingMemory:
    async def summaries(self, *_: str) -> Result[list[Any], ErrorDetail]:
        await asyncio.Event().wait()
        return Success([])


async def test_f_agt_26_summaries_that_do_not_come_delay_no_answer() -> None:
    """The end of the turn waits a moment; the questions stand for what is cut."""
    memory: Any = HangingMemory()
    sessions: Any = None
    compactor = Compactor(sessions, memory, threshold=10, shortening=SHORTENING, seconds=0.05)
    state = CompactionState(checkpoint=0, summary=None)
    before = [StoredMessage(message, "2025-01-02T03:04:05+00:00") for message in K3]
    async with asyncio.timeout(2):
        found = await compactor.next_state(
            "u1", "s1", Compaction(state, SHORTENING), before=before, turn=(), usage=TokenUsage(input_tokens=11)
        )
    assert found is not None
    kept, tokens = found
    assert (kept.checkpoint, tokens) == (6, 11)
    assert kept.summary == list_of_questions(K3[:6])


def test_the_worked_example_of_the_contract() -> None:
    """Turns that begin at 0, 4, 8 and 10."""
    exchange = [user("q"), uses("t"), results("t"), assistant("a")]
    stored = [*exchange, *exchange, user("q"), assistant("a"), user("q"), assistant("a")]
    assert turn_starts(stored) == [0, 4, 8, 10]
    assert next_checkpoint(stored, protected_turns=2) == 8
    assert model_history(stored, removed=8, shortening=SHORTENING) == stored[8:]


@given(conversations(), st.integers(1, 100))
def test_a_checkpoint_is_a_turn_and_as_many_are_left_as_are_protected(stored: list[Message], protected: int) -> None:
    checkpoint = next_checkpoint(stored, protected_turns=protected)
    if checkpoint is None:
        assert len(turn_starts(stored)) <= protected
    else:
        assert is_turn_start(stored[checkpoint])
        assert len(turn_starts(stored[checkpoint:])) == protected
        assert checkpoint > 0


# --- the state ---


@pytest.mark.parametrize(
    ("checkpoint", "read"),
    [
        (8, 8),
        (Decimal(8), 8),
        (8.0, 8),
        (-2, 0),
        ("8", 0),
        (2.5, 0),
        (None, 0),
        (True, 0),
        (Decimal("NaN"), 0),
        (float("inf"), 0),
    ],
    ids=repr,
)
def test_k6_a_checkpoint_that_is_no_index_is_none(checkpoint: Any, read: int) -> None:
    assert CompactionState.read({"checkpoint": checkpoint, "summary": None}) == Success(CompactionState(read))


def test_k6_what_is_no_state_cannot_be_read() -> None:
    assert CompactionState.read("8").failure().code == "internal_error"
    assert CompactionState.read(None) == Success(CompactionState())


def test_k6_a_summary_is_never_larger_than_a_record_can_hold() -> None:
    state = CompactionState.read({"checkpoint": 4, "summary": "x" * 380_000}).unwrap()
    assert len(state.summary or "") == MAX_SUMMARY


@pytest.mark.parametrize(("checkpoint", "messages", "used"), [(8, 5, 0), (8, 8, 0), (8, 9, 8), (0, 9, 0)])
def test_k6_a_checkpoint_beyond_the_messages_is_ignored(checkpoint: int, messages: int, used: int) -> None:
    known = Compaction(CompactionState(checkpoint, "s"), SHORTENING)
    assert known.checkpoint_in(messages) == used
    assert known.summary_in(messages) == ("s" if used else None)


# --- summaries ---


def test_k8_summaries_stay_in_order_without_blank_ones() -> None:
    assert joined(["<topic>a</topic>", "  ", "b"]) == "<topic>a</topic>\n\nb"


@given(st.lists(st.text(max_size=300), max_size=20), st.integers(1, 1000))
def test_p10_a_summary_has_a_bound_and_keeps_the_newest(texts: list[str], room: int) -> None:
    kept = joined(texts, room=room)
    assert len(kept) <= room
    said = [text.strip() for text in texts if text.strip()]
    if said and len(said[-1]) <= room:
        assert said[-1] in kept or "\ud800" <= max(said[-1]) <= "\udfff"


def test_k9_the_list_of_questions() -> None:
    augmented = (
        "The following was found.\n\n[Context 1]\nTea: it is\n - --\nsteeped\n\n---\nQuestion: How long does tea steep?"
    )
    stored = [
        user("too old"),
        user("one\r\ntwo"),
        user("<user_context>\nreal question"),
        user(augmented),
        user("x" * 100),
        user("y" * 101),
        user("z" * 99 + "\ud83d"),
        user("<only>"),
        results("t"),
        *(user(f"{n}") for n in range(4)),
    ]
    text = list_of_questions(stored)
    assert text is not None
    heading, *bullets = text.split("\n")
    assert heading
    assert bullets == [
        "- one",
        "- real question",
        "- How long does tea steep?",
        f"- {'x' * 100}",
        f"- {'y' * 100}",
        f"- {'z' * 99}",
        *(f"- {n}" for n in range(4)),
    ]


def test_k9_a_message_that_is_only_a_file_is_named_by_its_file() -> None:
    text = list_of_questions([user("\n\n[Attached files: a.pdf]")])
    assert text is not None
    assert text.endswith("- [Attached files: a.pdf]")


def test_k9_where_nobody_said_anything_there_is_no_list() -> None:
    image: Message = {"role": "user", "content": [{"image": {"format": "png", "source": {"bytes": b"x"}}}]}
    assert list_of_questions([image, user("<a>"), assistant("b")]) is None


# --- shortening ---


def shortened(*blocks: dict[str, Any], role: Any = "user") -> list[dict[str, Any]]:
    """The content of an old message."""
    old: Message = {"role": role, "content": list(blocks)}
    return SHORTENING.of([user("q"), old, user("a"), assistant("b"), user("c"), assistant("d")])[1]["content"]


def result(*items: dict[str, Any], status: str = "success") -> dict[str, Any]:
    return {"toolResult": {"toolUseId": "t1", "status": status, "content": list(items)}}


def items(*given_items: dict[str, Any]) -> list[dict[str, Any]]:
    (block,) = shortened(result(*given_items))
    return list(block["toolResult"]["content"])


def test_k10_a_text_of_501_characters_is_cut() -> None:
    assert items({"text": "x" * 500}) == [{"text": "x" * 500}]
    assert items({"text": "x" * 501}) == [{"text": f"{'x' * 500}\n... [truncated, 1 chars removed]"}]
    assert items({"text": "x" * 700}) == [{"text": f"{'x' * 500}\n... [truncated, 200 chars removed]"}]


def test_p14_the_texts_of_a_result_count_together() -> None:
    assert items({"text": "x" * 250}, {"text": "y" * 250}) == [{"text": "x" * 250}, {"text": "y" * 250}]
    (only,) = items(*({"text": f"{n}" * 499} for n in range(10)))
    assert only["text"].startswith("0" * 499 + "\n")
    assert only["text"].endswith("chars removed]")


def test_k10_json_of_a_result() -> None:
    assert items({"json": {"a": 1}}) == [{"json": {"a": 1}}]
    (only,) = items({"json": {"a": "x" * 5000}})
    assert only["text"].startswith('{"a": "xxx')


def test_k10_an_input_is_an_object_whatever_it_was() -> None:
    def use(given_input: Any) -> dict[str, Any]:
        return {"toolUse": {"toolUseId": "t1", "name": "t", "input": given_input}}

    nested = {"a": {"b": ["x" * 700]}}
    text = json.dumps(nested)
    (block,) = shortened(use(nested), role="assistant")
    assert block["toolUse"] == {
        "toolUseId": "t1",
        "name": "t",
        "input": {"_truncated": f"{text[:500]}\n... [truncated, {len(text) - 500} chars removed]"},
    }
    (block,) = shortened(use("x" * 700), role="assistant")
    assert block["toolUse"]["input"] == {"_truncated": f"{'x' * 500}\n... [truncated, 200 chars removed]"}
    (block,) = shortened(use({"a": 1}), role="assistant")
    assert block["toolUse"]["input"] == {"a": 1}


def test_k10_files_become_their_names() -> None:
    image = {"image": {"format": "png", "source": {"bytes": b"0123456789"}}}
    document = {"document": {"format": "pdf", "name": "Thesis", "source": {"bytes": b"x" * 4_000_000}}}
    placeholders = [
        {"text": "[Image placeholder: format=png, original_size=10 bytes]"},
        {"text": "[Document placeholder: format=pdf, name=Thesis]"},
    ]
    assert shortened(image, document) == placeholders
    assert items(image, document) == placeholders


def test_k10_status_ids_and_order_stay() -> None:
    (block,) = shortened(result({"text": "x" * 501}, {"image": {"format": "gif", "source": {}}}, status="error"))
    assert (block["toolResult"]["toolUseId"], block["toolResult"]["status"]) == ("t1", "error")
    assert [item["text"][:6] for item in block["toolResult"]["content"]] == ["xxxxxx", "[Image"]


def test_the_last_turns_are_not_shortened() -> None:
    long = [user("q"), uses("t1"), results("t1", text="x" * 900), assistant("a")]
    two = SHORTENING.of([*long, *long])
    assert two == [*long, *long]
    three = SHORTENING.of([*long, *long, *long])
    assert three[4:] == [*long, *long]
    assert len(str(three[2])) < 800
    assert SHORTENING.of(results_only := [uses("t1"), results("t1", text="x" * 900)]) != results_only


@given(conversations(), st.integers(0, 40))
def test_what_is_shortened_is_legal_small_and_the_same_the_second_time(stored: list[Message], removed: int) -> None:
    before = repr(stored)
    once = SHORTENING.of(stored)
    assert SHORTENING.of(stored) == once
    assert repr(stored) == before
    assert [message["role"] for message in once] == [message["role"] for message in stored]
    history = model_history(stored, removed=removed, shortening=SHORTENING)
    call = for_model_call([*history, user("now")], config=ModelConfig(provider="bedrock"), memory_context=None).messages
    assert [message["role"] for message in call] == [("user", "assistant")[n % 2] for n in range(len(call))]
    protected = turn_starts(stored)[-2:][:1]
    for message in once[: protected[0] if protected else len(once)]:
        for block in message["content"]:
            for item in block.get("toolResult", {}).get("content", ()):
                assert len(item["text"]) < 560
