"""Locks between all processes of one machine that share local files.

The system holds a lock for an open file and gives it back when the process ends, however it ends. The lock files stand
in a folder of their own beside the data: they are never listed with it, and taking a lock makes no folder that was
deleted come back.
"""

import asyncio
import os
import random
import weakref
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from apis.shared.errors import ErrorDetail, service_unavailable
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, attempt_async

WAIT_SECONDS = 5.0
FOLDER = ".locks"
SHARES = 64
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.001, 0.01

_BUSY = service_unavailable(None, reason="a lock on local files is held by somebody else")
_ERRORS = ErrorTable.of((OSError, service_unavailable))
_LATE = ErrorTable.of((TimeoutError, lambda _: _BUSY))
_queues: "weakref.WeakValueDictionary[Path, asyncio.Lock]" = weakref.WeakValueDictionary()


def lock_for(root: Path, name: str) -> Path:
    """The file that stands for the lock on `name` below `root`.

    There is a fixed number of them, and none is ever removed: one that is removed while another process opens it would
    give the lock away twice. Names that share a file wait for each other; who holds one must not ask for another.
    """
    return root / FOLDER / f"{zlib.crc32(name.encode()) % SHARES:02x}.lock"


async def exclusively[T](lock: Path, work: Callable[[], Result[T, ErrorDetail]]) -> Result[T, ErrorDetail]:
    """Run `work` in a worker thread while no other task and no other process holds `lock`.

    `service_unavailable` when others hold it for five seconds; `work` has not begun then. Once begun it runs to its
    end, also when the caller is cancelled, and gives the lock back itself.
    """
    deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
    queue = _queue_for(lock)
    match await attempt_async(_enter, queue, deadline, errors=_LATE):
        case Failure(error):
            return Failure(error)
    try:
        return await _when_free(lock, work, deadline)
    finally:
        queue.release()


def _queue_for(lock: Path) -> asyncio.Lock:
    """The tasks of this process wait here, in order, so that only one of them asks the system."""
    queue = _queues.get(lock)
    if queue is None:
        queue = _queues[lock] = asyncio.Lock()
    return queue


async def _enter(queue: asyncio.Lock, deadline: float) -> None:
    async with asyncio.timeout_at(deadline):
        await queue.acquire()


async def _when_free[T](
    lock: Path, work: Callable[[], Result[T, ErrorDetail]], deadline: float
) -> Result[T, ErrorDetail]:
    pause = _FIRST_PAUSE_SECONDS
    # Asked again and again instead of waiting in the system: a thread that waits is one that others lack.
    while True:
        outcome = await asyncio.to_thread(_work_if_free, lock, work)
        if not isinstance(outcome, _Taken):
            return outcome
        if asyncio.get_running_loop().time() >= deadline:
            return Failure(_BUSY)
        await asyncio.sleep(random.uniform(0.5, 1) * pause)  # noqa: S311 - spreads attempts, protects nothing
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


@dataclass(frozen=True, slots=True)
class _Taken:
    """Somebody else has the lock."""


def _work_if_free[T](lock: Path, work: Callable[[], Result[T, ErrorDetail]]) -> Result[T, ErrorDetail] | _Taken:
    match attempt(_taken, lock, errors=_ERRORS):
        case Success(int() as descriptor):
            try:
                return work()
            finally:
                os.close(descriptor)  # which gives the lock back
        case Success(_):
            return _Taken()
        case Failure(error):
            return Failure(error)


def _taken(lock: Path) -> int | None:
    """A descriptor that holds the lock, None while somebody else does."""
    from filelock import lock_descriptor  # noqa: PLC0415 - lazy: stays out of the start

    descriptor = _open(lock)
    is_ours = False
    try:
        is_ours = lock_descriptor(descriptor, blocking=False)
    finally:
        if not is_ours:
            os.close(descriptor)
    return descriptor if is_ours else None


def _open(lock: Path) -> int:
    lock.parent.mkdir(parents=True, exist_ok=True)
    return os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
