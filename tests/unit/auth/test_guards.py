"""Guards: one override reaches them all, and they look at the roles of the token only."""

from collections.abc import AsyncIterator
from typing import Annotated

import httpx
import pytest

from apis.shared.auth import (
    AdminUser,
    CurrentUserId,
    SystemAdminUser,
    User,
    get_current_user,
    has_all_roles,
    has_any_role,
    require_admin,
    require_all_roles,
    require_aws_ai_access,
    require_developer,
    require_faculty,
    require_roles,
    require_staff,
)
from apis.shared.errors import ErrorDetail
from apis.shared.http import AdminRouter, Depends, ResultRouter, create_service
from apis.shared.result import Result, Success
from tests.support.serving import serving


def user(*roles: str) -> User:
    return User("a@b.c", "123456789", "Ada", list(roles))


@pytest.mark.parametrize(
    ("roles", "asked", "any_of", "all_of"),
    [
        (["a"], ["a", "b"], True, False),
        (["a", "b"], ["a", "b"], True, True),
        (["c"], ["a"], False, False),
        ([], ["a"], False, False),
        ([], [], False, False),
        (["a"], ["A"], False, False),
    ],
)
def test_role_predicates(roles: list[str], asked: list[str], any_of: bool, all_of: bool) -> None:
    assert has_any_role(user(*roles), *asked) is any_of
    assert has_all_roles(user(*roles), *asked) is all_of


router = ResultRouter()
GUARDS = {
    "any": require_roles("R"),
    "all": require_all_roles("R"),
    "faculty": require_faculty,
    "staff": require_staff,
    "developer": require_developer,
    "aws": require_aws_ai_access,
}
for path, guard in GUARDS.items():

    @router.get(f"/{path}")
    async def guarded(passed: Annotated[User, Depends(guard)]) -> Result[User, ErrorDetail]:
        return Success(passed)


admins = AdminRouter(guard=require_admin)


@admins.get("")
async def admin(passed: AdminUser) -> Result[User, ErrorDetail]:
    return Success(passed)


@router.get("/system-admin")
async def system_admin(passed: SystemAdminUser) -> Result[User, ErrorDetail]:
    return Success(passed)


@router.get("/id")
async def user_id(passed: CurrentUserId) -> Result[str, ErrorDetail]:
    return Success(passed)


app = create_service(
    title="t", description="", version="1", tags=[], routers=[router, admins], origins=[], max_body_bytes=1000
)


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with serving(app) as url, httpx.AsyncClient(base_url=url, trust_env=False) as connected:
        yield connected


def act_as(someone: User) -> None:
    app.dependency_overrides[get_current_user] = lambda: someone


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("any", "R"),
        ("all", "R"),
        ("faculty", "Faculty"),
        ("staff", "Staff"),
        ("developer", "DotNetDevelopers"),
        ("aws", "AWS-BoiseStateAI"),
        ("admin", "SuperAdmin"),
        ("system-admin", "DotNetDevelopers"),
    ],
)
async def test_one_override_of_the_current_user_reaches_every_guard(
    client: httpx.AsyncClient, path: str, role: str
) -> None:
    act_as(user(role))
    assert (await client.get(f"/{path}")).status_code == 200
    act_as(user("Other"))
    assert (await client.get(f"/{path}")).status_code == 403


async def test_a_user_without_roles(client: httpx.AsyncClient) -> None:
    act_as(user())
    assert (await client.get("/staff")).json()["detail"] == "User has no assigned roles."
    assert (await client.get("/admin")).json()["detail"] == "User has no assigned roles."
    assert (await client.get("/all")).json()["detail"] == "Access denied. Missing required roles: R"
    assert (await client.get("/id")).json() == "123456789"


@pytest.mark.parametrize(
    ("configured", "administrator", "is_unusable"),
    [
        (None, "DotNetDevelopers", False),
        ('["Operator"]', "Operator", False),
        ("[]", None, False),
        ("Operator", "DotNetDevelopers", True),
        ('{"Operator": 1}', "DotNetDevelopers", True),
        ("[5]", "DotNetDevelopers", True),
    ],
    ids=["unset", "another role", "nobody", "not JSON", "no array", "no strings"],
)
async def test_system_administrators_are_read_per_request(
    client: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    configured: str | None,
    administrator: str | None,
    is_unusable: bool,
) -> None:
    """An unusable list must not lock everybody out, and never goes unnoticed."""
    if configured is not None:
        monkeypatch.setenv("ADMIN_JWT_ROLES", configured)
    for role in ("Operator", "DotNetDevelopers"):
        act_as(user(role))
        assert (await client.get("/system-admin")).status_code == (200 if role == administrator else 403), role
    warnings = [record for record in caplog.records if getattr(record, "variable", None) == "ADMIN_JWT_ROLES"]
    assert bool(warnings) == is_unusable
