"""What outlives one request: the shutdown signal and background work."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

logger = logging.getLogger(__name__)


class Shutdown:
    """Tells running streams and requests that the process was asked to stop."""

    def __init__(self) -> None:
        self._stopping = False
        self._listeners: set[Callable[[], None]] = set()

    @property
    def is_stopping(self) -> bool:
        return self._stopping

    def begin(self) -> None:
        """Call every listener once; to be called on the event loop."""
        if self._stopping:
            return
        self._stopping = True
        for listener in tuple(self._listeners):
            listener()

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have `listener` called when the process stops (at once if it already does); returns the unsubscriber."""
        if self._stopping:
            listener()
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)


class BackgroundTasks:
    """Fire-and-forget work whose outcome no response depends on. Keeps a reference until each task is done."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    async def drain(self, timeout: float) -> None:  # noqa: ASYNC109 - a bound on shutdown, not on one call
        """Wait for running work, at most `timeout` seconds; what is left then ends with the process."""
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=timeout)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (bug := task.exception()) is not None:
            logger.error("background task failed", extra={"task": task.get_name()}, exc_info=bug)


shutdown = Shutdown()
background = BackgroundTasks()
