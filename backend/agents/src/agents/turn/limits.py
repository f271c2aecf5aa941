"""What ends in time: a stream by itself, by the time limit, or because the process stops; and what a turn can do
without."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from typing import Any

from apis.shared.errors import ErrorCode, ErrorDetail, timed_out
from apis.shared.lifecycle import Shutdown
from apis.shared.result import Failure, Result

TURN_LIMIT_SECONDS = 600.0
# What cannot be stopped, a tool in a thread for instance, is left to itself.
CLOSING_SECONDS = 1.0

TIME_LIMIT = ErrorDetail(code=ErrorCode.TIMEOUT, message="The answer took longer than ten minutes and was stopped.")
STOPPING = ErrorDetail(
    code=ErrorCode.SERVICE_UNAVAILABLE, message="The service is being restarted. Please send your message again."
)


async def within_limits[T](
    items: AsyncIterator[Result[T, ErrorDetail]], *, seconds: float, shutdown: Shutdown
) -> AsyncGenerator[Result[T, ErrorDetail]]:
    """The items up to the first Failure; `timeout` after `seconds`, `service_unavailable` when the process stops.

    The source runs in one task of its own, so its context is one task whatever the consumer does; it is cancelled
    and closed before this generator ends, unless that takes more than a second.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[Result[T, ErrorDetail] | None] = asyncio.Queue()

    async def pump() -> None:
        try:
            async for item in items:
                queue.put_nowait(item)
        finally:
            if isinstance(items, AsyncGenerator):
                await items.aclose()

    source = loop.create_task(pump())
    source.add_done_callback(lambda _: queue.put_nowait(None))
    timer = loop.call_later(seconds, queue.put_nowait, Failure(TIME_LIMIT))
    unsubscribe = shutdown.subscribe(lambda: queue.put_nowait(Failure(STOPPING)))
    try:
        while (item := await queue.get()) is not None:
            yield item
            if isinstance(item, Failure):
                return
        source.result()
    finally:
        timer.cancel()
        unsubscribe()
        source.cancel()
        await asyncio.wait((source,), timeout=CLOSING_SECONDS)


async def until[T](
    end: float, work: Coroutine[Any, Any, Result[T, ErrorDetail]], *, what: str
) -> Result[T, ErrorDetail]:
    """What `work` gives by the event loop's moment `end`, else `timeout`."""
    task = asyncio.ensure_future(work)
    await asyncio.wait((task,), timeout=max(0.0, end - asyncio.get_running_loop().time()))
    if task.done():
        return task.result()
    task.cancel()
    return Failure(timed_out(None, reason=what))
