"""The wire models of people: what others find, and what administrators see."""

from typing import Annotated

from pydantic import Field

from apis.app_api.quota.schemas import MatchedBy
from apis.shared.http import Wire

_MOMENT = "UTC, ISO 8601."


class UserSearchResult(Wire):
    """Somebody to share with."""

    user_id: Annotated[str, Field(description="Nine digits.")]
    email: Annotated[str, Field(description="In lower case.")]
    name: Annotated[str, Field(description="May be empty.")]


class UserSearchResponse(Wire):
    """Who was found."""

    users: Annotated[list[UserSearchResult], Field(description="Whose e-mail was asked for, then the others by name.")]


class UserListItemResponse(Wire):
    """One person in a list."""

    user_id: Annotated[str, Field(description="Nine digits.")]
    email: Annotated[str, Field(description="In lower case.")]
    name: Annotated[str, Field(description="May be empty.")]
    status: Annotated[str, Field(description="`active`, `inactive` or `suspended`.")]
    last_login_at: Annotated[str, Field(description=f"Time of the last request. {_MOMENT}")]
    email_domain: Annotated[str | None, Field(description="In lower case.")] = None
    current_month_cost: Annotated[float | None, Field(description="Always null.")] = None
    quota_usage_percentage: Annotated[float | None, Field(description="Always null.")] = None


class UserListResponse(Wire):
    """One page of people."""

    users: Annotated[list[UserListItemResponse], Field(description="Who was seen last comes first.")]
    next_cursor: Annotated[str | None, Field(description="For the next page, which may be empty; null at the end.")] = (
        None
    )
    total_count: Annotated[int | None, Field(description="Always null.")] = None


class UserProfileResponse(Wire):
    """What the person's last token said."""

    user_id: Annotated[str, Field(description="Nine digits.")]
    email: Annotated[str, Field(description="In lower case.")]
    name: Annotated[str, Field(description="May be empty.")]
    roles: Annotated[list[str], Field(description="Roles of the token, not AppRoles.")]
    picture: Annotated[str | None, Field(description="URL.")] = None
    email_domain: Annotated[str, Field(description="In lower case; empty without a domain.")]
    created_at: Annotated[str, Field(description=f"Time of the first request. {_MOMENT}")]
    last_login_at: Annotated[str, Field(description=f"Time of the last request. {_MOMENT}")]
    status: Annotated[str, Field(description="`active`, `inactive` or `suspended`.")]


class CostSummaryResponse(Wire):
    """What the person spent in the current month (UTC), in US dollars."""

    total_cost: Annotated[float, Field(description="Of all models.")] = 0.0
    total_requests: Annotated[int, Field(description="Answers of models.")] = 0
    total_input_tokens: Annotated[int, Field(description="Without cached ones.")] = 0
    total_output_tokens: Annotated[int, Field(description="Of all answers.")] = 0
    cache_savings: Annotated[float, Field(description="What cached tokens would have cost more.")] = 0.0
    primary_model: Annotated[str | None, Field(description="Name of the model with the most requests.")] = None


class QuotaStatusResponse(Wire):
    """Which quota counts for the person, and how much of it is used."""

    tier_id: Annotated[str | None, Field(description="Null without a quota.")] = None
    tier_name: Annotated[str | None, Field(description="Null without a quota.")] = None
    matched_by: MatchedBy = None
    monthly_limit: Annotated[float | None, Field(description="Null when it is unlimited.")] = None
    current_usage: Annotated[float, Field(description="Cost of the current month; 0 without a quota.")] = 0.0
    usage_percentage: Annotated[float, Field(description="With one decimal; may exceed 100.")] = 0.0
    remaining: Annotated[float | None, Field(description="Never negative; null when it is unlimited.")] = None
    has_active_override: Annotated[bool, Field(description="Whether an administrator set another limit.")] = False
    override_reason: Annotated[str | None, Field(description="The administrator's words.")] = None


class QuotaEventSummary(Wire):
    """Something that happened with the person's quota."""

    event_id: Annotated[str, Field(description="Of the event.")]
    event_type: Annotated[str, Field(description="`warning`, `block`, `reset` or `override_applied`.")]
    timestamp: Annotated[str, Field(description=_MOMENT)]
    percentage_used: Annotated[float, Field(description="Of the limit, at that time.")]


class UserDetailResponse(Wire):
    """One person as administrators see them."""

    profile: UserProfileResponse
    cost_summary: CostSummaryResponse
    quota_status: QuotaStatusResponse
    recent_events: Annotated[list[QuotaEventSummary], Field(description="The five newest, the newest first.")]
