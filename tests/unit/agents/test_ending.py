"""The ending of a turn by itself, in a process that stops while the stores hang."""

import asyncio
from typing import Any, cast

import pytest

from agents.turn import last_work as last_work_module
from agents.turn.ending import Ending
from agents.turn.leases import TurnLeases
from agents.turn.limits import STOPPING
from agents.turn.live import Lease
from agents.turn.request import TurnRequest
from apis.shared.auth.models import User
from apis.shared.costs.service import UsageRecorder
from apis.shared.errors import ErrorDetail, service_unavailable
from apis.shared.lifecycle import Shutdown
from apis.shared.result import Failure, Result, Success
from apis.shared.sessions.metadata import SessionService


class Sessions:
    """A store that answers when it is let."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()

    async def ensure_record(self, *_: Any) -> Result[None, ErrorDetail]:
        await self.answers.wait()
        return Success(None)


class Leases:
    async def give_back(self, _: Lease) -> Result[None, ErrorDetail]:
        return Failure(service_unavailable())

    def release(self, lease: Lease) -> None:
        lease.released.set()


class Conversation:
    """Everything can be stored."""

    async def end(self, *_: Any, **__: Any) -> Result[None, ErrorDetail]:
        return Success(None)


@pytest.fixture
def stop(monkeypatch: pytest.MonkeyPatch) -> Shutdown:
    stop = Shutdown()
    monkeypatch.setattr(last_work_module, "shutdown", stop)
    monkeypatch.setattr(last_work_module, "GRACE_SECONDS", 0.05)
    return stop


def an_ending(sessions: Sessions, lease: Lease) -> Ending:
    return Ending(
        request=TurnRequest(user=User("", "1", "", []), session_id="s", message="hi"),
        file_names=(),
        conversation=Success(cast("Any", Conversation())),  # of the doubles only what is called here
        sessions=cast("SessionService", sessions),
        usage=cast("UsageRecorder", None),
        lease=lease,
        compactor=None,
        leases=cast("TurnLeases", Leases()),
    )


async def test_what_was_told_is_waited_for_no_longer_than_a_stop_allows(stop: Shutdown) -> None:
    sessions, lease = Sessions(), Lease(("1", "s"))
    ending = an_ending(sessions, lease)
    telling = asyncio.create_task(ending.told("Your quota is used up."))
    await asyncio.sleep(0)
    stop.begin()
    async with asyncio.timeout(1):
        assert await telling == Failure(STOPPING)
    assert await ending.failed("again", None) == Success(None), "it is being stored already"
    sessions.answers.set()
    await ending.close(None)
    assert lease.released.is_set()


async def test_a_lease_that_is_not_given_back_is_no_failure_to_store(stop: Shutdown) -> None:
    sessions = Sessions()
    sessions.answers.set()
    assert not stop.is_stopping
    assert await an_ending(sessions, Lease(("1", "s"))).failed("told", None) == Success(None)
