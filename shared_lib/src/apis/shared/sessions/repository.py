"""Where session records are: one door, a table or local files behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from apis.shared.errors import ErrorCode, ErrorDetail, conflict, not_found
from apis.shared.result import Result
from apis.shared.sessions.models import SessionLookup, SessionPage, SessionPatch, SessionRecord

_LONGEST_ID = 2048


def session_not_found(session_id: str) -> ErrorDetail:
    """Names the id, unless it is longer than any id can be."""
    if len(session_id) > _LONGEST_ID:
        return not_found("Session not found")
    return ErrorDetail(code=ErrorCode.NOT_FOUND, message="Session not found", detail=f"Session not found: {session_id}")


SESSION_CHANGED = conflict("The session was changed by another request. Please try again.")


@dataclass(frozen=True, slots=True)
class Annotations:
    """What is known of a session beside its messages: `costs` maps a message index to its cost record's body."""

    lookup: SessionLookup
    costs: Mapping[int, Mapping[str, Any]]


class SessionRepository(Protocol):
    async def list_page(self, user_id: str, limit: int | None, token: str | None) -> Result[SessionPage, ErrorDetail]:
        """Not-deleted sessions, newest first. Fails with `bad_request` for a token that is not this user's."""
        ...

    async def find(self, user_id: str, session_id: str) -> Result[SessionLookup, ErrorDetail]: ...

    async def annotations(self, user_id: str, session_id: str) -> Result[Annotations, ErrorDetail]:
        """The record and all cost records of a session, in as few reads as the store allows."""
        ...

    async def reserve(self, user_id: str, session_id: str) -> Result[None, ErrorDetail]:
        """Decide whose session it is, before its first message. Fails with `not_found` when it is somebody else's."""
        ...

    async def create(self, record: SessionRecord) -> Result[str, ErrorDetail]:
        """The record's sort key. Fails with `conflict` when the id is taken, also by a creator of the same moment, and
        with `not_found` when somebody else has reserved it."""
        ...

    async def patch(self, record: SessionRecord, patch: SessionPatch) -> Result[SessionRecord, ErrorDetail]:
        """Write only what changes. Fails with `conflict` when the record is not there any more, or not as expected."""
        ...

    async def advance(
        self, record: SessionRecord, last_message_at: str, *, turns: int, preferences: Mapping[str, Any]
    ) -> Result[str, ErrorDetail]:
        """A later `lastMessageAt`, `turns` more in `messageCount`, `preferences` merged in; everything else stays. The
        record's sort key from now on. Fails with `conflict` when the record changed or moved since it was read."""
        ...

    async def soft_delete(
        self, record: SessionRecord, deleted_at: str, duplicates: Sequence[SessionRecord] = ()
    ) -> Result[None, ErrorDetail]:
        """Hide the session, and remove further records of its id. Fails with `conflict` when the record is not there
        any more."""
        ...

    async def keep_compaction(
        self, user_id: str, sort_key: str, checkpoint: int, attribute: Mapping[str, Any]
    ) -> Result[bool, ErrorDetail]:
        """Whether it was written: not on a record that is not there any more, and not over a later checkpoint."""
        ...
