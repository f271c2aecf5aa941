"""The right to run the one turn of a session, in the table and in local files."""

import asyncio
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from apis.shared.aws.dynamodb import Table
from apis.shared.result import Success
from apis.shared.sessions.leases.dynamodb import DynamoLeases
from apis.shared.sessions.leases.local import LocalLeases
from apis.shared.sessions.leases.repository import EXPIRY_SECONDS, Held, LeaseRepository, Taken, new_owner
from tests.support import stored
from tests.support.platform import Platform

ADA = "000000001"
FREE, BUSY, LEAVING = Taken(is_recent=False), Held(is_aborted=False), Held(is_aborted=True)


@pytest.fixture
def session_id() -> str:
    return str(uuid.uuid4())


@pytest.fixture
def in_table(tables: Platform) -> Iterator[DynamoLeases]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in tables.variables.items():
            patch.setenv(name, value)
        yield DynamoLeases(Table(tables.variables[stored.SESSIONS]))


@pytest.fixture
def in_files(tmp_path: Path) -> LocalLeases:
    return LocalLeases(tmp_path)


@pytest.fixture(params=["in_table", "in_files"])
def leases(request: pytest.FixtureRequest) -> LeaseRepository:
    chosen: LeaseRepository = request.getfixturevalue(request.param)
    return chosen


def elsewhere() -> str:
    """An owner of another process."""
    return f"{uuid.uuid4().hex}#{uuid.uuid4().hex}"


async def test_one_turn_at_a_time(leases: LeaseRepository, session_id: str) -> None:
    first, second = elsewhere(), elsewhere()
    assert await leases.take(ADA, session_id, first) == Success(FREE)
    assert await leases.take(ADA, session_id, second) == Success(BUSY)
    assert await leases.release(ADA, session_id, first) == Success(None)
    assert await leases.take(ADA, session_id, second) == Success(Taken(is_recent=True))


async def test_other_sessions_do_not_wait(leases: LeaseRepository, session_id: str) -> None:
    assert await leases.take(ADA, session_id, elsewhere()) == Success(FREE)
    assert await leases.take(ADA, f"{session_id}-2", elsewhere()) == Success(FREE)


async def test_a_turn_whose_client_left_says_so(leases: LeaseRepository, session_id: str) -> None:
    first, second = elsewhere(), elsewhere()
    assert await leases.take(ADA, session_id, first) == Success(FREE)
    assert await leases.abort(ADA, session_id, first) == Success(None)
    assert await leases.take(ADA, session_id, second) == Success(LEAVING)
    assert await leases.release(ADA, session_id, first) == Success(None)
    assert await leases.take(ADA, session_id, second) == Success(Taken(is_recent=True))
    assert await leases.take(ADA, session_id, first) == Success(BUSY)


async def test_only_the_owner_releases_and_aborts(leases: LeaseRepository, session_id: str) -> None:
    first, second = elsewhere(), elsewhere()
    assert await leases.take(ADA, session_id, first) == Success(FREE)
    assert await leases.release(ADA, session_id, second) == Success(None)
    assert await leases.abort(ADA, session_id, second) == Success(None)
    assert await leases.take(ADA, session_id, second) == Success(BUSY)


async def test_a_crashed_owner_s_lease_expires(in_table: DynamoLeases, tables: Platform, session_id: str) -> None:
    key = {"PK": f"CLAIM#{session_id}", "SK": f"TURN_LEASE#{ADA}"}
    now = int(time.time())
    tables.put(stored.SESSIONS, {**key, "owner": elsewhere(), "expiresAt": now + 60})
    assert await in_table.take(ADA, session_id, elsewhere()) == Success(BUSY)
    tables.put(stored.SESSIONS, {**key, "owner": elsewhere(), "expiresAt": now - 1})
    assert await in_table.take(ADA, session_id, elsewhere()) == Success(FREE)
    (item,) = tables.items(stored.SESSIONS, key["PK"])
    assert now + EXPIRY_SECONDS <= item["expiresAt"] <= now + EXPIRY_SECONDS + 10
    assert item["ttl"] > item["expiresAt"]
    assert item.keys().isdisjoint({"GSI_PK", "GSI_SK", "GSI1PK", "GSI1SK"})


async def test_a_process_takes_back_what_it_could_not_release(in_table: DynamoLeases, session_id: str) -> None:
    assert await in_table.take(ADA, session_id, new_owner()) == Success(FREE)
    assert await in_table.take(ADA, session_id, new_owner()) == Success(FREE)
    assert await in_table.take(ADA, session_id, elsewhere()) == Success(BUSY)


async def test_the_lock_of_a_process_that_died_is_free(in_files: LocalLeases, tmp_path: Path, session_id: str) -> None:
    code = f"""
import asyncio, os, pathlib
from apis.shared.sessions.leases.local import LocalLeases
print(asyncio.run(LocalLeases(pathlib.Path({str(tmp_path)!r})).take("u", {session_id!r}, "a#b")), flush=True)
os.kill(os.getpid(), 9)
"""
    died = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    assert b"Taken" in (await died.communicate())[0]
    assert await in_files.take(ADA, session_id, elsewhere()) == Success(FREE)


async def test_a_turn_that_ended_a_while_ago_is_not_recent(
    leases: LeaseRepository, session_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = elsewhere()
    assert await leases.take(ADA, session_id, owner) == Success(FREE)
    assert await leases.release(ADA, session_id, owner) == Success(None)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 10)
    assert await leases.take(ADA, session_id, elsewhere()) == Success(FREE)
