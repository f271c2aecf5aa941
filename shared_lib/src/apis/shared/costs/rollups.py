"""What all users spent: per day, per month, and per model and month."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from apis.shared.aws.dynamodb import HashKey, Item, Query, RangeKey, Table, added, assigned, parse_as
from apis.shared.costs.counted import Counted
from apis.shared.costs.models import DayTotal, ModelTotal, SystemTotal
from apis.shared.errors import ErrorDetail
from apis.shared.moments import offset_form
from apis.shared.result import Result, Success, all_done, collect, railway

_DAY_SECONDS = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class _Rollup:
    """One total of the system, and where it is remembered which users it has counted."""

    kind: str
    key: str
    seen: str
    seen_days: int
    user_counter: str
    counters: Mapping[str, int | float]
    described: Mapping[str, str] = field(default_factory=dict)


class SystemRollups:
    """Totals of all users per day, month, and model and month."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def add(self, counted: Counted) -> Result[None, ErrorDetail]:
        """Two calls per rollup, all rollups at once; all are attempted."""
        return all_done(
            await asyncio.gather(*(self._add_to(rollup, counted) for rollup in _rollups(counted))), what="rollups"
        )

    async def of_day(self, day: str) -> Result[SystemTotal | None, ErrorDetail]:
        """`day` is `YYYY-MM-DD`; None for one without any usage."""
        return await self._total("DAILY", day)

    async def of_month(self, month: str) -> Result[SystemTotal | None, ErrorDetail]:
        """`month` is `YYYY-MM`; None for one without any usage."""
        return await self._total("MONTHLY", month)

    @railway
    async def days(self, first: date, last: date) -> Result[list[DayTotal], ErrorDetail]:
        """In their order, both ends included; days without any usage are absent."""
        between = RangeKey("SK").between(first.isoformat(), last.isoformat())
        items = (await self._table.query_all(Query(HashKey("PK", "ROLLUP#DAILY") & between))).unwrap()
        return collect(parse_as(DayTotal, item) for item in items)

    @railway
    async def models(self, month: str) -> Result[list[ModelTotal], ErrorDetail]:
        """The most expensive first, then by id."""
        of_month = HashKey("PK", "ROLLUP#MODEL") & RangeKey("SK").begins_with(f"{month}#")
        items = (await self._table.query_all(Query(of_month))).unwrap()
        totals = collect(parse_as(ModelTotal, item) for item in items)
        return totals.map(lambda models: sorted(models, key=lambda model: (-model.total_cost, model.model_id)))

    @railway
    async def _total(self, kind: str, key: str) -> Result[SystemTotal | None, ErrorDetail]:
        item = (await self._table.get({"PK": f"ROLLUP#{kind}", "SK": key})).unwrap()
        return Success(None if item is None else parse_as(SystemTotal, item).unwrap())

    async def _add_to(self, rollup: _Rollup, counted: Counted) -> Result[None, ErrorDetail]:
        """The user first: only a user who is new in the period counts in its number of users."""
        outcome = await self._count(rollup, counted)
        return outcome.alt(lambda error: error.caused_by(None, rollup=rollup.kind.lower()))

    @railway
    async def _count(self, rollup: _Rollup, counted: Counted) -> Result[None, ErrorDetail]:
        is_new = (await self._first_seen(rollup, counted.user_id)).unwrap()
        counters = {"totalCost": counted.cost, "totalRequests": 1, **rollup.counters}
        if is_new:
            counters[rollup.user_counter] = 1
        settled: Item = {"lastUpdated": offset_form(), "type": rollup.kind.lower(), **rollup.described}
        return await self._table.update(
            {"PK": f"ROLLUP#{rollup.kind}", "SK": rollup.key}, assigned(settled) & added(counters)
        )

    async def _first_seen(self, rollup: _Rollup, user_id: str) -> Result[bool, ErrorDetail]:
        """True for a user who is new in the period; a known user is not a failure."""
        return await self._table.put_if_absent(
            {
                "PK": rollup.seen,
                "SK": user_id,
                "trackedAt": offset_form(),
                "TTL": int(time.time()) + rollup.seen_days * _DAY_SECONDS,
            }
        )


def _rollups(counted: Counted) -> list[_Rollup]:
    info = counted.record.model_info
    tokens = {"totalInputTokens": counted.usage.input_tokens, "totalOutputTokens": counted.usage.output_tokens}
    with_cache = {
        **tokens,
        "totalCacheReadTokens": counted.usage.cache_read_input_tokens or 0,
        "totalCacheWriteTokens": counted.usage.cache_write_input_tokens or 0,
    }
    rollups = [
        _Rollup("DAILY", counted.day, f"ACTIVE#DAILY#{counted.day}", 90, "activeUsers", with_cache),
        _Rollup(
            "MONTHLY",
            counted.month,
            f"ACTIVE#MONTHLY#{counted.month}",
            400,
            "activeUsers",
            {**with_cache, "totalCacheSavings": counted.savings},
        ),
    ]
    if info.model_id and info.model_name and info.provider:
        key = f"{counted.month}#{counted.model_key}"
        described = {"modelId": info.model_id, "modelName": info.model_name, "provider": info.provider}
        rollups.append(_Rollup("MODEL", key, f"ACTIVE#MODEL#{key}", 400, "uniqueUsers", tokens, described))
    return rollups
