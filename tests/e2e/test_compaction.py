"""Long conversations, with both services as processes that compact them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.support import stored
from tests.support.aws_wire import Answer as Wire
from tests.support.fault_proxy import Call, Fault, FaultKind
from tests.support.long_term_memory import ALL_STRATEGIES, LongTermMemory
from tests.support.model_server import ModelServer, answer, events, tool_call, usage
from tests.support.platform import CLAUDE, USER_ID, Platform, Surroundings, running_platform
from tests.support.service_log import SUPPRESSED

LONG = usage(120_000)
SUMMARIES = f"/strategies/sum-1/actors/{USER_ID}/sessions"
WRAPPED = (
    "<conversation_summary>\nThis is a summary of the conversation so far. Go on with it in mind.\n\n"
    "{}\n</conversation_summary>\n\n"
)


@pytest.fixture(scope="module")
async def compacting(around: Surroundings, tables: Platform) -> AsyncIterator[Platform]:
    around = replace(around, chosen={"COMPACTION_ENABLED": " TRUE ", "WARM_UP_AFTER_START": "false"})
    async with running_platform(around, tables.root, in_tables=True) as running:
        yield running


@pytest.fixture(autouse=True)
async def memory(compacting: Platform) -> AsyncIterator[LongTermMemory]:
    compacting.memory.reset()
    compacting.memory.strategies = ALL_STRATEGIES
    await compacting.inference_api.steer("forget")
    yield compacting.memory
    compacting.memory.reset()


def use(number: int) -> dict[str, Any]:
    use = {"toolUseId": f"t{number}", "name": "calculator", "input": {"expression": "1+1"}}
    return {"role": "assistant", "content": [{"toolUse": use}]}


def result(number: int, text: str = "2") -> dict[str, Any]:
    content = {"toolUseId": f"t{number}", "status": "success", "content": [{"text": text}]}
    return {"role": "user", "content": [{"toolResult": content}]}


def said(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": [{"text": text}]}


def ten_messages() -> Iterator[dict[str, Any]]:
    """Turns that begin at 0, 4 and 8."""
    for start in (0, 4):
        yield said("user", f"question {start}")
        yield use(start)
        yield result(start, "x" * 700)
        yield said("assistant", f"answer {start}")
    yield said("user", "question 8")
    yield said("assistant", "answer 8")


def a_conversation(platform: Platform, session_id: str, **attributes: Any) -> None:
    platform.store(
        stored.session(USER_ID, session_id, **attributes), *stored.conversation(USER_ID, session_id, *ten_messages())
    )


def state(platform: Platform, session_id: str) -> Any:
    (record,) = platform.of_session(USER_ID, session_id)
    return record.get("compaction")


def shown(model: ModelServer) -> list[tuple[str, str]]:
    """What the model was shown in its last call, without the system prompt: role and text."""
    messages = [message for message in model.calls[-1]["messages"] if message["role"] != "system"]
    return [(message["role"], _text(message.get("content"))) for message in messages]


def _text(content: Any) -> str:
    return "".join(block.get("text", "") for block in content) if isinstance(content, list) else content or ""


def text_of(message: tuple[str, str]) -> str:
    return message[1]


async def test_a13_the_worked_example(
    compacting: Platform, memory: LongTermMemory, model: ModelServer, session_id: str
) -> None:
    a_conversation(compacting, session_id)
    memory.remember(f"{SUMMARIES}/{session_id}", "They added numbers.", createdAt=4_000_000_000)
    memory.remember(f"{SUMMARIES}/{session_id}0", "Of another session.", createdAt=4_000_000_000)
    before = await compacting.messages(session_id)
    model.script(answer("answer 10", counted=LONG))
    turn = await compacting.chat(session_id, "question 10")
    assert turn.failure is None
    kept = state(compacting, session_id)
    assert kept == {
        "checkpoint": 8,
        "summary": "They added numbers.",
        "lastInputTokens": 120_000,
        "updatedAt": kept["updatedAt"],
    }
    assert kept["updatedAt"].endswith("+00:00")

    model.script(answer("answer 12"))
    assert (await compacting.chat(session_id, "question 12")).failure is None
    first, *others = shown(model)
    assert [role for role, _ in [first, *others]] == ["user", "assistant", "user", "assistant", "user"]
    assert text_of(first) == f"{WRAPPED.format('They added numbers.')}question 8"
    assert text_of(others[-1]).endswith("question 12")
    assert (await compacting.messages(session_id))[:10] == before
    assert "conversation_summary" not in str(await compacting.messages(session_id))


async def test_k13_numbers_of_messages_stay_those_of_the_whole_conversation(
    compacting: Platform, model: ModelServer, session_id: str
) -> None:
    compacting.store(
        stored.session(USER_ID, session_id, compaction={"checkpoint": 60, "summary": "s", "lastInputTokens": 1}),
        *stored.conversation(USER_ID, session_id, *(f"text {number}" for number in range(120))),
    )
    model.script(answer("here"))
    assert (await compacting.chat(session_id, "and now?")).failure is None
    first, *others = shown(model)
    assert "text 82" in text_of(first)
    assert text_of(first).count("<conversation_summary>") == 1
    assert len(others) == 38
    (record,) = compacting.of_session(USER_ID, session_id, "C#")
    assert record["messageId"] == 121
    assert (await compacting.messages(session_id))[121]["metadata"]["tokenUsage"]["inputTokens"] == 10


async def test_k10_old_tools_are_shortened_at_each_load(
    compacting: Platform, model: ModelServer, session_id: str
) -> None:
    a_conversation(compacting, session_id)
    before = await compacting.messages(session_id)
    for turn in ("question 10", "question 12"):
        model.script(answer("a"))
        assert (await compacting.chat(session_id, turn, enabled_tools=["calculator"])).failure is None
        assert "x" * 500 + "\\n... [truncated, 200 chars removed]" in str(model.calls[-1])
    assert str(model.calls[0]).count("chars removed") == 1, "of the last two turns nothing is shortened"
    assert str(model.calls[1]).count("chars removed") == 2
    assert (await compacting.messages(session_id))[:10] == before


@pytest.mark.parametrize(
    ("replies", "tokens", "checkpoint"),
    [
        pytest.param([answer("a", counted=usage(100_000))], 100_000, 0, id="exactly"),
        pytest.param([answer("a", counted=usage(100_001))], 100_001, 8, id="one more"),
        pytest.param(
            [answer("a", counted=usage(90_000, 5, prompt_tokens_details={"cached_tokens": 88_000}))],
            90_000,
            0,
            id="input includes what is cached",
        ),
        pytest.param(
            [
                tool_call(("c1", "calculator", {"expression": "1"}), counted=usage(60_000)),
                tool_call(("c2", "calculator", {"expression": "2"}), counted=usage(170_000)),
                answer("a", counted=usage(99_000)),
            ],
            99_000,
            0,
            id="the last call counts",
        ),
    ],
)
async def test_k1_and_k2_what_counts(
    compacting: Platform,
    model: ModelServer,
    session_id: str,
    replies: list[Any],
    tokens: int,
    checkpoint: int,
) -> None:
    a_conversation(compacting, session_id)
    model.script(*replies)
    assert (await compacting.chat(session_id, "question 10", enabled_tools=["calculator"])).failure is None
    kept = state(compacting, session_id)
    assert (kept["lastInputTokens"], kept["checkpoint"]) == (tokens, checkpoint)


async def test_k1_bedrock_counts_what_is_cached_beside(
    compacting: Platform, model: ModelServer, session_id: str
) -> None:
    a_conversation(compacting, session_id)
    counted = {"inputTokens": 3, "outputTokens": 5, "totalTokens": 8}
    model.script(
        events(
            {"messageStart": {"role": "assistant"}},
            {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "a"}}},
            {"contentBlockStop": {"contentBlockIndex": 0}},
            {"messageStop": {"stopReason": "end_turn"}},
            {
                "metadata": {
                    "usage": {**counted, "cacheReadInputTokens": 120_000, "cacheWriteInputTokens": 99},
                    "metrics": {"latencyMs": 1},
                }
            },
        )
    )
    turn = await compacting.chat(session_id, "question 10", model_id=CLAUDE, enabled_tools=["calculator"])
    assert turn.failure is None
    assert state(compacting, session_id)["lastInputTokens"] == 120_102
    assert state(compacting, session_id)["checkpoint"] == 8


async def test_k2_a_call_without_usage_changes_nothing(
    compacting: Platform, model: ModelServer, session_id: str
) -> None:
    a_conversation(compacting, session_id)
    model.script({"steps": [{"text": "a"}, {"finish": "stop"}]})
    with compacting.proxy.recording(containing=session_id) as recording:
        assert (await compacting.chat(session_id, "question 10")).failure is None
    assert state(compacting, session_id) is None
    assert "ListMemoryRecords" not in [call.target.operation for call in recording.calls]


async def test_k4_one_long_turn_alone_fetches_no_summary(
    compacting: Platform, model: ModelServer, session_id: str
) -> None:
    model.script(answer("a", counted=LONG))
    with compacting.proxy.recording(containing=session_id) as recording:
        assert (await compacting.chat(session_id, "the only one")).failure is None
    assert state(compacting, session_id)["checkpoint"] == 0
    assert "ListMemoryRecords" not in [call.target.operation for call in recording.calls]


async def test_p12_summaries_that_lag_behind_are_followed_by_the_questions(
    compacting: Platform, memory: LongTermMemory, model: ModelServer, session_id: str
) -> None:
    """130 records on two pages, XML and blank ones among them, all older than the last message before the cut."""
    a_conversation(compacting, session_id)
    for number in range(130):
        text = "<topic>{}</topic>" if number % 2 else "   "
        memory.remember(f"{SUMMARIES}/{session_id}/", text.format(number), createdAt=1_000_000 + number)
    model.script(answer("a", counted=LONG))
    assert (await compacting.chat(session_id, "question 10")).failure is None
    summary = state(compacting, session_id)["summary"]
    *records, questions = summary.split("\n\n")
    assert records == [f"<topic>{number}</topic>" for number in range(1, 130, 2)]
    assert questions.split("\n")[1:] == ["- question 0", "- question 4"]


# --- failures ---


SUMMARY_CALLS = [
    ("GetMemory", "bedrock-agentcore-control", FaultKind.ACCESS_DENIED),
    ("ListMemoryRecords", "bedrock-agentcore", FaultKind.THROTTLED),
    ("ListMemoryRecords", "bedrock-agentcore", FaultKind.RESET),
    ("ListMemoryRecords", "bedrock-agentcore", FaultKind.GARBAGE),
]


@pytest.mark.parametrize(("operation", "service", "kind"), SUMMARY_CALLS)
async def test_f_agt_26_without_summaries_the_questions_stand_for_them(
    compacting: Platform, model: ModelServer, session_id: str, operation: str, service: str, kind: FaultKind
) -> None:
    a_conversation(compacting, session_id)
    model.script(answer("a", counted=LONG))
    with compacting.proxy.injecting(Fault(kind, service=service, operation=operation)):
        turn = await compacting.chat(session_id, "question 10")
        await compacting.settled(turn.request_id)
    assert turn.failure is None
    kept = state(compacting, session_id)
    assert (kept["checkpoint"], kept["summary"].split("\n")[1:]) == (8, ["- question 0", "- question 4"])
    sites = {record["site"] for record in compacting.records(turn.request_id, SUPPRESSED)}
    assert "agents.turn.compaction:Compactor._summary" in sites


@pytest.mark.parametrize(
    "kind", [FaultKind.ACCESS_DENIED, FaultKind.THROTTLED, FaultKind.SERVER_ERROR, FaultKind.RESET, FaultKind.GARBAGE]
)
async def test_f_agt_24_a_state_that_cannot_be_kept_is_computed_again(
    compacting: Platform, model: ModelServer, session_id: str, kind: FaultKind
) -> None:
    a_conversation(compacting, session_id)
    model.script(answer("a", counted=LONG), answer("b", counted=LONG))
    fault = Fault(kind, operation="UpdateItem", containing="lastInputTokens")
    with compacting.proxy.injecting(fault) as injection:
        turn = await compacting.chat(session_id, "question 10")
        await compacting.settled(turn.request_id)
    assert (turn.failure, injection.hits) == (None, 1)
    (record,) = compacting.records(turn.request_id, SUPPRESSED)
    assert record["site"] == "agents.turn.compaction:Compactor.keep"
    assert (await compacting.chat(session_id, "question 12")).failure is None
    assert state(compacting, session_id)["checkpoint"] == 10


async def test_f_agt_23_a_state_that_cannot_be_read_is_not_written_over(
    compacting: Platform, model: ModelServer, session_id: str
) -> None:
    a_conversation(compacting, session_id, compaction="of another kind")
    model.script(answer("a", counted=LONG))
    turn = await compacting.chat(session_id, "question 10", enabled_tools=["calculator"])
    await compacting.settled(turn.request_id)
    assert turn.failure is None
    assert "question 0" in str(model.calls[-1])
    assert state(compacting, session_id) == "of another kind"
    (record,) = compacting.records(turn.request_id, SUPPRESSED)
    assert (record["site"], record["code"]) == ("agents.turn.compaction:Compactor.known", "internal_error")


@pytest.mark.parametrize(
    ("checkpoint", "first"), [(3, "question 4"), (8, "question 8"), (10, "question 0"), (-2, "question 0")]
)
async def test_k6_a_checkpoint_that_makes_no_sense(
    compacting: Platform, model: ModelServer, session_id: str, checkpoint: Any, first: str
) -> None:
    a_conversation(compacting, session_id, compaction={"checkpoint": checkpoint, "summary": "so far"})
    model.script(answer("a"))
    assert (await compacting.chat(session_id, "question 10", enabled_tools=["calculator"])).failure is None
    (shown_first, *_) = shown(model)
    assert first in text_of(shown_first)
    assert ("so far" in text_of(shown_first)) == (first != "question 0")


async def test_f_agt_27_without_anything_to_stand_for_it_nothing_is_cut(
    compacting: Platform, model: ModelServer, session_id: str
) -> None:
    compacting.store(
        stored.session(USER_ID, session_id),
        *stored.conversation(USER_ID, session_id, "<a>", "b", "<c>", "d", "e", "f"),
    )
    model.script(answer("a", counted=LONG))
    assert (await compacting.chat(session_id, "<question>")).failure is None
    assert state(compacting, session_id) is None


async def test_k7_a_checkpoint_never_goes_back(compacting: Platform, model: ModelServer, session_id: str) -> None:
    """Another process writes a later one while this turn runs."""
    later = {"checkpoint": 9, "summary": "later", "lastInputTokens": 5, "updatedAt": "x"}
    a_conversation(compacting, session_id)
    model.script({"steps": [{"text": "a"}, {"pause_ms": 300}, {"finish": "stop"}, LONG]})
    turn = asyncio.create_task(compacting.chat(session_id, "question 10"))
    await compacting.asked("question 10")
    compacting.store(stored.session(USER_ID, session_id, compaction=later))
    assert (await turn).failure is None
    assert state(compacting, session_id) == later


async def test_h4_what_an_earlier_version_trimmed_stays_trimmed(
    compacting: Platform, model: ModelServer, session_id: str
) -> None:
    """The larger of the two counts; the state of the earlier version is an event of its own."""
    a_conversation(compacting, session_id, compaction={"checkpoint": 4, "summary": "so far"})
    blob = '{"agent_id": "default", "conversation_manager_state": {"removed_message_count": 5}}'
    compacting.create_event("agent_default", session_id, 1_700_000_000, {"blob": blob})
    model.script(answer("a"))
    assert (await compacting.chat(session_id, "question 10")).failure is None
    (first, *_) = shown(model)
    assert "question 8" in text_of(first)
    assert "so far" in text_of(first)


async def test_h2_a_state_that_the_service_does_not_find_leaves_the_whole_conversation(
    compacting: Platform, model: ModelServer, session_id: str
) -> None:
    """The mark of the earlier version is there; a missing one never means a new conversation."""
    a_conversation(compacting, session_id)
    blob = '{"agent_id": "default", "conversation_manager_state": {"removed_message_count": 5}}'
    compacting.create_event("agent_default", session_id, 1_700_000_000, {"blob": blob})

    def finds_none(call: Call) -> Wire | None:
        is_state = call.target.operation == "ListEvents" and "agent_default" in call.text
        return Wire(200, "application/json", b'{"events": []}') if is_state else None

    model.script(answer("a"))
    with compacting.proxy.answering(finds_none):
        assert (await compacting.chat(session_id, "question 10")).failure is None
    (first, *_) = shown(model)
    assert first == ("user", "question 0")


async def test_k11_a_shortened_call_that_a_model_repeats_is_a_wrong_one(
    compacting: Platform, model: ModelServer, session_id: str
) -> None:
    repeated = {"_truncated": "{...\n... [truncated, 200 chars removed]"}
    model.script(tool_call(("c1", "calculator", repeated)), answer("sorry"))
    turn = await compacting.chat(session_id, "go", enabled_tools=["calculator"])
    assert turn.failure is None
    (told,) = turn.of("tool_result")
    assert told["tool_result"]["status"] == "error"
