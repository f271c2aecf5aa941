"""What only this API does with people: all that administrators see of one of them."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

from apis.app_api.users.schemas import (
    CostSummaryResponse,
    QuotaEventSummary,
    QuotaStatusResponse,
    UserDetailResponse,
    UserProfileResponse,
)
from apis.shared.auth import User
from apis.shared.costs.models import UserCostSummary
from apis.shared.costs.service import CostSummaries, get_cost_summaries
from apis.shared.errors import ErrorDetail
from apis.shared.quota.models import QuotaEvent, ResolvedQuota
from apis.shared.quota.repository import QuotaEventRepository, get_quota_event_repository
from apis.shared.quota.resolver import QuotaResolver, get_quota_resolver
from apis.shared.result import Result, Success, railway
from apis.shared.users.models import UserProfile
from apis.shared.users.service import UserDirectory, get_user_directory
from apis.shared.wiring import once

RECENT_EVENTS = 5


class UserAdministration:
    def __init__(
        self,
        users: UserDirectory,
        costs: CostSummaries,
        quotas: QuotaResolver,
        events: QuotaEventRepository,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._users = users
        self._costs = costs
        self._quotas = quotas
        self._events = events
        self._now = now

    @railway
    async def detail(self, user_id: str) -> Result[UserDetailResponse, ErrorDetail]:
        """Fails with `not_found`. What of it cannot be read is never shown as nothing."""
        profile = (await self._users.profile(user_id)).unwrap()
        read_costs, read_quota, read_events = await asyncio.gather(
            self._costs.read(user_id, f"{self._now():%Y-%m}"),
            self._quotas.resolve_user_quota(_as_user(profile)),
            self._events.newest_of_user(user_id, RECENT_EVENTS),
        )
        costs = read_costs.unwrap()
        return Success(
            UserDetailResponse(
                profile=UserProfileResponse.of(profile),
                cost_summary=_cost_summary(costs),
                quota_status=quota_status(read_quota.unwrap(), costs.total_cost),
                recent_events=[_event(event) for event in read_events.unwrap()],
            )
        )


def _as_user(profile: UserProfile) -> User:
    """With the stored roles: the person's token is not here."""
    return User(profile.email, profile.user_id, profile.name, profile.roles, profile.picture)


def _cost_summary(costs: UserCostSummary) -> CostSummaryResponse:
    return CostSummaryResponse(
        total_cost=float(costs.total_cost),
        total_requests=costs.total_requests,
        total_input_tokens=costs.total_input_tokens,
        total_output_tokens=costs.total_output_tokens,
        cache_savings=float(costs.cache_savings),
        primary_model=costs.primary_model,
    )


def quota_status(quota: ResolvedQuota | None, spent: Decimal) -> QuotaStatusResponse:
    """Of a limit of 0 or less every usage is 100 percent."""
    if quota is None:
        return QuotaStatusResponse()
    tier, limit = quota.tier, quota.tier.monthly_cost_limit
    status = QuotaStatusResponse(
        tier_id=tier.tier_id,
        tier_name=tier.tier_name,
        matched_by=quota.matched_by,
        current_usage=float(spent),
        has_active_override=quota.override is not None,
        override_reason=quota.override.reason if quota.override is not None else None,
    )
    if tier.is_unlimited:
        return status
    return status.model_copy(
        update={
            "monthly_limit": float(limit),
            "usage_percentage": round(float(spent / limit * 100), 1) if limit > 0 else 100.0,
            "remaining": float(max(Decimal(0), limit - spent)),
        }
    )


def _event(event: QuotaEvent) -> QuotaEventSummary:
    return QuotaEventSummary(
        event_id=event.event_id,
        event_type=event.event_type,
        timestamp=event.timestamp,
        percentage_used=float(event.percentage_used),
    )


@once
def get_user_administration() -> UserAdministration:
    return UserAdministration(
        get_user_directory(), get_cost_summaries(), get_quota_resolver(), get_quota_event_repository()
    )
