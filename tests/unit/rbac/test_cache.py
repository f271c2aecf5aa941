"""What of roles is kept, and for how long."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from apis.shared.errors import ErrorDetail
from apis.shared.rbac.cache import AppRoleCache
from apis.shared.rbac.models import AppRole, UserEffectivePermissions
from apis.shared.result import Result, Success
from apis.shared.settings import AppRoleCacheSettings

MINUTE = 60.0


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def fill(cache: AppRoleCache, *users: str) -> None:
    async def role() -> Result[AppRole | None, ErrorDetail]:
        return Success(AppRole(role_id="r"))

    async def mapping() -> Result[list[str], ErrorDetail]:
        return Success([])

    for user_id in users:

        async def user(user_id: str = user_id) -> Result[UserEffectivePermissions, ErrorDetail]:
            return Success(UserEffectivePermissions(user_id, [], [], [], None, datetime.now(UTC)))

        (await cache.users.get_or_read((user_id, frozenset({"Staff"})), user)).unwrap()
    (await cache.roles.get_or_read("r", role)).unwrap()
    (await cache.mappings.get_or_read("Staff", mapping)).unwrap()


def sizes(cache: AppRoleCache) -> tuple[int, int, int, int, int, int]:
    stats = cache.get_stats()
    return (
        stats.user_cache_size,
        stats.user_cache_expired,
        stats.role_cache_size,
        stats.role_cache_expired,
        stats.jwt_mapping_cache_size,
        stats.jwt_mapping_cache_expired,
    )


async def test_each_layer_expires_by_itself(clock: Clock) -> None:
    ttl = AppRoleCacheSettings(app_role_mapping_cache_ttl_minutes=20)
    cache = AppRoleCache(ttl, clock=clock)
    await fill(cache, "u", "v")
    seen = [sizes(cache)]
    for minutes in (5, 5, 10):
        clock.now += minutes * MINUTE
        seen.append(sizes(cache))
    assert seen == [(2, 0, 1, 0, 1, 0), (2, 2, 1, 0, 1, 0), (2, 2, 1, 1, 1, 0), (2, 2, 1, 1, 1, 1)]
    assert cache.cleanup_expired() == 4
    assert sizes(cache) == (0,) * 6


async def test_a_changed_role_takes_all_users_with_it(clock: Clock) -> None:
    cache = AppRoleCache(AppRoleCacheSettings(), clock=clock)
    await fill(cache, "u", "v")
    cache.invalidate_role("another", ["Faculty"])
    assert sizes(cache) == (0, 0, 1, 0, 1, 0)
    cache.invalidate_role("r", ["Faculty", "Staff"])
    assert sizes(cache) == (0,) * 6
    await fill(cache, "u")
    cache.invalidate_all()
    assert sizes(cache) == (0,) * 6


async def test_d_16_users_are_bounded(clock: Clock) -> None:
    cache = AppRoleCache(AppRoleCacheSettings(), clock=clock)
    await fill(cache, *(str(number) for number in range(10_050)))
    assert cache.get_stats().user_cache_size == 10_000


async def test_nothing_is_kept_for_no_time(clock: Clock) -> None:
    cache = AppRoleCache(
        AppRoleCacheSettings(
            app_role_user_cache_ttl_minutes=0, app_role_role_cache_ttl_minutes=0, app_role_mapping_cache_ttl_minutes=0
        ),
        clock=clock,
    )
    await fill(cache, "u")
    assert sizes(cache) == (0,) * 6
