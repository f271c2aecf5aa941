"""Messages as local files, in the layout of the agent framework: one file per message."""

import functools
import shutil
import uuid
from pathlib import Path
from typing import Any

from apis.shared.errors import ErrorDetail, not_found, service_unavailable, validation_error
from apis.shared.moments import offset_form
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, collect, railway
from apis.shared.sessions.messages.entries import decode_entry, encode_entry
from apis.shared.sessions.models import Message, StoredMessage
from apis.shared.storage.json_files import list_folder, read_file, read_folder, replace_file
from apis.shared.storage.locks import exclusively
from apis.shared.storage.session_folders import RECORD_FILE, is_session_id, session_folder, session_lock

_PREFIX, _SUFFIX = "message_", ".json"
_PATTERN = f"{_PREFIX}*{_SUFFIX}"
_REMOVED = ".removed."
_FILE_ERRORS = ErrorTable.of((OSError, service_unavailable))


class LocalMessages:
    """An id that is not a session id has no messages; no path is built from it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @railway
    async def read(self, user_id: str, session_id: str) -> Result[list[StoredMessage], ErrorDetail]:  # noqa: ARG002 - the session's record says whose it is
        if not is_session_id(session_id):
            return Success([])
        files = (await read_folder(self._messages(session_id), _PATTERN)).unwrap()
        in_order = sorted((file for file in files if _is_numbered(file[0])), key=lambda file: _number(file[0]))
        messages = collect(decode_entry(document) for _, document in in_order).unwrap()
        return Success([message for message in messages if message is not None])

    async def trimmed(self, user_id: str, session_id: str) -> Result[int, ErrorDetail]:  # noqa: ARG002 - nothing was
        return Success(0)

    async def append(
        self,
        user_id: str,  # noqa: ARG002 - as above
        session_id: str,
        message: Message,
        *,
        begins: bool = False,
    ) -> Result[None, ErrorDetail]:
        """Fails with `not_found` for a session that is deleted: what is deleted stays so."""
        if not is_session_id(session_id):
            return Failure(validation_error("The session id is not valid.", field="session_id"))
        work = functools.partial(self._append, session_id, message, begins=begins)
        return await exclusively(session_lock(self._root, session_id), work)

    async def delete(self, user_id: str, session_id: str) -> Result[int, ErrorDetail]:  # noqa: ARG002 - as above
        if not is_session_id(session_id):
            return Success(0)
        work = functools.partial(attempt, _remove, self._messages(session_id), errors=_FILE_ERRORS)
        return await exclusively(session_lock(self._root, session_id), work)

    @railway
    def _append(self, session_id: str, message: Message, *, begins: bool) -> Result[None, ErrorDetail]:
        if _is_deleted(read_file(session_folder(self._root, session_id) / RECORD_FILE).unwrap()):
            return Failure(not_found("Session not found"))
        paths = list_folder(self._messages(session_id), _PATTERN).unwrap()
        index = max(map(_number, filter(_is_numbered, paths)), default=-1) + 1
        entry = encode_entry(message, index)
        if not entry["message"]["content"]:
            return Success(None)
        if begins or not index:
            self._begin(session_id).unwrap()
        return replace_file(self._messages(session_id) / f"{_PREFIX}{index}{_SUFFIX}", entry)

    @railway
    def _begin(self, session_id: str) -> Result[None, ErrorDetail]:
        """The framework's own files; a folder that exists already, because the record came first, is fine."""
        now = offset_form()
        stamps = {"created_at": now, "updated_at": now}
        session = {"session_id": session_id, "session_type": "AGENT", **stamps}
        agent = {
            "agent_id": "default",
            "state": {},
            "conversation_manager_state": {},
            "_internal_state": {},
            **stamps,
        }
        _write_once(session_folder(self._root, session_id) / "session.json", session).unwrap()
        return _write_once(self._agent(session_id) / "agent.json", agent)

    def _messages(self, session_id: str) -> Path:
        return self._agent(session_id) / "messages"

    def _agent(self, session_id: str) -> Path:
        return session_folder(self._root, session_id) / "agents" / "agent_default"


def _is_deleted(record: Any) -> bool:  # Any: whatever the file holds; who reads the record itself is told what is wrong
    return isinstance(record, dict) and bool(record.get("deleted"))


def _is_numbered(path: Path) -> bool:
    return path.stem.removeprefix(_PREFIX).isdecimal()


def _number(path: Path) -> int:
    return int(path.stem.removeprefix(_PREFIX))


def _write_once(path: Path, document: dict[str, Any]) -> Result[None, ErrorDetail]:
    return read_file(path).bind(lambda existing: Success(None) if existing else replace_file(path, document))


def _remove(folder: Path) -> int:
    """Out of the way at once, so that nobody reads half a conversation; what an earlier attempt left goes too."""
    count = 0
    if folder.is_dir():
        count = len(list(folder.glob(_PATTERN)))
        folder.rename(folder.with_name(f"{_REMOVED}{uuid.uuid4().hex}"))
    for removed in folder.parent.glob(f"{_REMOVED}*"):
        shutil.rmtree(removed)
    return count
