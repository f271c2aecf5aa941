"""Where costs are stored: one record per assistant message, totals per user and month, totals of the system."""

import asyncio
import calendar
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from apis.shared.aws.dynamodb import PK_ABSENT, Condition, Item, Put, Table, Update, Value
from apis.shared.costs.formula import calculate_savings, cents_key, sanitize_model_id
from apis.shared.costs.models import CostRecord, TokenUsage
from apis.shared.errors import ErrorCode, ErrorDetail, internal_error
from apis.shared.result import Failure, Result, Success, collect, railway

_DAY_SECONDS = 24 * 60 * 60
RECORD_TTL_SECONDS = 365 * _DAY_SECONDS

# Marks a lost condition that is an expected outcome; it never leaves this module.
_LOST = ErrorDetail(code=ErrorCode.CONFLICT, message="expected", detail="expected")


@dataclass(frozen=True, slots=True)
class Counted:
    """The counters that one cost record adds to every total."""

    record: CostRecord
    usage: TokenUsage
    cost: float
    savings: float

    @classmethod
    def of(cls, record: CostRecord) -> "Counted":
        return cls(
            record,
            record.token_usage or TokenUsage(),
            record.cost or 0.0,
            calculate_savings(record.token_usage, record.model_info.pricing_snapshot),
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
        """One increment of all totals and of the model's breakdown. The first record of a month, or of a model in a
        month, first makes the map that the increment needs; that preparation may be repeated without harm."""
        added = await self._increment(counted)
        if _is_lost(added):
            (await self._prepare_map(counted)).unwrap()
            (await self._prepare_model(counted)).unwrap()
            added = await self._increment(counted, required=False)
        item = added.unwrap()
        total = item.get("totalCost")
        if not isinstance(total, int | Decimal):
            return Failure(internal_error(None, entity="UserCostSummary", corrupt_fields="totalCost"))
        rank = cents_key(total)
        current = item.get("GSI2SK")
        if isinstance(current, str) and current >= rank:
            return Success(None)
        return await self._rank(counted, rank)

    async def _increment(self, counted: Counted, *, required: bool = True) -> Result[Item, ErrorDetail]:
        usage = counted.usage
        last_day = calendar.monthrange(int(counted.month[:4]), int(counted.month[5:]))[1]
        model = "modelBreakdown.#model"
        totals = {
            "totalCost": ":cost",
            "cacheSavings": ":savings",
            "totalRequests": ":one",
            "totalInputTokens": ":input",
            "totalOutputTokens": ":output",
            "totalCacheReadTokens": ":read",
            "totalCacheWriteTokens": ":write",
            f"{model}.cost": ":cost",
            f"{model}.requests": ":one",
            f"{model}.inputTokens": ":input",
            f"{model}.outputTokens": ":output",
            f"{model}.cacheReadTokens": ":read",
            f"{model}.cacheWriteTokens": ":write",
        }
        # `lastUpdated` must not go back, but an update has one condition: the later of two turns of one user in the
        # same moment decides.
        settled = (
            "SET userId = :user, lastUpdated = :now, GSI2PK = :period, "
            "periodStart = if_not_exists(periodStart, :start), periodEnd = if_not_exists(periodEnd, :end)"
        )
        names = {"#model": sanitize_model_id(counted.record.model_info.model_id)}
        # ADD takes top-level attributes only; nested counters are arithmetic in SET.
        nested = {path: value for path, value in totals.items() if path.startswith(model)}
        top = {path: value for path, value in totals.items() if path not in nested}
        expression = (
            f"{settled}, {', '.join(f'{path} = {path} + {value}' for path, value in nested.items())} "
            f"ADD {', '.join(f'{path} {value}' for path, value in top.items())}"
        )
        return await self._table.update(
            Update(
                key=self._key(counted),
                expression=expression,
                names=names,
                values={
                    ":user": counted.user_id,
                    ":now": counted.timestamp,
                    ":period": f"PERIOD#{counted.month}",
                    ":start": f"{counted.month}-01T00:00:00Z",
                    ":end": f"{counted.month}-{last_day:02d}T23:59:59Z",
                    ":one": 1,
                    ":cost": counted.cost,
                    ":savings": counted.savings,
                    ":input": usage.input_tokens,
                    ":output": usage.output_tokens,
                    ":read": usage.cache_read_input_tokens or 0,
                    ":write": usage.cache_write_input_tokens or 0,
                },
                condition=Condition(f"attribute_exists({model})"),
            ),
            lost_condition=_LOST if required else None,
        )

    async def _prepare_map(self, counted: Counted) -> Result[Item, ErrorDetail]:
        return await self._table.update(
            Update(
                key=self._key(counted),
                expression="SET modelBreakdown = if_not_exists(modelBreakdown, :empty)",
                values={":empty": {}},
            ),
            returning="NONE",
        )

    async def _prepare_model(self, counted: Counted) -> Result[Item, ErrorDetail]:
        info = counted.record.model_info
        fresh: dict[str, Value] = {
            "modelName": info.model_name,
            "provider": info.provider or "unknown",
            "cost": 0,
            "requests": 0,
            "inputTokens": 0,
            "outputTokens": 0,
            "cacheReadTokens": 0,
            "cacheWriteTokens": 0,
        }
        return await self._table.update(
            Update(
                key=self._key(counted),
                expression="SET modelBreakdown.#model = if_not_exists(modelBreakdown.#model, :fresh)",
                names={"#model": sanitize_model_id(info.model_id)},
                values={":fresh": fresh},
            ),
            returning="NONE",
        )

    async def _rank(self, counted: Counted, rank: str) -> Result[None, ErrorDetail]:
        """The index key only grows; losing to a higher one is success."""
        ranked = await self._table.update(
            Update(
                key=self._key(counted),
                expression="SET GSI2SK = :rank",
                values={":rank": rank},
                condition=Condition("attribute_not_exists(GSI2SK) OR GSI2SK < :rank"),
            ),
            lost_condition=_LOST,
            returning="NONE",
        )
        return Success(None) if _is_lost(ranked) else ranked.map(lambda _: None)

    @staticmethod
    def _key(counted: Counted) -> dict[str, str]:
        return {"PK": f"USER#{counted.user_id}", "SK": f"PERIOD#{counted.month}"}


class SystemRollups:
    """Totals of all users per day, month, and model and month."""

    def __init__(self, table: Table) -> None:
        self._table = table

    @railway
    async def add(self, counted: Counted) -> Result[None, ErrorDetail]:
        info = counted.record.model_info
        model_key = f"{counted.month}#{sanitize_model_id(info.model_id)}"
        markers: list[tuple[str, int]] = [
            (f"ACTIVE#DAILY#{counted.day}", 90),
            (f"ACTIVE#MONTHLY#{counted.month}", 400),
        ]
        if info.provider:
            markers.append((f"ACTIVE#MODEL#{model_key}", 400))
        news = collect(
            await asyncio.gather(*(self._first_seen(period, days, counted.user_id) for period, days in markers))
        ).unwrap()
        tokens = {
            "totalInputTokens": counted.usage.input_tokens,
            "totalOutputTokens": counted.usage.output_tokens,
        }
        cached = {
            "totalCacheReadTokens": counted.usage.cache_read_input_tokens or 0,
            "totalCacheWriteTokens": counted.usage.cache_write_input_tokens or 0,
        }
        updates = [
            self._increment("DAILY", counted.day, counted, {**tokens, **cached, "activeUsers": int(news[0])}),
            self._increment(
                "MONTHLY",
                counted.month,
                counted,
                {**tokens, **cached, "totalCacheSavings": counted.savings, "activeUsers": int(news[1])},
            ),
        ]
        if info.provider:
            described: dict[str, Value] = {
                "modelId": info.model_id,
                "modelName": info.model_name,
                "provider": info.provider,
            }
            updates.append(
                self._increment("MODEL", model_key, counted, {**tokens, "uniqueUsers": int(news[2])}, described)
            )
        return collect(await asyncio.gather(*updates)).map(lambda _: None)

    async def _first_seen(self, period: str, days: int, user_id: str) -> Result[bool, ErrorDetail]:
        """True for a user who is new in the period; a known user is not a failure."""
        now = int(time.time())
        marked = await self._table.put(
            Put(
                {
                    "PK": period,
                    "SK": user_id,
                    "trackedAt": _now(),
                    "TTL": now + days * _DAY_SECONDS,
                },
                PK_ABSENT,
            ),
            lost_condition=_LOST,
        )
        return Success(False) if _is_lost(marked) else marked.map(lambda _: True)

    async def _increment(
        self,
        kind: str,
        key: str,
        counted: Counted,
        counters: dict[str, int | float],
        described: dict[str, Value] | None = None,
    ) -> Result[None, ErrorDetail]:
        added: dict[str, int | float] = {"totalCost": counted.cost, "totalRequests": 1, **counters}
        added = {name: value for name, value in added.items() if value or name not in {"activeUsers", "uniqueUsers"}}
        settled: dict[str, Value] = {"lastUpdated": _now(), "type": kind.lower(), **(described or {})}
        updated = await self._table.update(
            Update(
                key={"PK": f"ROLLUP#{kind}", "SK": key},
                expression=(
                    f"SET {', '.join(f'#{name} = :{name}' for name in settled)} "
                    f"ADD {', '.join(f'#{name} :{name}' for name in added)}"
                ),
                names={f"#{name}": name for name in (*settled, *added)},
                values={f":{name}": value for name, value in (*settled.items(), *added.items())},
            ),
            returning="NONE",
        )
        return updated.map(lambda _: None)


def _is_lost[T](result: Result[T, ErrorDetail]) -> bool:
    match result:
        case Failure(error):
            return error == _LOST
        case _:
            return False


def _now() -> str:
    return datetime.now(UTC).isoformat()
