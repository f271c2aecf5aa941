"""Messages as local files, in the layout of the agent framework: one file per message."""

import asyncio
import shutil
from pathlib import Path

from apis.shared.errors import ErrorDetail, service_unavailable, validation_error
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, collect, railway
from apis.shared.sessions.local import session_folder
from apis.shared.sessions.messages.entries import decode_entry, encode_entry
from apis.shared.sessions.models import Message, StoredMessage, is_session_id, utc_now
from apis.shared.storage.json_files import JsonObject, list_folder, read_json, update_json, write_json

_PREFIX, _SUFFIX = "message_", ".json"
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
        paths = (await self._paths(session_id)).unwrap()
        documents = collect(await asyncio.gather(*(read_json(path) for path in paths))).unwrap()
        # One that was deleted since the folder was listed is None.
        present = [document for document in documents if document is not None]
        messages = collect(map(decode_entry, present)).unwrap()
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
            path = self._agent(session_id) / "messages" / f"{_PREFIX}{index}{_SUFFIX}"
            return await write_json(path, entry)

    async def delete(self, user_id: str, session_id: str) -> Result[int, ErrorDetail]:  # noqa: ARG002 - as above
        if not is_session_id(session_id):
            return Success(0)
        return await asyncio.to_thread(attempt, _remove, self._agent(session_id) / "messages", errors=_FILE_ERRORS)

    @railway
    async def _begin(self, session_id: str) -> Result[None, ErrorDetail]:
        """The framework's own files; a folder that exists already, because the record came first, is fine."""
        now = utc_now()
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
        paths = (await list_folder(self._agent(session_id) / "messages", f"{_PREFIX}*{_SUFFIX}")).unwrap()
        numbered = [path for path in paths if path.stem.removeprefix(_PREFIX).isdigit()]
        return Success(sorted(numbered, key=_number))

    def _agent(self, session_id: str) -> Path:
        return session_folder(self._root, session_id) / "agents" / "agent_default"


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
