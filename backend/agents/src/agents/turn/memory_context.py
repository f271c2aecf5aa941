"""Long-term memory: what the platform remembers of a user, as context for one turn."""

import asyncio
import time

from apis.shared.aws.memory import Memory, MemoryRecord, Strategy
from apis.shared.errors import ErrorDetail, internal_error
from apis.shared.result import Failure, Result, Success, best_effort
from apis.shared.settings import MemorySettings, settings
from apis.shared.wiring import once

STRATEGIES_TTL_SECONDS = 15 * 60

# kind of strategy -> (namespace, number of records, least relevance)
_SEARCHES: dict[str, tuple[str, int, float]] = {
    "USER_PREFERENCE": ("/strategies/{strategy}/actors/{user}", 5, 0.5),
    "SEMANTIC": ("/strategies/{strategy}/actors/{user}", 10, 0.3),
    "SUMMARIZATION": ("/strategies/{strategy}/actors/{user}/sessions/{session}", 5, 0.3),
}


class MemoryContext:
    """Searches one memory resource; its strategies are remembered for 15 minutes, failures are not."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._strategies: list[Strategy] | None = None
        self._known_since = 0.0

    async def recall(self, user_id: str, session_id: str, search: str) -> str | None:
        """The remembered texts, one per line, inside `<user_context>`; None when there is nothing to add."""
        strategies = await best_effort(
            self._discover(),
            reason="Long-term memory is optional personal context; the answer is correct without it.",
            default=list[Strategy](),
        )
        found = await asyncio.gather(
            *(self._search(strategy, user_id, session_id, search) for strategy in strategies if search.strip())
        )
        texts = [record.text for records in found for record in records if record.text.strip()]
        return f"<user_context>\n{'\n'.join(texts)}\n</user_context>" if texts else None

    async def _discover(self) -> Result[list[Strategy], ErrorDetail]:
        if self._strategies is not None and time.monotonic() - self._known_since < STRATEGIES_TTL_SECONDS:
            return Success(self._strategies)
        match (await self._memory.strategies()).bind(_searchable):
            case Success(strategies):
                # Several strategies of one kind: the last listed wins.
                self._strategies = list({strategy.kind: strategy for strategy in strategies}.values())
                self._known_since = time.monotonic()
                return Success(self._strategies)
            case failure:
                return failure

    async def _search(self, strategy: Strategy, user_id: str, session_id: str, search: str) -> list[MemoryRecord]:
        if strategy.kind not in _SEARCHES:
            return []
        namespace, top_k, least = _SEARCHES[strategy.kind]
        records = await best_effort(
            self._memory.retrieve(
                namespace=namespace.format(strategy=strategy.strategy_id, user=user_id, session=session_id),
                search=search[:10_000],
                top_k=top_k,
            ),
            reason="One kind of long-term memory is missing in this turn; the answer is correct without it.",
            default=list[MemoryRecord](),
        )
        return [record for record in records if record.score is None or record.score >= least]


def _searchable(strategies: list[Strategy]) -> Result[list[Strategy], ErrorDetail]:
    """A search without the id of its strategy would find nothing for as long as the strategies are remembered."""
    if any(strategy.kind in _SEARCHES and not strategy.strategy_id for strategy in strategies):
        return Failure(internal_error(None, entity="memory strategy", reason="no id"))
    return Success(strategies)


@once
def get_memory_context() -> MemoryContext | None:
    """None without AgentCore Memory."""
    memory = settings(MemorySettings)
    if memory.agentcore_memory_type != "dynamodb" or memory.agentcore_memory_id is None:
        return None
    return MemoryContext(Memory(memory.agentcore_memory_id))
