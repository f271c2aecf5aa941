import uuid
from collections.abc import Mapping
from typing import Any, Final

from tests.support.stored.things import Item, Row, row_of

QUOTAS: Final = "DYNAMODB_QUOTA_TABLE"
QUOTA_EVENTS: Final = "DYNAMODB_QUOTA_EVENTS_TABLE"


def quota_tier(tier_id: str, limit: Any = 50, **attributes: Any) -> Row:
    """A monthly tier that blocks."""
    return row_of(
        QUOTAS,
        {
            "PK": f"QUOTA_TIER#{tier_id}",
            "SK": "METADATA",
            "tierId": tier_id,
            "tierName": f"Tier {tier_id}",
            "monthlyCostLimit": limit,
            "periodType": "monthly",
            "softLimitPercentage": 80,
            "actionOnLimit": "block",
            "enabled": True,
            "createdAt": "2025-01-15T10:30:00Z",
            "updatedAt": "2025-01-15T10:30:00Z",
            "createdBy": "111111111",
        },
        attributes,
    )


def quota_assignment(kind: str, criterion: str | None, tier_id: str, *, priority: int = 100, **attributes: Any) -> Row:
    """`criterion` is what the kind goes by: a user id, an AppRole, a role of the token, a pattern of domains."""
    assignment_id = str(attributes.get("assignmentId", uuid.uuid4()))
    of_kind: Mapping[str, Item] = {
        "direct_user": {"userId": criterion, "GSI2PK": f"USER#{criterion}", "GSI2SK": f"ASSIGNMENT#{assignment_id}"},
        "jwt_role": {"jwtRole": criterion, "GSI3PK": f"ROLE#{criterion}", "GSI3SK": f"PRIORITY#{priority}"},
        "app_role": {"appRoleId": criterion, "GSI6PK": f"APP_ROLE#{criterion}", "GSI6SK": f"PRIORITY#{priority}"},
        "email_domain": {"emailDomain": criterion},
        "default_tier": {},
    }
    return row_of(
        QUOTAS,
        {
            "PK": f"ASSIGNMENT#{assignment_id}",
            "SK": "METADATA",
            "GSI1PK": f"ASSIGNMENT_TYPE#{kind}",
            "GSI1SK": f"PRIORITY#{priority}#{assignment_id}",
            "assignmentId": assignment_id,
            "tierId": tier_id,
            "assignmentType": kind,
            "priority": priority,
            "enabled": True,
            "createdAt": "2025-01-15T10:30:00Z",
            "updatedAt": "2025-01-15T10:30:00Z",
            "createdBy": "111111111",
            **of_kind[kind],
        },
        attributes,
    )


def quota_override(user_id: str, *, until: str = "2999-01-01T00:00:00Z", limit: Any = 75, **attributes: Any) -> Row:
    """Another limit since 2025, or none with `overrideType` `unlimited`."""
    override_id = str(attributes.get("overrideId", uuid.uuid4()))
    return row_of(
        QUOTAS,
        {
            "PK": f"OVERRIDE#{override_id}",
            "SK": "METADATA",
            "GSI4PK": f"USER#{user_id}",
            "GSI4SK": f"VALID_UNTIL#{until}",
            "overrideId": override_id,
            "userId": user_id,
            "overrideType": "custom_limit",
            "monthlyCostLimit": limit,
            "validFrom": "2025-01-01T00:00:00Z",
            "validUntil": until,
            "reason": "A thesis",
            "createdBy": "admin@example.edu",
            "createdAt": "2025-01-01T00:00:00Z",
            "enabled": True,
        },
        attributes,
    )


def quota_event(user_id: str, at: str, *, kind: str = "warning", used: Any = 81.5, **attributes: Any) -> Row:
    event_id = str(attributes.get("eventId", uuid.uuid4()))
    return row_of(
        QUOTA_EVENTS,
        {
            "PK": f"USER#{user_id}",
            "SK": f"EVENT#{at}#{event_id}",
            "GSI5PK": "TIER#t",
            "GSI5SK": f"TIMESTAMP#{at}",
            "eventId": event_id,
            "userId": user_id,
            "tierId": "t",
            "eventType": kind,
            "currentUsage": 40.75,
            "quotaLimit": 50,
            "percentageUsed": used,
            "timestamp": at,
            "metadata": {"threshold": "80%", "tier_name": "T", "session_id": None, "user_roles": ["Staff"]},
        },
        attributes,
    )
