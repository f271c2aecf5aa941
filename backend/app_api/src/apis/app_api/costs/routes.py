from collections.abc import Callable
from decimal import Decimal
from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, Field, StringConstraints

from apis.app_api.costs.export import EXPORTS, MOST_USERS, ExportedFile, exported
from apis.app_api.costs.periods import (
    BAD_DATES,
    BAD_DAY,
    BAD_MOMENT,
    BAD_MONTH,
    REVERSED,
    TOO_LONG,
    day_of,
    is_month,
    month_of,
    report_range,
    this_month,
    trend_days,
)
from apis.app_api.costs.schemas import (
    AdminCostDashboard,
    CostTrend,
    ModelUsageSummary,
    SystemCostSummary,
    TierUsageSummary,
    TopUserCost,
    UserCostSummaryResponse,
    model_usage,
    top_users,
    trends,
)
from apis.app_api.costs.service import get_cost_dashboard
from apis.shared.auth import CurrentUser, require_admin
from apis.shared.costs.formula import exact
from apis.shared.costs.service import get_cost_reports, get_cost_summaries, get_system_rollups, get_user_ranking
from apis.shared.errors import ErrorCode, ErrorDetail, internal_error
from apis.shared.http import GUARDED, STORE_ERRORS, AdminRouter, ResultRouter
from apis.shared.http.bounds import Number, ShortText
from apis.shared.result import Result, Success, railway

router = ResultRouter(tags=["Costs"], errors=(*GUARDED, *STORE_ERRORS))
admin_router = AdminRouter(
    guard=require_admin, tags=["Costs"], errors=(ErrorCode.SERVICE_UNAVAILABLE, ErrorCode.TIMEOUT)
)


def _failed(text: str) -> ErrorDetail:
    return internal_error().model_copy(update={"message": text, "detail": text})


# As OpenAPI shows them.
NO_DASHBOARD = _failed("Failed to retrieve cost dashboard")
NO_TOP_USERS = _failed("Failed to retrieve top users")
NO_SUMMARY = _failed("Failed to retrieve system summary")
NO_MODEL_USAGE = _failed("Failed to retrieve model usage")
NO_TRENDS = _failed("Failed to retrieve cost trends")
NO_EXPORT = _failed("Failed to export cost data")


def _told_as(text: ErrorDetail) -> Callable[[ErrorDetail], ErrorDetail]:
    """A failure of ours says what it is that could not be had; an outage or time-out says that it is one."""

    def told(error: ErrorDetail) -> ErrorDetail:
        if error.code is not text.code:
            return error
        return error.model_copy(update={"message": text.message, "detail": text.detail})

    return told


def _ascii(text: str) -> str:
    # The pattern takes the digits of any script.
    if not text.isascii():
        msg = "the digits are 0 to 9"
        raise ValueError(msg)
    return text


def _month(text: str) -> str:
    if not is_month(text):
        msg = "a month is written YYYY-MM"
        raise ValueError(msg)
    return text


Month = Annotated[
    Annotated[str, AfterValidator(_month)] | None, Query(description="`YYYY-MM`, in UTC; by default this month.")
]
StartDate = Annotated[
    ShortText, Query(description="ISO 8601 date or date-time; without an offset it is UTC.", examples=["2025-01-01"])
]
EndDate = Annotated[
    ShortText, Query(description="As `start_date`; a date means that whole day.", examples=["2025-01-31"])
]


_MonthText = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}$"), AfterValidator(_ascii)]
_DayText = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$"), AfterValidator(_ascii)]

Period = Annotated[_MonthText | None, Query(description="`YYYY-MM`, in UTC; by default this month.")]
Limit = Annotated[int, Query(ge=1, le=1000, description="At most this many users.")]


@router.get("/costs/summary", summary="Get what I spent in a month")
async def get_cost_summary(user: CurrentUser, period: Month = None) -> Result[UserCostSummaryResponse, ErrorDetail]:
    """A month without any usage is all zeros."""
    month = period or this_month()
    summary = await get_cost_summaries().read(user.user_id, month)
    return summary.map(lambda found: UserCostSummaryResponse.of_month(user.user_id, month, found))


@router.get("/costs/detailed-report", summary="Get what I spent in a period", errors=(BAD_MOMENT, TOO_LONG, REVERSED))
@railway
async def get_detailed_report(
    user: CurrentUser, start_date: StartDate, end_date: EndDate
) -> Result[UserCostSummaryResponse, ErrorDetail]:
    """At most 90 days, both ends included. Models are told apart by their real ids, in the order in which they were
    first used."""
    asked = report_range(start_date, end_date).unwrap()
    summary = await get_cost_reports().report(user.user_id, asked.span)
    return summary.map(lambda found: UserCostSummaryResponse.of_report(user.user_id, asked.start, asked.end, found))


@admin_router.get("/costs/dashboard", summary="See a month at a glance", errors=(NO_DASHBOARD, BAD_MONTH))
@railway
async def get_cost_dashboard_of_month(
    period: Period = None,
    top_users_limit: Annotated[Limit, Query(alias="topUsersLimit")] = 100,
    include_trends: Annotated[bool, Query(alias="includeTrends", description="With a total for each day.")] = True,
) -> Result[AdminCostDashboard, ErrorDetail]:
    """Totals, the users and models that cost most, and each day. When a part cannot be read, there is no answer."""
    month = month_of(period).unwrap()
    dashboard = await get_cost_dashboard().of_month(month, top=top_users_limit, with_trends=include_trends)
    return dashboard.alt(_told_as(NO_DASHBOARD))


@admin_router.get("/costs/top-users", summary="List the users who spent most", errors=(NO_TOP_USERS, BAD_MONTH))
@railway
async def get_top_users(
    period: Period = None,
    limit: Limit = 100,
    min_cost: Annotated[
        Annotated[Number, Field(ge=0)] | None, Query(alias="minCost", description="Only who spent at least this.")
    ] = None,
    tier_id: Annotated[  # noqa: ARG001 - clients may send it
        ShortText | None, Query(alias="tierId", description="Accepted and ignored.")
    ] = None,
) -> Result[list[TopUserCost], ErrorDetail]:
    """Whoever spent most first; of equal costs the smaller user id."""
    month = month_of(period).unwrap()
    at_least = exact(min_cost) if min_cost is not None else Decimal(0)
    users = await get_user_ranking().top(month, limit, at_least=at_least)
    return users.map(top_users).alt(_told_as(NO_TOP_USERS))


@admin_router.get(
    "/costs/system-summary", summary="Get what everybody spent in a period", errors=(NO_SUMMARY, BAD_MONTH, BAD_DAY)
)
@railway
async def get_system_summary(
    period: Annotated[
        ShortText | None, Query(description="`YYYY-MM`, or `YYYY-MM-DD` of a day, in UTC; by default the present one.")
    ] = None,
    period_type: Annotated[
        str, Query(alias="periodType", pattern="^(daily|monthly)$", description="What `period` names.")
    ] = "monthly",
) -> Result[SystemCostSummary, ErrorDetail]:
    """A period without any usage is all zeros."""
    rollups = get_system_rollups()
    key = (month_of(period) if period_type == "monthly" else day_of(period)).unwrap()
    total = await (rollups.of_month(key) if period_type == "monthly" else rollups.of_day(key))
    return total.map(lambda found: SystemCostSummary.of_total(key, period_type, found)).alt(_told_as(NO_SUMMARY))


@admin_router.get("/costs/by-model", summary="List what each model cost", errors=(NO_MODEL_USAGE, BAD_MONTH))
@railway
async def get_usage_by_model(period: Period = None) -> Result[list[ModelUsageSummary], ErrorDetail]:
    """The most expensive first."""
    month = month_of(period).unwrap()
    return (await get_system_rollups().models(month)).map(model_usage).alt(_told_as(NO_MODEL_USAGE))


@admin_router.get(
    "/costs/by-tier", summary="List what each quota tier cost", errors=(ErrorCode.INTERNAL_ERROR, BAD_MONTH)
)
async def get_usage_by_tier(period: Period = None) -> Result[list[TierUsageSummary], ErrorDetail]:
    """Always empty: usage is not known by tier yet."""
    return month_of(period).map(lambda _: [])


@admin_router.get("/costs/trends", summary="List what each day cost", errors=(NO_TRENDS, BAD_DATES))
@railway
async def get_cost_trends(
    start_date: Annotated[_DayText, Query(alias="startDate", description="`YYYY-MM-DD`, in UTC.")],
    end_date: Annotated[
        _DayText, Query(alias="endDate", description="A later day than 90 after the start is that one.")
    ],
) -> Result[list[CostTrend], ErrorDetail]:
    """By date, both ends included; days without any usage are absent."""
    first, last = trend_days(start_date, end_date).unwrap()
    if first > last:
        return Success([])
    return (await get_system_rollups().days(first, last)).map(trends).alt(_told_as(NO_TRENDS))


@admin_router.get(
    "/costs/export",
    summary="Download what each user spent",
    errors=(NO_EXPORT, BAD_MONTH),
    responses={200: EXPORTS},
)
@railway
async def export_cost_data(
    file_format: Annotated[
        str, Query(alias="format", pattern="^(csv|json)$", description="What kind of file.")
    ] = "csv",
    period: Period = None,
) -> Result[ExportedFile, ErrorDetail]:
    """The 1,000 users who spent most, whoever spent most first."""
    month = month_of(period).unwrap()
    users = (await get_user_ranking().top(month, MOST_USERS)).map(top_users)
    return users.map(lambda found: exported(found, file_format, period)).alt(_told_as(NO_EXPORT))
