"""Leases in local files: a lock that the operating system frees when its process dies."""

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

from apis.shared.errors import ErrorDetail, service_unavailable
from apis.shared.result import ErrorTable, Result, Success, attempt, railway
from apis.shared.sessions.leases.repository import RECENT_SECONDS, Held, Taken

if TYPE_CHECKING:
    from filelock import FileLock

_ERRORS = ErrorTable.of((OSError, service_unavailable))


class LocalLeases:
    """For what `is_session_id` accepts. Beside each lock, one mark says that its owner's client has left, another one
    when it was last released. They are in a folder of their own, because a session may not exist yet, or any more."""

    def __init__(self, root: Path) -> None:
        self._folder = root / ".leases"
        self._held: dict[str, FileLock] = {}

    async def take(self, user_id: str, session_id: str, owner: str) -> Result[Taken | Held, ErrorDetail]:  # noqa: ARG002 - one folder, one owner
        return await asyncio.to_thread(self._take, session_id, owner)

    async def abort(self, user_id: str, session_id: str, owner: str) -> Result[None, ErrorDetail]:  # noqa: ARG002 - as above
        if owner not in self._held:
            return Success(None)
        return await asyncio.to_thread(attempt, self._file(session_id, "aborted").touch, errors=_ERRORS)

    async def release(self, user_id: str, session_id: str, owner: str) -> Result[None, ErrorDetail]:  # noqa: ARG002 - as above
        lock = self._held.pop(owner, None)
        return Success(None) if lock is None else await asyncio.to_thread(self._release, lock, session_id)

    @railway
    def _take(self, session_id: str, owner: str) -> Result[Taken | Held, ErrorDetail]:
        aborted, released = self._file(session_id, "aborted"), self._file(session_id, "released")
        lock = attempt(_locked, self._file(session_id, "lock"), errors=_ERRORS).unwrap()
        if lock is None:
            return Success(Held(is_aborted=attempt(aborted.exists, errors=_ERRORS).unwrap()))
        self._held[owner] = lock
        attempt(aborted.unlink, missing_ok=True, errors=_ERRORS).unwrap()
        return Success(Taken(is_recent=attempt(_is_recent, released, errors=_ERRORS).unwrap()))

    @railway
    def _release(self, lock: "FileLock", session_id: str) -> Result[None, ErrorDetail]:
        stamped = attempt(self._file(session_id, "released").touch, errors=_ERRORS)
        lock.release()
        return stamped

    def _file(self, session_id: str, kind: str) -> Path:
        return self._folder / f"{session_id}.{kind}"


def _locked(path: Path) -> "FileLock | None":
    """The lock, or None when somebody else has it."""
    from filelock import FileLock, Timeout  # noqa: PLC0415 - lazy: tables do without it

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, thread_local=False)
    taken = attempt(lock.acquire, blocking=False, errors=ErrorTable.of((Timeout, service_unavailable)))
    return taken.map(lambda _: lock).value_or(None)


def _is_recent(path: Path) -> bool:
    return path.exists() and path.stat().st_mtime > time.time() - RECENT_SECONDS
