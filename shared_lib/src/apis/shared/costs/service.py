"""Records the usage of a chat turn: cost record, then the user's summary, then the rollups of the system."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from apis.shared.aws.dynamodb import Table
from apis.shared.costs.counted import Counted
from apis.shared.costs.formula import calculate_cost, model_name, model_version
from apis.shared.costs.local import LocalCostRecords, LocalCostSummaries
from apis.shared.costs.models import (
    Attribution,
    CostRecord,
    LatencyMetrics,
    ModelInfo,
    PricingSnapshot,
    StoredCitation,
    TokenUsage,
    UserCostSummary,
)
from apis.shared.costs.records import CostRecords
from apis.shared.costs.rollups import SystemRollups
from apis.shared.costs.summaries import UserCostSummaries
from apis.shared.costs.tally import Span
from apis.shared.errors import ErrorDetail
from apis.shared.moments import offset_form
from apis.shared.result import Result, Success, all_done, railway
from apis.shared.settings import MemorySettings, StorageSettings, settings
from apis.shared.ttl_cache import TtlCache
from apis.shared.wiring import once

logger = logging.getLogger(__name__)

DEFAULT_RECORDS_TABLE = "SessionsMetadata"
DEFAULT_SUMMARY_TABLE = "UserCostSummary"
DEFAULT_ROLLUP_TABLE = "SystemCostRollup"

RECENT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class AssistantMessageUsage:
    """One assistant message of a turn. `message_index` counts from 0 over the whole stored conversation; `pricing` is
    None for a model that nobody manages."""

    message_index: int
    model_id: str
    provider: str
    usage: TokenUsage | None
    latency: LatencyMetrics
    timestamp: datetime
    pricing: PricingSnapshot | None = None
    citations: Sequence[StoredCitation] = ()

    def to_record(self, user_id: str, session_id: str) -> CostRecord:
        return CostRecord(
            latency=self.latency,
            token_usage=self.usage,
            model_info=ModelInfo(
                model_id=self.model_id,
                model_name=model_name(self.model_id),
                model_version=model_version(self.model_id),
                provider=self.provider,
                pricing_snapshot=self.pricing,
            ),
            attribution=Attribution(user_id=user_id, session_id=session_id, timestamp=offset_form(self.timestamp)),
            cost=calculate_cost(self.usage, self.pricing),
            citations=list(self.citations) or None,
        )


class CostSummaries(Protocol):
    async def read(self, user_id: str, month: str) -> Result[UserCostSummary, ErrorDetail]:
        """`month` is `YYYY-MM`; one without any usage is all zeros."""
        ...


class CostReports(Protocol):
    async def report(self, user_id: str, span: Span) -> Result[UserCostSummary, ErrorDetail]:
        """The sum of the user's cost records within the span."""
        ...

    async def spent_on(self, user_id: str, day: str) -> Result[Decimal, ErrorDetail]:
        """What the user's cost records of one day (`YYYY-MM-DD`) cost."""
        ...


class CostAggregator:
    """What a user has spent, in US dollars. `period` is a month (`YYYY-MM`) or a day (`YYYY-MM-DD`), in UTC.

    `recent` keeps what it finds for 30 seconds, also that nothing was spent. Turns of this process drop it; those of
    others count within 30 seconds.
    """

    def __init__(
        self, summaries: CostSummaries, reports: CostReports, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._summaries = summaries
        self._reports = reports
        self._recent: TtlCache[tuple[str, str], Decimal] = TtlCache(RECENT_SECONDS, clock=clock)

    async def recent(self, user_id: str, period: str) -> Result[Decimal, ErrorDetail]:
        return await self._recent.get_or_read((user_id, period), lambda: self.read(user_id, period))

    async def read(self, user_id: str, period: str) -> Result[Decimal, ErrorDetail]:
        if len(period) > len("2025-01"):
            return await self._reports.spent_on(user_id, period)
        return (await self._summaries.read(user_id, period)).map(lambda summary: summary.total_cost)

    def invalidate(self, user_id: str, moments: Iterable[datetime]) -> None:
        """Of the days and months that these moments (UTC) belong to."""
        days = [f"{moment:%Y-%m-%d}" for moment in moments]
        self._recent.invalidate_keys((user_id, period) for day in days for period in (day, day[:7]))


class CostRecordWriter(Protocol):
    async def put(self, record: CostRecord, message_index: int) -> Result[None, ErrorDetail]: ...


class UsageRecorder:
    """Where a deployment has no summaries or rollups they are None and skipped (see `warn_unaccounted`).

    What `aggregator` keeps of a user's spending is dropped when more is recorded, whether all of it could be or not.
    """

    def __init__(
        self,
        records: CostRecordWriter,
        summaries: UserCostSummaries | None,
        rollups: SystemRollups | None,
        aggregator: CostAggregator,
    ) -> None:
        self._records = records
        self._summaries = summaries
        self._rollups = rollups
        self._aggregator = aggregator

    async def record(
        self, user_id: str, session_id: str, messages: Sequence[AssistantMessageUsage]
    ) -> Result[None, ErrorDetail]:
        """All messages are attempted; the first Failure is returned with the `step` that failed, others are logged.

        Increments are not idempotent and never repeated: what was written before a failure stays.
        """
        if not messages:
            return Success(None)
        turn_timestamp = offset_form(max(message.timestamp for message in messages))
        try:
            recorded = await asyncio.gather(
                *(
                    self._record_one(message.to_record(user_id, session_id), message.message_index, turn_timestamp)
                    for message in messages
                )
            )
        finally:
            self._aggregator.invalidate(user_id, (message.timestamp for message in messages))
        return all_done(recorded, what="usage of an assistant message")

    @railway
    async def _record_one(
        self, record: CostRecord, message_index: int, turn_timestamp: str
    ) -> Result[None, ErrorDetail]:
        _at("cost record", await self._records.put(record, message_index)).unwrap()
        counted = Counted.of(record, turn_timestamp)
        if self._summaries is not None:
            _at("summary", await self._summaries.add(counted)).unwrap()
        if self._rollups is not None:
            _at("rollups", await self._rollups.add(counted)).unwrap()
        return Success(None)


def _at(step: str, result: Result[None, ErrorDetail]) -> Result[None, ErrorDetail]:
    return result.alt(lambda error: error.caused_by(None, step=step))


@once
def get_usage_recorder() -> UsageRecorder:
    """The variables decide where usage goes."""
    storage = settings(StorageSettings)
    sessions = storage.dynamodb_sessions_metadata_table_name
    rollup = storage.dynamodb_system_rollup_table_name
    return UsageRecorder(
        CostRecords(Table(sessions)) if sessions else LocalCostRecords(storage.sessions_dir),
        _summaries_in_the_cloud(),
        SystemRollups(Table(rollup)) if rollup else None,
        get_cost_aggregator(),
    )


@once
def get_cost_aggregator() -> CostAggregator:
    return CostAggregator(get_cost_summaries(), get_cost_reports())


@once
def get_cost_summaries() -> CostSummaries:
    """Without summaries in the cloud they are computed from local files."""
    return _summaries_in_the_cloud() or LocalCostSummaries(settings(StorageSettings).sessions_dir)


@once
def get_cost_reports() -> CostReports:
    """From where the summaries of months are, too."""
    storage = settings(StorageSettings)
    if not _are_in_the_cloud():
        return LocalCostSummaries(storage.sessions_dir)
    return CostRecords(Table(storage.dynamodb_sessions_metadata_table_name or DEFAULT_RECORDS_TABLE))


@once
def get_user_ranking() -> UserCostSummaries:
    """Of administrators: always the table."""
    return UserCostSummaries(Table(settings(StorageSettings).dynamodb_cost_summary_table_name or DEFAULT_SUMMARY_TABLE))


@once
def get_system_rollups() -> SystemRollups:
    """Of administrators: always the table."""
    return SystemRollups(Table(settings(StorageSettings).dynamodb_system_rollup_table_name or DEFAULT_ROLLUP_TABLE))


def _summaries_in_the_cloud() -> UserCostSummaries | None:
    return get_user_ranking() if _are_in_the_cloud() else None


def _are_in_the_cloud() -> bool:
    storage = settings(StorageSettings)
    has_a_table = bool(storage.dynamodb_sessions_metadata_table_name or storage.dynamodb_cost_summary_table_name)
    return settings(MemorySettings).agentcore_memory_type == "dynamodb" and has_a_table


def is_read_where_it_is_written() -> bool:
    """Whether what a turn records is what `CostAggregator` finds."""
    return bool(settings(StorageSettings).dynamodb_sessions_metadata_table_name) == _are_in_the_cloud()


def warn_unaccounted() -> None:
    """One warning at start when conversations are kept in the cloud but their usage is not accounted there."""
    storage = settings(StorageSettings)
    tables = {
        "DYNAMODB_SESSIONS_METADATA_TABLE_NAME": storage.dynamodb_sessions_metadata_table_name,
        "DYNAMODB_COST_SUMMARY_TABLE_NAME": storage.dynamodb_cost_summary_table_name,
        "DYNAMODB_SYSTEM_ROLLUP_TABLE_NAME": storage.dynamodb_system_rollup_table_name,
    }
    unset = [name for name, value in tables.items() if not value]
    if settings(MemorySettings).agentcore_memory_type == "dynamodb" and unset:
        logger.warning("usage is not fully accounted: variables are unset", extra={"variables": unset})
