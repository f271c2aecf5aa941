"""Reads behind a resolution: to the end of the index, side by side, and never taken for an empty answer."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from apis.shared.auth.models import User
from apis.shared.errors import ErrorCode
from apis.shared.rbac.service import AppRoleService, get_app_role_service
from apis.shared.result import Failure
from tests.integration.conftest import Aws, Configure
from tests.integration.rbac.test_app_roles import store
from tests.support import stored
from tests.support.fault_proxy import Fault, FaultKind


@pytest.fixture
def service(aws: Aws) -> AppRoleService:
    """With empty caches and an empty table."""
    aws.clear(stored.ROLES)
    return get_app_role_service()


def user(*roles: str) -> User:
    return User("a@x.edu", "000000001", "Ada", list(roles))


async def tools(service: AppRoleService, *roles: str) -> list[str]:
    return list((await service.resolve_user_permissions(user(*roles))).unwrap().tools)


async def test_more_mappings_than_one_page_holds(aws: Aws, service: AppRoleService) -> None:
    for number in range(4):
        store(aws, f"r{number}", jwtRoleMappings=["Staff"], **stored.granting(f"t{number}"))
        aws.store(stored.role_mapping(f"r{number}", "Staff", note="x" * 390_000))
    assert await tools(service, "Staff") == ["t0", "t1", "t2", "t3"]


async def test_d_06_looking_at_a_user_plants_nothing(aws: Aws, service: AppRoleService) -> None:
    """An administrator resolves the user with other roles, often none."""
    store(aws, "builder", "Staff", **stored.granting("*"))
    assert await tools(service, "Staff") == ["*"]
    assert await tools(service) == []
    assert await tools(service, "Staff") == ["*"]


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (FaultKind.THROTTLED, ErrorCode.SERVICE_UNAVAILABLE),
        (FaultKind.RESET, ErrorCode.SERVICE_UNAVAILABLE),
        (FaultKind.GARBAGE, ErrorCode.SERVICE_UNAVAILABLE),
        (FaultKind.ACCESS_DENIED, ErrorCode.INTERNAL_ERROR),
    ],
)
@pytest.mark.parametrize("key", ["JWT_ROLE#Staff", "ROLE#r", "ROLE#default"])
async def test_f_rbac_17_what_cannot_be_read_denies(
    aws: Aws, service: AppRoleService, key: str, kind: FaultKind, code: ErrorCode
) -> None:
    roles = ("Unmapped",) if key == "ROLE#default" else ("Staff",)
    store(aws, "r", "Staff", **stored.granting("a"))
    store(aws, "default", **stored.granting("a"))
    with aws.proxy.injecting(Fault(kind, containing=key)) as injection:
        outcome = await service.resolve_user_permissions(user(*roles))
    assert injection.hits == 1
    assert isinstance(outcome, Failure)
    assert outcome.failure().code is code
    assert await tools(service, *roles) == ["a"], "the failure was kept"


@pytest.mark.parametrize("corrupt", [{"roleId": None}, {"roleId": ["r"]}, {"enabled": "maybe"}])
async def test_a_corrupt_mapping_is_not_left_out(aws: Aws, service: AppRoleService, corrupt: dict[str, Any]) -> None:
    store(aws, "r", **stored.granting("a"))
    aws.store(stored.role_mapping("r", "Staff", **corrupt))
    error = (await service.resolve_user_permissions(user("Staff"))).failure()
    assert (error.code, error.context["key"]) == (ErrorCode.INTERNAL_ERROR, "ROLE#r / JWT_MAPPING#Staff")


async def test_an_unset_variable_is_the_table_of_that_name(
    aws: Aws, service: AppRoleService, configure: Configure
) -> None:
    configure(**{stored.ROLES: None})
    with aws.proxy.recording() as recording:
        outcome = await get_app_role_service().resolve_user_permissions(user("Staff"))
    assert {call.target.table for call in recording.calls} == {"app-roles"}
    assert outcome.failure().code is ErrorCode.INTERNAL_ERROR


@pytest.mark.parametrize(
    ("kept", "calls"),
    [("USER", {}), ("ROLE", {"Query": 1}), ("MAPPING", {"GetItem": 1}), (None, {"Query": 1, "GetItem": 1})],
)
async def test_each_cache_on_its_own(aws: Aws, configure: Configure, kept: str | None, calls: dict[str, int]) -> None:
    aws.clear(stored.ROLES)
    ttl = {f"APP_ROLE_{name}_CACHE_TTL_MINUTES": "5" if name == kept else "0" for name in ("USER", "ROLE", "MAPPING")}
    configure(**ttl)
    service = get_app_role_service()
    store(aws, "r", "Staff", **stored.granting("a"))
    assert await tools(service, "Staff") == ["a"]
    with aws.proxy.recording() as recording:
        assert await tools(service, "Staff") == ["a"]
    assert Counter(call.target.operation for call in recording.calls) == calls


async def test_reads_go_out_together(aws: Aws, service: AppRoleService) -> None:
    for number in range(4):
        store(aws, f"r{number}", f"J{number}", **stored.granting(f"t{number}"))
    started = asyncio.get_running_loop().time()
    aws.proxy.delay_seconds = 0.3
    try:
        assert await tools(service, "J0", "J1", "J2", "J3") == ["t0", "t1", "t2", "t3"]
    finally:
        aws.proxy.delay_seconds = 0.0
    # Two steps, mappings and roles, of four reads each: one after the other they would take 2.4 s.
    assert asyncio.get_running_loop().time() - started < 2.2
