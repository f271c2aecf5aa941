"""Local files that several processes share: both services of one machine, or two versions of one."""

import asyncio
import fcntl
import functools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from apis.shared.costs.local import LocalCostRecords
from apis.shared.errors import ErrorDetail
from apis.shared.result import Failure, Result, Success
from apis.shared.sessions.local import LocalSessions
from apis.shared.sessions.messages.local import LocalMessages
from apis.shared.sessions.metadata import SessionService
from apis.shared.sessions.models import Message, SessionPatch
from apis.shared.storage import locks
from apis.shared.storage.session_folders import session_folder, session_lock
from tests.integration.sessions.sharing import share

ADA = "000000001"
QUESTION: Message = {"role": "user", "content": [{"text": "hi"}]}


@pytest.fixture
def service(tmp_path: Path) -> SessionService:
    return SessionService(LocalSessions(tmp_path, LocalCostRecords(tmp_path)))


@pytest.fixture
def messages(tmp_path: Path) -> LocalMessages:
    return LocalMessages(tmp_path)


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """As another process holds it: with the system's own call."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


@pytest.mark.timeout(300)
def test_two_processes_lose_no_write_and_undo_no_delete(tmp_path: Path) -> None:
    outcome = share(tmp_path, processes=2, rounds=30)
    assert outcome.lost == []
    assert outcome.acknowledged + outcome.refused.total() == 2 * 30 * 3 + 2 * 15 * 2
    assert outcome.acknowledged > 200


async def test_who_waits_too_long_is_told_and_nothing_else_waits(
    service: SessionService, messages: LocalMessages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "WAIT_SECONDS", 0.5)
    assert (await service.update_session(ADA, "s1", SessionPatch({"title": "x"}))).unwrap().title == "x"
    with held(session_lock(tmp_path, "s1")):
        begun = time.monotonic()
        waiting = asyncio.gather(
            *(service.update_session(ADA, "s1", SessionPatch({"title": str(number)})) for number in range(20)),
            *(messages.append(ADA, "s1", QUESTION) for _ in range(20)),
            messages.delete(ADA, "s1"),
        )
        await asyncio.sleep(0.05)
        asked = time.monotonic()
        assert (await service.get_session(ADA, "s1")).unwrap().title == "x", "reading takes no lock"
        assert (await asyncio.to_thread(str)) == "", "nor is a thread kept"
        assert time.monotonic() - asked < 1.5
        outcomes = await waiting
    assert {outcome.failure().code for outcome in outcomes} == {"service_unavailable"}
    assert time.monotonic() - begun < 3, "side by side: in the threads of the loop they would take longer"
    assert (await service.get_session(ADA, "s1")).unwrap().title == "x"
    assert await messages.read(ADA, "s1") == Success([])


async def test_who_waits_goes_on_when_the_lock_is_free(messages: LocalMessages, tmp_path: Path) -> None:
    with held(session_lock(tmp_path, "s1")):
        waiting = asyncio.create_task(messages.append(ADA, "s1", QUESTION))
        await asyncio.sleep(0.1)
        assert not waiting.done()
    assert await waiting == Success(None)


async def test_a_process_that_dies_leaves_no_lock(messages: LocalMessages, tmp_path: Path) -> None:
    lock = session_lock(tmp_path, "s1")
    lock.parent.mkdir()
    code = f"import fcntl, os, time; fcntl.flock(os.open({str(lock)!r}, os.O_RDWR | os.O_CREAT), fcntl.LOCK_EX)"
    holder = subprocess.Popen(  # noqa: ASYNC220 - takes a moment, and is no service
        [sys.executable, "-c", f"{code}; print(flush=True); time.sleep(60)"], stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    with holder:
        holder.stdout.readline()
        waiting = asyncio.create_task(messages.append(ADA, "s1", QUESTION))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        holder.kill()
        assert await waiting == Success(None)


async def test_work_that_has_begun_is_finished_under_its_lock(tmp_path: Path) -> None:
    """A caller that hangs up must not let the next one in too early."""
    lock = locks.lock_for(tmp_path, "x")
    steps: list[str] = []

    def slow(name: str) -> Result[None, ErrorDetail]:
        steps.append(f"{name} begins")
        time.sleep(0.2)
        steps.append(f"{name} ends")
        return Success(None)

    first = asyncio.create_task(locks.exclusively(lock, functools.partial(slow, "first")))
    await asyncio.sleep(0.1)
    first.cancel()
    assert await locks.exclusively(lock, functools.partial(slow, "second")) == Success(None)
    assert steps == ["first begins", "first ends", "second begins", "second ends"]


async def test_locks_are_no_data_and_bring_no_folder_back(
    service: SessionService, messages: LocalMessages, tmp_path: Path
) -> None:
    for session_id in ("s1", "s2"):
        assert isinstance(await service.update_session(ADA, session_id, SessionPatch({"title": "x"})), Success)
        assert await messages.append(ADA, session_id, QUESTION) == Success(None)
    assert await service.delete_session(ADA, "s1") == Success(None)
    assert await messages.delete(ADA, "s1") == Success(1)
    assert [one.session_id for one in (await service.list_sessions(ADA, limit=None, token=None)).unwrap().records] == [
        "s2"
    ]
    assert sorted(path.name for path in session_folder(tmp_path, "s2").rglob("*") if path.is_file()) == [
        "agent.json",
        "message_0.json",
        "session-metadata.json",
        "session.json",
    ]
    assert list(session_folder(tmp_path, "s1").rglob("message_*")) == []
    assert await messages.delete(ADA, "absent") == Success(0)
    assert not session_folder(tmp_path, "absent").exists()


async def test_a_message_does_not_bring_a_deleted_conversation_back(
    service: SessionService, messages: LocalMessages, tmp_path: Path
) -> None:
    assert isinstance(await service.update_session(ADA, "s1", SessionPatch({"title": "x"})), Success)
    assert await messages.append(ADA, "s1", QUESTION) == Success(None)
    assert await service.delete_session(ADA, "s1") == Success(None)
    assert await messages.delete(ADA, "s1") == Success(1)
    match await messages.append(ADA, "s1", QUESTION):
        case Failure(error):
            assert error.code == "not_found"
        case stored:
            pytest.fail(f"{stored}")
    assert list(session_folder(tmp_path, "s1").rglob("message_*")) == []


async def test_what_an_interrupted_deletion_left_is_removed_by_the_next(
    messages: LocalMessages, tmp_path: Path
) -> None:
    assert await messages.append(ADA, "s1", QUESTION) == Success(None)
    agent = session_folder(tmp_path, "s1") / "agents" / "agent_default"
    (agent / "messages").rename(agent / ".removed.by-a-process-that-died")
    assert await messages.read(ADA, "s1") == Success([])
    assert await messages.delete(ADA, "s1") == Success(0)
    assert [path.name for path in agent.iterdir()] == ["agent.json"]


async def test_a_process_that_knows_no_lock_works_beside(
    service: SessionService, messages: LocalMessages, tmp_path: Path
) -> None:
    """Files of the previous version are read, changed and numbered on, while a lock is held too."""
    folder = session_folder(tmp_path, "s1") / "agents" / "agent_default" / "messages"
    assert await messages.append(ADA, "s1", QUESTION) == Success(None)
    with held(session_lock(tmp_path, "s1")):
        (folder / "message_1.json").write_text((folder / "message_0.json").read_text())
    assert await messages.append(ADA, "s1", QUESTION) == Success(None)
    assert len((await messages.read(ADA, "s1")).unwrap()) == 3
