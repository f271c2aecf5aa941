"""Cost records in local files: `message-metadata.json` of a session, message index -> body."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apis.shared.costs.models import CostRecord
from apis.shared.errors import ErrorDetail, internal_error, validation_error
from apis.shared.result import Failure, Result, Success, railway
from apis.shared.storage.json_files import JsonObject, read_json, update_json
from apis.shared.storage.session_folders import COSTS_FILE, is_session_id, session_folder, session_lock


class LocalCostRecords:
    """No path is built from an id that is not a session id; such an id has no costs."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, record: CostRecord, message_index: int) -> Result[None, ErrorDetail]:
        session_id = record.attribution.session_id
        if not is_session_id(session_id):
            return Failure(validation_error("The session id is not valid.", field="body.session_id"))

        def added(document: JsonObject | None) -> Result[JsonObject, ErrorDetail]:
            return Success({**(document or {}), str(message_index): record.stored()})

        lock = session_lock(self._root, session_id)
        return (await update_json(self._file(session_id), added, lock=lock)).map(lambda _: None)

    @railway
    async def read(self, session_id: str) -> Result[Mapping[int, Mapping[str, Any]], ErrorDetail]:
        """Message index -> body; the body is free-form and passes through as it is."""
        if not is_session_id(session_id):
            return Success({})
        costs = (await read_json(self._file(session_id))).unwrap() or {}
        if not isinstance(costs, dict) or not all(isinstance(body, dict) for body in costs.values()):
            return Failure(internal_error(None, entity="cost record", key=session_id))
        return Success({int(index): body for index, body in costs.items() if index.isdigit()})

    def _file(self, session_id: str) -> Path:
        return session_folder(self._root, session_id) / COSTS_FILE
