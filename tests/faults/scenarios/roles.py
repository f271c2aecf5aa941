from collections.abc import Iterator

from tests.faults.scenario import Case, Request, Scenario
from tests.support import stored
from tests.support.platform import Platform
from tests.support.stored import Thing

ADMIN = ("DotNetDevelopers",)


def role_id(case: Case) -> str:
    return f"role_{case.marker}"


ROLE = {"role_id": role_id}


def a_role(_: Platform, case: Case) -> Iterator[Thing]:
    """Which inherits from another one."""
    yield from stored.whole_role(f"parent_of_{case.marker}", grantedTools=["p"])
    yield from stored.whole_role(
        role_id(case), jwtRoleMappings=[case.role], grantedTools=["a"], inheritsFrom=[f"parent_of_{case.marker}"]
    )


def its_parent(_: Platform, case: Case) -> Iterator[Thing]:
    yield from stored.whole_role(f"parent_of_{case.marker}", grantedTools=["p"])


def new(case: Case) -> dict[str, object]:
    return {
        "roleId": role_id(case),
        "displayName": "New",
        "jwtRoleMappings": [case.role],
        "grantedTools": ["a", "b"],
        "grantedModels": ["m"],
        "inheritsFrom": [f"parent_of_{case.marker}"],
    }


def changed(case: Case) -> dict[str, object]:
    return {"grantedTools": ["b"], "inheritsFrom": [f"parent_of_{case.marker}"]}


async def is_whole(platform: Platform, case: Case, _: bool) -> None:
    """Or not there at all."""
    items = {str(item["SK"]): item for item in platform.items(stored.ROLES, f"ROLE#{role_id(case)}")}
    definition = items.pop("DEFINITION", None)
    listed = {"jwtRoleMappings": "JWT_MAPPING", "grantedTools": "TOOL_GRANT", "grantedModels": "MODEL_GRANT"}
    names = {f"{kind}#{name}" for member, kind in listed.items() for name in (definition or {}).get(member, ())}
    assert items.keys() == names


SCENARIOS = [
    Scenario("list roles", Request("GET /admin/roles/", roles=ADMIN), a_role),
    Scenario("get role", Request("GET /admin/roles/{role_id}", fill=ROLE, roles=ADMIN), a_role),
    Scenario("create role", Request("POST /admin/roles/", new, roles=ADMIN), its_parent, is_whole, repeats=False),
    Scenario("change role", Request("PATCH /admin/roles/{role_id}", changed, ROLE, roles=ADMIN), a_role, is_whole),
    Scenario(
        "delete role",
        Request("DELETE /admin/roles/{role_id}", None, ROLE, roles=ADMIN),
        a_role,
        is_whole,
        repeats=False,
    ),
    Scenario("sync role", Request("POST /admin/roles/{role_id}/sync", {}, ROLE, roles=ADMIN), a_role, is_whole),
]

CALLS_NOTHING = {
    "GET /admin/roles/cache/stats": "It looks at what this process keeps.",
    "POST /admin/roles/cache/invalidate": "It forgets what this process keeps.",
}
