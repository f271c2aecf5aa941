"""What each user spent in each month."""

import calendar
from collections.abc import Iterable, Mapping
from decimal import Decimal

from apis.shared.aws.dynamodb import PK_ABSENT, Condition, Item, Put, Table, Update, Value
from apis.shared.costs.counted import Counted
from apis.shared.costs.formula import cents_key
from apis.shared.errors import ErrorCode, ErrorDetail, internal_error
from apis.shared.result import Failure, Result, Success, railway

# Marks a lost condition that is an expected outcome; it never leaves this module.
_LOST = ErrorDetail(code=ErrorCode.CONFLICT, message="expected", detail="expected")


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
        added = await self._increment(counted)
        if _is_lost(added):
            created = await self._create(counted)
            if not _is_lost(created):
                return created
            (await self._prepare_model(counted)).unwrap()
            added = await self._increment(counted)
        if _is_lost(added):
            added = await self._increment(counted, is_latest=False)
        item = added.unwrap()
        total = item.get("totalCost")
        if not isinstance(total, int | Decimal):
            return Failure(internal_error(None, entity="UserCostSummary", corrupt_fields="totalCost"))
        rank = cents_key(total)
        current = item.get("GSI2SK")
        if isinstance(current, str) and current >= rank:
            return Success(None)
        return await self._rank(counted, rank)

    async def _increment(self, counted: Counted, *, is_latest: bool = True) -> Result[Item, ErrorDetail]:
        """Lost when the model has no breakdown yet, or, for the latest, when a later turn was counted before."""
        model = "modelBreakdown.#model"
        # ADD takes top-level attributes only; nested counters are arithmetic in SET.
        nested = [f"{model}.{name} = if_not_exists({model}.{name}, :zero) + :{name}" for name in _per_model(counted)]
        settled = [
            *_assigned(_settled(counted)),
            *(f"{name} = if_not_exists({name}, :{name})" for name in _settled_once(counted)),
        ]
        values: dict[str, Value] = {
            ":zero": 0,
            **_named(_settled(counted)),
            **_named(_settled_once(counted)),
            **_named(_per_model(counted)),
            **_named(_totals(counted)),
        }
        condition = f"attribute_exists({model})"
        if is_latest:
            settled.append("lastUpdated = :now")
            values[":now"] = counted.turn_timestamp
            condition += " AND (attribute_not_exists(lastUpdated) OR lastUpdated <= :now)"
        return await self._table.update(
            Update(
                key=_summary_key(counted),
                expression=(
                    f"SET {', '.join([*settled, *nested])} "
                    f"ADD {', '.join(f'{name} :{name}' for name in _totals(counted))}"
                ),
                names={"#model": counted.model_key},
                values=values,
                condition=Condition(condition),
            ),
            lost_condition=_LOST if is_latest else None,
        )

    async def _create(self, counted: Counted) -> Result[None, ErrorDetail]:
        """The whole item of a month's first record; lost when there is one."""
        item: Item = {
            **_summary_key(counted),
            **_settled(counted),
            **_settled_once(counted),
            **_totals(counted),
            "lastUpdated": counted.turn_timestamp,
            "GSI2SK": cents_key(counted.cost),
            "modelBreakdown": {counted.model_key: {**_described(counted), **_per_model(counted)}},
        }
        return await self._table.put(Put(item, PK_ABSENT), lost_condition=_LOST)

    @railway
    async def _prepare_model(self, counted: Counted) -> Result[None, ErrorDetail]:
        """A breakdown of zeros for the model's first use in a month; does nothing when there is one."""
        fresh: dict[str, Value] = {**_described(counted), **dict.fromkeys(_per_model(counted), 0)}
        prepared = await self._table.update(
            Update(
                key=_summary_key(counted),
                expression="SET modelBreakdown.#model = if_not_exists(modelBreakdown.#model, :fresh)",
                names={"#model": counted.model_key},
                values={":fresh": fresh},
                condition=Condition("attribute_exists(modelBreakdown)"),
            ),
            lost_condition=_LOST,
            returning="NONE",
        )
        if not _is_lost(prepared):
            return prepared.map(lambda _: None)
        # An item of the previous system, which went on when it could not make the map.
        with_map = await self._table.update(
            Update(
                key=_summary_key(counted),
                expression="SET modelBreakdown = if_not_exists(modelBreakdown, :models)",
                values={":models": {counted.model_key: fresh}},
            ),
            returning="NONE",
        )
        return with_map.map(lambda _: None)

    async def _rank(self, counted: Counted, rank: str) -> Result[None, ErrorDetail]:
        """The index key only grows; losing to a higher one is success."""
        ranked = await self._table.update(
            Update(
                key=_summary_key(counted),
                expression="SET GSI2SK = :rank",
                values={":rank": rank},
                condition=Condition("attribute_not_exists(GSI2SK) OR GSI2SK < :rank"),
            ),
            lost_condition=_LOST,
            returning="NONE",
        )
        return Success(None) if _is_lost(ranked) else ranked.map(lambda _: None)


def _summary_key(counted: Counted) -> dict[str, str]:
    return {"PK": f"USER#{counted.user_id}", "SK": f"PERIOD#{counted.month}"}


def _settled(counted: Counted) -> dict[str, str]:
    return {"userId": counted.user_id, "GSI2PK": f"PERIOD#{counted.month}"}


def _settled_once(counted: Counted) -> dict[str, str]:
    last_day = calendar.monthrange(int(counted.month[:4]), int(counted.month[5:]))[1]
    return {
        "periodStart": f"{counted.month}-01T00:00:00Z",
        "periodEnd": f"{counted.month}-{last_day:02d}T23:59:59Z",
    }


def _totals(counted: Counted) -> dict[str, int | float]:
    return {
        "totalCost": counted.cost,
        "cacheSavings": counted.savings,
        "totalRequests": 1,
        "totalInputTokens": counted.usage.input_tokens,
        "totalOutputTokens": counted.usage.output_tokens,
        "totalCacheReadTokens": counted.usage.cache_read_input_tokens or 0,
        "totalCacheWriteTokens": counted.usage.cache_write_input_tokens or 0,
    }


def _per_model(counted: Counted) -> dict[str, int | float]:
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


def _named(values: Mapping[str, Value]) -> dict[str, Value]:
    return {f":{name}": value for name, value in values.items()}


def _assigned(values: Iterable[str]) -> list[str]:
    return [f"{name} = :{name}" for name in values]


def _is_lost[T](result: Result[T, ErrorDetail]) -> bool:
    match result:
        case Failure(error):
            return error == _LOST
        case _:
            return False
