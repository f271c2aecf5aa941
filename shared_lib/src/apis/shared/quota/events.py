"""What a stream tells of a quota: that it is nearly used up, or used up."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import ClassVar

from apis.shared.errors import ErrorCode, ErrorDetail
from apis.shared.quota.models import NO_WARNING, PeriodType, QuotaCheckResult
from apis.shared.records import Record


@dataclass(frozen=True, slots=True)
class QuotaWarningEvent:
    event: ClassVar[str] = "quota_warning"
    warning_level: str
    current_usage: float
    quota_limit: float
    percentage_used: float
    remaining: float
    message: str

    def payload(self) -> Mapping[str, object]:
        return {
            "type": self.event,
            "warningLevel": self.warning_level,
            "currentUsage": self.current_usage,
            "quotaLimit": self.quota_limit,
            "percentageUsed": self.percentage_used,
            "remaining": self.remaining,
            "message": self.message,
        }

    def to_sse_format(self) -> str:
        return _frame(self.event, self.payload())


@dataclass(frozen=True, slots=True)
class QuotaExceededEvent:
    """`tier_name` is None when it is unknown; `message` is Markdown."""

    event: ClassVar[str] = "quota_exceeded"
    current_usage: float
    quota_limit: float
    percentage_used: float
    period_type: PeriodType
    tier_name: str | None
    reset_info: str
    message: str

    def payload(self) -> Mapping[str, object]:
        return {
            "type": self.event,
            "currentUsage": self.current_usage,
            "quotaLimit": self.quota_limit,
            "percentageUsed": self.percentage_used,
            "periodType": self.period_type,
            **({} if self.tier_name is None else {"tierName": self.tier_name}),
            "resetInfo": self.reset_info,
            "message": self.message,
        }

    def to_sse_format(self) -> str:
        return _frame(self.event, self.payload())


class QuotaExceededResponse(Record):
    """A used-up quota as the body of an answer with status 429, for what does not stream. `tier_name` is None when it
    is unknown."""

    error: str = "Quota exceeded"
    code: str = ErrorCode.RATE_LIMIT_EXCEEDED.value
    message: str
    current_usage: float
    quota_limit: float
    percentage_used: float
    period_type: PeriodType
    tier_name: str | None = None
    reset_info: str | None = None

    def to_error(self) -> ErrorDetail:
        """`quota_exceeded`, with the figures in `metadata`, as every failure of these services is answered."""
        figures = self.model_dump(by_alias=True, exclude={"error", "code", "message"}, exclude_none=True)
        return ErrorDetail(code=ErrorCode.QUOTA_EXCEEDED, message=self.message, detail=self.message, metadata=figures)


def build_quota_warning_event(result: QuotaCheckResult) -> QuotaWarningEvent | None:
    """None where there is nothing to warn of."""
    if result.warning_level == NO_WARNING:
        return None
    limit = result.quota_limit or Decimal(0)
    return QuotaWarningEvent(
        warning_level=result.warning_level,
        current_usage=float(result.current_usage),
        quota_limit=float(limit),
        percentage_used=float(result.percentage_used),
        remaining=float(result.remaining or 0),
        message=f"You have used {result.warning_level} of your quota (${result.current_usage:.2f} / ${limit:.2f})",
    )


def build_quota_exceeded_event(result: QuotaCheckResult) -> QuotaExceededEvent:
    period: PeriodType = "monthly" if result.tier is None else result.tier.period
    tier_name = None if result.tier is None else result.tier.tier_name
    reset = reset_info(period, result.checked_at)
    limit = result.quota_limit or Decimal(0)
    return QuotaExceededEvent(
        current_usage=float(result.current_usage),
        quota_limit=float(limit),
        percentage_used=float(result.percentage_used),
        period_type=period,
        tier_name=tier_name,
        reset_info=reset,
        message=_exceeded(tier_name, result.current_usage, limit, result.percentage_used, reset),
    )


def build_quota_exceeded_response(result: QuotaCheckResult) -> QuotaExceededResponse:
    event = build_quota_exceeded_event(result)
    plan = "your plan" if event.tier_name is None else event.tier_name
    return QuotaExceededResponse(
        message=f"The quota of {plan} is used up. {event.reset_info}",
        current_usage=event.current_usage,
        quota_limit=event.quota_limit,
        percentage_used=event.percentage_used,
        period_type=event.period_type,
        tier_name=event.tier_name,
        reset_info=event.reset_info,
    )


def reset_info(period: PeriodType, now: datetime) -> str:
    if period == "daily":
        return "Your quota resets at midnight UTC."
    now = now.astimezone(UTC)
    next_month = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)
    return f"Your quota resets in {(next_month - now).days} day(s)."


def _exceeded(tier_name: str | None, usage: Decimal, limit: Decimal, percentage: Decimal, reset: str) -> str:
    plan = "your plan" if tier_name is None else f"**{tier_name}**"
    return (
        f"I'm sorry, but you have used up the quota of {plan}.\n\n"
        "| Used | Limit | Usage |\n"
        "|------|-------|-------|\n"
        f"| **${usage:.2f}** | ${limit:.2f} | {int(percentage)}% |\n\n"
        f"**What you can do:**\n\n- {reset}\n- If you need more before that, please contact your administrator.\n\n"
        "Thank you for your patience!"
    )


def _frame(event: str, payload: Mapping[str, object]) -> str:
    return f"event: {event}\ndata: {json.dumps(payload)}\n\n"
