"""The long-term records of AgentCore Memory.

The service of today takes `namespace` as it is, and has `namespacePath` for a namespace with a slash at its end, as its
usual templates make it, and all that lies below; an earlier one took `namespace` as the beginning of a name and knew
nothing else. Each question is therefore asked in both forms at once, and what comes back is looked at again.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from apis.shared.aws.client import ServiceClient, agentcore_control, memory_records
from apis.shared.errors import ErrorDetail, internal_error, not_found, service_unavailable
from apis.shared.memory.models import MemoryRecord, Strategy
from apis.shared.result import Failure, Result, Success, collect, railway, require

if TYPE_CHECKING:
    from mypy_boto3_bedrock_agentcore import BedrockAgentCoreClient
    from mypy_boto3_bedrock_agentcore_control import BedrockAgentCoreControlClient

PAGE_SIZE = 100
MAX_PAGES = 100

type _Where = dict[str, Any]  # Any: the SDK's stubs have a type per member
type _Item = Mapping[str, Any]  # Any: as the SDK reads it

_ENDLESS = service_unavailable(None, reason="pages of memory records that do not end")
_NOT_AN_ANSWER = service_unavailable(None, reason="an answer of another shape")


@dataclass(frozen=True, slots=True)
class _Page:
    records: list[MemoryRecord]
    next_token: str | None


type _Ask = Callable[[_Where], Awaitable[Result[_Page, ErrorDetail]]]


class MemoryRecords:
    """One memory resource. Every method fails as the AWS rows of the error vocabulary say, and never answers a part."""

    def __init__(
        self,
        memory_id: str,
        client: "ServiceClient[BedrockAgentCoreClient]" = memory_records,
        control: "ServiceClient[BedrockAgentCoreControlClient]" = agentcore_control,
    ) -> None:
        self.memory_id = memory_id
        self._client = client
        self._control = control

    @railway
    async def strategies(self) -> Result[list[Strategy], ErrorDetail]:
        """In the order of the service, also those that nothing can be found with."""
        answer = (await self._control.call(lambda client: client.get_memory(memoryId=self.memory_id))).unwrap()
        memory: _Item = require(answer.get("memory"), _NOT_AN_ANSWER).unwrap()
        return Success([_strategy(item) for item in memory.get("strategies") or ()])

    @railway
    async def search(self, namespace: str, *, query: str, top_k: int) -> Result[list[MemoryRecord], ErrorDetail]:
        """At most `top_k` (1 to 100) of a namespace and of what is below it, the most relevant first."""

        async def ask(where: _Where) -> Result[_Page, ErrorDetail]:
            criteria: Any = {"searchQuery": query, "topK": top_k}
            answer = await self._client.call(
                lambda client: client.retrieve_memory_records(
                    memoryId=self.memory_id,
                    searchCriteria=criteria,
                    maxResults=top_k,
                    **where,
                )
            )
            return answer.bind(_page)

        found = (await self._asked(ask, namespace, enough=top_k)).unwrap()
        # A stable order: what one question found stays as the service had it.
        return Success(sorted(found, key=lambda record: -(record.score or 0.0))[:top_k])

    async def list_all(self, namespace: str) -> Result[list[MemoryRecord], ErrorDetail]:
        """All records of a namespace and of what is below it."""

        async def ask(where: _Where) -> Result[_Page, ErrorDetail]:
            answer = await self._client.call(
                lambda client: client.list_memory_records(memoryId=self.memory_id, maxResults=PAGE_SIZE, **where)
            )
            return answer.bind(_page)

        return await self._asked(ask, namespace, enough=None)

    @railway
    async def delete(self, record_id: str) -> Result[None, ErrorDetail]:
        """Whose it is has been looked at before. Fails with `not_found` when the service does not have it (any more),
        and `service_unavailable` when it does not say that the record is gone."""
        answer = await self._client.call(
            lambda client: client.batch_delete_memory_records(
                memoryId=self.memory_id, records=[{"memoryRecordId": record_id}]
            )
        )
        outcome = answer.alt(lambda error: _gone(error, record_id)).unwrap()
        if any(one.get("memoryRecordId") == record_id for one in outcome.get("successfulRecords") or ()):
            return Success(None)
        failed: list[_Item] = [
            one for one in outcome.get("failedRecords") or () if one.get("memoryRecordId") == record_id
        ]
        if any(_says_absent(one) for one in failed):
            return Failure(record_not_found(record_id))
        codes = ", ".join(str(one.get("errorCode", "")) for one in failed)
        return Failure(service_unavailable(None, reason="the record was not deleted", error_codes=codes))

    async def _asked(self, ask: _Ask, namespace: str, *, enough: int | None) -> Result[list[MemoryRecord], ErrorDetail]:
        exact, below = await asyncio.gather(
            self._all_pages(ask, {"namespace": namespace}, namespace, enough),
            self._all_pages(ask, {"namespacePath": f"{namespace}/"}, namespace, enough),
        )
        answers = collect((exact, below.lash(_unless_unknown)))
        return answers.map(lambda lists: _once(record for found in lists for record in found))

    @railway
    async def _all_pages(
        self, ask: _Ask, where: _Where, namespace: str, enough: int | None
    ) -> Result[list[MemoryRecord], ErrorDetail]:
        found: list[MemoryRecord] = []
        seen: set[str] = set()
        while True:
            page = (await ask(where)).unwrap()
            found = _once([*found, *(record for record in page.records if record.is_in(namespace))])
            if page.next_token is None or (enough is not None and len(found) >= enough):
                return Success(found)
            if page.next_token in seen or len(seen) >= MAX_PAGES:
                return Failure(_ENDLESS)
            seen.add(page.next_token)
            where = {**where, "nextToken": page.next_token}


def record_not_found(record_id: str) -> ErrorDetail:
    return not_found(f"Memory record not found: {record_id[:100]}")


def _unless_unknown(error: ErrorDetail) -> Result[list[MemoryRecord], ErrorDetail]:
    """An earlier service refuses the second parameter; its first one has found everything then."""
    return Success([]) if error.context.get("aws_code") == "ValidationException" else Failure(error)


def _gone(error: ErrorDetail, record_id: str) -> ErrorDetail:
    # The memory itself is there: it has just listed the record.
    is_gone = error.context.get("aws_code") == "ResourceNotFoundException"
    return record_not_found(record_id) if is_gone else error


def _says_absent(failed: _Item) -> bool:
    said = str(failed.get("errorMessage", "")).lower()
    return str(failed.get("errorCode")) == "404" or "does not exist" in said or "not found" in said


def _once(records: Iterable[MemoryRecord]) -> list[MemoryRecord]:
    return list({record.record_id or id(record): record for record in records}.values())


def _page(answer: _Item) -> Result[_Page, ErrorDetail]:
    items = require(answer.get("memoryRecordSummaries"), _NOT_AN_ANSWER)
    records = items.bind(lambda found: collect(_record(item) for item in found))
    return records.map(lambda found: _Page(found, answer.get("nextToken")))


def _record(item: _Item) -> Result[MemoryRecord, ErrorDetail]:
    content = item.get("content")
    if not isinstance(content, Mapping) or not isinstance(content.get("text"), str):
        return Failure(internal_error(None, entity="memory record", key=str(item.get("memoryRecordId", "?"))))
    score = item.get("score")
    return Success(
        MemoryRecord(
            record_id=item.get("memoryRecordId"),
            content=content["text"],
            score=score if isinstance(score, float) and math.isfinite(score) else None,
            created_at=_in_utc(item.get("createdAt")),
            namespaces=tuple(item.get("namespaces") or ()),
        )
    )


def _in_utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _strategy(item: _Item) -> Strategy:
    namespaces = [*(item.get("namespaceTemplates") or ()), *(item.get("namespaces") or ())]
    return Strategy(
        strategy_id=item.get("strategyId") or "",
        kind=item.get("type") or "",
        status=item.get("status") or "",
        namespace=namespaces[0] if namespaces else None,
        configuration=item.get("configuration"),
    )
