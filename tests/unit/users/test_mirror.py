"""Bursts, bounds and stops of the mirror, with writes that a test lets go."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

import pytest

from apis.shared.auth.models import User
from apis.shared.errors import ErrorDetail, service_unavailable
from apis.shared.lifecycle import background
from apis.shared.result import Failure, Result, Success, suppression_counts
from apis.shared.users import sync
from apis.shared.users.models import SignedIn, domain_of
from apis.shared.users.repository import UserRepository
from apis.shared.users.sync import Synced, UserMirror, UserSyncService


class Writes(UserSyncService):
    """Each waits for `go`; `written` are the names in the order of coming."""

    def __init__(self, *, enabled: bool = True) -> None:
        super().__init__(UserRepository(None))
        self.is_on = enabled
        self.go = asyncio.Event()
        self.written: list[str] = []
        self.running = 0
        self.answer: Callable[[], Result[Synced, ErrorDetail]] = lambda: Success((None, False))

    @property
    def enabled(self) -> bool:
        return self.is_on

    async def sync_user_from_jwt(self, user: SignedIn) -> Result[Synced, ErrorDetail]:
        self.written.append(user.name)
        self.running += 1
        await self.go.wait()
        self.running -= 1
        return self.answer()


@pytest.fixture
async def writes() -> AsyncIterator[Writes]:
    writes = Writes()
    yield writes
    writes.go.set()
    await background.drain(5)
    await asyncio.gather(*background._tasks)


def user(name: str, user_id: str = "000000001", email: str = "a@a.test") -> User:
    return User(email, user_id, name, [])


async def steps(number: int = 20) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def test_a_burst_of_one_user_writes_the_first_and_the_last_state(writes: Writes) -> None:
    mirror = UserMirror(writes, pause_seconds=0)
    mirror.note(user("first"))
    await steps()
    for name in ("second", "third", "last"):
        mirror.note(user(name))
    await steps()
    assert writes.written == ["first"]
    writes.go.set()
    await steps()
    assert writes.written == ["first", "last"]
    mirror.note(user("later"))
    await steps()
    assert writes.written == ["first", "last", "later"]
    assert mirror._latest == {}


async def test_what_is_asked_for_at_once_is_one_write(writes: Writes) -> None:
    writes.go.set()
    mirror = UserMirror(writes, pause_seconds=0.02)
    for name in ("first", "second", "last"):
        mirror.note(user(name))
        await steps()
    assert writes.written == [], "the answers go first"
    await asyncio.gather(*background._tasks)
    assert writes.written == ["last"]


async def test_a_state_that_waits_for_a_place_is_replaced_too(writes: Writes) -> None:
    mirror = UserMirror(writes, pause_seconds=0)
    for number in range(sync.AT_ONCE):
        mirror.note(user("busy", str(number)))
    mirror.note(user("old", "x"))
    await steps()
    mirror.note(user("new", "x"))
    assert writes.running == sync.AT_ONCE
    writes.go.set()
    await steps()
    assert writes.written == ["busy"] * sync.AT_ONCE + ["new"]


async def test_what_waits_is_bounded(writes: Writes, caplog: pytest.LogCaptureFixture) -> None:
    mirror, site = UserMirror(writes, pause_seconds=0), "apis.shared.users.sync:UserMirror.note"
    before = suppression_counts().get(site, 0)
    for number in range(sync.MOST_PEOPLE + 3):
        mirror.note(user("somebody", str(number)))
    assert len(mirror._latest) == sync.MOST_PEOPLE
    assert suppression_counts()[site] == before + 3
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    mirror.note(user("known", "1"))
    assert len(mirror._latest) == sync.MOST_PEOPLE, "who waits already may be replaced"
    writes.go.set()
    await steps(10_000)
    assert mirror._latest == {}


async def test_a_failure_ends_neither_the_mirror_nor_the_next_write(writes: Writes) -> None:
    mirror = UserMirror(writes, pause_seconds=0)
    writes.answer = lambda: Failure(service_unavailable())
    writes.go.set()
    for name in ("one", "two"):
        mirror.note(user(name))
        await steps()
    assert writes.written == ["one", "two"]


async def test_d_15_a_reference_is_kept(writes: Writes) -> None:
    UserMirror(writes, pause_seconds=0).note(user("kept"))
    assert "mirror a user" in {task.get_name() for task in background._tasks}


async def test_a_stop_does_not_wait(writes: Writes) -> None:
    UserMirror(writes, pause_seconds=0).note(user("slow"))
    await steps()
    async with asyncio.timeout(1):
        await background.drain(30)
    assert writes.running == 1


@pytest.mark.parametrize(("enabled", "email"), [(False, "a@a.test"), (True, "")], ids=["no table", "no e-mail"])
async def test_f_users_15_nothing_is_started_for_nothing(enabled: bool, email: str) -> None:
    writes = Writes(enabled=enabled)
    UserMirror(writes, pause_seconds=0).note(user("nobody", email=email))
    await steps()
    assert writes.written == []


@pytest.mark.parametrize(
    ("claims", "arguments"),
    [
        ({}, ("", "")),
        ({"sub": "1"}, ("1", "")),
        ({"sub": "1", "email": "  "}, ("1", "  ")),
        ({"email": "a@b"}, ("", "a@b")),
    ],
)
async def test_who_lacks_an_id_or_an_e_mail_is_skipped(claims: dict[str, str], arguments: tuple[str, str]) -> None:
    service = UserSyncService(UserRepository(None))
    assert await service.sync_from_jwt(claims) == Success((None, False))
    assert await service.sync_from_user(*arguments) == Success((None, False))


@pytest.mark.parametrize(
    ("email", "domain"),
    [
        ("ada@Example.EDU", "example.edu"),
        ("a@b.test@c.test", "b.test"),
        ("x@", ""),
        ("x", ""),
        ("", ""),
        ("@only.test", "only.test"),
    ],
)
def test_the_domain_stands_after_the_first_at(email: str, domain: str) -> None:
    assert domain_of(email) == domain
