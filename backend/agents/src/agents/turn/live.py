"""At most one running turn per user and session in this process."""

import asyncio
from dataclasses import dataclass, field

from apis.shared.errors import ErrorDetail, conflict
from apis.shared.result import Failure, Result, Success
from apis.shared.sessions.leases.repository import new_owner

ABORTED_TURN_WAIT_SECONDS = 5.0
# A client that hung up and sends again, or sends as soon as it has read `done`, may be faster than our notice of it.
LIVE_TURN_WAIT_SECONDS = 0.5

type SessionKey = tuple[str, str]


@dataclass(slots=True, eq=False)
class Lease:
    """The right to run the one turn of a session. `is_elsewhere`: another process has it, and keeps it."""

    key: SessionKey
    owner: str = field(default_factory=new_owner)
    is_elsewhere: bool = False
    aborted: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)


class LiveTurns:
    def __init__(self) -> None:
        self._leases: dict[SessionKey, Lease] = {}

    async def acquire(self, user_id: str, session_id: str) -> Result[Lease, ErrorDetail]:
        """Fails with `conflict` while another turn of this session has its client; waits for an aborted one."""
        key = (user_id, session_id)
        running = self._leases.get(key)
        if running is not None:
            if not running.aborted.is_set():
                await _first(running.released, running.aborted, timeout=LIVE_TURN_WAIT_SECONDS)
            if running.aborted.is_set():
                await _first(running.released, timeout=ABORTED_TURN_WAIT_SECONDS)
            if key in self._leases:
                return Failure(BUSY)
        lease = self._leases[key] = Lease(key)
        return Success(lease)

    def release(self, lease: Lease) -> None:
        if self._leases.get(lease.key) is lease:
            del self._leases[lease.key]
        lease.released.set()


async def _first(*events: asyncio.Event, timeout: float) -> None:  # noqa: ASYNC109 - both outcomes are ordinary
    waiters = [asyncio.ensure_future(event.wait()) for event in events]
    await asyncio.wait(waiters, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    for waiter in waiters:
        waiter.cancel()


BUSY = conflict("This conversation is still answering an earlier message. Please wait until it has finished.")
