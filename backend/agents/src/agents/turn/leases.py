"""At most one running turn per user and session, in this process and in all others."""

import asyncio
import logging
import time

from agents.turn.live import ABORTED_TURN_WAIT_SECONDS, BUSY, LIVE_TURN_WAIT_SECONDS, Lease, LiveTurns
from apis.shared.errors import ErrorDetail
from apis.shared.lifecycle import background
from apis.shared.result import Failure, Result, Success, error_of, railway
from apis.shared.sessions.leases.repository import Held, LeaseRepository, Taken

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.1
RETRY_PAUSES_SECONDS = (1, 2, 4, 8, 16, 32)


class TurnLeases:
    def __init__(self, live: LiveTurns, store: LeaseRepository) -> None:
        self._live = live
        self._store = store

    async def acquire(self, user_id: str, session_id: str) -> Result[Lease, ErrorDetail]:
        """The session within this process; see `LiveTurns.acquire`. `confirm` then takes it from the other ones."""
        return await self._live.acquire(user_id, session_id)

    @railway
    async def confirm(self, lease: Lease) -> Result[bool, ErrorDetail]:
        """Whether another turn may have ended so lately that what was read meanwhile misses its end. Fails with
        `conflict` while another process runs a turn of this session with its client; waits for an aborted one."""
        started = time.monotonic()
        is_first = True
        while True:
            match (await self._store.take(*lease.key, lease.owner)).unwrap():
                case Taken(is_recent):
                    return Success(is_recent or not is_first)
                case Held(is_aborted):
                    limit = ABORTED_TURN_WAIT_SECONDS if is_aborted else LIVE_TURN_WAIT_SECONDS
                    if time.monotonic() - started >= limit:
                        lease.is_elsewhere = True
                        return Failure(BUSY)
            is_first = False
            await asyncio.sleep(POLL_SECONDS)

    async def abort(self, lease: Lease) -> Result[None, ErrorDetail]:
        """Tell whoever waits for the session that it will be free in a moment."""
        lease.aborted.set()
        return await self._store.abort(*lease.key, lease.owner)

    async def give_back(self, lease: Lease) -> Result[None, ErrorDetail]:
        """Let other processes have the session; tried again for a minute when the store fails."""
        if lease.is_elsewhere:
            return Success(None)
        released = await self._store.release(*lease.key, lease.owner)
        if isinstance(released, Failure):
            background.spawn(self._give_back_later(lease), name="release the lease of a session")
        return released

    def release(self, lease: Lease) -> None:
        """Let the next turn of this process have the session."""
        self._live.release(lease)

    async def _give_back_later(self, lease: Lease) -> None:
        released: Result[None, ErrorDetail] = Success(None)
        for pause in RETRY_PAUSES_SECONDS:
            await asyncio.sleep(pause)
            released = await self._store.release(*lease.key, lease.owner)
            if isinstance(released, Success):
                return
        error = error_of(released)
        logger.error(
            "a session stays busy until its lease expires",
            extra={"session_id": lease.key[1], "code": error.code.value if error is not None else None},
        )
