"""Session records in local files: one folder per session, used when the sessions table is not configured."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from apis.shared.costs.local import LocalCostRecords
from apis.shared.errors import ErrorCode, ErrorDetail, internal_error, validation_error
from apis.shared.moments import offset_form
from apis.shared.page_tokens import decode_moment_token, encode_moment_token
from apis.shared.records import parse_record
from apis.shared.result import Failure, Result, Success, collect, error_of, railway
from apis.shared.sessions.models import NEW_CONVERSATION, SessionLookup, SessionPage, SessionPatch, SessionRecord
from apis.shared.sessions.repository import SESSION_CHANGED, Annotations, session_not_found
from apis.shared.storage.json_files import Json, JsonObject, list_folder, read_file, update_json
from apis.shared.storage.session_folders import (
    ALL_SESSIONS,
    COSTS_FILE,
    RECORD_FILE,
    is_session_id,
    session_folder,
    session_lock,
)

logger = logging.getLogger(__name__)

_ABSENT = SessionLookup(None)


class LocalSessions:
    """No path is built from an id that is not a session id; such an id is absent.

    A record that cannot be read concerns the user whom it belongs to, and nobody else. Where the record does not tell
    its owner any more, the costs of the session's messages do. A corrupt record that nothing attributes to anybody is
    in nobody's list: it is logged, and asking for that session fails.
    """

    def __init__(self, root: Path, costs: LocalCostRecords) -> None:
        self._root = root
        self._costs = costs
        self._told: set[Path] = set()

    @railway
    async def list_page(self, user_id: str, limit: int | None, token: str | None) -> Result[SessionPage, ErrorDetail]:
        after = decode_moment_token(token).unwrap() if token is not None else None
        records = (await asyncio.to_thread(self._records_of, user_id)).unwrap()
        own = [record for record in records if not record.deleted]
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
        return await asyncio.to_thread(self._find, user_id, session_folder(self._root, session_id))

    @railway
    async def annotations(self, user_id: str, session_id: str) -> Result[Annotations, ErrorDetail]:
        found, costs = await asyncio.gather(self.find(user_id, session_id), self._costs.read(session_id))
        lookup = found.unwrap()
        return Success(Annotations(lookup, {} if lookup.is_taken else costs.unwrap()))

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
            return created.map(lambda _: None)
        lookup = (await self.find(user_id, session_id)).unwrap()
        return Success(None) if lookup.active is not None else Failure(session_not_found(session_id))

    async def create(self, record: SessionRecord) -> Result[str, ErrorDetail]:
        def created(existing: JsonObject | None) -> Result[JsonObject, ErrorDetail]:
            return Success(record.stored()) if existing is None else Failure(SESSION_CHANGED)

        return (await self._update(record, created)).map(lambda _: "")

    async def patch(self, record: SessionRecord, patch: SessionPatch) -> Result[SessionRecord, ErrorDetail]:
        def patched(current: JsonObject) -> Result[JsonObject, ErrorDetail]:
            if any((current.get(name) or "") != text for name, text in patch.expected.items()):
                return Failure(SESSION_CHANGED)
            changed = {**current, **patch.attributes}
            if patch.preferences:
                changed["preferences"] = {**(current.get("preferences") or {}), **patch.preferences}
            return Success(changed)

        return await self._change(record, patched)

    async def advance(
        self, record: SessionRecord, last_message_at: str, *, turns: int, preferences: Mapping[str, Any]
    ) -> Result[str, ErrorDetail]:
        def advanced(current: JsonObject) -> Result[JsonObject, ErrorDetail]:
            changed = {
                **current,
                "lastMessageAt": last_message_at,
                "messageCount": (current.get("messageCount") or 0) + turns,
            }
            if preferences:
                changed["preferences"] = {**(current.get("preferences") or {}), **preferences}
            return Success(changed)

        return (await self._change(record, advanced)).map(lambda _: "")

    async def keep_compaction(
        self,
        user_id: str,  # noqa: ARG002 - local conversations are not compacted
        sort_key: str,  # noqa: ARG002 - as above
        checkpoint: int,  # noqa: ARG002 - as above
        attribute: Mapping[str, Any],  # noqa: ARG002 - as above
    ) -> Result[bool, ErrorDetail]:
        return Success(False)

    async def soft_delete(
        self,
        record: SessionRecord,
        deleted_at: str,
        duplicates: Sequence[SessionRecord] = (),  # noqa: ARG002 - one file, one record
    ) -> Result[None, ErrorDetail]:
        def deleted(current: JsonObject) -> Result[JsonObject, ErrorDetail]:
            return Success({**current, "status": "deleted", "deleted": True, "deletedAt": deleted_at})

        return (await self._change(record, deleted)).map(lambda _: None)

    @railway
    async def _change(
        self, record: SessionRecord, change: Callable[[JsonObject], Result[JsonObject, ErrorDetail]]
    ) -> Result[SessionRecord, ErrorDetail]:
        """Apply `change` to the file's present content, unless the session was deleted or taken over meanwhile."""

        def changed(existing: JsonObject | None) -> Result[JsonObject, ErrorDetail]:
            if existing is None or existing.get("userId") != record.user_id or existing.get("deleted"):
                return Failure(SESSION_CHANGED)
            return change(existing)

        return _parse((await self._update(record, changed)).unwrap())

    async def _update(
        self, record: SessionRecord, change: Callable[[JsonObject | None], Result[JsonObject, ErrorDetail]]
    ) -> Result[JsonObject, ErrorDetail]:
        if not is_session_id(record.session_id):
            return Failure(validation_error("The session id is not valid.", field="session_id"))
        path = session_folder(self._root, record.session_id) / RECORD_FILE
        return await update_json(path, change, lock=session_lock(self._root, record.session_id))

    @railway
    def _records_of(self, user_id: str) -> Result[list[SessionRecord], ErrorDetail]:
        folders = list_folder(self._root, ALL_SESSIONS).unwrap()
        records = collect(self._record_of(user_id, folder) for folder in folders).unwrap()
        return Success([record for record in records if record is not None])

    def _record_of(self, user_id: str, folder: Path) -> Result[SessionRecord | None, ErrorDetail]:
        """None for a folder without a record, and for one that is not this user's."""
        read = _Read.of(folder)
        match read.record:
            case Success(None):
                return Success(None)
            case Failure(error) if read.owner is None and error.code is ErrorCode.INTERNAL_ERROR:
                self._tell_once(folder, error)
                return Success(None)
            case _ if read.owner not in {None, user_id}:
                return Success(None)
        return read.record

    def _find(self, user_id: str, folder: Path) -> Result[SessionLookup, ErrorDetail]:
        read = _Read.of(folder)
        if read.owner not in {None, user_id}:
            return Success(SessionLookup(None, is_foreign=True))
        return read.record.map(SessionLookup)

    def _tell_once(self, folder: Path, error: ErrorDetail) -> None:
        """Once in a process: every list comes past it."""
        if folder not in self._told:
            self._told.add(folder)
            logger.error(
                "a session record is corrupt, and nothing tells whose it is: it is in nobody's list",
                extra={"session_folder": folder.name, "code": error.code.value, "context": error.context},
            )


@dataclass(frozen=True, slots=True)
class _Read:
    """What a folder's record file holds, and whose it is as far as anything tells."""

    record: Result[SessionRecord | None, ErrorDetail]
    owner: str | None

    @classmethod
    def of(cls, folder: Path) -> Self:
        document = read_file(folder / RECORD_FILE)
        record = document.bind(_parse_if_present)
        owner = _owner(document.value_or(None))
        if owner is None and isinstance(record, Failure):
            owner = _owner_by_costs(read_file(folder / COSTS_FILE).value_or(None))
        return cls(record, owner)


def _owner(document: Json) -> str | None:
    owner = document.get("userId") if isinstance(document, dict) else None
    return owner if isinstance(owner, str) else None


def _owner_by_costs(document: Json) -> str | None:
    bodies = document.values() if isinstance(document, dict) else ()
    owners = {_owner(body.get("attribution")) for body in bodies if isinstance(body, dict)} - {None}
    return owners.pop() if len(owners) == 1 else None


def _place(record: SessionRecord) -> tuple[str, str]:
    return record.last_message_at, record.session_id


def _is_after(record: SessionRecord, place: tuple[str, str]) -> bool:
    moment, session_id = place
    return record.last_message_at < moment or (
        bool(session_id) and record.last_message_at == moment and record.session_id < session_id
    )


def _parse_if_present(document: Json | None) -> Result[SessionRecord | None, ErrorDetail]:
    return Success(None) if document is None else _parse(document).map(_known)


def _known(record: SessionRecord) -> SessionRecord | None:
    return record


def _parse(document: Json) -> Result[SessionRecord, ErrorDetail]:
    if not isinstance(document, dict):
        return Failure(internal_error(None, entity="SessionRecord"))
    defaults = {"createdAt": document.get("lastMessageAt"), "lastMessageAt": document.get("createdAt")}
    given = {name: value for name, value in document.items() if value is not None}
    return parse_record(SessionRecord, {**defaults, **given}, key=str(document.get("sessionId", "?")))
