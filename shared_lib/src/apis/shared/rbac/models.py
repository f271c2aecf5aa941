"""AppRoles: stored roles that map roles of the token to tools, models and a quota tier."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import Field

from apis.shared.records import Record, Texts

WILDCARD = "*"


class EffectivePermissions(Record):
    tools: Texts = Field(default_factory=list)
    models: Texts = Field(default_factory=list)
    quota_tier: str | None = None


class AppRole(Record):
    """A role definition with the defaults of an incomplete record."""

    role_id: str
    display_name: str = ""
    description: str = ""
    jwt_role_mappings: Texts = Field(default_factory=list)
    inherits_from: Texts = Field(default_factory=list)
    granted_tools: Texts = Field(default_factory=list)
    granted_models: Texts = Field(default_factory=list)
    effective_permissions: EffectivePermissions = EffectivePermissions()
    priority: int = 0
    is_system_role: bool = False
    enabled: bool = True
    created_at: str = ""
    updated_at: str = ""
    created_by: str | None = None


class RoleMapping(Record):
    """That a role of the token gives an AppRole."""

    role_id: str
    enabled: bool = True


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
