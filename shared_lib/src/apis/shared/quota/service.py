"""Whether a user may still spend something."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

from apis.shared.auth.models import User
from apis.shared.costs.service import CostAggregator, get_cost_aggregator, is_read_where_it_is_written
from apis.shared.errors import ErrorDetail
from apis.shared.quota.models import NO_WARNING, QuotaCheckResult, QuotaTier, ResolvedQuota
from apis.shared.quota.recorder import QuotaEventRecorder, get_event_recorder
from apis.shared.quota.resolver import QuotaResolver, get_quota_resolver
from apis.shared.result import Result, Success, best_effort, railway
from apis.shared.settings import ChatSettings, settings
from apis.shared.wiring import once

logger = logging.getLogger(__name__)

HIGH = Decimal(90)
"""The percentage from which on everybody is warned."""


class QuotaChecker:
    """A check that cannot be made is a Failure: it never lets through, and never says that a quota is used up."""

    def __init__(
        self,
        resolver: QuotaResolver,
        costs: CostAggregator,
        recorder: QuotaEventRecorder,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._resolver = resolver
        self._costs = costs
        self._recorder = recorder
        self._now = now

    @railway
    async def check_quota(self, user: User, session_id: str | None = None) -> Result[QuotaCheckResult, ErrorDetail]:
        """`evaluate` and `record`."""
        result = (await self.evaluate(user)).unwrap()
        await self.record(user, result, session_id)
        return Success(result)

    @railway
    async def evaluate(self, user: User) -> Result[QuotaCheckResult, ErrorDetail]:
        """Only reads: at most one call for a user whose quota is known."""
        quota = (await self._resolver.resolve_user_quota(user)).unwrap()
        now = self._now()
        if quota is None:
            return Success(QuotaCheckResult(allowed=True, message="No quota is configured", checked_at=now))
        if quota.tier.is_unlimited:
            return Success(QuotaCheckResult(allowed=True, message="Unlimited quota", checked_at=now, tier=quota.tier))
        usage = (await self._costs.recent(user.user_id, quota.tier.period_at(now))).unwrap()
        return Success(_judged(quota, usage, now))

    async def record(self, user: User, result: QuotaCheckResult, session_id: str | None = None) -> None:
        """Writes what of a check belongs into the audit trail."""
        if result.warning_level == NO_WARNING:
            return
        await asyncio.gather(
            self._record_warning(user, result, session_id), self._record_block(user, result, session_id)
        )

    async def _record_warning(self, user: User, result: QuotaCheckResult, session_id: str | None) -> None:
        recorded = await self._recorder.record_warning_if_needed(user, result, session_id)
        best_effort(
            recorded.alt(_log),
            reason="The audit trail lacks a warning; the user is warned all the same.",
            default=None,
        )

    async def _record_block(self, user: User, result: QuotaCheckResult, session_id: str | None) -> None:
        if result.allowed:
            return
        recorded = await self._recorder.record_block(user, result, session_id)
        best_effort(
            recorded.alt(_log),
            reason="The audit trail lacks a block; the turn is stopped all the same, and nothing is decided by it.",
            default=None,
        )


def _judged(quota: ResolvedQuota, usage: Decimal, now: datetime) -> QuotaCheckResult:
    tier = quota.tier
    is_used_up = usage >= tier.limit or tier.limit <= 0
    percentage = tier.percentage_of(usage)
    return QuotaCheckResult(
        allowed=not is_used_up or tier.action_on_limit == "warn",
        message="Quota exceeded" if is_used_up else "Within quota",
        checked_at=now,
        tier=tier,
        current_usage=usage,
        quota_limit=tier.limit,
        percentage_used=percentage,
        remaining=tier.remaining_after(usage),
        warning_level=_level(tier, percentage),
        assignment_id=quota.assignment.assignment_id if quota.assignment is not None else None,
    )


def _level(tier: QuotaTier, percentage: Decimal) -> str:
    if percentage >= HIGH:
        return f"{HIGH}%"
    soft = tier.soft_limit_percentage
    return f"{int(soft)}%" if percentage >= soft else NO_WARNING


def _log(error: ErrorDetail) -> ErrorDetail:
    """At error level: the audit trail is not complete."""
    logger.error("a quota event could not be recorded", extra={"code": error.code.value}, exc_info=error.cause)
    return error


def is_quota_enforcement_enabled() -> bool:
    return settings(ChatSettings).enable_quota_enforcement


def report_unenforceable() -> None:
    """One error at start when quotas are enforced on what nobody records: then nobody, or not everybody, is stopped."""
    if is_quota_enforcement_enabled() and not is_read_where_it_is_written():
        logger.error(
            "quotas cannot be relied on: usage is not read where it is written",
            extra={"variables": ["AGENTCORE_MEMORY_TYPE", "DYNAMODB_SESSIONS_METADATA_TABLE_NAME"]},
        )


@once
def get_quota_checker() -> QuotaChecker:
    return QuotaChecker(get_quota_resolver(), get_cost_aggregator(), get_event_recorder())
