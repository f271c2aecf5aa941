"""Every way out of a turn stores its ending and frees the session."""

import asyncio
import contextlib
import random
import signal
import time
import uuid
from typing import Any

import pytest

from tests.support import stored
from tests.support.fault_proxy import Fault, FaultKind
from tests.support.model_server import ModelServer, answer, tool_call
from tests.support.platform import ROLE, USER_ID, Platform, until

NOT_ANSWERED = "(This message was not answered.)"
HANGING = {"steps": [{"text": "abc"}, {"hang": True}]}


async def called(model: ModelServer, times: int = 1) -> None:
    async def enough() -> bool:
        return len(model.calls) >= times

    await until(enough, seconds=30)


async def leave_around_a_failure(platform: Platform, *, sessions: int, at_once: int = 4) -> list[str]:
    """Clients that leave at a random moment around the failure of the model. Session ids that are busy five seconds
    later, or whose roles do not alternate."""
    limit = asyncio.Semaphore(at_once)

    async def one() -> str | None:
        session_id = str(uuid.uuid4())
        order = random.choice(["[status 401]", "[reset]", "[reset later]", "[garbage later]"])
        async with limit:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(random.uniform(0, 0.12)):
                    await platform.chat(session_id, order)
            left = time.monotonic()
            while (turn := await platform.chat(session_id, "again")).status == 409:
                if time.monotonic() - left > 5:
                    return f"{session_id}: still busy"
            if turn.status != 200 or turn.failure is not None:
                return f"{session_id}: {turn.status} {turn.failure}"
            roles = [role for role, _ in await platform.conversation(session_id)]
            return None if roles == ["user", "assistant"] * (len(roles) // 2) else f"{session_id}: {roles}"

    return [problem for problem in await asyncio.gather(*(one() for _ in range(sessions))) if problem is not None]


@pytest.mark.timeout(180)
async def test_a_client_that_leaves_around_a_failure_never_locks_its_session(platform: Platform) -> None:
    assert await leave_around_a_failure(platform, sessions=40) == []


async def test_a_message_whose_ending_could_not_be_stored_is_answered_by_the_next_turn(
    platform: Platform, model: ModelServer, session_id: str
) -> None:
    platform.store(*stored.conversation(USER_ID, session_id, "lost"))
    turn = await platform.chat(session_id, "again")
    assert turn.shown[0].text == "Hello world."
    assert await platform.conversation(session_id) == [
        ("user", ["lost"]),
        ("assistant", [NOT_ANSWERED]),
        ("user", ["again"]),
        ("assistant", ["Hello world."]),
    ]
    sent = [message["role"] for message in model.calls[0]["messages"] if message["role"] != "system"]
    assert sent == ["user", "assistant", "user"]
    messages = await platform.messages(session_id)
    assert [index for index, message in enumerate(messages) if "metadata" in message] == [3]


async def test_what_a_deleted_session_s_turn_stored_is_removed(
    platform: Platform, model: ModelServer, session_id: str
) -> None:
    await platform.chat(session_id, "first")
    model.reset()
    model.script({"steps": [{"text": "a"}, {"pause_ms": 1500}, *answer("b")["steps"]]})
    running = asyncio.create_task(platform.chat(session_id, "second"))
    await called(model)
    assert (await platform.app.delete(f"/sessions/{session_id}")).status_code == 204
    turn = await running
    assert turn.error["code"] == "not_found"
    assert turn.names[-1] == "done"
    if platform.in_tables:
        assert platform.events(USER_ID, session_id) == []
    else:
        assert list((platform.root / f"session_{session_id}").rglob("message_*.json")) == []
    assert (await platform.chat(session_id, "third")).status == 404


async def test_a_session_belongs_to_whoever_sends_its_first_message(
    platform: Platform, model: ModelServer, session_id: str
) -> None:
    model.script({"steps": [{"text": "a secret"}, {"pause_ms": 1500}, *answer(".")["steps"]]})
    running = asyncio.create_task(platform.chat(session_id, "my question"))
    await called(model)
    somebody = platform.sign_in("000000007", ROLE, "Staff")
    read = await platform.ask(somebody, "GET", f"/sessions/{session_id}/messages")
    assert (read.status_code, read.json()["messages"]) == (200, [])
    assert (await platform.chat(session_id, "mine now", user=somebody)).status == 404
    assert (
        await platform.ask(somebody, "PUT", f"/sessions/{session_id}/metadata", {"title": "Mine"})
    ).status_code == 404
    assert (await running).failure is None
    assert await platform.conversation(session_id) == [("user", ["my question"]), ("assistant", ["a secret."])]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(FaultKind.TIMEOUT, operation="CreateEvent"),
        Fault(FaultKind.TIMEOUT, operation="TransactWriteItems"),
    ],
    ids=["messages", "session record"],
)
async def test_a_service_that_is_stopped_while_aws_hangs_ends_its_streams(
    tables: Platform, model: ModelServer, session_id: str, fault: Fault
) -> None:
    model.script({"steps": [{"text": "abc"}, {"pause_ms": 500}, *answer("d")["steps"]]})
    async with tables.fresh() as platform:
        running = asyncio.create_task(platform.chat(session_id))
        await called(model)
        with platform.proxy.injecting(fault):
            await asyncio.sleep(0.7)
            started = time.monotonic()
            platform.inference_api.process.terminate()
            turn = await running
            assert time.monotonic() - started < 6
            assert turn.names[-2:] == ["stream_error", "done"]
            assert turn.error["code"] == "service_unavailable"
        assert await asyncio.to_thread(platform.inference_api.process.wait) in {0, -signal.SIGTERM}


async def test_a_service_that_is_stopped_while_a_tool_runs_ends_its_streams(
    tables: Platform, model: ModelServer, session_id: str
) -> None:
    slow: dict[str, Any] = {"expression": "factor(2**401 - 1)"}
    model.script(tool_call(("t1", "calculator", slow)))
    async with tables.fresh() as platform:
        running = asyncio.create_task(platform.chat(session_id, enabled_tools=["calculator"]))
        await called(model)
        await asyncio.sleep(0.5)
        started = time.monotonic()
        platform.inference_api.process.terminate()
        turn = await running
        assert time.monotonic() - started < 6
        assert turn.names[-2:] == ["stream_error", "done"]
        assert await asyncio.to_thread(platform.inference_api.process.wait) in {0, -signal.SIGTERM}
