"""Cost records in local files: `message-metadata.json` of a session, message index -> body. Summaries are not stored
but made of them."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from apis.shared.costs.counted import Counted
from apis.shared.costs.models import CostRecord, ModelUsage, UserCostSummary
from apis.shared.errors import ErrorDetail, internal_error, validation_error
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
        return _bodies(document, session_id)

    def _file(self, session_id: str) -> Path:
        return session_folder(self._root, session_id) / COSTS_FILE


class LocalCostSummaries:
    def __init__(self, root: Path) -> None:
        self._root = root

    async def read(self, user_id: str, month: str) -> Result[UserCostSummary, ErrorDetail]:
        """Reads the costs of every session; a file that cannot be read fails, whosever it is."""
        return (await asyncio.to_thread(self._records_of, user_id, month)).map(_summary)

    @railway
    def _records_of(self, user_id: str, month: str) -> Result[list[CostRecord], ErrorDetail]:
        """A record without attribution is nobody's."""
        records: list[CostRecord] = []
        for folder in list_folder(self._root, ALL_SESSIONS).unwrap():
            bodies = _bodies(read_file(folder / COSTS_FILE).unwrap(), folder.name).unwrap()
            own = [body for body in bodies.values() if _is_of(body, user_id, month)]
            records += collect(parse_record(CostRecord, body, key=folder.name) for body in own).unwrap()
        return Success(records)


def _bodies(document: Json | None, key: str) -> Result[Mapping[int, Mapping[str, Any]], ErrorDetail]:
    costs = document or {}
    if not isinstance(costs, dict) or not all(isinstance(body, dict) for body in costs.values()):
        return Failure(internal_error(None, entity="cost record", key=key))
    return Success({int(index): body for index, body in costs.items() if index.isdigit()})


def _is_of(body: Mapping[str, Any], user_id: str, month: str) -> bool:
    owner = body.get("attribution")
    return (
        isinstance(owner, dict) and owner.get("userId") == user_id and str(owner.get("timestamp", "")).startswith(month)
    )


def _summary(records: Sequence[CostRecord]) -> UserCostSummary:
    of_models: defaultdict[str, list[Counted]] = defaultdict(list)
    for record in records:
        of_models[record.model_info.model_id].append(Counted.of(record, record.attribution.timestamp))
    breakdown = {model_id: _usage(counted) for model_id, counted in of_models.items()}
    savings = (counted.savings for of_model in of_models.values() for counted in of_model)
    return UserCostSummary(
        total_cost=sum((usage.cost for usage in breakdown.values()), Decimal(0)),
        cache_savings=_sum_of(savings),
        total_requests=len(records),
        total_input_tokens=sum(usage.input_tokens for usage in breakdown.values()),
        total_output_tokens=sum(usage.output_tokens for usage in breakdown.values()),
        total_cache_read_tokens=sum(usage.cache_read_tokens for usage in breakdown.values()),
        total_cache_write_tokens=sum(usage.cache_write_tokens for usage in breakdown.values()),
        model_breakdown=breakdown,
    )


def _usage(counted: Sequence[Counted]) -> ModelUsage:
    info = counted[0].record.model_info
    return ModelUsage(
        model_name=info.model_name,
        provider=info.provider or "unknown",
        cost=_sum_of(one.cost for one in counted),
        requests=len(counted),
        input_tokens=sum(one.usage.input_tokens for one in counted),
        output_tokens=sum(one.usage.output_tokens for one in counted),
        cache_read_tokens=sum(one.usage.cache_read_input_tokens or 0 for one in counted),
        cache_write_tokens=sum(one.usage.cache_write_input_tokens or 0 for one in counted),
    )


def _sum_of(amounts: Iterable[float]) -> Decimal:
    """Of the decimals that the numbers are written as: in binary, errors add up."""
    return sum((Decimal(repr(amount)) for amount in amounts), Decimal(0))
