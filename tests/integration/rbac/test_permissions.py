"""Which permissions the roles of a token resolve to, how often they are read, and that nothing unread is granted."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from apis.shared.auth.models import User
from apis.shared.errors import ErrorCode
from apis.shared.rbac.models import UserEffectivePermissions
from apis.shared.rbac.service import AppRoleService, get_app_role_service
from apis.shared.result import Failure
from tests.integration.conftest import Aws, Configure
from tests.integration.rbac.roles import ROLES, put_mapping, put_role
from tests.support.fault_proxy import Fault, FaultKind


@pytest.fixture(autouse=True)
def empty_table(aws: Aws) -> None:
    aws.clear(ROLES)


@pytest.fixture
def service(aws: Aws) -> AppRoleService:
    """As a new process has it."""
    fresh: AppRoleService = get_app_role_service.__wrapped__()
    return fresh


def user(*roles: str, user_id: str = "000000001") -> User:
    return User("a@b.c", user_id, "Ada", list(roles))


async def resolved(service: AppRoleService, *roles: str, user_id: str = "000000001") -> UserEffectivePermissions:
    return (await service.resolve_user_permissions(user(*roles, user_id=user_id))).unwrap()


async def test_the_worked_example(aws: Aws, service: AppRoleService) -> None:
    put_role(aws, "rr1", mapped=("Staff", "Faculty"), tools=("a",), priority=5)
    put_role(aws, "rr2", mapped=("Faculty",), tools=("*",), priority=9)
    permissions = await resolved(service, "Staff", "Faculty")
    assert permissions.app_roles == ["rr1", "rr2"]
    assert permissions.tools == ["*", "a"]
    assert (permissions.user_id, permissions.resolved_at.utcoffset() is not None) == ("000000001", True)


async def test_a_role_with_the_wildcard_gives_only_the_wildcard(aws: Aws, service: AppRoleService) -> None:
    put_role(aws, "r", mapped=("Staff",), tools=("*", "x"), models=("m", "*"))
    permissions = await resolved(service, "Staff")
    assert (permissions.tools, permissions.models) == (["*"], ["*"])


async def test_each_role_counts_once_at_its_first_place(aws: Aws, service: AppRoleService) -> None:
    put_role(aws, "late", mapped=("B", "C"))
    put_role(aws, "early", mapped=("A", "C"))
    assert (await resolved(service, "B", "A", "C")).app_roles == ["late", "early"]


@pytest.mark.parametrize("roles", [(), ("Unmapped",)])
async def test_nobody_s_role_is_the_default(aws: Aws, service: AppRoleService, roles: tuple[str, ...]) -> None:
    put_role(aws, "default", tools=("calculator",))
    permissions = await resolved(service, *roles)
    assert (permissions.app_roles, permissions.tools) == (["default"], ["calculator"])


@pytest.mark.parametrize("default", [None, {"enabled": False}])
async def test_without_a_usable_default_nothing_is_granted(
    aws: Aws, service: AppRoleService, default: dict[str, Any] | None
) -> None:
    if default is not None:
        put_role(aws, "default", tools=("calculator",), **default)
    permissions = await resolved(service, "Unmapped")
    assert (permissions.app_roles, permissions.tools, permissions.models, permissions.quota_tier) == ([], [], [], None)


async def test_what_is_switched_off_grants_nothing(aws: Aws, service: AppRoleService) -> None:
    put_role(aws, "off", mapped=("Staff",), tools=("a",), enabled=False)
    put_role(aws, "unmapped", tools=("b",))
    put_mapping(aws, "unmapped", "Staff", enabled=False)
    put_mapping(aws, "deleted", "Staff")
    put_role(aws, "on", mapped=("Staff",), tools=("c",))
    permissions = await resolved(service, "Staff")
    assert (permissions.app_roles, permissions.tools) == (["on"], ["c"])


async def test_the_tier_of_the_highest_role_that_has_one(aws: Aws, service: AppRoleService) -> None:
    put_role(aws, "low", mapped=("S",), tier="low", priority=1)
    put_role(aws, "high", mapped=("S",), tier="high", priority=5)
    put_role(aws, "higher", mapped=("S",), priority=9)
    put_role(aws, "tie", mapped=("S",), tier="tie", priority=5)
    assert (await resolved(service, "S")).quota_tier == "high"


async def test_an_administrator_of_the_system_is_like_everyone_else(aws: Aws, service: AppRoleService) -> None:
    put_role(aws, "system_admin", tools=("*",), models=("*",))
    put_role(aws, "default", tools=("a",))
    assert (await resolved(service, "DotNetDevelopers")).tools == ["a"]


async def test_more_mappings_than_one_page_holds(aws: Aws, service: AppRoleService) -> None:
    for number in range(4):
        put_mapping(aws, f"r{number}", "Staff", note="x" * 390_000)
        put_role(aws, f"r{number}", tools=(f"t{number}",))
    assert (await resolved(service, "Staff")).tools == ["t0", "t1", "t2", "t3"]


async def test_what_is_known_is_not_read_again(aws: Aws, service: AppRoleService) -> None:
    put_role(aws, "r", mapped=("Staff", "Faculty"), tools=("a",))
    expected = {
        ("Staff", "Faculty"): Counter(Query=2, GetItem=1),
        ("Faculty", "Staff"): Counter(),
        ("Staff",): Counter(),
        ("Staff", "New"): Counter(Query=1),
        ("New",): Counter(GetItem=1),
    }
    for roles, calls in expected.items():
        with aws.proxy.recording() as recording:
            await resolved(service, *roles)
        assert Counter(call.target.operation for call in recording.calls) == calls, roles


async def test_an_absent_role_is_asked_for_again(aws: Aws, service: AppRoleService, configure: Configure) -> None:
    assert (await resolved(service, "Unmapped", user_id="u1")).app_roles == []
    put_role(aws, "default", tools=("a",))
    assert (await resolved(service, "Unmapped", user_id="u2")).app_roles == ["default"]


async def test_d_06_another_role_set_has_other_permissions(aws: Aws, service: AppRoleService) -> None:
    """An administrator who looks at a user without roles plants nothing, and a new token gets nothing old."""
    put_role(aws, "builder", mapped=("Staff",), tools=("*",))
    assert (await resolved(service, "Staff")).tools == ["*"]
    assert (await resolved(service)).tools == []
    assert (await resolved(service, "Staff")).tools == ["*"]
    assert (await resolved(service, "Student")).tools == []


async def test_users_with_equal_roles_are_apart(aws: Aws, service: AppRoleService) -> None:
    put_role(aws, "r", mapped=("Staff",))
    first, second = await resolved(service, "Staff", user_id="u1"), await resolved(service, "Staff", user_id="u2")
    assert (first.user_id, second.user_id) == ("u1", "u2")


async def test_a_time_to_live_of_zero_reads_every_time(aws: Aws, configure: Configure) -> None:
    names = ("APP_ROLE_USER_CACHE_TTL_MINUTES", "APP_ROLE_ROLE_CACHE_TTL_MINUTES", "APP_ROLE_MAPPING_CACHE_TTL_MINUTES")
    configure(**dict.fromkeys(names, "0"))
    service = get_app_role_service.__wrapped__()
    put_role(aws, "r", mapped=("Staff",), tools=("a",))
    assert (await resolved(service, "Staff")).tools == ["a"]
    put_role(aws, "r", mapped=("Staff",), tools=("b",))
    assert (await resolved(service, "Staff")).tools == ["b"]


READS = [("Query", "JWT_ROLE#Staff"), ("GetItem", "ROLE#r"), ("GetItem", "ROLE#default")]


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (FaultKind.THROTTLED, ErrorCode.SERVICE_UNAVAILABLE),
        (FaultKind.RESET, ErrorCode.SERVICE_UNAVAILABLE),
        (FaultKind.GARBAGE, ErrorCode.SERVICE_UNAVAILABLE),
        (FaultKind.ACCESS_DENIED, ErrorCode.INTERNAL_ERROR),
    ],
)
@pytest.mark.parametrize(("operation", "key"), READS)
async def test_f_rbac_17_what_cannot_be_read_denies_and_is_not_kept(
    aws: Aws, service: AppRoleService, operation: str, key: str, kind: FaultKind, code: ErrorCode
) -> None:
    roles = ("Unmapped",) if key == "ROLE#default" else ("Staff",)
    put_role(aws, "r", mapped=("Staff",), tools=("a",))
    put_role(aws, "default", tools=("a",))
    with aws.proxy.injecting(Fault(kind, operation=operation, containing=key)) as injection:
        outcome = await service.resolve_user_permissions(user(*roles))
    assert injection.hits == 1
    assert isinstance(outcome, Failure)
    assert outcome.failure().code is code
    assert (await resolved(service, *roles)).tools == ["a"]


@pytest.mark.parametrize(
    ("corrupt", "entity"),
    [
        ({"effectivePermissions": {"tools": "a"}}, "AppRole"),
        ({"enabled": "maybe"}, "AppRole"),
        ({"priority": "high"}, "AppRole"),
    ],
)
async def test_a_corrupt_role_is_not_left_out(
    aws: Aws, service: AppRoleService, corrupt: dict[str, Any], entity: str
) -> None:
    put_role(aws, "r", mapped=("Staff",), tools=("a",), **corrupt)
    put_role(aws, "fine", mapped=("Staff",), tools=("b",))
    error = (await service.resolve_user_permissions(user("Staff"))).failure()
    assert error.code is ErrorCode.INTERNAL_ERROR
    assert (error.context["entity"], error.context["key"]) == (entity, "ROLE#r / DEFINITION")


@pytest.mark.parametrize("corrupt", [{"roleId": None}, {"roleId": ["r"]}, {"enabled": "maybe"}])
async def test_a_corrupt_mapping_is_not_left_out(aws: Aws, service: AppRoleService, corrupt: dict[str, Any]) -> None:
    put_role(aws, "r", tools=("a",))
    put_mapping(aws, "r", "Staff", **corrupt)
    error = (await service.resolve_user_permissions(user("Staff"))).failure()
    assert (error.code, error.context["entity"]) == (ErrorCode.INTERNAL_ERROR, "RoleMapping")


async def test_f_rbac_19_without_a_table_nothing_is_granted_and_nothing_fails(aws: Aws, configure: Configure) -> None:
    configure(**{ROLES: ""})
    with aws.proxy.recording() as recording:
        permissions = await resolved(get_app_role_service.__wrapped__(), "Staff")
    assert recording.calls == []
    assert (permissions.app_roles, permissions.tools, permissions.models, permissions.quota_tier) == ([], [], [], None)


async def test_an_unset_variable_is_the_table_of_that_name(aws: Aws, configure: Configure) -> None:
    configure(**{ROLES: None})
    with aws.proxy.recording() as recording:
        outcome = await get_app_role_service.__wrapped__().resolve_user_permissions(user("Staff"))
    assert {call.target.table for call in recording.calls} == {"app-roles"}
    assert outcome.failure().code is ErrorCode.INTERNAL_ERROR


async def test_reads_of_one_resolution_go_out_together(aws: Aws, service: AppRoleService) -> None:
    for number in range(4):
        put_role(aws, f"r{number}", mapped=(f"J{number}",), tools=(f"t{number}",))
    aws.proxy.delay_seconds = 0.2
    started = asyncio.get_running_loop().time()
    permissions = await resolved(service, "J0", "J1", "J2", "J3")
    aws.proxy.delay_seconds = 0.0
    assert permissions.tools == ["t0", "t1", "t2", "t3"]
    # Two steps, mappings and roles, of four reads each: one after the other they would take 1.6 s.
    assert asyncio.get_running_loop().time() - started < 1.0
