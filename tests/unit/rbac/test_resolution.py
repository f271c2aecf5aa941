"""Resolution as a rule: whatever is stored, in whatever order the store gives it."""

import random
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from apis.shared.auth.models import User
from apis.shared.aws.dynamodb import Item, Key, Query, Table
from apis.shared.errors import ErrorDetail
from apis.shared.rbac.cache import AppRoleCache
from apis.shared.rbac.models import UserEffectivePermissions
from apis.shared.rbac.repository import AppRoleRepository
from apis.shared.rbac.service import AppRoleService
from apis.shared.result import Result, Success
from apis.shared.settings import AppRoleCacheSettings
from tests.support import stored
from tests.support.stored import Row

NOBODY: dict[str, Any] = {"app_roles": [], "tools": [], "models": [], "quota_tier": None}
JWT_ROLES, TOOLS = ("Staff", "Faculty", "Student"), ("a", "b", "*")


class InMemory(Table):
    """Items in an order that differs from read to read."""

    def __init__(self, rows: Sequence[Row], seed: int = 0) -> None:
        super().__init__("roles")
        self._items: list[Item] = [row.item for row in rows]
        self._random = random.Random(seed)

    async def get(self, key: Key, *, consistent: bool = False) -> Result[Item | None, ErrorDetail]:
        assert consistent, "a definition decides, so it is read as the last write left it"
        return Success(
            next((item for item in self._items if item["PK"] == key["PK"] and item["SK"] == key["SK"]), None)
        )

    async def query_all(self, query: Query) -> Result[list[Item], ErrorDetail]:
        wanted = query.key.value  # type: ignore[attr-defined]  # a hash key
        found = [item for item in self._items if item.get("GSI1PK") == wanted]
        self._random.shuffle(found)
        return Success(found)


async def resolved(rows: Sequence[Row], *jwt_roles: str, seed: int = 0) -> dict[str, Any]:
    service = AppRoleService(AppRoleRepository(InMemory(rows, seed)), AppRoleCache(AppRoleCacheSettings()))
    user = User("a@x.edu", "000000001", "Ada", list(jwt_roles))
    permissions = (await service.resolve_user_permissions(user)).unwrap()
    assert isinstance(permissions, UserEffectivePermissions)
    return {name: getattr(permissions, name) for name in NOBODY}


@st.composite
def roles(draw: st.DrawFn) -> list[Row]:
    """Up to five roles; some are disabled, and some are named by the index although their definition does not list the
    mapping any more."""
    rows: list[Row] = []
    for number in range(draw(st.integers(0, 5))):
        role_id = "default" if number == 0 else f"r{number}"
        rows += stored.whole_role(
            role_id,
            jwtRoleMappings=draw(st.lists(st.sampled_from(JWT_ROLES), unique=True)),
            grantedTools=draw(st.lists(st.sampled_from(TOOLS), unique=True)),
            priority=draw(st.integers(0, 2)),
            enabled=draw(st.booleans()),
            **({} if draw(st.booleans()) else {"effectivePermissions": {"tools": ["x"], "quotaTier": f"tier{number}"}}),
        )
        rows += (stored.role_mapping(role_id, jwt_role) for jwt_role in draw(st.lists(st.sampled_from(JWT_ROLES))))
    return rows


def definitions(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    return (row.item for row in rows if row.item["SK"] == "DEFINITION")


@given(rows=roles(), token=st.lists(st.sampled_from([*JWT_ROLES, "Unmapped"])), seed=st.integers(0, 99))
async def test_the_order_of_stored_items_does_not_matter(rows: list[Row], token: list[str], seed: int) -> None:
    shuffled = rows[:]
    random.Random(seed).shuffle(shuffled)
    assert await resolved(rows, *token) == await resolved(shuffled, *token, seed=seed)


@given(rows=roles(), token=st.lists(st.sampled_from([*JWT_ROLES, "Unmapped"])))
async def test_nobody_gets_more_than_the_definitions_give(rows: list[Row], token: list[str]) -> None:
    """Written down a second time, without the index."""
    found = await resolved(rows, *token)
    held = {
        role["roleId"]: role
        for role in definitions(rows)
        if role["enabled"] and not set(role["jwtRoleMappings"]).isdisjoint(token)
    } or {role["roleId"]: role for role in definitions(rows) if role["roleId"] == "default" and role["enabled"]}
    given_tools = [role["effectivePermissions"]["tools"] for role in held.values()]
    assert set(found["app_roles"]) == held.keys()
    assert set(found["tools"]) == {tool for tools in given_tools for tool in (["*"] if "*" in tools else tools)}


@given(rows=roles(), token=st.lists(st.sampled_from(JWT_ROLES), unique=True), seed=st.integers(0, 99))
async def test_the_order_of_the_token_only_orders_the_roles(rows: list[Row], token: list[str], seed: int) -> None:
    other = token[:]
    random.Random(seed).shuffle(other)
    one, another = await resolved(rows, *token), await resolved(rows, *other, *other)
    assert (set(one["app_roles"]), one["tools"]) == (set(another["app_roles"]), another["tools"])


async def test_the_worked_example() -> None:
    rows = [
        *stored.whole_role("rr1", jwtRoleMappings=["Staff", "Faculty"], grantedTools=["a"], priority=5),
        *stored.whole_role("rr2", jwtRoleMappings=["Faculty"], grantedTools=["*"], priority=9),
        *stored.whole_role("default"),
    ]
    found = await resolved(rows, "Staff", "Faculty")
    assert (found["app_roles"], set(found["tools"])) == (["rr1", "rr2"], {"*", "a"})
    assert (await resolved(rows, "Nobody"))["app_roles"] == ["default"]
    assert await resolved([], "Staff") == NOBODY
