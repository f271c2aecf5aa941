from typing import Any, Final

from tests.support.stored.things import Row, row_of

USERS: Final = "DYNAMODB_USERS_TABLE_NAME"


def person(
    user_id: str, email: str, *, name: str = "", status: str = "active", seen: str = "2025-01-15T10:30:00Z", **more: Any
) -> Row:
    """Somebody who was `seen` last then."""
    domain = email.partition("@")[2].partition("@")[0]
    return row_of(
        USERS,
        {
            "PK": f"USER#{user_id}",
            "SK": "PROFILE",
            "GSI2PK": f"DOMAIN#{domain}",
            "GSI2SK": seen,
            "GSI3PK": f"STATUS#{status}",
            "GSI3SK": seen,
            "userId": user_id,
            "email": email,
            "name": name,
            "roles": ["Staff"],
            "emailDomain": domain,
            "createdAt": "2024-08-01T08:00:00Z",
            "lastLoginAt": seen,
            "status": status,
        },
        more,
    )
