"""The right to run the one turn of a session, across processes: one door, a table or local files behind it."""

import uuid
from dataclasses import dataclass
from typing import Protocol

from apis.shared.errors import ErrorDetail
from apis.shared.result import Result

EXPIRY_SECONDS = 660
"""A crashed owner's lease is free after this: 60 seconds more than the longest turn."""

RECENT_SECONDS = 5.0
"""How far the clocks of two machines may differ."""


@dataclass(frozen=True, slots=True)
class Taken:
    """`is_recent`: another turn may have ended so lately that what was read before this may miss its end."""

    is_recent: bool


@dataclass(frozen=True, slots=True)
class Held:
    """Another turn has it. `is_aborted`: its client has left, so it will be free in a moment."""

    is_aborted: bool


_PROCESS = uuid.uuid4().hex


def new_owner() -> str:
    """A token that no other turn has, and that tells its process."""
    return f"{_PROCESS}#{uuid.uuid4().hex}"


def process_of(owner: str) -> str:
    return owner.partition("#")[0]


class LeaseRepository(Protocol):
    """`owner` is made by `new_owner`."""

    async def take(self, user_id: str, session_id: str, owner: str) -> Result[Taken | Held, ErrorDetail]:
        """Free, expired, or left behind by this process, which knows its own turns: then it is the owner's."""
        ...

    async def abort(self, user_id: str, session_id: str, owner: str) -> Result[None, ErrorDetail]:
        """Tell the others that the client has left. Does nothing for a lease that is not the owner's any more."""
        ...

    async def release(self, user_id: str, session_id: str, owner: str) -> Result[None, ErrorDetail]:
        """Does nothing for a lease that is not the owner's any more."""
        ...
