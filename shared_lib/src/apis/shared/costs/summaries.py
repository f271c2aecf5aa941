"""What each user spent in each month."""

import calendar
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from functools import reduce
from operator import and_

from apis.shared.aws.dynamodb import (
    F,
    HashKey,
    Item,
    Key,
    Query,
    RangeKey,
    Table,
    UpdateExpression,
    added,
    assigned,
    increased,
    is_key,
    parse_as,
)
from apis.shared.costs.counted import Counted
from apis.shared.costs.formula import cents_key
from apis.shared.costs.models import UserCostSummary, UserTotal
from apis.shared.errors import ErrorDetail, internal_error
from apis.shared.result import Failure, Result, Success, collect, railway

type Counters = Mapping[str, int | float]

_PAGE = 1_000
"""Users of one call after the first: about 10 ms of work, beside which other requests are served."""


class UserCostSummaries:
    """One item per user and month."""

    def __init__(self, table: Table) -> None:
        self._table = table

    @railway
    async def add(self, counted: Counted) -> Result[None, ErrorDetail]:
        """Adds to all totals and to the model's breakdown, by exactly one write that carries the numbers.

        One call for a user who has used the model this month, plus one when the total reaches another cent; two for
        the first record of a month.
        """
        item = (await self._increment_as_latest(counted)).unwrap()
        if item is None:
            if (await self._table.put_if_absent(_first(counted))).unwrap():
                return Success(None)
            (await self._prepare_model(counted)).unwrap()
            item = (await self._increment_as_latest(counted)).unwrap()
        if item is None:
            item = (await self._increment(counted)).unwrap()
        total = item.get("totalCost")
        if not isinstance(total, int | Decimal):
            return Failure(internal_error(None, entity="UserCostSummary", corrupt_fields="totalCost"))
        rank = cents_key(total)
        current = item.get("GSI2SK")
        if isinstance(current, str) and current >= rank:
            return Success(None)
        return await self._rank(counted, rank)

    @railway
    async def read(self, user_id: str, month: str) -> Result[UserCostSummary, ErrorDetail]:
        """`month` is `YYYY-MM`; one without any usage is all zeros, and so is everybody whose id no key can hold."""
        if not is_key(_key_of(user_id, month)["PK"]):
            return Success(UserCostSummary())
        # Who has just been told what a turn cost finds it counted.
        item = (await self._table.get(_key_of(user_id, month), consistent=True)).unwrap()
        return Success(UserCostSummary()) if item is None else parse_as(UserCostSummary, item)

    @railway
    async def top(
        self, month: str, limit: int, *, at_least: Decimal = Decimal(0)
    ) -> Result[list[UserTotal], ErrorDetail]:
        """At most `limit` users, whoever spent most first, then by id; `at_least` is what each of them spent.

        One call, and more only where the last place is shared: the index tells cents, so that everybody with as many of
        them is read before one is left out. Never holds more than `limit` users and one page.
        """
        of_month = HashKey("GSI2PK", f"PERIOD#{month}") & RangeKey("GSI2SK").gte(cents_key(at_least))
        query = Query(of_month, index="PeriodCostIndex", ascending=False, limit=limit + 1)
        best: list[UserTotal] = []
        seen, last_place, start = 0, "", None
        while True:
            page = (await self._table.query_page(query, start)).unwrap()
            if seen < limit <= seen + len(page.items):
                last_place = str(page.items[limit - seen - 1]["GSI2SK"])
            seen += len(page.items)
            users = collect(parse_as(UserTotal, item) for item in page.items).unwrap()
            best += [user for user in users if user.total_cost >= at_least]
            best.sort(key=lambda user: (-user.total_cost, user.user_id))
            del best[limit:]
            start = page.next_key
            if start is None or (seen > limit and str(page.items[-1]["GSI2SK"]) < last_place):
                return Success(best)
            query = replace(query, limit=_PAGE)

    async def _increment_as_latest(self, counted: Counted) -> Result[Item | None, ErrorDetail]:
        """None when the model has no breakdown yet, or when a later turn was counted before."""
        updated = F("lastUpdated")
        return await self._table.update_if_and_get(
            _key(counted),
            _increments(counted) & updated.set(counted.turn_timestamp),
            condition=_breakdown(counted).exists() & (updated.does_not_exist() | updated.lte(counted.turn_timestamp)),
        )

    async def _increment(self, counted: Counted) -> Result[Item, ErrorDetail]:
        return await self._table.update_and_get(
            _key(counted), _increments(counted), condition=_breakdown(counted).exists()
        )

    @railway
    async def _prepare_model(self, counted: Counted) -> Result[None, ErrorDetail]:
        """A breakdown of zeros for the model's first use in a month; does nothing when there is one."""
        fresh: Item = {**_described(counted), **dict.fromkeys(_per_model(counted), 0)}
        breakdowns = F("modelBreakdown")
        change = _breakdown(counted).set_if_not_exists(fresh)
        if (await self._table.update_if(_key(counted), change, condition=breakdowns.exists())).unwrap():
            return Success(None)
        # An item of the previous system, which went on when it could not make the map.
        return await self._table.update(_key(counted), breakdowns.set_if_not_exists({counted.model_key: fresh}))

    async def _rank(self, counted: Counted, rank: str) -> Result[None, ErrorDetail]:
        """The index key only grows; losing to a higher one is success."""
        place = F("GSI2SK")
        ranked = await self._table.update_if(
            _key(counted), place.set(rank), condition=place.does_not_exist() | place.lt(rank)
        )
        return ranked.map(lambda _: None)


def _key_of(user_id: str, month: str) -> Key:
    return {"PK": f"USER#{user_id}", "SK": f"PERIOD#{month}"}


def _key(counted: Counted) -> Key:
    return _key_of(counted.user_id, counted.month)


def _breakdown(counted: Counted) -> F:
    return F("modelBreakdown", counted.model_key)


def _first(counted: Counted) -> Item:
    """The whole item of a month's first record."""
    return {
        **_key(counted),
        **_settled(counted),
        **_settled_once(counted),
        **_totals(counted),
        "lastUpdated": counted.turn_timestamp,
        "GSI2SK": cents_key(counted.cost),
        "modelBreakdown": {counted.model_key: {**_described(counted), **_per_model(counted)}},
    }


def _increments(counted: Counted) -> UpdateExpression:
    once = [F(name).set_if_not_exists(value) for name, value in _settled_once(counted).items()]
    of_model = [increased(F("modelBreakdown", counted.model_key, name), by) for name, by in _per_model(counted).items()]
    return reduce(and_, [assigned(_settled(counted)), *once, *of_model, added(_totals(counted))])


def _settled(counted: Counted) -> dict[str, str]:
    return {"userId": counted.user_id, "GSI2PK": f"PERIOD#{counted.month}"}


def _settled_once(counted: Counted) -> dict[str, str]:
    last_day = calendar.monthrange(int(counted.month[:4]), int(counted.month[5:]))[1]
    return {
        "periodStart": f"{counted.month}-01T00:00:00Z",
        "periodEnd": f"{counted.month}-{last_day:02d}T23:59:59Z",
    }


def _totals(counted: Counted) -> Counters:
    return {
        "totalCost": counted.cost,
        "cacheSavings": counted.savings,
        "totalRequests": 1,
        "totalInputTokens": counted.usage.input_tokens,
        "totalOutputTokens": counted.usage.output_tokens,
        "totalCacheReadTokens": counted.usage.cache_read_input_tokens or 0,
        "totalCacheWriteTokens": counted.usage.cache_write_input_tokens or 0,
    }


def _per_model(counted: Counted) -> Counters:
    return {
        "cost": counted.cost,
        "requests": 1,
        "inputTokens": counted.usage.input_tokens,
        "outputTokens": counted.usage.output_tokens,
        "cacheReadTokens": counted.usage.cache_read_input_tokens or 0,
        "cacheWriteTokens": counted.usage.cache_write_input_tokens or 0,
    }


def _described(counted: Counted) -> dict[str, str]:
    info = counted.record.model_info
    return {"modelName": info.model_name, "provider": info.provider or "unknown"}
