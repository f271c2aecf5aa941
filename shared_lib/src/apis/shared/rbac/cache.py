"""What a process keeps of roles. Other processes see a change when their own entries expire."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from apis.shared.rbac.models import AppRole, UserEffectivePermissions
from apis.shared.settings import AppRoleCacheSettings, settings
from apis.shared.ttl_cache import TtlCache
from apis.shared.wiring import once

type RoleSet = tuple[str, frozenset[str]]
"""A user's id and the roles of the token: with other roles the same user has other permissions."""


@dataclass(frozen=True, slots=True)
class AppRoleCacheStats:
    """Sizes count expired entries that are not removed yet."""

    user_cache_size: int
    user_cache_expired: int
    role_cache_size: int
    role_cache_expired: int
    jwt_mapping_cache_size: int
    jwt_mapping_cache_expired: int


class AppRoleCache:
    """Resolved permissions of users, roles by id (an absent one is not kept), and the ids of the roles that a role of
    the token maps to (also when there are none)."""

    def __init__(self, ttl: AppRoleCacheSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.users: TtlCache[RoleSet, UserEffectivePermissions] = TtlCache(
            ttl.app_role_user_cache_ttl_minutes * 60, clock=clock
        )
        self.roles: TtlCache[str, AppRole | None] = TtlCache(ttl.app_role_role_cache_ttl_minutes * 60, clock=clock)
        self.mappings: TtlCache[str, Sequence[str]] = TtlCache(ttl.app_role_mapping_cache_ttl_minutes * 60, clock=clock)

    def invalidate_role(self, role_id: str, jwt_roles: Iterable[str]) -> None:
        """A role was written: `jwt_roles` are those that it was mapped from, and those that it is mapped from now."""
        self.mappings.invalidate_keys(jwt_roles)
        self.roles.invalidate_keys([role_id])
        self.users.invalidate()

    def invalidate_all(self) -> None:
        for layer in (self.mappings, self.roles, self.users):
            layer.invalidate()

    def cleanup_expired(self) -> int:
        """How many entries were removed."""
        return sum(layer.remove_expired() for layer in (self.mappings, self.roles, self.users))

    def get_stats(self) -> AppRoleCacheStats:
        users, roles, mappings = self.users.size(), self.roles.size(), self.mappings.size()
        return AppRoleCacheStats(
            user_cache_size=users.entries,
            user_cache_expired=users.expired,
            role_cache_size=roles.entries,
            role_cache_expired=roles.expired,
            jwt_mapping_cache_size=mappings.entries,
            jwt_mapping_cache_expired=mappings.expired,
        )


@once
def get_app_role_cache() -> AppRoleCache:
    return AppRoleCache(settings(AppRoleCacheSettings))
