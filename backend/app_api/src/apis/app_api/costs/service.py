"""What administrators see of everybody's costs. Nobody else reads the totals of the system."""

import asyncio

from apis.app_api.costs.periods import days_of_month
from apis.app_api.costs.schemas import AdminCostDashboard, SystemCostSummary, model_usage, top_users, trends
from apis.shared.costs.models import DayTotal
from apis.shared.costs.rollups import SystemRollups
from apis.shared.costs.service import get_system_rollups, get_user_ranking
from apis.shared.costs.summaries import UserCostSummaries
from apis.shared.errors import ErrorDetail
from apis.shared.result import Result, Success, railway
from apis.shared.wiring import once


class CostDashboard:
    def __init__(self, ranking: UserCostSummaries, rollups: SystemRollups) -> None:
        self._ranking = ranking
        self._rollups = rollups

    @railway
    async def of_month(self, month: str, *, top: int, with_trends: bool) -> Result[AdminCostDashboard, ErrorDetail]:
        """All parts are read at once, and none may be missing."""
        total, users, models, days = await asyncio.gather(
            self._rollups.of_month(month),
            self._ranking.top(month, top),
            self._rollups.models(month),
            self._days(month if with_trends else None),
        )
        known_days = days.unwrap()
        return Success(
            AdminCostDashboard(
                current_period=SystemCostSummary.of_total(month, "monthly", total.unwrap()),
                top_users=top_users(users.unwrap()),
                model_usage=model_usage(models.unwrap()),
                tier_usage=None,
                daily_trends=None if known_days is None else trends(known_days),
            )
        )

    @railway
    async def _days(self, month: str | None) -> Result[list[DayTotal] | None, ErrorDetail]:
        if month is None:
            return Success(None)
        days = days_of_month(month)
        return Success([] if days is None else (await self._rollups.days(*days)).unwrap())


@once
def get_cost_dashboard() -> CostDashboard:
    return CostDashboard(get_user_ranking(), get_system_rollups())
