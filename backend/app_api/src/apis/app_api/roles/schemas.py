"""The wire models of roles. Responses are camelCase; requests take both spellings."""

from typing import Annotated, Self

from pydantic import ConfigDict, Field, JsonValue

from apis.shared.http import Wire
from apis.shared.http.bounds import KeyIds, ParentIds
from apis.shared.rbac.models import AppRole, RoleDraft, RolePatch

_MOMENT = "UTC, ISO 8601."
_EXAMPLE: dict[str, JsonValue] = {
    "displayName": "Research staff",
    "jwtRoleMappings": ["Staff"],
    "grantedTools": ["calculator"],
    "grantedModels": ["us.anthropic.claude-haiku-4-5-20251001-v1:0"],
}

RoleId = Annotated[
    str,
    Field(pattern=r"^[a-z][a-z0-9_]{2,49}$", description="3 to 50 lower-case letters, digits and `_`; never changes."),
]
DisplayName = Annotated[str, Field(min_length=1, max_length=100)]
Description = Annotated[str, Field(max_length=500)]
Priority = Annotated[int, Field(ge=0, le=999)]

_MAPPINGS = "Roles of the token that give a user this role."
_PARENTS = "Ids of roles whose direct grants this one has too; their own parents do not count."
_TOOLS = "Ids of tools; `*` grants all. Whether they exist is not checked."
_MODELS = "The providers' ids of models; `*` grants all. Whether they exist is not checked."
_PRIORITY = "Of several roles, the one with the highest decides the quota tier."
_ENABLED = "A disabled role gives nobody anything."


class EffectivePermissionsResponse(Wire):
    """What a role gives, as it was computed when the role was last saved or synced."""

    tools: Annotated[list[str], Field(description="Own grants, and those of its parents.")]
    models: Annotated[list[str], Field(description="Own grants, and those of its parents.")]
    quota_tier: Annotated[str | None, Field(description="No operation sets it.")] = None


class AppRoleResponse(Wire):
    """One role."""

    role_id: Annotated[str, Field(description="Never changes.")]
    display_name: Annotated[str, Field(description="Its name for administrators.")]
    description: Annotated[str, Field(description="May be empty.")]
    jwt_role_mappings: Annotated[list[str], Field(description=_MAPPINGS)]
    inherits_from: Annotated[list[str], Field(description=_PARENTS)]
    granted_tools: Annotated[list[str], Field(description="Ids of tools; `*` stands for all.")]
    granted_models: Annotated[list[str], Field(description="The providers' ids of models; `*` stands for all.")]
    effective_permissions: Annotated[EffectivePermissionsResponse, Field(description="What the role gives.")]
    priority: Annotated[int, Field(description=_PRIORITY)]
    is_system_role: Annotated[bool, Field(description="Such a role cannot be deleted.")]
    enabled: Annotated[bool, Field(description=_ENABLED)]
    created_at: Annotated[str, Field(description=_MOMENT)]
    updated_at: Annotated[str, Field(description=_MOMENT)]
    created_by: Annotated[str | None, Field(description="User id of an administrator, or `system`.")] = None


class AppRoleListResponse(Wire):
    """All roles."""

    roles: Annotated[list[AppRoleResponse], Field(description="The highest priority first, then by id.")]
    total: Annotated[int, Field(description="How many there are.")]

    @classmethod
    def of_roles(cls, roles: list[AppRole]) -> Self:
        return cls(roles=[AppRoleResponse.of(role) for role in roles], total=len(roles))


class AppRoleCreate(Wire):
    """A new role. Mappings, tools and models are at most 99 together; what is given twice counts once."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"roleId": "research_staff", **_EXAMPLE}]})

    role_id: RoleId
    display_name: Annotated[DisplayName, Field(description="Its name for administrators.")]
    description: Annotated[Description, Field(description="For administrators.")] = ""
    jwt_role_mappings: Annotated[KeyIds, Field(default_factory=list, description=_MAPPINGS)]
    inherits_from: Annotated[ParentIds, Field(default_factory=list, description=_PARENTS)]
    granted_tools: Annotated[KeyIds, Field(default_factory=list, description=_TOOLS)]
    granted_models: Annotated[KeyIds, Field(default_factory=list, description=_MODELS)]
    priority: Annotated[Priority, Field(description=_PRIORITY)] = 0
    enabled: Annotated[bool, Field(description=_ENABLED)] = True

    def to_draft(self) -> RoleDraft:
        return RoleDraft.model_validate(self.model_dump())


class AppRoleUpdate(Wire):
    """Null and absent members change nothing. Of `system_admin` only `displayName` and `description` may be given."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    display_name: Annotated[DisplayName | None, Field(description="Its name for administrators.")] = None
    description: Annotated[Description | None, Field(description="For administrators.")] = None
    jwt_role_mappings: Annotated[KeyIds | None, Field(description=f"{_MAPPINGS} Replaces the whole list.")] = None
    inherits_from: Annotated[ParentIds | None, Field(description=f"{_PARENTS} Replaces the whole list.")] = None
    granted_tools: Annotated[KeyIds | None, Field(description=f"{_TOOLS} Replaces the whole list.")] = None
    granted_models: Annotated[KeyIds | None, Field(description=f"{_MODELS} Replaces the whole list.")] = None
    priority: Annotated[Priority | None, Field(description=_PRIORITY)] = None
    enabled: Annotated[bool | None, Field(description=_ENABLED)] = None

    def to_patch(self) -> RolePatch:
        return RolePatch.model_validate(self.model_dump(exclude_unset=True))


class CacheStatsResponse(Wire):
    """What this process keeps of roles. Sizes count expired entries that are not removed yet."""

    user_cache_size: Annotated[int, Field(description="Resolved permissions of users.")]
    user_cache_expired: Annotated[int, Field(description="Of these, the expired ones.")]
    role_cache_size: Annotated[int, Field(description="Roles.")]
    role_cache_expired: Annotated[int, Field(description="Of these, the expired ones.")]
    jwt_mapping_cache_size: Annotated[int, Field(description="Roles of tokens, with what they map to.")]
    jwt_mapping_cache_expired: Annotated[int, Field(description="Of these, the expired ones.")]
