"""What a process keeps of roles, and what a change of roles does to it: read, changed and read again in one process."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from apis.shared.auth.models import User
from apis.shared.errors import ErrorCode, ErrorDetail
from apis.shared.rbac.admin_service import AppRoleAdminService, get_app_role_admin_service
from apis.shared.rbac.cache import get_app_role_cache
from apis.shared.rbac.models import AppRole, RoleDraft, RolePatch
from apis.shared.rbac.service import AppRoleService, get_app_role_service
from apis.shared.result import Result
from tests.integration.conftest import Aws, Configure
from tests.integration.rbac.conftest import RoleEditor
from tests.support import stored
from tests.support.aws_access import to_wire
from tests.support.aws_wire import Answer
from tests.support.fault_proxy import Call, Fault, FaultKind

ADMIN = User("admin@x.edu", "111111111", "Admin", ["DotNetDevelopers"])

type Change = Callable[[AppRoleAdminService], Awaitable[Result[Any, ErrorDetail]]]


@pytest.fixture
def service(aws: Aws) -> AppRoleService:
    """With empty caches, and a role `basic` that staff have."""
    aws.clear(stored.ROLES)
    aws.store(*stored.whole_role("basic", jwtRoleMappings=["Staff"], grantedTools=["a"]))
    aws.store(*stored.whole_role("default", grantedTools=["d"]))
    return get_app_role_service()


@pytest.fixture
def admin(service: AppRoleService) -> AppRoleAdminService:
    found = get_app_role_admin_service()
    assert found is not None
    return found


def user(*roles: str, user_id: str = "000000001") -> User:
    return User("a@x.edu", user_id, "Ada", list(roles))


async def held(service: AppRoleService, *roles: str, user_id: str = "000000001") -> list[str]:
    return list((await service.resolve_user_permissions(user(*roles, user_id=user_id))).unwrap().app_roles)


def remapped(*jwt_roles: str) -> RolePatch:
    return RolePatch(jwt_role_mappings=list(jwt_roles))


async def test_a_revoked_role_is_lost_at_once(service: AppRoleService, admin: AppRoleAdminService) -> None:
    assert await held(service, "Staff") == ["basic"]
    (await admin.update_role("basic", remapped("Faculty"), ADMIN)).unwrap()
    assert await held(service, "Staff") == ["default"]
    assert await held(service, "Faculty") == ["basic"]


@pytest.mark.parametrize(
    ("change", "roles", "after"),
    [
        (lambda a: a.update_role("basic", RolePatch(granted_tools=["b"]), ADMIN), ["basic"], ["b"]),
        (lambda a: a.update_role("basic", RolePatch(enabled=False), ADMIN), ["default"], ["d"]),
        (lambda a: a.delete_role("basic", ADMIN), ["default"], ["d"]),
        (lambda a: a.add_tool_to_role("basic", "b", ADMIN), ["basic"], ["a", "b"]),
        (lambda a: a.remove_tool_from_role("basic", "a", ADMIN), ["basic"], []),
        (
            lambda a: a.create_role(RoleDraft(role_id="more", jwt_role_mappings=["Staff"], granted_tools=["m"]), ADMIN),
            ["basic", "more"],
            ["a", "m"],
        ),
    ],
    ids=["grants", "disabled", "deleted", "tool added", "tool removed", "created"],
)
async def test_every_change_is_seen_at_once(
    service: AppRoleService, admin: AppRoleAdminService, change: Change, roles: list[str], after: list[str]
) -> None:
    assert (await service.get_accessible_tools(user("Staff"))).unwrap() == ["a"]
    (await change(admin)).unwrap()
    assert await held(service, "Staff") == roles
    assert (await service.get_accessible_tools(user("Staff"))).unwrap() == after


async def test_f_rbac_20_a_change_whose_answer_was_lost_is_seen_too(
    aws: Aws, service: AppRoleService, admin: AppRoleAdminService
) -> None:
    assert await held(service, "Staff") == ["basic"]
    with aws.proxy.injecting(Fault(FaultKind.RESET, operation="TransactWriteItems")):
        assert (await admin.update_role("basic", remapped(), ADMIN)).failure().code is ErrorCode.SERVICE_UNAVAILABLE
    assert await held(service, "Staff") == ["default"]


@pytest.mark.parametrize("held_back", ["GetItem", "Query"])
async def test_r2_what_was_read_before_a_change_is_not_kept(
    aws: Aws, service: AppRoleService, admin: AppRoleAdminService, held_back: str
) -> None:
    mapping_or_role = "JWT_ROLE#Staff" if held_back == "Query" else "ROLE#basic"
    with aws.proxy.holding(held_back, containing=mapping_or_role) as hold:
        overtaken = asyncio.create_task(held(service, "Staff"))
        await hold.has(1)
        with aws.proxy.recording() as recording:
            changing = asyncio.create_task(admin.update_role("basic", remapped(), ADMIN))
            (await changing).unwrap()
        assert [call.target.operation for call in recording.calls] == ["Query", "TransactWriteItems"]
    # It may still be what it read; for a mapping alone that is not enough.
    assert await overtaken == (["basic"] if held_back == "GetItem" else ["default"])
    assert await held(service, "Staff") == ["default"]
    assert await held(service, "Staff", user_id="000000002") == ["default"]


async def test_r3_p5_an_index_that_lags_gives_nothing_back(
    aws: Aws, service: AppRoleService, admin: AppRoleAdminService
) -> None:
    old = {"PK": "ROLE#basic", "SK": "JWT_MAPPING#Staff", "roleId": "basic", "enabled": True}
    (await admin.update_role("basic", remapped(), ADMIN)).unwrap()

    def lag(call: Call) -> Answer | None:
        if call.target.operation != "Query" or "JWT_ROLE#Staff" not in call.text:
            return None
        return Answer(200, "application/x-amz-json-1.0", json.dumps({"Items": [to_wire(old)], "Count": 1}).encode())

    with aws.proxy.answering(lag):
        assert await held(service, "Staff") == ["default"]
    assert await held(service, "Staff", user_id="000000002") == ["default"]


async def test_r1_the_key_is_the_set_of_roles(aws: Aws, service: AppRoleService) -> None:
    for role_id, jwt_role in (("ra", "a"), ("rb", "b"), ("comma", "a,b"), ("bar", "a|b")):
        aws.store(*stored.whole_role(role_id, jwtRoleMappings=[jwt_role], grantedTools=[f"t_{role_id}"]))
    first = (await service.resolve_user_permissions(user("a", "b"))).unwrap()
    assert await held(service, "a,b") == ["comma"]
    assert await held(service, "a|b") == ["bar"]
    assert (await service.resolve_user_permissions(user("b", "a", "a"))).unwrap() is first
    assert first.tools == ["t_ra", "t_rb"]


async def test_r13_r14_other_roles_are_another_entry(aws: Aws, service: AppRoleService) -> None:
    """An administrator looks at the user with stored roles; the user comes with a new token."""
    aws.store(*stored.whole_role("wide", jwtRoleMappings=["Faculty"], grantedTools=["*"]))
    assert await held(service, "Staff") == ["basic"]
    assert await held(service, "Faculty", "Staff") == ["wide", "basic"]
    assert await held(service) == ["default"]
    assert await held(service, "Staff") == ["basic"]


@pytest.mark.parametrize(
    "role", ["\u20ac" * 700, "x" * 1013, "\ud800", ""], ids=["2,100", "1,013", "half pair", "empty"]
)
async def test_r7_a_role_of_the_token_that_no_role_can_map(aws: Aws, service: AppRoleService, role: str) -> None:
    assert await held(service, role, "Staff") == ["basic"]


async def test_the_longest_role_of_a_token_that_can_be_mapped(aws: Aws, service: AppRoleService) -> None:
    aws.store(*stored.whole_role("long", jwtRoleMappings=["x" * 1012]))
    assert await held(service, "x" * 1012) == ["long"]


async def test_questions_about_one_user(aws: Aws, service: AppRoleService) -> None:
    granted = stored.granting("t", models=["m"], tier="gold")
    aws.store(*stored.whole_role("basic", jwtRoleMappings=["Staff"], **granted))
    staff = user("Staff")
    assert [(await service.can_access_tool(staff, tool)).unwrap() for tool in "tx"] == [True, False]
    assert [(await service.can_access_model(staff, model)).unwrap() for model in "mx"] == [True, False]
    assert (await service.get_accessible_tools(staff)).unwrap() == ["t"]
    assert (await service.get_accessible_models(staff)).unwrap() == ["m"]
    assert (await service.get_user_quota_tier(staff)).unwrap() == "gold"


async def test_stats_of_the_caches(roles: RoleEditor, role_id: str) -> None:
    """Those of the App API's process, in which tests keep nothing."""
    answer = await roles("GET", "cache/stats")
    assert answer.status_code == 200
    layers = ("userCache", "roleCache", "jwtMappingCache")
    assert answer.json() == {f"{layer}{what}": 0 for layer in layers for what in ("Size", "Expired")}
    invalidated = await roles("POST", "cache/invalidate")
    assert (invalidated.status_code, invalidated.content) == (204, b"")


async def test_what_is_kept_and_forgotten(aws: Aws, service: AppRoleService) -> None:
    await held(service, "Staff")
    await held(service, "Staff", user_id="000000002")
    await held(service, "Nobody")
    kept = get_app_role_cache().get_stats()
    assert (kept.user_cache_size, kept.role_cache_size, kept.jwt_mapping_cache_size) == (3, 2, 2)
    get_app_role_cache().invalidate_all()
    with aws.proxy.recording() as recording:
        await held(service, "Staff")
    assert len(recording.calls) == 2


async def test_tools_and_roles_both_ways(aws: Aws, service: AppRoleService, admin: AppRoleAdminService) -> None:
    """What the pages of tools do with roles."""
    aws.store(*stored.whole_role("other", grantedTools=["a"], enabled=False, displayName="Other"))
    aws.store(*stored.whole_role("wide", grantedTools=["*"]))
    aws.store(*(row for row in stored.whole_role("gone", grantedTools=["a"]) if row.item["SK"] != "DEFINITION"))
    found = (await admin.get_roles_granting_tool("a")).unwrap()
    assert [(one.role_id, one.display_name, one.enabled) for one in found] == [
        ("basic", "basic", True),
        ("other", "Other", False),
    ]
    assert {(one.grant_type, one.inherited_from) for one in found} == {("direct", None)}
    assert (await admin.add_tool_to_role("other", "b", ADMIN)).unwrap().granted_tools == ["a", "b"]
    assert (await admin.remove_tool_from_role("other", "a", ADMIN)).unwrap().granted_tools == ["b"]
    assert [one.role_id for one in (await admin.get_roles_granting_tool("a")).unwrap()] == ["basic"]
    with aws.proxy.recording() as recording:
        same: list[AppRole] = [
            (await admin.add_tool_to_role("other", "b", ADMIN)).unwrap(),
            (await admin.remove_tool_from_role("other", "zzz", ADMIN)).unwrap(),
        ]
    assert [role.granted_tools for role in same] == [["b"], ["b"]]
    assert [call.target.operation for call in recording.calls] == ["Query", "Query"]


async def test_f_rbac_21_roles_of_a_tool_that_cannot_be_read(
    aws: Aws, service: AppRoleService, admin: AppRoleAdminService
) -> None:
    for operation in ("Query", "GetItem"):
        with aws.proxy.injecting(Fault(FaultKind.THROTTLED, operation=operation)):
            assert (await admin.get_roles_granting_tool("a")).failure().code is ErrorCode.SERVICE_UNAVAILABLE


@pytest.mark.parametrize("change", ["add_tool_to_role", "remove_tool_from_role"])
async def test_tools_of_roles_that_may_not_change(
    aws: Aws, service: AppRoleService, admin: AppRoleAdminService, change: str
) -> None:
    aws.store(*stored.whole_role("system_admin", grantedTools=["*"], isSystemRole=True))
    write = getattr(admin, change)
    assert (await write("nope", "a", ADMIN)).failure().message == "Role 'nope' not found"
    error = (await write("system_admin", "a", ADMIN)).failure()
    assert (error.code, "grantedTools" in error.message) == (ErrorCode.BAD_REQUEST, True)


async def test_roles_of_tools_and_models(aws: Aws, service: AppRoleService) -> None:
    repository = service._repository
    aws.store(*stored.whole_role("b_role", grantedTools=["t"], grantedModels=["m"], displayName="B"))
    aws.store(*stored.whole_role("a_role", grantedTools=["t"], enabled=False, displayName="A"))
    tools, models = await repository.get_roles_for_tool("t"), await repository.get_roles_for_model("m")
    assert [(one.role_id, one.display_name, one.enabled) for one in tools.unwrap()] == [
        ("a_role", "A", False),
        ("b_role", "B", True),
    ]
    assert [one.role_id for one in models.unwrap()] == ["b_role"]
    assert (await repository.get_roles_for_tool("x" * 3000)).unwrap() == []
    assert [(await repository.role_exists(one)).unwrap() for one in ("a_role", "nope")] == [True, False]


async def test_more_grants_than_one_page_of_the_index(aws: Aws, service: AppRoleService) -> None:
    """D-08: a page is a megabyte."""
    for number in range(4):
        (_, grant) = stored.whole_role(f"r{number}", grantedTools=["t"], displayName="x" * 390_000)
        aws.store(grant)
    found = (await service._repository.get_roles_for_tool("t")).unwrap()
    assert [one.role_id for one in found] == [f"r{number}" for number in range(4)]


async def test_f_rbac_19_without_a_table(aws: Aws, service: AppRoleService, configure: Configure) -> None:
    configure(**{stored.ROLES: ""})
    assert get_app_role_admin_service() is None
    assert await held(get_app_role_service(), "Staff") == []
