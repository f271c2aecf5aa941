"""What outlives one request: the shutdown signal and background work."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
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

    async def wait_for(self, work: asyncio.Future[Any], *, grace: float) -> bool:
        """Wait until `work` is done; in a process that stops, at most `grace` seconds more. Whether it is done; it
        goes on otherwise, also when this is cancelled."""
        stopping = asyncio.Event()
        unsubscribe = self.subscribe(stopping.set)
        stop = asyncio.ensure_future(stopping.wait())
        try:
            await asyncio.wait((work, stop), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                await asyncio.wait((work,), timeout=grace)
            return work.done()
        finally:
            stop.cancel()
            unsubscribe()


class BackgroundTasks:
    """Work that goes on when the request that started it does not wait for it. Keeps a reference until it is done."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()  # Any: each task has its own value
        self._left_at_stop: set[asyncio.Task[Any]] = set()  # Any: as above

    def spawn(self, work: Coroutine[Any, Any, None], *, name: str, awaited_at_stop: bool = True) -> None:
        """Fire and forget: no response depends on the outcome; an exception is a bug and is logged.

        A stop does not wait for work that is not `awaited_at_stop`: what is lost then is done again anyway.
        """
        task = self.start(work, name=name)
        task.add_done_callback(self._report)
        if not awaited_at_stop:
            self._left_at_stop.add(task)
            task.add_done_callback(self._left_at_stop.discard)

    def start[T](self, work: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
        """A task that outlives the cancellation of its creator."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def finish[T](self, work: Coroutine[Any, Any, T], *, name: str) -> T:
        """Await `work`, which runs to its end even when the caller is cancelled meanwhile."""
        return await asyncio.shield(self.start(work, name=name))

    async def drain(self, timeout: float) -> None:  # noqa: ASYNC109 - a bound on shutdown, not on one call
        """Wait for running work, at most `timeout` seconds; what is left then ends with the process."""
        if awaited := self._tasks - self._left_at_stop:
            await asyncio.wait(awaited, timeout=timeout)

    @staticmethod
    def _report(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (bug := task.exception()) is not None:
            logger.error("background task failed", extra={"task": task.get_name()}, exc_info=bug)


shutdown = Shutdown()
background = BackgroundTasks()
_closers: list[Callable[[], Awaitable[None]]] = []


def at_close(close: Callable[[], Awaitable[None]]) -> None:
    """Have `close` called when the process ends: for connections that outlive a request."""
    _closers.append(close)


async def close_all() -> None:
    """To be called once no request and no background work is left."""
    for close in _closers:
        await close()
