"""The eight operations under /admin/roles as their clients see them, and what they store."""

import asyncio
import re
from collections import Counter
from typing import Any

import pytest

from tests.integration.rbac.conftest import RoleEditor
from tests.support import stored
from tests.support.fault_proxy import Recording
from tests.support.platform import Platform

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
LONG = "x" * 1100


def operations(recording: Recording) -> list[str]:
    return [call.target.operation for call in recording.calls]


async def audits(platform: Platform, request_id: str) -> list[dict[str, Any]]:
    await platform.settled(request_id)
    names = ("level", "event", "role_id", "admin_user_id", "changes")
    return [
        {name: record[name] for name in names if name in record}
        for record in platform.records(request_id)
        if "event" in record
    ]


async def test_a_new_role(roles: RoleEditor, role_id: str) -> None:
    body = {
        "roleId": role_id,
        "displayName": "Basic",
        "jwtRoleMappings": ["Staff"],
        "grantedTools": ["t1", "t2"],
        "grantedModels": ["m1"],
    }
    answer = await roles("POST", "", body)
    assert answer.status_code == 201
    shown = answer.json()
    created = shown["createdAt"]
    assert MOMENT.fullmatch(created)
    assert shown == {
        "roleId": role_id,
        "displayName": "Basic",
        "description": "",
        "jwtRoleMappings": ["Staff"],
        "inheritsFrom": [],
        "grantedTools": ["t1", "t2"],
        "grantedModels": ["m1"],
        "effectivePermissions": {"tools": ["t1", "t2"], "models": ["m1"], "quotaTier": None},
        "priority": 0,
        "isSystemRole": False,
        "enabled": True,
        "createdAt": created,
        "updatedAt": created,
        "createdBy": "111111111",
    }
    key = {"PK": f"ROLE#{role_id}"}
    copied = {"roleId": role_id, "displayName": "Basic", "enabled": True}
    assert roles.items(role_id) == {
        "DEFINITION": {**key, "SK": "DEFINITION", **shown},
        "JWT_MAPPING#Staff": {
            **key,
            "SK": "JWT_MAPPING#Staff",
            "GSI1PK": "JWT_ROLE#Staff",
            "GSI1SK": f"ROLE#{role_id}",
            "roleId": role_id,
            "enabled": True,
        },
        **{
            f"TOOL_GRANT#{tool}": {
                **key,
                "SK": f"TOOL_GRANT#{tool}",
                "GSI2PK": f"TOOL#{tool}",
                "GSI2SK": f"ROLE#{role_id}",
                **copied,
            }
            for tool in ("t1", "t2")
        },
        "MODEL_GRANT#m1": {
            **key,
            "SK": "MODEL_GRANT#m1",
            "GSI3PK": "MODEL#m1",
            "GSI3SK": f"ROLE#{role_id}",
            **copied,
        },
    }
    assert await audits(roles.platform, answer.headers["x-request-id"]) == [
        {"level": "INFO", "event": "app_role_created", "role_id": role_id, "admin_user_id": "111111111"}
    ]
    again = await roles("POST", "", body)
    assert (again.status_code, again.json()["code"]) == (400, "bad_request")
    assert again.json()["message"] == again.json()["detail"] == f"Role '{role_id}' already exists"


async def test_r10_what_a_client_may_not_decide(roles: RoleEditor, role_id: str) -> None:
    created = await roles.create(role_id, isSystemRole=True, createdBy="x")
    changed = await roles.change(role_id, roleId="another", isSystemRole=True)
    assert [(one["roleId"], one["isSystemRole"], one["createdBy"]) for one in (created, changed)] == [
        (role_id, False, "111111111")
    ] * 2


async def test_a_request_may_be_in_snake_case(roles: RoleEditor, role_id: str) -> None:
    answer = await roles("POST", "", {"role_id": role_id, "display_name": "A", "granted_tools": ["t"]})
    assert answer.json()["grantedTools"] == ["t"]
    assert (await roles.change(role_id, granted_models=["m"]))["grantedModels"] == ["m"]


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("roleId", "Basic"),
        ("roleId", "ab"),
        ("roleId", "basic\n"),
        ("roleId", "a" * 51),
        ("displayName", ""),
        ("displayName", "x" * 101),
        ("description", "x" * 501),
        ("priority", 1000),
        ("priority", -1),
        ("jwtRoleMappings", [LONG]),
        ("jwtRoleMappings", [""]),
        ("grantedTools", ["\u20ac" * 400]),
        ("grantedModels", [LONG]),
        ("inheritsFrom", [str(number) for number in range(101)]),
        ("jwtRoleMappings", "Staff"),
        ("grantedTools", None),
    ],
    ids=lambda value: None if isinstance(value, str) and len(value) < 20 else "",
)
async def test_r7_what_no_role_can_be(roles: RoleEditor, role_id: str, member: str, value: Any) -> None:
    with roles.platform.proxy.recording(containing=role_id) as recording:
        answer = await roles("POST", "", {"roleId": role_id, "displayName": "A", member: value})
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")
    assert answer.json()["metadata"]["errors"][0]["field"].startswith(f"body.{member}")
    assert recording.calls == []


async def test_the_longest_names(roles: RoleEditor, role_id: str) -> None:
    """1,000 bytes are a key of the store with its prefix."""
    names = ["\u20ac" * 333 + "x"]
    await roles.create(role_id, jwtRoleMappings=names, grantedTools=names, grantedModels=names)
    assert len(roles.items(role_id)) == 4


async def test_f_rbac_15_what_is_given_twice_counts_once(roles: RoleEditor, role_id: str) -> None:
    created = await roles.create(role_id, jwtRoleMappings=["a", "b", "a"], grantedTools=["t", "t"])
    assert (created["jwtRoleMappings"], created["grantedTools"]) == (["a", "b"], ["t"])
    assert (await roles.change(role_id, jwtRoleMappings=["a", "a"]))["jwtRoleMappings"] == ["a"]
    assert roles.items(role_id).keys() == {"DEFINITION", "JWT_MAPPING#a", "TOOL_GRANT#t"}


async def test_f_rbac_14_null_changes_nothing(roles: RoleEditor, role_id: str) -> None:
    created = await roles.create(role_id, jwtRoleMappings=["Staff"], description="d", priority=7, enabled=False)
    changed = await roles.change(role_id, **dict.fromkeys(created.keys() - {"roleId"}))
    assert {**changed, "updatedAt": ""} == {**created, "updatedAt": ""}
    assert changed["updatedAt"] > created["updatedAt"]


async def test_an_empty_change_writes_the_role_anew(roles: RoleEditor, role_id: str) -> None:
    created = await roles.create(role_id, grantedTools=["t"])
    changed = await roles.change(role_id)
    assert {**changed, "updatedAt": ""} == {**created, "updatedAt": ""}
    assert changed["updatedAt"] > created["updatedAt"]


async def test_a_change_replaces_lists_and_keeps_the_rest(roles: RoleEditor, role_id: str) -> None:
    await roles.create(role_id, jwtRoleMappings=["Staff"], grantedTools=["a", "b"], grantedModels=["m"], priority=3)
    answer = await roles("PATCH", role_id, {"displayName": "New", "grantedTools": ["b", "c"], "enabled": False})
    shown = answer.json()
    assert (shown["grantedTools"], shown["grantedModels"], shown["priority"]) == (["b", "c"], ["m"], 3)
    assert shown["effectivePermissions"]["tools"] == ["b", "c"]
    items = roles.items(role_id)
    assert items.pop("DEFINITION")["updatedAt"] == shown["updatedAt"]
    assert items.keys() == {"JWT_MAPPING#Staff", "TOOL_GRANT#b", "TOOL_GRANT#c", "MODEL_GRANT#m"}
    assert {(item.get("displayName", "New"), item["enabled"]) for item in items.values()} == {("New", False)}
    (audit,) = await audits(roles.platform, answer.headers["x-request-id"])
    assert (audit["event"], audit["changes"]) == ("app_role_updated", ["displayName", "enabled", "grantedTools"])


async def test_what_another_version_has_stored_beside_stays(roles: RoleEditor, role_id: str) -> None:
    roles.platform.store(*stored.whole_role(role_id, grantedTools=["t"], colour="red"))
    await roles.change(role_id, grantedTools=["t", "u"])
    assert roles.items(role_id)["DEFINITION"]["colour"] == "red"


async def test_what_a_role_gives(roles: RoleEditor, role_id: str) -> None:
    """Its own grants and the direct ones of its enabled parents; not those of their parents, and not on its own."""
    grand, parent, off = (f"{role_id}_{name}" for name in ("grand", "parent", "off"))
    await roles.create(grand, grantedTools=["g"])
    await roles.create(parent, grantedTools=["p", "a"], grantedModels=["pm"], inheritsFrom=[grand])
    await roles.create(off, grantedTools=["o"], enabled=False)
    created = await roles.create(role_id, grantedTools=["a"], grantedModels=["m"], inheritsFrom=[off, parent])
    assert created["effectivePermissions"] == {"tools": ["a", "p"], "models": ["m", "pm"], "quotaTier": None}
    await roles.change(parent, grantedTools=["p2"])
    await roles.change(off, enabled=True)
    assert (await roles.get(role_id))["effectivePermissions"]["tools"] == ["a", "p"]
    answer = await roles("POST", f"{role_id}/sync", {})
    assert answer.json()["effectivePermissions"]["tools"] == ["a", "o", "p2"]
    assert [one["event"] for one in await audits(roles.platform, answer.headers["x-request-id"])] == ["app_role_synced"]
    assert (await roles("DELETE", parent)).status_code == 204
    assert (await roles.get(role_id))["effectivePermissions"]["tools"] == ["a", "o", "p2"]
    # F-RBAC-16: who saves it again is not held up by the parent that is gone.
    assert (await roles.change(role_id, priority=1))["effectivePermissions"]["tools"] == ["a", "o"]


async def test_r8_roles_that_inherit_from_each_other(roles: RoleEditor, role_id: str) -> None:
    other = f"{role_id}_other"
    await roles.create(role_id, grantedTools=["a"])
    await roles.create(other, grantedTools=["b"], inheritsFrom=[role_id])
    assert (await roles.change(role_id, inheritsFrom=[other, role_id]))["effectivePermissions"]["tools"] == ["a", "b"]
    assert (await roles.change(other, inheritsFrom=[role_id, other]))["effectivePermissions"]["tools"] == ["b", "a"]
    await roles.change(other, enabled=False)
    assert (await roles.get(role_id))["effectivePermissions"]["tools"] == ["a", "b"]
    assert (await roles("POST", f"{role_id}/sync")).json()["effectivePermissions"]["tools"] == ["a"]
    assert (await roles("DELETE", other)).status_code == 204
    await roles.create(other, grantedTools=["c"])
    assert (await roles.get(role_id))["effectivePermissions"]["tools"] == ["a"]
    assert (await roles("POST", f"{role_id}/sync")).json()["effectivePermissions"]["tools"] == ["a", "c"]


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_f_rbac_11_an_unknown_parent(roles: RoleEditor, role_id: str, method: str) -> None:
    if method == "PATCH":
        await roles.create(role_id)
    before = roles.items(role_id)
    body = {"roleId": role_id, "displayName": "A", "inheritsFrom": ["nope", "nope_2"]}
    answer = await roles(method, "" if method == "POST" else role_id, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert answer.json()["detail"] == "Inherited role 'nope' does not exist"
    assert roles.items(role_id) == before


async def test_a_new_role_is_no_parent_of_itself(roles: RoleEditor, role_id: str) -> None:
    answer = await roles("POST", "", {"roleId": role_id, "displayName": "A", "inheritsFrom": [role_id]})
    assert answer.json()["detail"] == f"Inherited role '{role_id}' does not exist"


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_role_has_at_most_99_items(roles: RoleEditor, role_id: str, method: str) -> None:
    if method == "PATCH":
        await roles.create(role_id, grantedTools=["t"])
    before = roles.items(role_id)
    names = [f"n{number}" for number in range(33)]
    body = {"roleId": role_id, "displayName": "A", "jwtRoleMappings": names, "grantedModels": names}
    path = "" if method == "POST" else role_id
    answer = await roles(method, path, {**body, "grantedTools": [*names, "one more"]})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert roles.items(role_id) == before
    assert (await roles(method, path, {**body, "grantedTools": [*names, "n0"]})).is_success
    assert len(roles.items(role_id)) == 100


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "nope"), ("PATCH", "nope"), ("DELETE", "nope"), ("POST", "nope/sync")]
)
async def test_a_role_that_is_not_there(roles: RoleEditor, method: str, path: str) -> None:
    answer = await roles(method, path, {})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.json()["detail"] == "Role 'nope' not found"


@pytest.mark.parametrize(
    ("method", "end"),
    [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/sync")],
    ids=lambda part: part or "itself",
)
async def test_an_id_that_fits_no_key(roles: RoleEditor, method: str, end: str) -> None:
    answer = await roles(method, "x" * 2_100 + end, {})
    assert (answer.status_code, answer.json()["detail"]) == (404, "Role not found")


async def test_what_is_protected_of_the_system_administrators_role(roles: RoleEditor) -> None:
    refused = await roles("PATCH", "system_admin", {"displayName": "SA", "priority": 1, "enabled": None})
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_request")
    assert "enabled, priority" in refused.json()["detail"]
    changed = await roles.change("system_admin", displayName="SA", description="All of it.")
    assert (changed["displayName"], changed["priority"], changed["isSystemRole"]) == ("SA", 1000, True)
    assert changed["effectivePermissions"] == {"tools": ["*"], "models": ["*"], "quotaTier": None}
    assert (await roles("POST", "system_admin/sync")).is_success


async def test_d_09_the_default_role_keeps_its_tier(roles: RoleEditor) -> None:
    assert (await roles.change("default", description="x"))["effectivePermissions"]["quotaTier"] == "tier_basic"
    assert (await roles("POST", "default/sync")).json()["effectivePermissions"]["quotaTier"] == "tier_basic"
    assert (await roles.change("default", enabled=False))["enabled"] is False
    assert (await roles.change("default", enabled=True))["enabled"] is True


@pytest.mark.parametrize("system_role", ["default", "system_admin"])
async def test_a_system_role_stays(roles: RoleEditor, system_role: str) -> None:
    answer = await roles("DELETE", system_role)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert answer.json()["detail"] == f"Cannot delete system role: {system_role}"
    assert (await roles("GET", system_role)).is_success


async def test_a_deleted_role_is_gone_with_all_its_items(roles: RoleEditor, role_id: str) -> None:
    await roles.create(role_id, jwtRoleMappings=["Staff"], grantedTools=["t"], grantedModels=["m"])
    answer = await roles("DELETE", role_id)
    assert (answer.status_code, answer.content) == (204, b"")
    assert roles.items(role_id) == {}
    assert [one["event"] for one in await audits(roles.platform, answer.headers["x-request-id"])] == [
        "app_role_deleted"
    ]
    assert (await roles("DELETE", role_id)).status_code == 404


async def test_the_list(roles: RoleEditor, role_id: str) -> None:
    for name, priority, enabled in (("b", 500, True), ("a", 500, True), ("c", 900, False), ("d", 1, True)):
        await roles.create(f"{role_id}_{name}", priority=priority, enabled=enabled)
    for query, expected in (("", "cabd"), ("?enabled_only=true", "abd"), ("?enabled_only=false", "cabd")):
        answer = (await roles("GET", query)).json()
        assert answer["total"] == len(answer["roles"])
        mine = [one["roleId"] for one in answer["roles"] if one["roleId"].startswith(role_id)]
        assert mine == [f"{role_id}_{name}" for name in expected]
        assert answer["roles"][0]["roleId"] == "system_admin"


async def test_an_incomplete_definition_has_defaults(roles: RoleEditor, role_id: str) -> None:
    keys = {"PK": f"ROLE#{role_id}", "SK": "DEFINITION"}
    roles.platform.put(stored.ROLES, keys)
    shown = await roles.get(role_id)
    assert shown == {
        "roleId": role_id,
        **dict.fromkeys(("displayName", "description", "createdAt", "updatedAt"), ""),
        **{name: [] for name in ("jwtRoleMappings", "inheritsFrom", "grantedTools", "grantedModels")},
        "effectivePermissions": {"tools": [], "models": [], "quotaTier": None},
        "priority": 0,
        "isSystemRole": False,
        "enabled": True,
        "createdBy": None,
    }
    # The condition of the change is that there is still no `updatedAt`.
    assert (await roles.change(role_id, displayName="Mended"))["displayName"] == "Mended"


@pytest.mark.parametrize(
    ("method", "end"), [("GET", ""), ("PATCH", ""), ("POST", "/sync"), ("LIST", "")], ids=lambda part: part or "itself"
)
async def test_a_stored_role_that_does_not_fit(roles: RoleEditor, role_id: str, method: str, end: str) -> None:
    roles.platform.store(*stored.role(role_id, priority="high"))
    try:
        answer = await (roles("GET", "") if method == "LIST" else roles(method, role_id + end, {}))
        assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
        await roles.platform.settled(answer.headers["x-request-id"])
        (record,) = roles.platform.records(answer.headers["x-request-id"], "request failed")
        assert (record["entity"], record["key"]) == ("AppRole", f"ROLE#{role_id} / DEFINITION")
    finally:
        roles.platform.store(*stored.whole_role(role_id))


@pytest.mark.parametrize(
    ("corrupt", "status"),
    [
        ({"displayName": None}, 204),
        ({"priority": "high"}, 204),
        ({"priority": "high", "isSystemRole": True}, 400),
        ({"isSystemRole": "perhaps"}, 500),
    ],
    ids=["d-11 no name", "no number", "a system role", "perhaps one"],
)
async def test_a_stored_role_that_does_not_fit_can_be_deleted(
    roles: RoleEditor, role_id: str, corrupt: dict[str, Any], status: int
) -> None:
    """The list fails as long as there is one."""
    rows = list(stored.whole_role(role_id, jwtRoleMappings=["Staff"]))
    roles.platform.store(*rows, *stored.role(role_id, **{**rows[0].item, **corrupt}))
    try:
        assert (await roles("DELETE", role_id)).status_code == status
        assert bool(roles.items(role_id)) is (status != 204)
    finally:
        roles.platform.store(*stored.whole_role(role_id))
        assert (await roles("DELETE", role_id)).status_code == 204


async def test_who_may(roles: RoleEditor, role_id: str) -> None:
    platform = roles.platform
    staff, admin = platform.sign_in("222222222", "Staff"), platform.sign_in("333333333", "Staff", "Admin")
    refused = await platform.ask(staff, "GET", "/admin/roles/")
    assert refused.status_code == 403
    assert refused.json()["detail"] == "Access denied. Required roles: Admin, SuperAdmin, DotNetDevelopers"
    await roles.create(role_id)
    for path in ("/admin/roles/", f"/admin/roles/{role_id}"):
        assert (await platform.ask(admin, "GET", path)).status_code == 200
    for method, path in (
        ("POST", "/admin/roles/"),
        ("PATCH", f"/admin/roles/{role_id}"),
        ("DELETE", f"/admin/roles/{role_id}"),
        ("POST", f"/admin/roles/{role_id}/sync"),
        ("GET", "/admin/roles/cache/stats"),
        ("POST", "/admin/roles/cache/invalidate"),
    ):
        answer = await platform.ask(admin, method, path, {"priority": 1000})
        assert (answer.status_code, answer.json()["detail"]) == (403, "System administrator access required"), path


@pytest.mark.parametrize(
    ("method", "sent", "registered"),
    [
        ("GET", "/admin/roles?enabled_only=true", "/admin/roles/?enabled_only=true"),
        ("POST", "/admin/roles", "/admin/roles/"),
        ("GET", "/admin/roles/default/", "/admin/roles/default"),
        ("POST", "/admin/roles/default/sync/", "/admin/roles/default/sync"),
        ("GET", "/admin/roles/cache/stats/", "/admin/roles/cache/stats"),
    ],
)
async def test_the_other_spelling(roles: RoleEditor, method: str, sent: str, registered: str) -> None:
    answer = await roles.platform.ask(roles.system_admin, method, sent)
    assert (answer.status_code, answer.headers["location"]) == (307, registered)


async def test_round_trips(roles: RoleEditor, role_id: str) -> None:
    parents = [f"{role_id}_p{number}" for number in (1, 2)]
    for parent in parents:
        await roles.create(parent)
    body = {"roleId": role_id, "displayName": "A", "inheritsFrom": parents, "grantedTools": ["t"]}
    expected = {
        ("GET", "", None): {"Scan": 1},
        ("POST", "", str(body)): {"GetItem": 2, "TransactWriteItems": 1},
        ("GET", role_id, None): {"GetItem": 1},
        ("PATCH", role_id, "parents"): {"Query": 1, "GetItem": 2, "TransactWriteItems": 1},
        ("PATCH", role_id, "name"): {"Query": 1, "GetItem": 2, "TransactWriteItems": 1},
        ("POST", f"{role_id}/sync", None): {"Query": 1, "GetItem": 2, "TransactWriteItems": 1},
        ("DELETE", role_id, None): {"Query": 1, "TransactWriteItems": 1},
        ("DELETE", parents[0], None): {"Query": 1, "TransactWriteItems": 1},
    }
    bodies = {str(body): body, "parents": {"inheritsFrom": parents}, "name": {"displayName": "B"}}
    table = roles.platform.variables[stored.ROLES]
    for (method, path, name), calls in expected.items():
        with roles.platform.proxy.recording(containing=table) as recording:
            assert (await roles(method, path, bodies.get(str(name)))).is_success
        assert Counter(operations(recording)) == calls, f"{method} {path} {name}"


async def test_parents_that_are_named_are_read_beside_the_role(roles: RoleEditor, role_id: str) -> None:
    parent = f"{role_id}_parent"
    await roles.create(parent, grantedTools=["p"])
    await roles.create(role_id)
    with (
        roles.platform.proxy.holding("Query", containing=f"ROLE#{role_id}") as role,
        roles.platform.proxy.holding("GetItem", containing=parent) as named,
    ):
        changing = asyncio.create_task(roles.change(role_id, inheritsFrom=[parent]))
        await role.has(1)
        await named.has(1)
    assert (await changing)["effectivePermissions"]["tools"] == ["p"]
