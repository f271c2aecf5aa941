"""Long-term memory: what the platform remembers of a user, as context for one turn."""

import asyncio
import re
from collections.abc import Coroutine, Iterable
from typing import Any

from apis.shared.errors import ErrorDetail, timed_out
from apis.shared.memory.models import Kind, MemoryRecord
from apis.shared.memory.service import MemoryService, get_memory_service, searchable
from apis.shared.result import Failure, Result, best_effort
from apis.shared.wiring import once

RECALL_SECONDS = 5.0
MAX_CONTEXT = 20_000
"""Characters of what is remembered, in all."""

# kind -> (number of records, least relevance)
_SEARCHES: dict[Kind, tuple[int, float]] = {"preferences": (5, 0.5), "facts": (10, 0.3), "summaries": (5, 0.3)}
_WRAPPER = re.compile(r"<(?=\s*/?\s*user_context)", re.IGNORECASE)


class MemoryContext:
    """The turn waits for what is remembered at most `seconds`."""

    def __init__(self, memory: MemoryService, *, seconds: float = RECALL_SECONDS) -> None:
        self._memory = memory
        self._seconds = seconds

    async def recall(self, user_id: str, session_id: str, search: str) -> str | None:
        """The remembered texts, one per line, inside `<user_context>`; None when there is nothing to add."""
        query = searchable(search)
        if not query:
            return None
        end = asyncio.get_running_loop().time() + self._seconds
        known = await best_effort(
            _until(end, self._memory.strategy_ids()),
            reason="Long-term memory is optional personal context; the answer is correct without it.",
            default=dict[Kind, str](),
        )
        found = await asyncio.gather(
            *(self._search(kind, user_id, session_id, query, end) for kind in _SEARCHES if kind in known)
        )
        return _context(record.content for records in found for record in records)

    async def _search(self, kind: Kind, user_id: str, session_id: str, query: str, end: float) -> list[MemoryRecord]:
        top_k, least = _SEARCHES[kind]
        records = await best_effort(
            _until(end, self._memory.search(user_id, kind, query=query, top_k=top_k, session_id=session_id)),
            reason="One kind of long-term memory is missing in this turn; the answer is correct without it.",
            default=list[MemoryRecord](),
        )
        return [record for record in records if record.score is None or record.score >= least]


async def _until[T](end: float, work: Coroutine[Any, Any, Result[T, ErrorDetail]]) -> Result[T, ErrorDetail]:
    """What `work` gives by the event loop's moment `end`, else `timeout`."""
    task = asyncio.ensure_future(work)
    await asyncio.wait((task,), timeout=max(0.0, end - asyncio.get_running_loop().time()))
    if task.done():
        return task.result()
    task.cancel()
    return Failure(timed_out(None, reason="long-term memory"))


def _context(texts: Iterable[str]) -> str | None:
    """One line per text, which neither ends the wrapper nor begins another."""
    lines: list[str] = []
    left = MAX_CONTEXT
    for text in texts:
        line = _WRAPPER.sub("&lt;", " ".join(text.split()))[:left]
        if line:
            lines.append(line)
            left -= len(line) + 1
        if left <= 0:
            break
    return f"<user_context>\n{'\n'.join(lines)}\n</user_context>" if lines else None


@once
def get_memory_context() -> MemoryContext | None:
    """None without AgentCore Memory."""
    return get_memory_service().map(MemoryContext).value_or(None)
