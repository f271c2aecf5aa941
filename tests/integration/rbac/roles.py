"""AppRoles as the roles table holds them."""

from typing import Any

from tests.integration.conftest import Aws

ROLES = "DYNAMODB_APP_ROLES_TABLE_NAME"


def put_role(
    aws: Aws,
    role_id: str,
    *,
    mapped: tuple[str, ...] = (),
    tools: tuple[str, ...] = (),
    models: tuple[str, ...] = (),
    tier: str | None = None,
    **changes: Any,
) -> None:
    definition = {
        "PK": f"ROLE#{role_id}",
        "SK": "DEFINITION",
        "roleId": role_id,
        "displayName": role_id.title(),
        "description": "",
        "jwtRoleMappings": list(mapped),
        "inheritsFrom": [],
        "grantedTools": list(tools),
        "grantedModels": list(models),
        "effectivePermissions": {"tools": list(tools), "models": list(models), "quotaTier": tier},
        "priority": 0,
        "isSystemRole": False,
        "enabled": True,
        "createdAt": "2025-01-15T10:30:00Z",
        "updatedAt": "2025-01-15T10:30:00.123456Z",
        "createdBy": None,
    }
    aws.put(ROLES, {**definition, **changes})
    for jwt_role in mapped:
        put_mapping(aws, role_id, jwt_role)


def put_mapping(aws: Aws, role_id: str, jwt_role: str, **changes: Any) -> None:
    aws.put(
        ROLES,
        {
            "PK": f"ROLE#{role_id}",
            "SK": f"JWT_MAPPING#{jwt_role}",
            "GSI1PK": f"JWT_ROLE#{jwt_role}",
            "GSI1SK": f"ROLE#{role_id}",
            "roleId": role_id,
            "enabled": True,
            **changes,
        },
    )


def put_tool(aws: Aws, tool_id: str, **changes: Any) -> None:
    aws.put(
        ROLES,
        {
            "PK": f"TOOL#{tool_id}",
            "SK": "METADATA",
            "GSI1PK": "CATEGORY#data",
            "GSI1SK": f"TOOL#{tool_id}",
            "toolId": tool_id,
            "displayName": tool_id,
            "description": "",
            "category": "data",
            "protocol": "local",
            "status": "active",
            "icon": None,
            "requiresOauthProvider": None,
            "isPublic": False,
            "enabledByDefault": False,
            "createdAt": "2025-01-15T10:30:00Z",
            "updatedAt": "2025-01-15T10:30:00Z",
            **changes,
        },
    )
