"""Spending tiers, whom they are assigned to, what overrides them, and what came of checks. Money is in US dollars."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, model_validator

from apis.shared.records import Record

type PeriodType = Literal["daily", "monthly"]
type ActionOnLimit = Literal["block", "warn"]
type AssignmentType = Literal["direct_user", "app_role", "jwt_role", "email_domain", "default_tier"]
type OverrideType = Literal["custom_limit", "unlimited"]
type EventType = Literal["warning", "block", "reset", "override_applied"]

UNLIMITED = Decimal(999_999)
"""A monthly limit from which on nothing is limited."""

_DATE_LENGTH = len("2025-06-30")
_ZULU = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z")


class QuotaTier(Record):
    tier_id: str
    tier_name: str
    description: str | None = None
    monthly_cost_limit: Decimal
    daily_cost_limit: Decimal | None = None
    period_type: PeriodType = "monthly"
    soft_limit_percentage: Decimal = Decimal(80)
    action_on_limit: ActionOnLimit = "block"
    enabled: bool = True
    created_at: str = ""
    updated_at: str = ""
    created_by: str = ""

    @property
    def is_unlimited(self) -> bool:
        return self.monthly_cost_limit >= UNLIMITED

    @property
    def period(self) -> PeriodType:
        """Which spending counts: of the day only where there is a limit for it, and the month is not unlimited."""
        is_daily = self.period_type == "daily" and self.daily_cost_limit is not None and not self.is_unlimited
        return "daily" if is_daily else "monthly"

    @property
    def limit(self) -> Decimal:
        """Of the period that counts."""
        if self.period == "daily" and self.daily_cost_limit is not None:
            return self.daily_cost_limit
        return self.monthly_cost_limit

    def period_at(self, now: datetime) -> str:
        """The day or the month that counts, in UTC: `YYYY-MM-DD` or `YYYY-MM`."""
        return f"{now.astimezone(UTC):%Y-%m-%d}"[: 10 if self.period == "daily" else 7]

    def percentage_of(self, usage: Decimal) -> Decimal:
        """Of a limit of 0 or less every usage is 100 percent."""
        return usage / self.limit * 100 if self.limit > 0 else Decimal(100)

    def remaining_after(self, usage: Decimal) -> Decimal:
        return max(Decimal(0), self.limit - usage)


class QuotaAssignment(Record):
    """Who gets a tier; which of the criteria counts, `assignment_type` says. `priority` orders those of one type."""

    assignment_id: str
    tier_id: str
    assignment_type: AssignmentType
    user_id: str | None = None
    app_role_id: str | None = None
    jwt_role: str | None = None
    email_domain: str | None = None
    priority: int = 100
    enabled: bool = True
    created_at: str = ""
    updated_at: str = ""
    created_by: str = ""


def moment_of(text: str) -> datetime:
    """ISO 8601; without an offset it is UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _readable(text: str) -> str:
    moment_of(text)
    return text


def first_moment(text: str) -> str:
    """A beginning as it is stored: UTC with `Z`; a date is the start of its day. Raises ValueError."""
    return _normalised(text, time.min)


def last_moment(text: str) -> str:
    """An end as it is stored: UTC with `Z`; a date is all of its day. Raises ValueError."""
    return _normalised(text, time.max)


def _normalised(text: str, of_a_date: time) -> str:
    if not text.isascii():
        msg = "the digits are 0 to 9"
        raise ValueError(msg)
    moment = moment_of(text)
    if _ZULU.fullmatch(text) is not None:
        return text
    if "T" not in text and " " not in text:
        moment = datetime.combine(moment.date(), of_a_date, UTC)
    local, offset = moment.replace(tzinfo=None), moment.utcoffset() or timedelta()
    if offset > local - datetime.min or -offset > datetime.max - local:
        msg = "in UTC there is no such time"
        raise ValueError(msg)
    return (local - offset).isoformat() + "Z"


class QuotaOverride(Record):
    """Another limit for one user, or none, from `valid_from` to `valid_until`. `created_by` is an e-mail.

    The two are kept as they are stored, and are compared as times: as text `...00Z` sorts after `...00.500Z`.
    """

    override_id: str
    user_id: str
    override_type: OverrideType
    monthly_cost_limit: Decimal | None = None
    daily_cost_limit: Decimal | None = None
    valid_from: Annotated[str, AfterValidator(_readable)]
    valid_until: Annotated[str, AfterValidator(_readable)]
    reason: str = ""
    created_by: str = ""
    created_at: str = ""
    enabled: bool = True

    @model_validator(mode="after")
    def _has_its_limit(self) -> Self:
        if self.override_type == "custom_limit" and self.monthly_cost_limit is None:
            msg = "a custom limit has a monthly limit"
            raise ValueError(msg)
        return self

    @property
    def begins(self) -> datetime:
        return moment_of(self.valid_from)

    @property
    def ends(self) -> datetime:
        """The last moment that counts; a date without a time means that whole day."""
        moment = moment_of(self.valid_until)
        if len(self.valid_until) == _DATE_LENGTH:
            return datetime.combine(moment.date(), time.max, UTC)
        return moment

    def is_active(self, now: datetime) -> bool:
        return self.enabled and self.begins <= now <= self.ends

    def as_tier(self) -> QuotaTier:
        """Its daily limit is not part of it, because the period is a month."""
        is_unlimited = self.override_type == "unlimited" or self.monthly_cost_limit is None
        return QuotaTier(
            tier_id=f"override_{self.override_id}",
            tier_name="Unlimited Override" if is_unlimited else "Custom Override",
            monthly_cost_limit=UNLIMITED
            if self.monthly_cost_limit is None or is_unlimited
            else self.monthly_cost_limit,
            action_on_limit="warn" if is_unlimited else "block",
            created_at=self.created_at,
            updated_at=self.created_at,
            created_by=self.created_by,
        )


class QuotaEvent(Record):
    """An entry of the audit trail. The members of `metadata` are in snake_case."""

    event_id: str
    user_id: str
    tier_id: str
    event_type: EventType
    current_usage: Decimal
    quota_limit: Decimal
    percentage_used: Decimal
    timestamp: str
    metadata: dict[str, Any] | None = None  # Any: free-form


NO_WARNING = "none"


class QuotaCheckResult(Record):
    """Whether a user may go on, and what that was decided by. Without a quota, or with an unlimited one, there is no
    limit and the usage is 0. `warning_level` is `none`, or a percentage such as `80%`. `checked_at` is in UTC: the
    day or month that counts is the one it lies in."""

    allowed: bool
    message: str
    checked_at: datetime
    tier: QuotaTier | None = None
    current_usage: Decimal = Decimal(0)
    quota_limit: Decimal | None = None
    percentage_used: Decimal = Decimal(0)
    remaining: Decimal | None = None
    warning_level: str = NO_WARNING
    assignment_id: str | None = None


@dataclass(frozen=True, slots=True)
class ResolvedQuota:
    """Which tier counts for a user, and why.

    `matched_by` is `override`, `direct_user`, `app_role:<id>`, `jwt_role:<role>`, `email_domain:<pattern>` or
    `default_tier`.
    """

    user_id: str
    tier: QuotaTier
    matched_by: str
    assignment: QuotaAssignment | None = None
    override: QuotaOverride | None = None
