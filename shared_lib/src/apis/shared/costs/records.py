"""Cost records in the sessions table: one item per assistant message."""

import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from apis.shared.aws.dynamodb import HashKey, Item, Query, RangeKey, Table, is_key, parse_as, plain
from apis.shared.costs.formula import total_of
from apis.shared.costs.models import CostRecord, RecordedUsage, UserCostSummary
from apis.shared.costs.tally import Span, Tally
from apis.shared.errors import ErrorDetail, internal_error
from apis.shared.moments import read_moment
from apis.shared.result import Failure, Result, Success, collect, railway

RECORD_TTL_SECONDS = 365 * 24 * 60 * 60
INDEX_PREFIX = "C#"
"""How the lookup index of a session begins its sort key for a cost record."""

# What sums need; the citations of a record may be a hundred times as long.
_COUNTED = ("PK", "SK", "GSI1SK", "tokenUsage", "modelInfo", "cost")

_NOT_THE_BODY = frozenset(
    {"PK", "SK", "GSI1PK", "GSI1SK", "GSI_PK", "GSI_SK", "ttl", "userId", "sessionId", "messageId", "timestamp"}
)


def read_cost(item: Item) -> Result[tuple[int, Mapping[str, Any]], ErrorDetail]:
    """Message index and body of a stored record; the body is free-form and passes through as it is."""
    index = item.get("messageId")
    if not isinstance(index, int):
        return Failure(internal_error(None, entity="cost record", key=f"{item.get('PK')} / {item.get('SK')}"))
    return Success((index, {name: plain(value) for name, value in item.items() if name not in _NOT_THE_BODY}))


class CostRecords:
    def __init__(self, table: Table) -> None:
        self._table = table

    async def put(self, record: CostRecord, message_index: int) -> Result[None, ErrorDetail]:
        owner = record.attribution
        user, session = f"USER#{owner.user_id}", f"SESSION#{owner.session_id}"
        keys: Item = {
            "PK": user,
            "SK": f"{INDEX_PREFIX}{owner.timestamp}#{uuid.uuid4()}",
            "GSI1PK": user,
            "GSI1SK": owner.timestamp,
            "GSI_PK": session,
            "GSI_SK": f"{INDEX_PREFIX}{owner.timestamp}",
            "sessionId": owner.session_id,
            "userId": owner.user_id,
            "timestamp": owner.timestamp,
            "messageId": message_index,
            "ttl": int(time.time()) + RECORD_TTL_SECONDS,
        }
        return await self._table.put({**keys, **record.stored()})

    @railway
    async def report(self, user_id: str, span: Span) -> Result[UserCostSummary, ErrorDetail]:
        """Holds one page of records at a time."""
        tally = Tally()
        async for page in self._table.query_pages(_within(user_id, span)):
            items = page.unwrap().items
            moments = collect(map(_moment, items)).unwrap()
            within = [item for moment, item in zip(moments, items, strict=True) if span.holds(moment)]
            for usage in collect(parse_as(RecordedUsage, item) for item in within).unwrap():
                tally.add(usage)
        return Success(tally.summary())

    @railway
    async def spent_on(self, user_id: str, day: str) -> Result[Decimal, ErrorDetail]:
        """`day` is `YYYY-MM-DD`. Reads what has just been written, too."""
        if not is_key(f"USER#{user_id}"):
            return Success(Decimal(0))
        of_day = HashKey("PK", f"USER#{user_id}") & RangeKey("SK").begins_with(f"{INDEX_PREFIX}{day}")
        total = Decimal(0)
        async for page in self._table.query_pages(Query(of_day, consistent=True, attributes=("PK", "SK", "cost"))):
            usages = collect(parse_as(RecordedUsage, item) for item in page.unwrap().items).unwrap()
            total = total_of((total, *(usage.cost or Decimal(0) for usage in usages)))
        return Success(total)


def _within(user_id: str, span: Span) -> Query:
    """All seconds that the span touches: timestamps come with and without a fraction, and as `Z` or `+00:00`, so that
    within a second their texts do not sort as their times do."""
    of_user, at = HashKey("GSI1PK", f"USER#{user_id}"), RangeKey("GSI1SK")
    return Query(
        of_user & at.between(_second(span.start), f"{_second(span.end)}~"),
        index="UserTimestampIndex",
        attributes=_COUNTED,
    )


def _moment(item: Item) -> Result[datetime, ErrorDetail]:
    moment = read_moment(str(item["GSI1SK"]))
    return moment.alt(lambda e: e.caused_by(None, entity="cost record", key=f"{item.get('PK')} / {item.get('SK')}"))


def _second(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")
