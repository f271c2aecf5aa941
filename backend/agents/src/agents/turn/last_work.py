"""The one piece of work that ends a turn, and who hears of its outcome."""

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from typing import Any

from agents.turn.limits import STOPPING
from apis.shared.errors import ErrorDetail
from apis.shared.lifecycle import background, shutdown
from apis.shared.result import Failure, Result, error_of

logger = logging.getLogger(__name__)

type _Work = Coroutine[Any, Any, Result[None, ErrorDetail]]

CLEANUP_SECONDS = 4.0
# In a process that stops: the rest of its grace period is for telling the client.
GRACE_SECONDS = 1.0


class LastWork:
    """Begun once; it goes on when the turn is cancelled. What goes wrong is told to whoever waits for it, and to the
    operator when nobody does any more."""

    def __init__(self, session_id: str) -> None:
        self._session_id = session_id
        self._task: asyncio.Task[Result[None, ErrorDetail]] | None = None
        self._is_told = False

    @property
    def has_begun(self) -> bool:
        return self._task is not None

    async def in_time(self, work: _Work, *, name: str) -> Result[None, ErrorDetail]:
        """Begin it. What became of it; in a process that stops, `service_unavailable` when the grace period is too
        short."""
        task = self._begin(work, name)
        if await shutdown.wait_for(task, grace=GRACE_SECONDS):
            self._is_told = True
            return task.result()
        return Failure(STOPPING)

    async def whole(self, work: _Work, *, name: str) -> Result[None, ErrorDetail]:
        """Begin it. What became of it, however long that takes."""
        ended = await asyncio.shield(self._begin(work, name))
        self._is_told = True
        return ended

    def begin(self, work: _Work, *, name: str) -> None:
        """For `settle` to wait for."""
        self._task = background.start(work, name=name)

    async def settle(self) -> bool:
        """Wait for what was begun, at most four seconds, and tell the operator what nobody else was told. Whether it is
        done."""
        if self._task is None:
            return True
        await asyncio.wait((self._task,), timeout=CLEANUP_SECONDS)
        self._tell_operator(self._task)
        return self._task.done()

    def give_up(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _begin(self, work: _Work, name: str) -> asyncio.Task[Result[None, ErrorDetail]]:
        self._task = background.start(work, name=name)
        return self._task

    def _tell_operator(self, task: asyncio.Task[Result[None, ErrorDetail]]) -> None:
        if self._is_told:
            return
        if not task.done() or task.cancelled():
            self._log_lost("timeout", {})
            return
        error = error_of(task.result())
        if error is not None:
            self._log_lost(error.code.value, error.context)

    def _log_lost(self, code: str, context: Mapping[str, str]) -> None:
        logger.error(
            "an aborted turn could not be stored completely",
            extra={"session_id": self._session_id, "code": code, **context},
        )
