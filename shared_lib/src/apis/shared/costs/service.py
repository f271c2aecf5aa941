"""Records the usage of a chat turn: cost record, then the user's summary, then the rollups of the system."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
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
from apis.shared.wiring import once

logger = logging.getLogger(__name__)

DEFAULT_RECORDS_TABLE = "SessionsMetadata"
DEFAULT_SUMMARY_TABLE = "UserCostSummary"
DEFAULT_ROLLUP_TABLE = "SystemCostRollup"


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


class CostRecordWriter(Protocol):
    async def put(self, record: CostRecord, message_index: int) -> Result[None, ErrorDetail]: ...


class UsageRecorder:
    """Where a deployment has no summaries or rollups they are None and skipped (see `warn_unaccounted`)."""

    def __init__(
        self, records: CostRecordWriter, summaries: UserCostSummaries | None, rollups: SystemRollups | None
    ) -> None:
        self._records = records
        self._summaries = summaries
        self._rollups = rollups

    async def record(
        self, user_id: str, session_id: str, messages: Sequence[AssistantMessageUsage]
    ) -> Result[None, ErrorDetail]:
        """All messages are attempted; the first Failure is returned with the `step` that failed, others are logged.

        Increments are not idempotent and never repeated: what was written before a failure stays.
        """
        if not messages:
            return Success(None)
        turn_timestamp = offset_form(max(message.timestamp for message in messages))
        return all_done(
            await asyncio.gather(
                *(
                    self._record_one(message.to_record(user_id, session_id), message.message_index, turn_timestamp)
                    for message in messages
                )
            ),
            what="usage of an assistant message",
        )

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


class CostSummaries(Protocol):
    async def read(self, user_id: str, month: str) -> Result[UserCostSummary, ErrorDetail]:
        """`month` is `YYYY-MM`; one without any usage is all zeros."""
        ...


class CostReports(Protocol):
    async def report(self, user_id: str, span: Span) -> Result[UserCostSummary, ErrorDetail]:
        """The sum of the user's cost records within the span."""
        ...


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
    )


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
