"""Messages as local files, in the layout of the agent framework: one file per message."""

import asyncio
import shutil
from pathlib import Path

from apis.shared.errors import ErrorDetail, service_unavailable, validation_error
from apis.shared.moments import offset_form
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, collect, railway
from apis.shared.sessions.messages.entries import decode_entry, encode_entry
from apis.shared.sessions.models import Message, StoredMessage
from apis.shared.storage.json_files import JsonObject, list_folder, read_folder, update_json, write_json
from apis.shared.storage.session_folders import is_session_id, session_folder

_PREFIX, _SUFFIX = "message_", ".json"
_PATTERN = f"{_PREFIX}*{_SUFFIX}"
_FILE_ERRORS = ErrorTable.of((OSError, service_unavailable))


class LocalMessages:
    """An id that is not a session id has no messages; no path is built from it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._appending = asyncio.Lock()

    @railway
    async def read(self, user_id: str, session_id: str) -> Result[list[StoredMessage], ErrorDetail]:  # noqa: ARG002 - the session's record says whose it is
        if not is_session_id(session_id):
            return Success([])
        files = (await read_folder(self._messages(session_id), _PATTERN)).unwrap()
        in_order = sorted((file for file in files if _is_numbered(file[0])), key=lambda file: _number(file[0]))
        messages = collect(decode_entry(document) for _, document in in_order).unwrap()
        return Success([message for message in messages if message is not None])

    @railway
    async def append(
        self,
        user_id: str,  # noqa: ARG002 - as above
        session_id: str,
        message: Message,
        *,
        begins: bool = False,
    ) -> Result[None, ErrorDetail]:
        if not is_session_id(session_id):
            return Failure(validation_error("The session id is not valid.", field="session_id"))
        async with self._appending:
            paths = (await self._paths(session_id)).unwrap()
            index = _number(paths[-1]) + 1 if paths else 0
            entry = encode_entry(message, index)
            if not entry["message"]["content"]:
                return Success(None)
            if begins or not paths:
                (await self._begin(session_id)).unwrap()
            path = self._messages(session_id) / f"{_PREFIX}{index}{_SUFFIX}"
            return await write_json(path, entry)

    async def delete(self, user_id: str, session_id: str) -> Result[int, ErrorDetail]:  # noqa: ARG002 - as above
        if not is_session_id(session_id):
            return Success(0)
        return await asyncio.to_thread(attempt, _remove, self._messages(session_id), errors=_FILE_ERRORS)

    @railway
    async def _begin(self, session_id: str) -> Result[None, ErrorDetail]:
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
        (await _write_once(session_folder(self._root, session_id) / "session.json", session)).unwrap()
        return await _write_once(self._agent(session_id) / "agent.json", agent)

    @railway
    async def _paths(self, session_id: str) -> Result[list[Path], ErrorDetail]:
        paths = (await list_folder(self._messages(session_id), _PATTERN)).unwrap()
        return Success(sorted(filter(_is_numbered, paths), key=_number))

    def _messages(self, session_id: str) -> Path:
        return self._agent(session_id) / "messages"

    def _agent(self, session_id: str) -> Path:
        return session_folder(self._root, session_id) / "agents" / "agent_default"


def _is_numbered(path: Path) -> bool:
    return path.stem.removeprefix(_PREFIX).isdigit()


def _number(path: Path) -> int:
    return int(path.stem.removeprefix(_PREFIX))


async def _write_once(path: Path, document: JsonObject) -> Result[None, ErrorDetail]:
    return (await update_json(path, lambda existing: Success(existing or document))).map(lambda _: None)


def _remove(folder: Path) -> int:
    if not folder.is_dir():
        return 0
    count = len(list(folder.iterdir()))
    shutil.rmtree(folder)
    return count
