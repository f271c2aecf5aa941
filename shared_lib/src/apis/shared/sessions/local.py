"""Session records in local files: one folder per session, used when the sessions table is not configured."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from apis.shared.costs.local import LocalCostRecords
from apis.shared.errors import ErrorDetail, internal_error, validation_error
from apis.shared.moments import offset_form
from apis.shared.page_tokens import decode_moment_token, encode_moment_token
from apis.shared.records import parse_record
from apis.shared.result import Failure, Result, Success, collect, error_of, railway
from apis.shared.sessions.models import NEW_CONVERSATION, SessionLookup, SessionPage, SessionPatch, SessionRecord
from apis.shared.sessions.repository import SESSION_CHANGED, Annotations, session_not_found
from apis.shared.storage.json_files import Json, JsonObject, read_folder, read_json, update_json
from apis.shared.storage.session_folders import ALL_SESSIONS, is_session_id, session_folder

RECORD_FILE = "session-metadata.json"
_ABSENT = SessionLookup(None)


class LocalSessions:
    """No path is built from an id that is not a session id; such an id is absent."""

    def __init__(self, root: Path, costs: LocalCostRecords) -> None:
        self._root = root
        self._costs = costs

    @railway
    async def list_page(self, user_id: str, limit: int | None, token: str | None) -> Result[SessionPage, ErrorDetail]:
        after = decode_moment_token(token).unwrap() if token is not None else None
        files = (await read_folder(self._root, ALL_SESSIONS, RECORD_FILE)).unwrap()
        records = collect(_parse(document) for _, document in files).unwrap()
        own = [record for record in records if record.user_id == user_id and not record.deleted]
        newest_first = sorted(own, key=_place, reverse=True)
        remaining = [record for record in newest_first if after is None or _is_after(record, after)]
        if limit is None or len(remaining) <= limit:
            return Success(SessionPage(remaining, None))
        page = remaining[:limit]
        return Success(SessionPage(page, encode_moment_token(*_place(page[-1]))))

    @railway
    async def find(self, user_id: str, session_id: str) -> Result[SessionLookup, ErrorDetail]:
        if not is_session_id(session_id):
            return Success(_ABSENT)
        document = (await read_json(session_folder(self._root, session_id) / RECORD_FILE)).unwrap()
        if document is None:
            return Success(_ABSENT)
        record = _parse(document).unwrap()
        return Success(SessionLookup(record) if record.user_id == user_id else SessionLookup(None, is_foreign=True))

    @railway
    async def annotations(self, user_id: str, session_id: str) -> Result[Annotations, ErrorDetail]:
        found, costs = await asyncio.gather(self.find(user_id, session_id), self._costs.read(session_id))
        return Success(Annotations(found.unwrap(), costs.unwrap()))

    @railway
    async def reserve(self, user_id: str, session_id: str) -> Result[None, ErrorDetail]:
        """The record itself, without a turn in it yet: local readers look for nothing else."""
        now = offset_form()
        created = await self.create(
            SessionRecord(
                session_id=session_id, user_id=user_id, title=NEW_CONVERSATION, created_at=now, last_message_at=now
            )
        )
        if error_of(created) != SESSION_CHANGED:
            return created
        lookup = (await self.find(user_id, session_id)).unwrap()
        return Success(None) if lookup.active is not None else Failure(session_not_found(session_id))

    async def create(self, record: SessionRecord) -> Result[None, ErrorDetail]:
        def created(existing: JsonObject | None) -> Result[JsonObject, ErrorDetail]:
            return Success(record.stored()) if existing is None else Failure(SESSION_CHANGED)

        return (await self._update(record, created)).map(lambda _: None)

    async def patch(self, record: SessionRecord, patch: SessionPatch) -> Result[SessionRecord, ErrorDetail]:
        def patched(current: JsonObject) -> JsonObject:
            changed = {**current, **patch.attributes}
            if patch.preferences:
                changed["preferences"] = {**(current.get("preferences") or {}), **patch.preferences}
            return changed

        return await self._change(record, patched)

    async def advance(
        self, record: SessionRecord, last_message_at: str, *, turns: int, preferences: Mapping[str, Any]
    ) -> Result[None, ErrorDetail]:
        def advanced(current: JsonObject) -> JsonObject:
            changed = {
                **current,
                "lastMessageAt": last_message_at,
                "messageCount": (current.get("messageCount") or 0) + turns,
            }
            if preferences:
                changed["preferences"] = {**(current.get("preferences") or {}), **preferences}
            return changed

        return (await self._change(record, advanced)).map(lambda _: None)

    async def soft_delete(
        self,
        record: SessionRecord,
        deleted_at: str,
        duplicates: Sequence[SessionRecord] = (),  # noqa: ARG002 - one file, one record
    ) -> Result[None, ErrorDetail]:
        def deleted(current: JsonObject) -> JsonObject:
            return {**current, "status": "deleted", "deleted": True, "deletedAt": deleted_at}

        return (await self._change(record, deleted)).map(lambda _: None)

    @railway
    async def _change(
        self, record: SessionRecord, change: Callable[[JsonObject], JsonObject]
    ) -> Result[SessionRecord, ErrorDetail]:
        """Apply `change` to the file's present content, unless the session was deleted or taken over meanwhile."""

        def changed(existing: JsonObject | None) -> Result[JsonObject, ErrorDetail]:
            if existing is None or existing.get("userId") != record.user_id or existing.get("deleted"):
                return Failure(SESSION_CHANGED)
            return Success(change(existing))

        return _parse((await self._update(record, changed)).unwrap())

    async def _update(
        self, record: SessionRecord, change: Callable[[JsonObject | None], Result[JsonObject, ErrorDetail]]
    ) -> Result[JsonObject, ErrorDetail]:
        if not is_session_id(record.session_id):
            return Failure(validation_error("The session id is not valid.", field="session_id"))
        return await update_json(session_folder(self._root, record.session_id) / RECORD_FILE, change)


def _place(record: SessionRecord) -> tuple[str, str]:
    return record.last_message_at, record.session_id


def _is_after(record: SessionRecord, place: tuple[str, str]) -> bool:
    moment, session_id = place
    return record.last_message_at < moment or (
        bool(session_id) and record.last_message_at == moment and record.session_id < session_id
    )


def _parse(document: Json) -> Result[SessionRecord, ErrorDetail]:
    if not isinstance(document, dict):
        return Failure(internal_error(None, entity="SessionRecord"))
    defaults = {"createdAt": document.get("lastMessageAt"), "lastMessageAt": document.get("createdAt")}
    given = {name: value for name, value in document.items() if value is not None}
    return parse_record(SessionRecord, {**defaults, **given}, key=str(document.get("sessionId", "?")))
