"""Where costs are stored: one record per assistant message, totals per user and month, totals of the system."""

import asyncio
import calendar
import logging
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from apis.shared.aws.boto_dynamodb import PK_ABSENT, Condition, Item, Put, Table, Update, Value
from apis.shared.costs.formula import calculate_savings, cents_key, sanitize_model_id
from apis.shared.costs.models import CostRecord, TokenUsage
from apis.shared.errors import ErrorCode, ErrorDetail, internal_error
from apis.shared.result import Failure, Result, Success, railway

logger = logging.getLogger(__name__)

_DAY_SECONDS = 24 * 60 * 60
RECORD_TTL_SECONDS = 365 * _DAY_SECONDS

# Marks a lost condition that is an expected outcome; it never leaves this module.
_LOST = ErrorDetail(code=ErrorCode.CONFLICT, message="expected", detail="expected")


@dataclass(frozen=True, slots=True)
class Counted:
    """The counters that one cost record adds to every total.

    `turn_timestamp` is that of the last message of the turn: the messages are counted at the same time, and the
    totals must not look older than the last of them.
    """

    record: CostRecord
    usage: TokenUsage
    cost: float
    savings: float
    turn_timestamp: str

    @classmethod
    def of(cls, record: CostRecord, turn_timestamp: str) -> "Counted":
        return cls(
            record,
            record.token_usage or TokenUsage(),
            record.cost or 0.0,
            calculate_savings(record.token_usage, record.model_info.pricing_snapshot),
            turn_timestamp,
        )

    @property
    def user_id(self) -> str:
        return self.record.attribution.user_id

    @property
    def timestamp(self) -> str:
        return self.record.attribution.timestamp

    @property
    def month(self) -> str:
        return self.timestamp[:7]

    @property
    def day(self) -> str:
        return self.timestamp[:10]

    @property
    def model_key(self) -> str:
        return sanitize_model_id(self.record.model_info.model_id)


def first_failure(outcomes: Iterable[Result[None, ErrorDetail]]) -> Result[None, ErrorDetail]:
    """The first Failure of writes that were all attempted; the other ones reach the log only."""
    first: ErrorDetail | None = None
    for outcome in outcomes:
        match outcome:
            case Failure(error) if first is None:
                first = error
            case Failure(error):
                logger.error(
                    "usage not recorded",
                    extra={"code": error.code.value, "context": error.context},
                    exc_info=error.cause,
                )
            case _:
                pass
    return Success(None) if first is None else Failure(first)


class CostRecords:
    """Cost records in the sessions table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def put(self, record: CostRecord, message_index: int) -> Result[None, ErrorDetail]:
        owner = record.attribution
        user, session = f"USER#{owner.user_id}", f"SESSION#{owner.session_id}"
        keys: Item = {
            "PK": user,
            "SK": f"C#{owner.timestamp}#{uuid.uuid4()}",
            "GSI1PK": user,
            "GSI1SK": owner.timestamp,
            "GSI_PK": session,
            "GSI_SK": f"C#{owner.timestamp}",
            "sessionId": owner.session_id,
            "userId": owner.user_id,
            "timestamp": owner.timestamp,
            "messageId": message_index,
            "ttl": int(time.time()) + RECORD_TTL_SECONDS,
        }
        body: Item = record.model_dump(by_alias=True, exclude_none=True)
        return await self._table.put(Put({**keys, **body}))


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
        return first_failure(await asyncio.gather(*(self._add_to(rollup, counted) for rollup in _rollups(counted))))

    async def _add_to(self, rollup: _Rollup, counted: Counted) -> Result[None, ErrorDetail]:
        """The user first: only a user who is new in the period counts in its number of users."""
        outcome = await self._count(rollup, counted)
        return outcome.alt(lambda error: error.caused_by(None, rollup=rollup.kind.lower()))

    @railway
    async def _count(self, rollup: _Rollup, counted: Counted) -> Result[None, ErrorDetail]:
        is_new = (await self._first_seen(rollup, counted.user_id)).unwrap()
        added: dict[str, Value] = {"totalCost": counted.cost, "totalRequests": 1, **rollup.counters}
        if is_new:
            added[rollup.user_counter] = 1
        settled: dict[str, Value] = {"lastUpdated": _now(), "type": rollup.kind.lower(), **rollup.described}
        updated = await self._table.update(
            Update(
                key={"PK": f"ROLLUP#{rollup.kind}", "SK": rollup.key},
                expression=(
                    f"SET {', '.join(f'#{name} = :{name}' for name in settled)} "
                    f"ADD {', '.join(f'#{name} :{name}' for name in added)}"
                ),
                names={f"#{name}": name for name in (*settled, *added)},
                values=_named({**settled, **added}),
            ),
            returning="NONE",
        )
        return updated.map(lambda _: None)

    async def _first_seen(self, rollup: _Rollup, user_id: str) -> Result[bool, ErrorDetail]:
        """True for a user who is new in the period; a known user is not a failure."""
        marker: Item = {
            "PK": rollup.seen,
            "SK": user_id,
            "trackedAt": _now(),
            "TTL": int(time.time()) + rollup.seen_days * _DAY_SECONDS,
        }
        marked = await self._table.put(Put(marker, PK_ABSENT), lost_condition=_LOST)
        return Success(False) if _is_lost(marked) else marked.map(lambda _: True)


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


def _is_lost[T](result: Result[T, ErrorDetail]) -> bool:
    match result:
        case Failure(error):
            return error == _LOST
        case _:
            return False


def _now() -> str:
    return datetime.now(UTC).isoformat()
