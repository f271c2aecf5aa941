from typing import Any, Final

from tests.support.stored.rbac import ROLES
from tests.support.stored.things import Row, row_of

TOOLS: Final = ROLES


def tool(tool_id: str, **attributes: Any) -> Row:
    """A local tool of the stored catalogue that is not public."""
    return row_of(
        TOOLS,
        {
            "PK": f"TOOL#{tool_id}",
            "SK": "METADATA",
            "GSI1PK": "CATEGORY#data",
            "GSI1SK": f"TOOL#{tool_id}",
            "toolId": tool_id,
            "displayName": tool_id,
            "description": "A tool.",
            "category": "data",
            "icon": None,
            "protocol": "local",
            "status": "active",
            "requiresOauthProvider": None,
            "isPublic": False,
            "enabledByDefault": False,
            "createdAt": "2025-01-15T10:30:00Z",
            "updatedAt": "2025-01-15T10:30:00.123456Z",
            "createdBy": "111111111",
            "updatedBy": None,
        },
        attributes,
    )
