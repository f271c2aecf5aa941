"""What a user may use, resolved from stored roles: worked examples, defaults, caches and calls."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from apis.shared.auth.models import User
from apis.shared.rbac.models import UserEffectivePermissions
from apis.shared.rbac.service import AppRoleService, get_app_role_service
from tests.integration.conftest import Aws, Configure
from tests.support import stored
from tests.support.fault_proxy import Fault, FaultKind, Recording

type MakeUser = Callable[..., User]


@pytest.fixture
def service(aws: Aws) -> AppRoleService:
    """With empty caches and an empty table."""
    aws.clear(stored.ROLES)
    return get_app_role_service()


@pytest.fixture
def user() -> MakeUser:
    user_id = uuid.uuid4().hex[:9]
    return lambda *roles, user_id=user_id: User(user_id=user_id, email="a@x.edu", name="Ada", roles=list(roles))


def store(aws: Aws, role_id: str, *jwt_roles: str, **definition: Any) -> None:
    """A role and its mappings as an administrator saves them."""
    aws.store(*stored.role(role_id, *jwt_roles, **definition))


async def resolve(service: AppRoleService, user: User) -> UserEffectivePermissions:
    return (await service.resolve_user_permissions(user)).unwrap()


def operations(recording: Recording) -> Counter[str]:
    return Counter(call.target.operation for call in recording.calls)


async def test_the_worked_example(aws: Aws, service: AppRoleService, user: MakeUser) -> None:
    store(aws, "rr1", "Staff", "Faculty", priority=5, **stored.granting("a"))
    store(aws, "rr2", "Faculty", priority=9, **stored.granting("*"))
    permissions = await resolve(service, user("Staff", "Faculty"))
    assert permissions.app_roles == ["rr1", "rr2"]
    assert permissions.tools == ["*", "a"]
    assert permissions.models == []
    assert permissions.allows_tool("anything")
    assert not permissions.allows_model("anything")


async def test_a_role_with_everything_contributes_nothing_else(
    aws: Aws, service: AppRoleService, user: MakeUser
) -> None:
    store(aws, "all", "Staff", **stored.granting("*", "b", models=("m1", "*")))
    store(aws, "some", "Faculty", **stored.granting("c", "a", models=("m2",)))
    permissions = await resolve(service, user("Staff", "Faculty"))
    assert (permissions.tools, permissions.models) == (["*", "a", "c"], ["*", "m2"])


async def test_roles_are_listed_in_the_order_of_the_token(aws: Aws, service: AppRoleService, user: MakeUser) -> None:
    store(aws, "a", "Second")
    store(aws, "b", "First", "Second")
    assert (await resolve(service, user("Unmapped", "First", "Second", "First"))).app_roles == ["b", "a"]


@pytest.mark.parametrize(
    ("tiers", "expected"),
    [
        ([(1, "low"), (9, "high")], "high"),
        ([(1, "low"), (9, None)], "low"),
        ([(5, "first"), (5, "second")], "first"),
        ([(0, None)], None),
    ],
)
async def test_the_tier_of_the_highest_priority(
    aws: Aws, service: AppRoleService, user: MakeUser, tiers: list[tuple[int, str | None]], expected: str | None
) -> None:
    for number, (priority, tier) in enumerate(tiers):
        store(aws, f"r{number}", "Staff", priority=priority, **stored.granting(tier=tier))
    assert (await resolve(service, user("Staff"))).quota_tier == expected


@pytest.mark.parametrize("roles", [[], ["Unmapped"]])
async def test_who_has_no_role_has_the_default_one(
    aws: Aws, service: AppRoleService, user: MakeUser, roles: list[str]
) -> None:
    store(aws, "default", **stored.granting("d"))
    permissions = await resolve(service, user(*roles))
    assert (permissions.app_roles, permissions.tools) == (["default"], ["d"])


@pytest.mark.parametrize("default", [None, False])
async def test_without_a_default_role_nothing_is_allowed(
    aws: Aws, service: AppRoleService, user: MakeUser, default: bool | None
) -> None:
    if default is not None:
        store(aws, "default", enabled=default, **stored.granting("*", models=("*",)))
    permissions = await resolve(service, user("Staff"))
    assert (permissions.app_roles, permissions.tools, permissions.models) == ([], [], [])


@pytest.mark.parametrize("disabled", [{"enabled": False}, {"mapping": False}], ids=["role", "mapping"])
async def test_what_is_disabled_gives_nothing(
    aws: Aws, service: AppRoleService, user: MakeUser, disabled: dict[str, Any]
) -> None:
    store(aws, "default", **stored.granting("d"))
    store(aws, "off", "Staff", **disabled, **stored.granting("*"))
    assert (await resolve(service, user("Staff"))).tools == ["d"]


async def test_a_mapping_to_a_role_that_is_gone(aws: Aws, service: AppRoleService, user: MakeUser) -> None:
    store(aws, "kept", "Staff", **stored.granting("k"))
    aws.put(
        stored.ROLES,
        {
            "PK": "ROLE#gone",
            "SK": "JWT_MAPPING#Staff",
            "GSI1PK": "JWT_ROLE#Staff",
            "GSI1SK": "ROLE#gone",
            "roleId": "gone",
        },
    )
    assert (await resolve(service, user("Staff"))).app_roles == ["kept"]


async def test_an_incomplete_record_has_defaults(aws: Aws, service: AppRoleService, user: MakeUser) -> None:
    store(aws, "bare", "Staff", mapping=stored.LEFT_OUT, effectivePermissions={"tools": ["t"]})
    permissions = await resolve(service, user("Staff"))
    assert (permissions.app_roles, permissions.tools, permissions.models) == (["bare"], ["t"], [])


@pytest.mark.parametrize(
    "corrupt", [{"priority": "high"}, {"effectivePermissions": "all"}, {"effectivePermissions": {"tools": [1]}}]
)
async def test_a_corrupt_role_denies_and_is_named(
    aws: Aws, service: AppRoleService, user: MakeUser, corrupt: dict[str, Any]
) -> None:
    store(aws, "bad", "Staff", **corrupt)
    error = (await service.resolve_user_permissions(user("Staff"))).failure()
    assert error.code == "internal_error"
    assert error.context["key"] == "ROLE#bad / DEFINITION"


async def test_calls(aws: Aws, service: AppRoleService, user: MakeUser) -> None:
    store(aws, "rr1", "Staff", "Faculty", **stored.granting("a"))
    store(aws, "rr2", "Faculty", **stored.granting("b"))
    with aws.proxy.recording() as first:
        await resolve(service, user("Staff", "Faculty", "Staff"))
    assert operations(first) == {"Query": 2, "GetItem": 2}
    with aws.proxy.recording() as again:
        await resolve(service, user("Faculty", "Staff"))
        await resolve(service, user("Faculty", "Staff", user_id="another"))
    assert operations(again) == {}
    with aws.proxy.recording() as one_more_role:
        await resolve(service, user("Faculty", "Student"))
    assert operations(one_more_role) == {"Query": 1}


async def test_a_token_with_other_roles_is_resolved_anew(aws: Aws, service: AppRoleService, user: MakeUser) -> None:
    store(aws, "rr1", "Staff", **stored.granting("a"))
    store(aws, "rr2", "Faculty", **stored.granting("b"))
    assert (await resolve(service, user("Staff", "Faculty"))).tools == ["a", "b"]
    assert (await resolve(service, user("Staff"))).tools == ["a"]


async def test_that_a_role_has_no_mapping_is_kept(aws: Aws, service: AppRoleService, user: MakeUser) -> None:
    await resolve(service, user("Staff"))
    with aws.proxy.recording() as recording:
        await resolve(service, user("Staff", user_id="another"))
    # The absent `default` is asked for again: an administrator may just have created it.
    assert operations(recording) == {"GetItem": 1}


@pytest.mark.parametrize("operation", ["Query", "GetItem"])
async def test_a_failure_denies_and_is_not_kept(
    aws: Aws, service: AppRoleService, user: MakeUser, operation: str
) -> None:
    store(aws, "rr1", "Staff", **stored.granting("a"))
    with aws.proxy.injecting(Fault(FaultKind.THROTTLED, operation=operation)):
        assert (await service.resolve_user_permissions(user("Staff"))).failure().code == "service_unavailable"
    assert (await resolve(service, user("Staff"))).tools == ["a"]


async def test_one_unreadable_mapping_denies_everything(aws: Aws, service: AppRoleService, user: MakeUser) -> None:
    store(aws, "rr1", "Staff", **stored.granting("a"))
    with aws.proxy.injecting(Fault(FaultKind.ACCESS_DENIED, containing="JWT_ROLE#Faculty")):
        assert (await service.resolve_user_permissions(user("Staff", "Faculty"))).failure().code == "internal_error"


async def test_a_time_to_live_of_zero_keeps_nothing(
    aws: Aws, service: AppRoleService, configure: Configure, user: MakeUser
) -> None:
    configure(**{f"APP_ROLE_{name}_CACHE_TTL_MINUTES": "0" for name in ("USER", "ROLE", "MAPPING")})
    uncached = get_app_role_service()
    store(aws, "rr1", "Staff", **stored.granting("a"))
    assert (await resolve(uncached, user("Staff"))).tools == ["a"]
    store(aws, "rr1", "Staff", **stored.granting("b"))
    assert (await resolve(uncached, user("Staff"))).tools == ["b"]
    assert (await resolve(service, user("Staff"))).tools == ["b"]


async def test_users_who_resolve_at_once(aws: Aws, service: AppRoleService, user: MakeUser) -> None:
    store(aws, "rr1", "Staff", **stored.granting("a"))
    resolved = await asyncio.gather(*(resolve(service, user("Staff", user_id=f"u{number}")) for number in range(10)))
    assert {(permissions.user_id, *permissions.tools) for permissions in resolved} == {
        (f"u{number}", "a") for number in range(10)
    }


async def test_an_empty_table_name_means_that_there_are_no_roles(
    aws: Aws, service: AppRoleService, configure: Configure, user: MakeUser
) -> None:
    configure(**{stored.ROLES: ""})
    with aws.proxy.recording() as recording:
        permissions = await resolve(get_app_role_service(), user("Staff"))
    assert (permissions.app_roles, permissions.tools, permissions.models, permissions.quota_tier) == ([], [], [], None)
    assert operations(recording) == {}
