"""The wire models of costs. All amounts are US dollars, as JSON numbers; members that are null are sent as null."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Self

from pydantic import Field

from apis.shared.costs.models import DayTotal, ModelTotal, ModelUsage, SystemTotal, UserCostSummary, UserTotal
from apis.shared.costs.tally import Span
from apis.shared.http import Wire
from apis.shared.moments import offset_form

_DOLLARS = "US dollars."


class CostBreakdown(Wire):
    """Where the costs of a model come from. Only the total is kept; the parts are 0."""

    input_cost: Annotated[float, Field(description="Not kept: 0.")]
    output_cost: Annotated[float, Field(description="Not kept: 0.")]
    cache_write_cost: Annotated[float, Field(description="Not kept: 0.")]
    cache_read_cost: Annotated[float, Field(description="Not kept: 0.")]
    total_cost: Annotated[float, Field(description=_DOLLARS)]

    @classmethod
    def of_total(cls, total: Decimal) -> Self:
        return cls(input_cost=0, output_cost=0, cache_write_cost=0, cache_read_cost=0, total_cost=float(total))


class ModelCostSummary(Wire):
    """What the caller spent on one model."""

    model_id: Annotated[str, Field(description="In a summary `.`, `:` and `-` of the id may be shown as `_`.")]
    model_name: Annotated[str, Field(description="Name of the model for people.")]
    provider: Annotated[str, Field(description="`unknown` in old records.")]
    total_input_tokens: Annotated[int, Field(description="Without those that were read from a cache.")]
    total_output_tokens: Annotated[int, Field(description="What the models wrote.")]
    total_cache_read_tokens: Annotated[int, Field(description="Input that a cache already had.")]
    total_cache_write_tokens: Annotated[int, Field(description="Input that a cache took in.")]
    cost_breakdown: Annotated[CostBreakdown, Field(description="What it cost.")]
    request_count: Annotated[int, Field(description="Answers of the model.")]

    @classmethod
    def of_usage(cls, model_id: str, usage: ModelUsage) -> Self:
        return cls(
            model_id=model_id,
            model_name=usage.model_name,
            provider=usage.provider,
            total_input_tokens=usage.input_tokens,
            total_output_tokens=usage.output_tokens,
            total_cache_read_tokens=usage.cache_read_tokens,
            total_cache_write_tokens=usage.cache_write_tokens,
            cost_breakdown=CostBreakdown.of_total(usage.cost),
            request_count=usage.requests,
        )


class UserCostSummaryResponse(Wire):
    """What the caller spent in a period."""

    user_id: Annotated[str, Field(description="Id of the user.")]
    period_start: Annotated[str, Field(description="ISO 8601; the first moment that counts.")]
    period_end: Annotated[str, Field(description="ISO 8601; a date in a report means that whole day.")]
    total_cost: Annotated[float, Field(description=_DOLLARS)]
    models: Annotated[list[ModelCostSummary], Field(description="One entry per model.")]
    total_requests: Annotated[int, Field(description="Answers of models.")]
    total_input_tokens: Annotated[int, Field(description="Without those that were read from a cache.")]
    total_output_tokens: Annotated[int, Field(description="What the models wrote.")]
    total_cache_read_tokens: Annotated[int, Field(description="Input that a cache already had.")]
    total_cache_write_tokens: Annotated[int, Field(description="Input that a cache took in.")]
    total_cache_savings: Annotated[float, Field(description="What tokens from a cache would have cost more.")]

    @classmethod
    def of_month(cls, user_id: str, month: str, summary: UserCostSummary) -> Self:
        # The stored end of a short month may be its 31st day.
        last = Span.of_month(month).end
        return cls._of(user_id, f"{month}-01T00:00:00Z", f"{last:%Y-%m-%dT%H:%M:%SZ}", summary)

    @classmethod
    def of_report(cls, user_id: str, start: datetime, end: datetime, summary: UserCostSummary) -> Self:
        return cls._of(user_id, start.isoformat(), end.isoformat(), summary)

    @classmethod
    def _of(cls, user_id: str, start: str, end: str, summary: UserCostSummary) -> Self:
        return cls(
            user_id=user_id,
            period_start=start,
            period_end=end,
            total_cost=float(summary.total_cost),
            models=[ModelCostSummary.of_usage(*entry) for entry in summary.model_breakdown.items()],
            total_requests=summary.total_requests,
            total_input_tokens=summary.total_input_tokens,
            total_output_tokens=summary.total_output_tokens,
            total_cache_read_tokens=summary.total_cache_read_tokens,
            total_cache_write_tokens=summary.total_cache_write_tokens,
            total_cache_savings=float(summary.cache_savings),
        )


class TopUserCost(Wire):
    """One user in the ranking by costs."""

    user_id: Annotated[str, Field(description="Id of the user.")]
    total_cost: Annotated[float, Field(description=_DOLLARS)]
    total_requests: Annotated[int, Field(description="Answers of models.")]
    last_updated: Annotated[str, Field(description="Time of the user's latest answer in the period.")]
    email: Annotated[str | None, Field(description="Reserved.")]
    tier_name: Annotated[str | None, Field(description="Reserved.")]
    quota_limit: Annotated[float | None, Field(description="Reserved.")]
    quota_percentage: Annotated[float | None, Field(description="Reserved.")]

    @classmethod
    def of_total(cls, total: UserTotal) -> Self:
        return cls(
            user_id=total.user_id,
            total_cost=float(total.total_cost),
            total_requests=total.total_requests,
            last_updated=total.last_updated,
            email=None,
            tier_name=None,
            quota_limit=None,
            quota_percentage=None,
        )


class ModelBreakdownItem(Wire):
    """The part of one model."""

    cost: Annotated[float, Field(description="US dollars.")]
    requests: Annotated[int, Field(description="Answers of the model.")]


class SystemCostSummary(Wire):
    """What all users spent on a day or in a month."""

    period: Annotated[str, Field(description="`YYYY-MM`, of a day `YYYY-MM-DD`.")]
    period_type: Annotated[str, Field(description="`daily` or `monthly`.")]
    total_cost: Annotated[float, Field(description=_DOLLARS)]
    total_requests: Annotated[int, Field(description="Answers of models.")]
    active_users: Annotated[int, Field(description="Users with at least one answer in the period.")]
    total_input_tokens: Annotated[int, Field(description="Without those that were read from a cache.")]
    total_output_tokens: Annotated[int, Field(description="What the models wrote.")]
    total_cache_savings: Annotated[float, Field(description="0 for a day.")]
    model_breakdown: Annotated[
        dict[str, ModelBreakdownItem] | None, Field(description="By model; null where it is not kept.")
    ]
    last_updated: Annotated[str, Field(description="Of a period without any usage: now.")]

    @classmethod
    def of_total(cls, period: str, period_type: str, total: SystemTotal | None) -> Self:
        known = total if total is not None else SystemTotal(last_updated=offset_form())
        breakdown = known.model_breakdown
        return cls(
            period=period,
            period_type=period_type,
            total_cost=float(known.total_cost),
            total_requests=known.total_requests,
            active_users=known.active_users,
            total_input_tokens=known.total_input_tokens,
            total_output_tokens=known.total_output_tokens,
            total_cache_savings=float(known.total_cache_savings),
            model_breakdown=None
            if breakdown is None
            else {
                model: ModelBreakdownItem(cost=float(share.cost), requests=share.requests)
                for model, share in breakdown.items()
            },
            last_updated=known.last_updated,
        )


class ModelUsageSummary(Wire):
    """What all users spent on one model in a month."""

    model_id: Annotated[str, Field(description="The provider's id of the model.")]
    model_name: Annotated[str, Field(description="Name of the model for people.")]
    provider: Annotated[str, Field(description="Who runs the model.")]
    total_cost: Annotated[float, Field(description=_DOLLARS)]
    total_requests: Annotated[int, Field(description="Answers of models.")]
    unique_users: Annotated[int, Field(description="Users with at least one answer of the model.")]
    avg_cost_per_request: Annotated[float, Field(description="0 without any request.")]
    total_input_tokens: Annotated[int, Field(description="Without those that were read from a cache.")]
    total_output_tokens: Annotated[int, Field(description="What the models wrote.")]

    @classmethod
    def of_total(cls, total: ModelTotal) -> Self:
        return cls(
            model_id=total.model_id,
            model_name=total.model_name,
            provider=total.provider,
            total_cost=float(total.total_cost),
            total_requests=total.total_requests,
            unique_users=total.unique_users,
            avg_cost_per_request=float(total.avg_cost_per_request),
            total_input_tokens=total.total_input_tokens,
            total_output_tokens=total.total_output_tokens,
        )


class TierUsageSummary(Wire):
    """Reserved: usage is not known by tier yet."""

    tier_id: Annotated[str, Field(description="Id of the tier.")]
    tier_name: Annotated[str, Field(description="Name of the tier.")]
    total_users: Annotated[int, Field(description="Users in the tier.")]
    total_cost: Annotated[float, Field(description="US dollars.")]
    avg_utilization: Annotated[float, Field(description="Share of their limits that they used, in percent.")]
    users_at_limit: Annotated[int, Field(description="Users who reached their limit.")]
    users_warned: Annotated[int, Field(description="Users who were warned.")]


class CostTrend(Wire):
    """What all users spent on one day."""

    date: Annotated[str, Field(description="`YYYY-MM-DD`, in UTC.")]
    total_cost: Annotated[float, Field(description=_DOLLARS)]
    total_requests: Annotated[int, Field(description="Answers of models.")]
    active_users: Annotated[int, Field(description="Users with at least one answer on the day.")]

    @classmethod
    def of_total(cls, total: DayTotal) -> Self:
        return cls(
            date=total.date,
            total_cost=float(total.total_cost),
            total_requests=total.total_requests,
            active_users=total.active_users,
        )


class AdminCostDashboard(Wire):
    """A month at a glance."""

    current_period: Annotated[SystemCostSummary, Field(description="Totals of the month.")]
    top_users: Annotated[list[TopUserCost], Field(description="Whoever spent most first.")]
    model_usage: Annotated[list[ModelUsageSummary], Field(description="The most expensive model first.")]
    tier_usage: Annotated[list[TierUsageSummary] | None, Field(description="Reserved.")]
    daily_trends: Annotated[
        list[CostTrend] | None,
        Field(description="By date; days without any usage are absent. Null when trends were not asked for."),
    ]


def top_users(totals: Sequence[UserTotal]) -> list[TopUserCost]:
    return [TopUserCost.of_total(total) for total in totals]


def model_usage(totals: Sequence[ModelTotal]) -> list[ModelUsageSummary]:
    return [ModelUsageSummary.of_total(total) for total in totals]


def trends(totals: Sequence[DayTotal]) -> list[CostTrend]:
    return [CostTrend.of_total(total) for total in totals]
