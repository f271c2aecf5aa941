"""What only this API does with long-term memory: labels, the searches that a client leaves out, and the status."""

import asyncio
from collections.abc import Mapping

from apis.app_api.memory.schemas import (
    AllMemoriesResponse,
    DeleteMemoryResponse,
    MemoriesResponse,
    MemorySearchRequest,
    MemoryStatusResponse,
    StrategiesResponse,
)
from apis.shared.errors import ErrorDetail
from apis.shared.memory.models import Kind, namespace_of, of_namespace
from apis.shared.memory.service import NOT_YOURS, MemoryService, get_memory_service, memory_mode
from apis.shared.result import Failure, Result, Success, collect, railway
from apis.shared.settings import AwsSettings, settings

_SEARCHES: Mapping[Kind, str] = {
    "preferences": "user preferences settings behavior",
    "facts": "information facts knowledge",
    "summaries": "conversation summary topics decisions",
}
_BAD_CONFIGURATION = "The configuration of the memory is not valid."


async def memories(
    user_id: str, kind: Kind, *, query: str | None, top_k: int, session_id: str | None = None
) -> Result[MemoriesResponse, ErrorDetail]:
    """What fits the search best; without one, what fits the kind best."""
    return await _found(user_id, kind, session_id, query=query, top_k=top_k)


@railway
async def all_memories(user_id: str, top_k: int) -> Result[AllMemoriesResponse, ErrorDetail]:
    both = await asyncio.gather(
        memories(user_id, "preferences", query=None, top_k=top_k), memories(user_id, "facts", query=None, top_k=top_k)
    )
    preferences, facts = collect(both).unwrap()
    return Success(AllMemoriesResponse(preferences=preferences, facts=facts))


@railway
async def search(user_id: str, request: MemorySearchRequest) -> Result[MemoriesResponse, ErrorDetail]:
    """Fails with `forbidden` for a namespace that is not literally the caller's own."""
    service = get_memory_service().unwrap()
    given = request.namespace
    if given is None or given in {"facts", "preferences"}:
        kind: Kind = "preferences" if given == "preferences" else "facts"
        return await _found(user_id, kind, None, query=request.query, top_k=request.top_k)
    meant = (await _meant(service, user_id, given)).unwrap()
    if meant is None:
        return Failure(NOT_YOURS)
    kind, session_id = meant
    return await _found(user_id, kind, session_id, query=request.query, top_k=request.top_k, label=given)


@railway
async def strategies() -> Result[StrategiesResponse, ErrorDetail]:
    service = get_memory_service().unwrap()
    found = (await service.strategies()).unwrap()
    return Success(StrategiesResponse.of_strategies(found, service.memory_id))


@railway
async def delete(user_id: str, record_id: str) -> Result[DeleteMemoryResponse, ErrorDetail]:
    """Fails with `not_found` for a record that the caller does not have."""
    service = get_memory_service().unwrap()
    (await service.delete(user_id, record_id)).unwrap()
    return Success(DeleteMemoryResponse(deleted_count=1, message=f"Memory record {record_id} was deleted."))


@railway
async def status() -> Result[MemoryStatusResponse, ErrorDetail]:
    region = settings(AwsSettings).region
    mode = memory_mode()
    if mode != "cloud":
        error = _BAD_CONFIGURATION if mode == "unknown" else None
        return Success(MemoryStatusResponse.without_memory(mode, region, error=error))
    service = get_memory_service().unwrap()
    ids = (await service.strategy_ids()).unwrap()
    patterns = {
        kind: namespace_of(kind, strategy_id=strategy_id, user_id="{userId}", session_id="{sessionId}")
        for kind, strategy_id in ids.items()
    }
    return Success(MemoryStatusResponse.of_memory(service.memory_id, region, ids=ids, patterns=patterns))


@railway
async def _found(
    user_id: str, kind: Kind, session_id: str | None, *, query: str | None, top_k: int, label: str | None = None
) -> Result[MemoriesResponse, ErrorDetail]:
    service = get_memory_service().unwrap()
    records = await service.search(user_id, kind, query=query or _SEARCHES[kind], top_k=top_k, session_id=session_id)
    of_session = f"/{session_id}" if session_id is not None else ""
    label = label or f"/{kind}/{user_id}{of_session}"
    return Success(MemoriesResponse.of_records(records.unwrap(), label=label, query=query))


@railway
async def _meant(
    service: MemoryService, user_id: str, given: str
) -> Result[tuple[Kind, str | None] | None, ErrorDetail]:
    """Which strategies there are is asked only for a namespace that names one, and the caller."""
    names_strategy = given.split("/")[3:5] == ["actors", user_id]
    ids = (await service.strategy_ids()).unwrap() if names_strategy else {}
    return Success(of_namespace(given, user_id=user_id, ids=ids))
