"""Session records: the rules that both services follow."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from apis.shared.aws.dynamodb import Table
from apis.shared.costs.local import LocalCostRecords
from apis.shared.errors import ErrorCode, ErrorDetail, validation_error
from apis.shared.moments import offset_form, zulu_form
from apis.shared.result import Failure, Result, Success, error_of, railway
from apis.shared.sessions.dynamodb import DynamoSessions
from apis.shared.sessions.local import LocalSessions
from apis.shared.sessions.models import (
    NEW_CONVERSATION,
    CompactionState,
    SessionLookup,
    SessionPage,
    SessionPatch,
    SessionPreferences,
    SessionRecord,
    TurnPreferences,
)
from apis.shared.sessions.repository import SESSION_CHANGED, SessionRepository, session_not_found
from apis.shared.settings import StorageSettings, settings
from apis.shared.storage.session_folders import is_session_id
from apis.shared.wiring import once

ATTEMPTS = 3
_PAUSE_SECONDS = (0.05, 0.2)


class SessionService:
    """The caller's user id is the only owner ever used: a session of somebody else is treated as absent."""

    def __init__(self, repository: SessionRepository) -> None:
        self._repository = repository

    async def list_sessions(
        self, user_id: str, *, limit: int | None, token: str | None
    ) -> Result[SessionPage, ErrorDetail]:
        """Newest first. Without a limit as much as the store gives in one answer."""
        return await self._repository.list_page(user_id, limit, token)

    @railway
    async def get_session(self, user_id: str, session_id: str) -> Result[SessionRecord, ErrorDetail]:
        """The record, also of a deleted session. Fails with `not_found`."""
        lookup = (await self._repository.find(user_id, session_id)).unwrap()
        return Failure(session_not_found(session_id)) if lookup.own is None else Success(lookup.own)

    @railway
    async def message_costs(
        self, user_id: str, session_id: str
    ) -> Result[Mapping[int, Mapping[str, Any]] | None, ErrorDetail]:
        """The body of each message's cost record by message index; None for a session whose messages the caller may
        not see, because it is deleted or somebody else's."""
        annotations = (await self._repository.annotations(user_id, session_id)).unwrap()
        return Success(None if annotations.lookup.is_taken else annotations.costs)

    async def update_session(
        self, user_id: str, session_id: str, patch: SessionPatch
    ) -> Result[SessionRecord, ErrorDetail]:
        """Create or change; the record as stored. Fails with `not_found` for a deleted or foreign session,
        `validation_error` for an id that cannot be created, `conflict` when three attempts lost a race."""

        async def attempt_once(lookup: SessionLookup) -> Result[SessionRecord, ErrorDetail]:
            if lookup.is_taken:
                return Failure(session_not_found(session_id))
            if lookup.active is not None:
                return Success(lookup.active) if patch.is_empty else await self._repository.patch(lookup.active, patch)
            if not is_session_id(session_id):
                return Failure(validation_error("The session id is not valid.", field="path.session_id"))
            record = _new_record(user_id, session_id, patch)
            return (await self._repository.create(record)).map(lambda _: record)

        return await self._retrying(user_id, session_id, attempt_once)

    @railway
    async def name_session(
        self, user_id: str, session_id: str, title: str, known: SessionRecord | None
    ) -> Result[str, ErrorDetail]:
        """Give a session that has no name yet this one, and create its record if there is none; the title that it has
        then, which may be one that somebody gave it meanwhile. `known` is the record that was read, None where there
        was none. Fails with `not_found` for a session that is deleted, and `conflict` when three attempts lost a
        race."""

        async def attempt_once(lookup: SessionLookup) -> Result[SessionRecord, ErrorDetail]:
            if lookup.is_taken:
                return Failure(session_not_found(session_id))
            if lookup.active is None:
                record = _new_record(user_id, session_id, SessionPatch({"title": title}))
                return (await self._repository.create(record)).map(lambda _: record)
            if lookup.active.title == title or not is_unnamed(lookup.active):
                return Success(lookup.active)
            patch = SessionPatch({"title": title}, expected={"title": lookup.active.title})
            return await self._repository.patch(lookup.active, patch)

        named = await self._retrying(user_id, session_id, attempt_once, first=SessionLookup(known))
        return named.map(lambda record: record.title)

    async def delete_session(self, user_id: str, session_id: str) -> Result[None, ErrorDetail]:
        """Hide the session. Deleting it again succeeds. Fails with `not_found`, and `conflict` for a lost race."""

        async def attempt_once(lookup: SessionLookup) -> Result[None, ErrorDetail]:
            if lookup.own is None:
                return Failure(session_not_found(session_id))
            if lookup.own.deleted:
                return Success(None)
            return await self._repository.soft_delete(lookup.own, offset_form(), lookup.duplicates)

        return await self._retrying(user_id, session_id, attempt_once)

    async def bulk_delete(
        self, user_id: str, session_ids: Sequence[str]
    ) -> Result[list[Result[None, ErrorDetail]], ErrorDetail]:
        """One outcome per id, in order; an id that is given twice is deleted once and answered twice. When all fail for
        one and the same outage the whole operation fails with it."""
        distinct = list(dict.fromkeys(session_ids))
        # At once: one after the other, a store that hangs would be waited for as often as there are sessions.
        deleted = await asyncio.gather(*(self.delete_session(user_id, session_id) for session_id in distinct))
        by_id = dict(zip(distinct, deleted, strict=True))
        outcomes = [by_id[session_id] for session_id in session_ids]
        errors = [error for outcome in outcomes if (error := error_of(outcome)) is not None]
        codes = {error.code for error in errors}
        if len(errors) == len(outcomes) and len(codes) == 1 and codes <= _OUTAGES:
            return Failure(errors[0])
        return Success(outcomes)

    @railway
    async def check_turn(self, user_id: str, session_id: str) -> Result[SessionRecord | None, ErrorDetail]:
        """The record of a session that a turn may use, None for a new one. Fails with `not_found` for a deleted or
        foreign session."""
        lookup = (await self._repository.find(user_id, session_id)).unwrap()
        return Failure(session_not_found(session_id)) if lookup.is_taken else Success(lookup.active)

    async def reserve(self, user_id: str, session_id: str) -> Result[None, ErrorDetail]:
        """Make a new session the caller's before its first message is stored. Fails with `not_found` when somebody
        else was faster."""
        return await self._repository.reserve(user_id, session_id)

    async def attach_assistant(
        self, user_id: str, session_id: str, assistant_id: str, *, title: str, known: SessionRecord | None
    ) -> Result[SessionRecord, ErrorDetail]:
        """Name the assistant in the preferences of `known`; where that is None, create the session with `title`, which
        makes it the caller's before its first message. The record as stored. Fails as `complete_turn`."""
        preferences = {"assistantId": assistant_id}

        async def attempt_once(lookup: SessionLookup) -> Result[SessionRecord, ErrorDetail]:
            if lookup.is_taken:
                return Failure(session_not_found(session_id))
            if lookup.active is not None:
                return await self._repository.patch(lookup.active, SessionPatch(preferences=preferences))
            record = _new_record(user_id, session_id, SessionPatch({"title": title}, preferences))
            created = await self._repository.create(record)
            return created.map(lambda sort_key: record.model_copy(update={"sort_key": sort_key}))

        return await self._retrying(user_id, session_id, attempt_once, first=SessionLookup(known))

    async def complete_turn(
        self, user_id: str, session_id: str, preferences: TurnPreferences, known: SessionRecord | None
    ) -> Result[str, ErrorDetail]:
        """Count a completed turn; create the record of a new session. `known` saves the look-up. The record's sort key
        from now on. Fails with
        `not_found` when the session was deleted meanwhile, and `conflict` when three attempts lost a race."""
        return await self._advance(user_id, session_id, known, turns=1, preferences=preferences.members())

    async def ensure_record(self, user_id: str, session_id: str) -> Result[None, ErrorDetail]:
        """For a turn that did not complete: the session exists, and its last message is now. Fails as
        `complete_turn`."""
        return (await self._advance(user_id, session_id, None, turns=0, preferences={})).map(lambda _: None)

    async def keep_compaction(
        self, user_id: str, sort_key: str, state: CompactionState, *, last_input_tokens: int
    ) -> Result[bool, ErrorDetail]:
        """Whether it was written: a checkpoint never goes back, and a record that has gone does not come back."""
        attribute = state.stored(last_input_tokens=last_input_tokens)
        return await self._repository.keep_compaction(user_id, sort_key, state.checkpoint, attribute)

    async def _advance(
        self, user_id: str, session_id: str, known: SessionRecord | None, *, turns: int, preferences: dict[str, Any]
    ) -> Result[str, ErrorDetail]:
        async def attempt_once(lookup: SessionLookup) -> Result[str, ErrorDetail]:
            if lookup.is_taken:
                return Failure(session_not_found(session_id))
            if lookup.active is None:
                if not is_session_id(session_id):
                    return Failure(validation_error("The session id is not valid.", field="body.session_id"))
                return await self._repository.create(_record_of_turn(user_id, session_id, turns, preferences))
            return await self._repository.advance(lookup.active, offset_form(), turns=turns, preferences=preferences)

        first = SessionLookup(known) if known is not None else None
        return await self._retrying(user_id, session_id, attempt_once, first=first)

    @railway
    async def _retrying[T](
        self,
        user_id: str,
        session_id: str,
        attempt_once: Callable[[SessionLookup], Awaitable[Result[T, ErrorDetail]]],
        *,
        first: SessionLookup | None = None,
    ) -> Result[T, ErrorDetail]:
        """Look up and try, again when the record changed in between; the index that is looked up lags a little."""
        lookup = first
        for remaining in reversed(range(ATTEMPTS)):
            if lookup is None:
                lookup = (await self._repository.find(user_id, session_id)).unwrap()
            result = await attempt_once(lookup)
            error = error_of(result)
            if error is None or error.code is not ErrorCode.CONFLICT or lookup.is_taken or not remaining:
                return result
            lookup = None
            await asyncio.sleep(random.uniform(*_PAUSE_SECONDS))  # noqa: S311 - spreads retries, protects nothing
        return Failure(SESSION_CHANGED)


def is_unnamed(record: SessionRecord) -> bool:
    """Nobody has given it a title, and no model has."""
    return record.title in {"", NEW_CONVERSATION}


_OUTAGES = frozenset({ErrorCode.INTERNAL_ERROR, ErrorCode.SERVICE_UNAVAILABLE, ErrorCode.TIMEOUT})


def _new_record(user_id: str, session_id: str, patch: SessionPatch) -> SessionRecord:
    now = zulu_form()
    return SessionRecord.model_validate(
        {
            "title": NEW_CONVERSATION,
            "status": "active",
            **patch.attributes,
            "sessionId": session_id,
            "userId": user_id,
            "createdAt": now,
            "lastMessageAt": now,
            "preferences": patch.preferences or None,
        }
    )


def _record_of_turn(user_id: str, session_id: str, turns: int, preferences: dict[str, Any]) -> SessionRecord:
    now = offset_form()
    return SessionRecord(
        session_id=session_id,
        user_id=user_id,
        title=NEW_CONVERSATION,
        created_at=now,
        last_message_at=now,
        message_count=turns,
        preferences=SessionPreferences.model_validate(preferences) if preferences else None,
    )


@once
def get_session_service() -> SessionService:
    storage = settings(StorageSettings)
    table = storage.dynamodb_sessions_metadata_table_name
    return SessionService(
        DynamoSessions(Table(table))
        if table
        else LocalSessions(storage.sessions_dir, LocalCostRecords(storage.sessions_dir))
    )
