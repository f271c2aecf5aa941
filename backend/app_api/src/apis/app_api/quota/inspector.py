"""Which quota counts for somebody, as administrators see it."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from apis.app_api.quota.schemas import (
    QuotaAssignmentResponse,
    QuotaOverrideResponse,
    QuotaTierResponse,
    UserQuotaInfo,
)
from apis.shared.auth import User
from apis.shared.costs.service import CostAggregator, get_cost_aggregator
from apis.shared.errors import ErrorDetail
from apis.shared.quota.models import QuotaEvent, ResolvedQuota
from apis.shared.quota.repository import QuotaEventRepository, get_quota_event_repository
from apis.shared.quota.resolver import QuotaResolver, get_quota_resolver
from apis.shared.result import Result, Success, railway
from apis.shared.users.repository import UserRepository, get_user_repository
from apis.shared.wiring import once

RECENTLY = timedelta(hours=24)


class QuotaInspector:
    def __init__(
        self,
        users: UserRepository,
        quotas: QuotaResolver,
        costs: CostAggregator,
        events: QuotaEventRepository,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._users = users
        self._quotas = quotas
        self._costs = costs
        self._events = events
        self._now = now

    @railway
    async def look(self, user_id: str, email: str, roles: Sequence[str]) -> Result[UserQuotaInfo, ErrorDetail]:
        """Nobody needs to be known. Without e-mail and roles those that are stored count, if any are."""
        user = (await self._meant(user_id, email, roles)).unwrap()
        now = self._now()
        read_quota, read_blocks = await asyncio.gather(
            self._quotas.resolve_user_quota(user),
            self._events.of_user_since(user_id, "block", now - RECENTLY),
        )
        quota, blocks = read_quota.unwrap(), read_blocks.unwrap()
        period = quota.tier.period_at(now) if quota is not None else f"{now:%Y-%m}"
        usage = (await self._costs.read(user_id, period)).unwrap()
        return Success(_shown(user, quota, period, usage, blocks))

    @railway
    async def _meant(self, user_id: str, email: str, roles: Sequence[str]) -> Result[User, ErrorDetail]:
        known = None if email or roles else (await self._users.get_user(user_id)).unwrap()
        if known is None:
            return Success(User(email, user_id, "", list(roles)))
        return Success(User(known.email, user_id, known.name, known.roles))


def _shown(
    user: User, quota: ResolvedQuota | None, period: str, usage: Decimal, blocks: Sequence[QuotaEvent]
) -> UserQuotaInfo:
    info = UserQuotaInfo(
        user_id=user.user_id,
        email=user.email,
        roles=user.roles,
        current_period=period,
        current_usage=float(usage),
        percentage_used=0.0,
        recent_blocks=len(blocks),
        last_block_time=blocks[0].timestamp if blocks else None,
    )
    if quota is None:
        return info
    tier, assignment, override = quota.tier, quota.assignment, quota.override
    return info.model_copy(
        update={
            "tier": QuotaTierResponse.of(tier),
            "assignment": QuotaAssignmentResponse.of(assignment) if assignment is not None else None,
            "override": QuotaOverrideResponse.of(override) if override is not None else None,
            "matched_by": quota.matched_by,
            "quota_limit": float(tier.limit),
            "percentage_used": float(tier.percentage_of(usage)),
            "remaining": float(tier.remaining_after(usage)),
        }
    )


@once
def get_quota_inspector() -> QuotaInspector:
    return QuotaInspector(
        get_user_repository(), get_quota_resolver(), get_cost_aggregator(), get_quota_event_repository()
    )
