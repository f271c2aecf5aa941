"""Long-term memory: what a user, and the turns of a user, find in it."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

from apis.shared.errors import ErrorCode, ErrorDetail, forbidden, internal_error
from apis.shared.memory.models import (
    STRATEGY_OF,
    Kind,
    MemoryRecord,
    Strategy,
    is_segment,
    namespace_of,
    usable_ids,
)
from apis.shared.memory.repository import MemoryRecords, record_not_found
from apis.shared.result import Failure, Result, Success, collect, railway
from apis.shared.settings import MemorySettings, settings
from apis.shared.ttl_cache import TtlCache
from apis.shared.wiring import once

logger = logging.getLogger(__name__)

STRATEGIES_TTL_SECONDS = 15 * 60
MAX_QUERY = 10_000
"""Characters of a search."""

NOT_AVAILABLE = ErrorDetail(
    code=ErrorCode.SERVICE_UNAVAILABLE,
    message="Long-term memory is not available in this deployment.",
    detail="AgentCore Memory is not available. It needs AGENTCORE_MEMORY_TYPE=dynamodb and AGENTCORE_MEMORY_ID.",
)
NOT_YOURS = forbidden("You can only look into your own memories.")
_EARLIEST = datetime.min.replace(tzinfo=UTC)

type Mode = Literal["cloud", "local", "unknown"]


def memory_mode() -> Mode:
    """`unknown` for variables that contradict each other."""
    memory = settings(MemorySettings)
    if memory.agentcore_memory_type == "file":
        return "local"
    return "cloud" if memory.agentcore_memory_type == "dynamodb" and memory.agentcore_memory_id else "unknown"


class MemoryService:
    """The caller's user id is part of every namespace that is asked for, and of every record that is given out.

    Strategies are kept for 15 minutes, failures are not. A kind that the memory has no strategy for is empty.
    """

    def __init__(self, records: MemoryRecords) -> None:
        self._records = records
        self._kept: TtlCache[str, Mapping[Kind, str]] = TtlCache(STRATEGIES_TTL_SECONDS)

    @property
    def memory_id(self) -> str:
        return self._records.memory_id

    async def strategies(self) -> Result[list[Strategy], ErrorDetail]:
        """As the memory has them at this moment."""
        return await self._records.strategies()

    async def strategy_ids(self) -> Result[Mapping[Kind, str], ErrorDetail]:
        return await self._kept.get_or_read("ids", self._discover)

    @railway
    async def search(
        self, user_id: str, kind: Kind, *, query: str, top_k: int, session_id: str | None = None
    ) -> Result[list[MemoryRecord], ErrorDetail]:
        """At most `top_k`, the most relevant first."""
        namespace = (await self._namespace(user_id, kind, session_id)).unwrap()
        if namespace is None:
            return Success([])
        return await self._records.search(namespace, query=query, top_k=top_k)

    @railway
    async def summaries(self, user_id: str, session_id: str) -> Result[list[MemoryRecord], ErrorDetail]:
        """What the service has summarised of one conversation, oldest first."""
        namespace = (await self._namespace(user_id, "summaries", session_id)).unwrap()
        if namespace is None:
            return Success([])
        found = (await self._records.list_all(namespace)).unwrap()
        return Success(sorted(found, key=lambda record: record.created_at or _EARLIEST))

    @railway
    async def delete(self, user_id: str, record_id: str) -> Result[None, ErrorDetail]:
        """Fails with `not_found` for what the user does not have; nothing is deleted then."""
        namespaces = [(await self._namespace(user_id, kind, None)).unwrap() for kind in STRATEGY_OF]
        asked = dict.fromkeys(namespace for namespace in namespaces if namespace is not None)
        lists = collect(await asyncio.gather(*(self._records.list_all(namespace) for namespace in asked))).unwrap()
        if not any(record.record_id == record_id for records in lists for record in records):
            return Failure(record_not_found(record_id))
        return await self._records.delete(record_id)

    @railway
    async def _namespace(self, user_id: str, kind: Kind, session_id: str | None) -> Result[str | None, ErrorDetail]:
        """None for a kind that the memory does not have. Fails with `forbidden` for an id that may mean others, too."""
        if not is_segment(user_id) or (session_id is not None and not is_segment(session_id)):
            return Failure(NOT_YOURS)
        strategy_id = (await self.strategy_ids()).unwrap().get(kind)
        if strategy_id is None:
            return Success(None)
        return Success(namespace_of(kind, strategy_id=strategy_id, user_id=user_id, session_id=session_id))

    @railway
    async def _discover(self) -> Result[Mapping[Kind, str], ErrorDetail]:
        ids = usable_ids((await self._records.strategies()).unwrap())
        if any(not strategy_id for strategy_id in ids.values()):
            # A search without it would find nothing for as long as the strategies are kept.
            return Failure(internal_error(None, entity="memory strategy", reason="no id"))
        return Success(ids)


def searchable(text: str) -> str:
    """What the service takes as a search; empty for a text that says nothing."""
    return text.strip()[:MAX_QUERY].strip()


@once
def get_memory_service() -> Result[MemoryService, ErrorDetail]:
    """Fails with `service_unavailable` where the deployment has no AgentCore Memory."""
    memory = settings(MemorySettings)
    match memory_mode(), memory.agentcore_memory_id:
        case "cloud", str(memory_id):
            return Success(MemoryService(MemoryRecords(memory_id)))
        case "unknown", _:
            logger.error(
                "the variables of the memory contradict each other",
                extra={"variables": "AGENTCORE_MEMORY_TYPE, AGENTCORE_MEMORY_ID"},
            )
    return Failure(NOT_AVAILABLE)
