"""The wire models of quota. Amounts go out as decimals in text, and come in as numbers or texts."""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, JsonValue, PlainSerializer, field_validator

from apis.shared.http import Wire
from apis.shared.http.bounds import Amount, Integer, KeyId, Prose, ShortText
from apis.shared.quota.models import (
    ActionOnLimit,
    AssignmentType,
    EventType,
    OverrideType,
    PeriodType,
    first_moment,
    last_moment,
)
from apis.shared.quota.repository import Changes

_MOMENT = "UTC, ISO 8601."
_DOLLARS = "US dollars, as a decimal."
_TIER: dict[str, JsonValue] = {"tierName": "Basic", "monthlyCostLimit": 100}

_TIER_ID = "Never changes."
_MONTHLY = "Of a calendar month (UTC), in US dollars; from 999999 on nothing is limited."
_DAILY = "Of a day (UTC), in US dollars; counts with the period `daily`, which counts only with this limit."
_PERIOD = "Which limit counts."
_SOFT = "From this percentage of the limit on users are warned; from 90 in any case."
_ACTION = "Whether a used-up limit stops users, or only warns them."
_TYPE = "Whom it is for; the first kind in this order that fits a user counts."
_PRIORITY = "Of several assignments of one kind the highest counts."
_USER = "For `direct_user`."
_APP_ROLE = "For `app_role`: its id."
_JWT_ROLE = "For `jwt_role`: a role of the token."
_DOMAIN = (
    "For `email_domain`: domains separated by commas, `*.` before one that includes those below it; or `regex:` and an "
    "expression (RE2) that has to match from the start."
)
_OVERRIDE_TYPE = "Another limit, or none."
_FROM = "ISO 8601; without an offset it is UTC. A date is the beginning of its day."
_UNTIL = "ISO 8601; without an offset it is UTC. A date is all of its day."


def _not_empty(text: str) -> str:
    if not text:
        msg = "an id is not empty"
        raise ValueError(msg)
    return text


def _plain(amount: Decimal) -> str:
    return format(amount, "f")


DecimalText = Annotated[Decimal, PlainSerializer(_plain, return_type=str)]
PositiveAmount = Annotated[Amount, Field(gt=0)]
Percentage = Annotated[Amount, Field(ge=0, le=100)]
TierId = Annotated[KeyId, AfterValidator(_not_empty)]
Priority = Annotated[Integer, Field(ge=0)]
FirstMoment = Annotated[ShortText, AfterValidator(first_moment)]
LastMoment = Annotated[ShortText, AfterValidator(last_moment)]


class QuotaTierResponse(Wire):
    """How much may be spent."""

    tier_id: Annotated[str, Field(description=_TIER_ID)]
    tier_name: Annotated[str, Field(description="Its name for users.")]
    description: Annotated[str | None, Field(description="For administrators.")] = None
    monthly_cost_limit: Annotated[DecimalText, Field(description=_MONTHLY)]
    daily_cost_limit: Annotated[DecimalText | None, Field(description=_DAILY)] = None
    period_type: Annotated[PeriodType, Field(description=_PERIOD)] = "monthly"
    soft_limit_percentage: Annotated[DecimalText, Field(description=_SOFT)] = Decimal("80.0")
    action_on_limit: Annotated[ActionOnLimit, Field(description=_ACTION)] = "block"
    enabled: Annotated[bool, Field(description="A disabled tier counts for nobody.")] = True
    created_at: Annotated[str, Field(description=_MOMENT)]
    updated_at: Annotated[str, Field(description=_MOMENT)]
    created_by: Annotated[str, Field(description="User id of an administrator.")]


class QuotaTierCreate(Wire):
    """A new tier."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"tierId": "basic", **_TIER}]})

    tier_id: Annotated[TierId, Field(description=_TIER_ID)]
    tier_name: Annotated[ShortText, Field(description="Its name for users.")]
    description: Annotated[Prose | None, Field(description="For administrators.")] = None
    monthly_cost_limit: Annotated[PositiveAmount, Field(description=_MONTHLY)]
    daily_cost_limit: Annotated[PositiveAmount | None, Field(description=_DAILY)] = None
    period_type: Annotated[PeriodType, Field(description=_PERIOD)] = "monthly"
    # A number in the schema, as it always was.
    soft_limit_percentage: Annotated[Percentage, Field(description=_SOFT, json_schema_extra={"default": 80.0})] = (
        Decimal("80.0")
    )
    action_on_limit: Annotated[ActionOnLimit, Field(description=_ACTION)] = "block"
    enabled: Annotated[bool, Field(description="A disabled tier counts for nobody.")] = True


class QuotaTierUpdate(Wire):
    """Null removes `description` and `dailyCostLimit`, and otherwise changes nothing, as an absent member does."""

    model_config = ConfigDict(json_schema_extra={"examples": [_TIER]})

    tier_name: Annotated[ShortText | None, Field(description="Its name for users.")] = None
    description: Annotated[Prose | None, Field(description="For administrators.")] = None
    monthly_cost_limit: Annotated[PositiveAmount | None, Field(description=_MONTHLY)] = None
    daily_cost_limit: Annotated[PositiveAmount | None, Field(description=_DAILY)] = None
    period_type: Annotated[PeriodType | None, Field(description=_PERIOD)] = None
    soft_limit_percentage: Annotated[Percentage | None, Field(description=_SOFT)] = None
    action_on_limit: Annotated[ActionOnLimit | None, Field(description=_ACTION)] = None
    enabled: Annotated[bool | None, Field(description="A disabled tier counts for nobody.")] = None

    def changes(self) -> Changes:
        return _changes(self, cleared=("description", "dailyCostLimit"))


class QuotaAssignmentResponse(Wire):
    """Who gets a tier."""

    assignment_id: Annotated[str, Field(description="Never changes.")]
    tier_id: Annotated[str, Field(description="The tier.")]
    assignment_type: Annotated[AssignmentType, Field(description=_TYPE)]
    user_id: Annotated[str | None, Field(description=_USER)] = None
    app_role_id: Annotated[str | None, Field(description=_APP_ROLE)] = None
    jwt_role: Annotated[str | None, Field(description=_JWT_ROLE)] = None
    email_domain: Annotated[str | None, Field(description=_DOMAIN)] = None
    priority: Annotated[int, Field(ge=0, description=_PRIORITY)] = 100
    enabled: Annotated[bool, Field(description="A disabled assignment counts for nobody.")] = True
    created_at: Annotated[str, Field(description=_MOMENT)]
    updated_at: Annotated[str, Field(description=_MOMENT)]
    created_by: Annotated[str, Field(description="User id of an administrator.")]


class QuotaAssignmentCreate(Wire):
    """Who shall get a tier. The criterion of its type has to be given; none for `default_tier`."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"tierId": "basic", "assignmentType": "direct_user", "userId": "123456789"}]}
    )

    tier_id: Annotated[KeyId, Field(description="It has to exist.")]
    assignment_type: Annotated[AssignmentType, Field(description=_TYPE)]
    user_id: Annotated[KeyId | None, Field(description=_USER)] = None
    app_role_id: Annotated[KeyId | None, Field(description=_APP_ROLE)] = None
    jwt_role: Annotated[KeyId | None, Field(description=_JWT_ROLE)] = None
    email_domain: Annotated[ShortText | None, Field(description=_DOMAIN)] = None
    priority: Annotated[Priority, Field(description=_PRIORITY)] = 100
    enabled: Annotated[bool, Field(description="A disabled assignment counts for nobody.")] = True


class QuotaAssignmentUpdate(Wire):
    """Null and absent members change nothing."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"tierId": "basic", "priority": 300}]})

    tier_id: Annotated[KeyId | None, Field(description="It has to exist.")] = None
    priority: Annotated[Priority | None, Field(description=_PRIORITY)] = None
    enabled: Annotated[bool | None, Field(description="A disabled assignment counts for nobody.")] = None

    def changes(self) -> Changes:
        return _changes(self)


class QuotaOverrideResponse(Wire):
    """Another limit for one person for a time, or none."""

    override_id: Annotated[str, Field(description="Never changes.")]
    user_id: Annotated[str, Field(description="Whose limit it is.")]
    override_type: Annotated[OverrideType, Field(description=_OVERRIDE_TYPE)]
    monthly_cost_limit: Annotated[DecimalText | None, Field(description=_DOLLARS)] = None
    daily_cost_limit: Annotated[DecimalText | None, Field(description="Kept, but not enforced.")] = None
    valid_from: Annotated[str, Field(description=_MOMENT)]
    valid_until: Annotated[str, Field(description=_MOMENT)]
    reason: Annotated[str, Field(description="The administrator's words.")]
    created_by: Annotated[str, Field(description="E-mail of an administrator.")]
    created_at: Annotated[str, Field(description=_MOMENT)]
    enabled: Annotated[bool, Field(description="A disabled override does not count.")] = True


class QuotaOverrideCreate(Wire):
    """Another limit for one person for a time. Of several, the one that ends last counts."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "userId": "123456789",
                    "overrideType": "custom_limit",
                    "monthlyCostLimit": 250,
                    "validFrom": "2025-01-01T00:00:00.000Z",
                    "validUntil": "2025-06-30T23:59:59.999Z",
                    "reason": "A thesis",
                }
            ]
        }
    )

    user_id: Annotated[KeyId, AfterValidator(_not_empty), Field(description="Need not be known yet.")]
    override_type: Annotated[OverrideType, Field(description=_OVERRIDE_TYPE)]
    monthly_cost_limit: Annotated[PositiveAmount | None, Field(description="Needed for `custom_limit`.")] = None
    daily_cost_limit: Annotated[PositiveAmount | None, Field(description="Kept, but not enforced.")] = None
    valid_from: Annotated[FirstMoment, Field(description=_FROM)]
    valid_until: Annotated[LastMoment, Field(description=_UNTIL)]
    reason: Annotated[Prose, Field(description="For administrators.")]


class QuotaOverrideUpdate(Wire):
    """Absent members change nothing; null is refused."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"validUntil": "2025-12-31T23:59:59.999Z"}]})

    valid_until: Annotated[LastMoment | None, Field(description=_UNTIL)] = None
    enabled: Annotated[bool | None, Field(description="A disabled override does not count.")] = None
    reason: Annotated[Prose | None, Field(description="For administrators.")] = None

    @field_validator("*", mode="before")
    @classmethod
    def _given(cls, value: Any) -> Any:  # Any: not validated yet
        if value is None:
            msg = "null is not allowed"
            raise ValueError(msg)
        return value

    def changes(self) -> Changes:
        return _changes(self)


class QuotaEventResponse(Wire):
    """Something that happened with somebody's quota."""

    event_id: Annotated[str, Field(description="Of the event.")]
    user_id: Annotated[str, Field(description="Whose quota it is.")]
    tier_id: Annotated[str, Field(description="The tier that counted, or `override_` and the id of an override.")]
    event_type: Annotated[EventType, Field(description="What happened.")]
    current_usage: Annotated[DecimalText, Field(description=f"At that time. {_DOLLARS}")]
    quota_limit: Annotated[DecimalText, Field(description=f"At that time. {_DOLLARS}")]
    percentage_used: Annotated[DecimalText, Field(description="Of the limit, at that time.")]
    timestamp: Annotated[str, Field(description=_MOMENT)]
    metadata: Annotated[
        dict[str, Any] | None,  # Any: free-form
        Field(description="What else is known; its members are in snake_case."),
    ] = None


MatchedBy = Annotated[
    str | None,
    Field(
        description="`override`, `direct_user`, `app_role:<id>`, `jwt_role:<role>`, `email_domain:<pattern>` or "
        "`default_tier`."
    ),
]
"""Why a quota counts; None without a quota."""


class UserQuotaInfo(Wire):
    """Which quota counts for somebody, why, and how much of it is used."""

    user_id: Annotated[str, Field(description="As it was asked for.")]
    email: Annotated[str, Field(description="That the quota was looked up with.")]
    roles: Annotated[list[str], Field(description="Roles of the token that the quota was looked up with.")]
    tier: Annotated[QuotaTierResponse | None, Field(description="Null without a quota.")] = None
    assignment: Annotated[QuotaAssignmentResponse | None, Field(description="Null also for an override.")] = None
    override: Annotated[QuotaOverrideResponse | None, Field(description="The override that counts.")] = None
    matched_by: MatchedBy = None
    current_period: Annotated[str, Field(description="`YYYY-MM`, or `YYYY-MM-DD` where a daily limit counts (UTC).")]
    current_usage: Annotated[float, Field(description="What was spent in it, in US dollars.")]
    quota_limit: Annotated[float | None, Field(description="Null without a quota.")] = None
    percentage_used: Annotated[float, Field(description="Not rounded; 0 without a quota.")]
    remaining: Annotated[float | None, Field(description="Never negative; null without a quota.")] = None
    recent_blocks: Annotated[int, Field(description="Turns that were stopped in the last 24 hours.")] = 0
    last_block_time: Annotated[str | None, Field(description=f"Of the last of these. {_MOMENT}")] = None


def _changes(body: Wire, *, cleared: tuple[str, ...] = ()) -> Changes:
    """The members that were given, under their stored names; of those that are null only the ones to be `cleared`."""
    given = body.model_dump(by_alias=True, exclude_unset=True)
    return {name: value for name, value in given.items() if value is not None or name in cleared}
