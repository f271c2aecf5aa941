"""Resolves what a user may use from the roles of the token."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from apis.shared.auth.models import User
from apis.shared.aws.dynamodb import Table
from apis.shared.errors import ErrorDetail
from apis.shared.rbac.cache import AppRoleCache, get_app_role_cache
from apis.shared.rbac.models import DEFAULT_ROLE, WILDCARD, AppRole, UserEffectivePermissions
from apis.shared.rbac.repository import AppRoleRepository
from apis.shared.result import Result, Success, collect, railway
from apis.shared.settings import StorageSettings, settings
from apis.shared.wiring import once


class AppRoleService:
    """Permissions that cannot be read are a Failure, never an empty set; failures are not kept."""

    def __init__(self, repository: AppRoleRepository, cache: AppRoleCache) -> None:
        self._repository = repository
        self._cache = cache

    async def resolve_user_permissions(self, user: User) -> Result[UserEffectivePermissions, ErrorDetail]:
        return await self._cache.users.get_or_read((user.user_id, frozenset(user.roles)), lambda: self._resolve(user))

    async def can_access_tool(self, user: User, tool_id: str) -> Result[bool, ErrorDetail]:
        """What AppRoles say to it. Whether a user may use it depends on the tool too, on its status and on whether it
        is public: `tools.access.ToolAccess` decides that, and nothing else does."""
        return (await self.resolve_user_permissions(user)).map(lambda permissions: permissions.allows_tool(tool_id))

    async def can_access_model(self, user: User, model_id: str) -> Result[bool, ErrorDetail]:
        """What AppRoles say to it, by the provider's id. Whether a user may use the model,
        `models.managed_models.can_access_model` decides."""
        return (await self.resolve_user_permissions(user)).map(lambda permissions: permissions.allows_model(model_id))

    async def get_accessible_tools(self, user: User) -> Result[Sequence[str], ErrorDetail]:
        """Ids as granted; `*` stands for everything."""
        return (await self.resolve_user_permissions(user)).map(lambda permissions: permissions.tools)

    async def get_accessible_models(self, user: User) -> Result[Sequence[str], ErrorDetail]:
        """Ids as granted; `*` stands for everything."""
        return (await self.resolve_user_permissions(user)).map(lambda permissions: permissions.models)

    async def get_user_quota_tier(self, user: User) -> Result[str | None, ErrorDetail]:
        return (await self.resolve_user_permissions(user)).map(lambda permissions: permissions.quota_tier)

    @railway
    async def _resolve(self, user: User) -> Result[UserEffectivePermissions, ErrorDetail]:
        jwt_roles = list(dict.fromkeys(user.roles))
        mapped = collect(await asyncio.gather(*(self._role_ids(jwt_role) for jwt_role in jwt_roles))).unwrap()
        role_ids = list(dict.fromkeys(role_id for ids in mapped for role_id in ids))
        found = collect(await asyncio.gather(*(self._role(role_id) for role_id in role_ids))).unwrap()
        roles = dict(zip(role_ids, found, strict=True))
        # The index that told of a role may lag behind the definition, which then does not list the mapping any more.
        held = {
            role.role_id: role
            for jwt_role, ids in zip(jwt_roles, mapped, strict=True)
            for role in map(roles.__getitem__, ids)
            if role is not None and role.enabled and jwt_role in role.jwt_role_mappings
        }
        if not held:
            default = (await self._role(DEFAULT_ROLE)).unwrap()
            held = {DEFAULT_ROLE: default} if default is not None and default.enabled else {}
        return Success(_merge(user.user_id, list(held.values())))

    async def _role_ids(self, jwt_role: str) -> Result[Sequence[str], ErrorDetail]:
        return await self._cache.mappings.get_or_read(
            jwt_role, lambda: self._repository.get_roles_for_jwt_role(jwt_role)
        )

    async def _role(self, role_id: str) -> Result[AppRole | None, ErrorDetail]:
        return await self._cache.roles.get_or_read(role_id, lambda: self._repository.get_role(role_id))


def _merge(user_id: str, roles: Sequence[AppRole]) -> UserEffectivePermissions:
    by_priority = sorted(roles, key=lambda role: -role.priority)
    tiers = [role.effective_permissions.quota_tier for role in by_priority]
    return UserEffectivePermissions(
        user_id=user_id,
        app_roles=[role.role_id for role in roles],
        tools=_union(role.effective_permissions.tools for role in roles),
        models=_union(role.effective_permissions.models for role in roles),
        quota_tier=next((tier for tier in tiers if tier is not None), None),
        resolved_at=datetime.now(UTC),
    )


def _union(granted: Iterable[Sequence[str]]) -> list[str]:
    """A role with the wildcard contributes only the wildcard. Sorted, so that equal permissions look equal."""
    return sorted({name for names in granted for name in ([WILDCARD] if WILDCARD in names else names)})


@once
def get_app_role_service() -> AppRoleService:
    name = settings(StorageSettings).dynamodb_app_roles_table_name
    return AppRoleService(AppRoleRepository(Table(name) if name else None), get_app_role_cache())
