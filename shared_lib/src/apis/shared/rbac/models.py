"""AppRoles: stored roles that map roles of the token to tools, models and a quota tier."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from apis.shared.records import Record, Texts

WILDCARD = "*"
DEFAULT_ROLE = "default"
SYSTEM_ADMIN_ROLE = "system_admin"
SYSTEM_ROLES = frozenset({DEFAULT_ROLE, SYSTEM_ADMIN_ROLE})


def _distinct(texts: list[str] | None) -> list[str] | None:
    return None if texts is None else list(dict.fromkeys(texts))


# Each member once, the first position kept: of one member there can be only one stored item.
Names = Annotated[Texts, AfterValidator(_distinct)]
OptionalNames = Annotated[list[str] | None, AfterValidator(_distinct)]


class EffectivePermissions(Record):
    """What a role gives: its own grants and the direct ones of its parents."""

    tools: Texts = Field(default_factory=list)
    models: Texts = Field(default_factory=list)
    quota_tier: str | None = None


class RoleDraft(Record):
    """What an administrator decides about a role, with the defaults of an incomplete record."""

    role_id: str
    display_name: str = ""
    description: str = ""
    jwt_role_mappings: Names = Field(default_factory=list)
    inherits_from: Names = Field(default_factory=list)
    granted_tools: Names = Field(default_factory=list)
    granted_models: Names = Field(default_factory=list)
    priority: int = 0
    enabled: bool = True


class RoleStanding(Record):
    """What of a definition decides whether the role may be deleted."""

    is_system_role: bool = False


class AppRole(RoleDraft):
    """A role definition. `created_by` is the id of a user, or `system`."""

    effective_permissions: EffectivePermissions = EffectivePermissions()
    is_system_role: bool = False
    created_at: str = ""
    updated_at: str = ""
    created_by: str | None = None


class RolePatch(Record):
    """A change of a role: None changes nothing, whether it was given or not."""

    display_name: str | None = None
    description: str | None = None
    jwt_role_mappings: OptionalNames = None
    inherits_from: OptionalNames = None
    granted_tools: OptionalNames = None
    granted_models: OptionalNames = None
    priority: int | None = None
    enabled: bool | None = None

    @property
    def named(self) -> list[str]:
        """The members that were given at all, as clients call them, sorted."""
        return sorted(str(type(self).model_fields[name].alias) for name in self.model_fields_set)

    @property
    def changes(self) -> dict[str, Any]:  # Any: each member has its own type
        """The members that change something, by their names in `AppRole`."""
        return {name: value for name in type(self).model_fields if (value := getattr(self, name)) is not None}


class RoleMapping(Record):
    """That a role of the token gives an AppRole."""

    role_id: str
    enabled: bool = True


class RoleGrant(Record):
    """That a role grants a tool or a model directly, as the index of tools or models tells it."""

    role_id: str
    display_name: str = ""
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class ToolRole:
    """A role that grants a tool; `inherited_from` is None for a direct grant."""

    role_id: str
    display_name: str
    grant_type: Literal["direct", "inherited"]
    inherited_from: str | None
    enabled: bool


@dataclass(frozen=True, slots=True)
class UserEffectivePermissions:
    """What a user may use: the merged permissions of the user's enabled roles. `*` stands for everything."""

    user_id: str
    app_roles: Sequence[str]
    tools: Sequence[str]
    models: Sequence[str]
    quota_tier: str | None
    resolved_at: datetime

    def allows_tool(self, tool_id: str) -> bool:
        return WILDCARD in self.tools or tool_id in self.tools

    def allows_model(self, model_id: str) -> bool:
        return WILDCARD in self.models or model_id in self.models
