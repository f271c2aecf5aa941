"""Cost records in local files: `message-metadata.json` of a session, message index -> body. Summaries are not stored
but made of them."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from apis.shared.costs.models import CostRecord, RecordedUsage, UserCostSummary
from apis.shared.costs.tally import Span, tallied
from apis.shared.errors import ErrorDetail, internal_error, validation_error
from apis.shared.moments import read_moment
from apis.shared.records import parse_record
from apis.shared.result import Failure, Result, Success, collect, railway
from apis.shared.storage.json_files import Json, JsonObject, list_folder, read_file, read_json, update_json
from apis.shared.storage.session_folders import ALL_SESSIONS, COSTS_FILE, is_session_id, session_folder, session_lock


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
        document = (await read_json(self._file(session_id))).unwrap()
        # An empty file of any kind has nothing to show; a sum must not rest on one that should have held something.
        return _bodies(document or None, session_id)

    def _file(self, session_id: str) -> Path:
        return session_folder(self._root, session_id) / COSTS_FILE


class LocalCostSummaries:
    """Each reads the costs of every session. A file that cannot be read fails, whosever it is: nobody can tell whose
    sum would be too low without it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def read(self, user_id: str, month: str) -> Result[UserCostSummary, ErrorDetail]:
        return await self.report(user_id, Span.of_month(month))

    async def spent_on(self, user_id: str, day: str) -> Result[Decimal, ErrorDetail]:
        """`day` is `YYYY-MM-DD`."""
        return (await self.report(user_id, Span.of_day(day))).map(lambda summary: summary.total_cost)

    async def report(self, user_id: str, span: Span) -> Result[UserCostSummary, ErrorDetail]:
        return await asyncio.to_thread(self._report, user_id, span)

    @railway
    def _report(self, user_id: str, span: Span) -> Result[UserCostSummary, ErrorDetail]:
        found: list[tuple[datetime, Mapping[str, Any], str]] = []
        for folder in list_folder(self._root, ALL_SESSIONS).unwrap():
            bodies = _bodies(read_file(folder / COSTS_FILE).unwrap(), folder.name).unwrap()
            own = [body for body in bodies.values() if _is_of(body, user_id)]
            moments = collect(_moment(body, folder.name) for body in own).unwrap()
            dated = zip(moments, own, strict=True)
            found += [(moment, body, folder.name) for moment, body in dated if span.holds(moment)]
        found.sort(key=lambda one: one[0])
        return collect(parse_record(RecordedUsage, body, key=key) for _, body, key in found).map(tallied)


def _bodies(document: Json | None, key: str) -> Result[Mapping[int, Mapping[str, Any]], ErrorDetail]:
    costs = {} if document is None else document
    if not isinstance(costs, dict) or not all(
        index.isascii() and index.isdigit() and isinstance(body, dict) for index, body in costs.items()
    ):
        return Failure(internal_error(None, entity="cost record", key=key))
    return Success({int(index): body for index, body in costs.items()})


def _is_of(body: Mapping[str, Any], user_id: str) -> bool:
    """A record without attribution is nobody's."""
    owner = body.get("attribution")
    return isinstance(owner, dict) and owner.get("userId") == user_id


def _moment(body: Mapping[str, Any], key: str) -> Result[datetime, ErrorDetail]:
    moment = read_moment(str(body["attribution"].get("timestamp")))
    return moment.alt(lambda error: error.caused_by(None, entity="cost record", key=key))
