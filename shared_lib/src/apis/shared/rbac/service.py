"""Resolves what a user may use from the roles of the token."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from apis.shared.auth.models import User
from apis.shared.aws.dynamodb import Table
from apis.shared.errors import ErrorDetail
from apis.shared.rbac.models import WILDCARD, AppRole, UserEffectivePermissions
from apis.shared.rbac.repository import AppRoleRepository
from apis.shared.result import Result, Success, collect, railway
from apis.shared.settings import AppRoleCacheSettings, StorageSettings, settings
from apis.shared.ttl_cache import TtlCache
from apis.shared.wiring import once

DEFAULT_ROLE = "default"


class AppRoleService:
    """Permissions that cannot be read are a Failure, never an empty set; failures are not cached."""

    def __init__(self, repository: AppRoleRepository, ttl: AppRoleCacheSettings) -> None:
        self._repository = repository
        # Keyed by the role set too: a token with other roles must not get what an earlier one resolved to.
        self._users: TtlCache[tuple[str, frozenset[str]], UserEffectivePermissions] = TtlCache(
            ttl.app_role_user_cache_ttl_minutes * 60
        )
        self._roles: TtlCache[str, AppRole | None] = TtlCache(ttl.app_role_role_cache_ttl_minutes * 60)
        self._mappings: TtlCache[str, Sequence[str]] = TtlCache(ttl.app_role_mapping_cache_ttl_minutes * 60)

    async def resolve_user_permissions(self, user: User) -> Result[UserEffectivePermissions, ErrorDetail]:
        return await self._users.get_or_read((user.user_id, frozenset(user.roles)), lambda: self._resolve(user))

    @railway
    async def _resolve(self, user: User) -> Result[UserEffectivePermissions, ErrorDetail]:
        mapped = collect(await asyncio.gather(*(self._role_ids(role) for role in dict.fromkeys(user.roles)))).unwrap()
        role_ids = dict.fromkeys(role_id for ids in mapped for role_id in ids)
        roles = collect(await asyncio.gather(*(self._role(role_id) for role_id in role_ids))).unwrap()
        enabled = [role for role in roles if role is not None and role.enabled]
        if not enabled:
            default = (await self._role(DEFAULT_ROLE)).unwrap()
            enabled = [default] if default is not None and default.enabled else []
        return Success(_merge(user.user_id, enabled))

    async def _role_ids(self, jwt_role: str) -> Result[Sequence[str], ErrorDetail]:
        return await self._mappings.get_or_read(jwt_role, lambda: self._repository.get_roles_for_jwt_role(jwt_role))

    async def _role(self, role_id: str) -> Result[AppRole | None, ErrorDetail]:
        return await self._roles.get_or_read(role_id, lambda: self._repository.get_role(role_id))


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
    return AppRoleService(AppRoleRepository(Table(name) if name else None), settings(AppRoleCacheSettings))
