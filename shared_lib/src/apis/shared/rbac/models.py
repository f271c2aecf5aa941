"""AppRoles: stored roles that map roles of the token to tools, models and a quota tier."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel

WILDCARD = "*"


def _or_empty(value: object) -> object:
    return [] if value is None else value


Texts = Annotated[list[str], BeforeValidator(_or_empty)]


class EffectivePermissions(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")

    tools: Texts = []
    models: Texts = []
    quota_tier: str | None = None


class AppRole(BaseModel):
    """A role definition with the defaults of an incomplete record."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")

    role_id: str
    display_name: str = ""
    description: str = ""
    jwt_role_mappings: Texts = []
    inherits_from: Texts = []
    granted_tools: Texts = []
    granted_models: Texts = []
    effective_permissions: EffectivePermissions = EffectivePermissions()
    priority: int = 0
    is_system_role: bool = False
    enabled: bool = True
    created_at: str = ""
    updated_at: str = ""
    created_by: str | None = None


class RoleMapping(BaseModel):
    """That a role of the token gives an AppRole."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")

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
