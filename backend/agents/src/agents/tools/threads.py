"""Waiting that tools do in threads, because a library knows no other way: threads of their own."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from apis.shared.errors import ErrorDetail, bad_request, service_unavailable
from apis.shared.result import Failure, Result

BUSY = service_unavailable().model_copy(update={"message": "Too much is being worked on. Try again in a moment."})
TOO_SLOW = bad_request("It takes too long.")


class ToolThreads:
    def __init__(self, name: str, *, threads: int = 4, waiting: int = 16) -> None:
        self._name = name
        self._threads = threads
        self._most = threads + waiting
        self._present = 0
        self._pool: ThreadPoolExecutor | None = None

    async def run[T](self, work: Callable[[], Result[T, ErrorDetail]], *, seconds: float) -> Result[T, ErrorDetail]:
        """What `work` gives. It goes on in its thread when nobody waits any more, and has to end by itself."""
        if self._present >= self._most:
            return Failure(BUSY)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix=self._name)
        self._present += 1
        running = asyncio.get_running_loop().run_in_executor(self._pool, work)
        running.add_done_callback(self._leave)
        done, _ = await asyncio.wait((running,), timeout=seconds)
        if not done:
            running.cancel()
            return Failure(TOO_SLOW)
        return running.result()

    def _leave(self, _: object) -> None:
        self._present -= 1
