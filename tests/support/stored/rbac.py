from collections.abc import Iterator, Sequence
from typing import Any, Final

from tests.support.stored.things import Row, row_of

ROLES: Final = "DYNAMODB_APP_ROLES_TABLE_NAME"


def role(role_id: str, *jwt_roles: str, mapping: Any = True, **definition: Any) -> list[Row]:
    """An application role and the roles of a token that map to it; `mapping` is the `enabled` of those."""
    keys = {"PK": f"ROLE#{role_id}", "SK": "DEFINITION"}
    base = {"roleId": role_id, "displayName": role_id, "jwtRoleMappings": list(jwt_roles)}
    return [
        row_of(ROLES, {**keys, **base}, definition),
        *(role_mapping(role_id, jwt_role, enabled=mapping) for jwt_role in jwt_roles),
    ]


def role_mapping(role_id: str, jwt_role: str, **attributes: Any) -> Row:
    return row_of(
        ROLES,
        {
            "PK": f"ROLE#{role_id}",
            "SK": f"JWT_MAPPING#{jwt_role}",
            "GSI1PK": f"JWT_ROLE#{jwt_role}",
            "GSI1SK": f"ROLE#{role_id}",
            "roleId": role_id,
        },
        attributes,
    )


def whole_role(role_id: str, **definition: Any) -> Iterator[Row]:
    """A role with all that its definition says, in the layout of every deployment."""
    (row, *_) = role(
        role_id,
        **{
            "description": "",
            "inheritsFrom": [],
            "grantedTools": [],
            "grantedModels": [],
            "priority": 0,
            "isSystemRole": False,
            "enabled": True,
            "createdAt": "2025-01-15T10:30:00Z",
            "updatedAt": "2025-01-15T10:30:00.123456Z",
            "createdBy": "111111111",
            **granting(*definition.get("grantedTools", ()), models=definition.get("grantedModels", ())),
            **definition,
        },
    )
    yield row
    copied = {name: row.item[name] for name in ("roleId", "displayName", "enabled")}
    for kind, index, number, member in (
        ("JWT_MAPPING", "JWT_ROLE", 1, "jwtRoleMappings"),
        ("TOOL_GRANT", "TOOL", 2, "grantedTools"),
        ("MODEL_GRANT", "MODEL", 3, "grantedModels"),
    ):
        for name in row.item[member]:
            keys = {"PK": f"ROLE#{role_id}", "SK": f"{kind}#{name}"}
            indexed = {f"GSI{number}PK": f"{index}#{name}", f"GSI{number}SK": f"ROLE#{role_id}"}
            yield Row(ROLES, {**keys, **indexed, **copied})


def granting(*tools: str, models: Sequence[str] = (), tier: str | None = None) -> dict[str, Any]:
    """What a role allows, for `role`."""
    return {"effectivePermissions": {"tools": list(tools), "models": list(models), "quotaTier": tier}}
