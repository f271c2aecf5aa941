"""Two Inference services over one storage: a session still runs one turn at a time."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.model_server import ModelServer, answer
from tests.support.platform import Platform, until

HANGING = {"steps": [{"text": "abc"}, {"hang": True}]}


@pytest.fixture(scope="module")
async def other_tables(tables: Platform) -> AsyncIterator[Platform]:
    async with tables.fresh() as running:
        yield running


@pytest.fixture(scope="module")
async def other_files(files: Platform) -> AsyncIterator[Platform]:
    async with files.fresh() as running:
        yield running


@pytest.fixture
def other(platform: Platform, request: pytest.FixtureRequest) -> Platform:
    """The same storage seen by processes of its own."""
    running: Platform = request.getfixturevalue("other_tables" if platform.in_tables else "other_files")
    return running


def assert_sound(conversation: list[tuple[str, list[Any]]], messages: list[dict[str, Any]], answered: int) -> None:
    roles = [role for role, _ in conversation]
    assert roles == ["user", "assistant"] * answered, roles
    billed = [message["role"] for message in messages if "metadata" in message]
    assert billed == ["assistant"] * answered, "an answer lost its costs"


async def test_of_two_turns_at_once_in_two_processes_one_answers(
    platform: Platform, other: Platform, model: ModelServer, session_id: str
) -> None:
    for number in range(3):
        model.script({"steps": [{"pause_ms": 1500}, *answer("One.")["steps"]]})
        turns = await asyncio.gather(platform.chat(session_id, f"a {number}"), other.chat(session_id, f"b {number}"))
        assert sorted(turn.status for turn in turns) == [200, 409]
        assert len(await platform.conversation(session_id)) == 2 * (number + 1)
    assert_sound(await platform.conversation(session_id), await platform.messages(session_id), 3)
    assert (await platform.session(session_id))["messageCount"] == 3


async def test_a_turn_that_is_refused_has_no_lease_to_release(
    tables: Platform, other_tables: Platform, model: ModelServer, session_id: str
) -> None:
    model.script({"steps": [{"pause_ms": 1500}, *answer("One.")["steps"]]})
    running = asyncio.create_task(tables.chat(session_id))
    await until(lambda: _called(model))
    with tables.proxy.recording() as recording:
        refused = await other_tables.chat(session_id)
    assert (refused.status, refused.body["code"]) == (409, "conflict")
    leases = [call.target.operation for call in recording.calls if "TURN_LEASE" in call.text]
    # Asked for until it gives up, each time with a look at who has it.
    assert leases == ["UpdateItem", "GetItem"] * (len(leases) // 2)
    assert (await running).failure is None


async def test_a_client_that_hangs_up_goes_on_in_the_other_process(
    platform: Platform, other: Platform, model: ModelServer, session_id: str
) -> None:
    """As a browser does whose page was hidden: it sends the same message again."""
    model.script(HANGING, answer("Here."))
    async with platform.chatting(session_id) as events:
        async for name, _ in events:
            if name == "content_block_delta":
                break
    turn = await other.chat(session_id)
    assert turn.status == 200, turn.body
    assert await platform.conversation(session_id) == [
        ("user", ["hi"]),
        ("assistant", ["abc", "Session stopped by user"]),
        ("user", ["hi"]),
        ("assistant", ["Here."]),
    ]


async def race(one: Platform, other: Platform, session_id: str, *, rounds: int) -> int:
    """Turns of one session sent to both processes at random moments; how many were answered."""
    answered = 0
    for number in range(rounds):

        async def send(platform: Platform, word: str) -> int:
            await asyncio.sleep(random.uniform(0, 0.05))
            return (await platform.chat(session_id, word)).status

        statuses = await asyncio.gather(send(one, f"one {number}"), send(other, f"other {number}"))
        assert set(statuses) <= {200, 409}, statuses
        answered += statuses.count(200)
    return answered


async def test_turns_that_race_never_break_a_conversation(platform: Platform, other: Platform, session_id: str) -> None:
    answered = await race(platform, other, session_id, rounds=5)
    assert_sound(await platform.conversation(session_id), await platform.messages(session_id), answered)


async def test_a_process_that_dies_leaves_the_session_to_be_taken_over(
    platform: Platform, model: ModelServer, session_id: str
) -> None:
    """Local files: at once. The table: when the lease expires, which a test cannot wait for."""
    model.script(HANGING)
    async with platform.fresh() as dying:
        running = asyncio.create_task(dying.chat(session_id))
        await until(lambda: _called(model), seconds=30)
        dying.inference_api.process.kill()
        await asyncio.wait((running,))
    assert running.exception() is not None
    again = await platform.chat(session_id, "again")
    if platform.in_tables:
        assert (again.status, again.body["code"]) == (409, "conflict")
        return
    assert again.status == 200
    assert await platform.conversation(session_id) == [
        ("user", ["hi"]),
        ("assistant", ["(This message was not answered.)"]),
        ("user", ["again"]),
        ("assistant", ["Hello world."]),
    ]


async def _called(model: ModelServer) -> bool:
    return bool(model.calls)
