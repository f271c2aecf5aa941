"""The ten operations under /admin/tools as administrators see them, and what they store."""

import asyncio
import re
from collections import Counter
from typing import Any

import pytest

from tests.integration.tools.conftest import Tools
from tests.support import stored
from tests.support.fault_proxy import Fault, FaultKind

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
CODE_TOOLS = 11
MCP: dict[str, Any] = {
    "serverUrl": "https://h/",
    "transport": "streamable-http",
    "authType": "aws-iam",
    "awsRegion": None,
    "apiKeyHeader": None,
    "secretArn": None,
    "tools": [],
    "healthCheckEnabled": False,
    "healthCheckIntervalSeconds": 300,
}
A2A: dict[str, Any] = {
    "agentUrl": "https://a/",
    "agentId": None,
    "authType": "agentcore",
    "awsRegion": None,
    "secretArn": None,
    "capabilities": [],
    "timeoutSeconds": 120,
    "maxRetries": 3,
}


async def listed(tools: Tools, query: str = "") -> list[str]:
    answer = await tools("GET", query)
    assert answer.status_code == 200, answer.text
    assert answer.json()["total"] == len(answer.json()["tools"])
    return [tool["toolId"] for tool in answer.json()["tools"]]


async def role(tools: Tools, role_id: str, *granted: str, **definition: Any) -> None:
    await tools.store(*stored.whole_role(role_id, grantedTools=list(granted), **definition))


async def test_example_18_an_external_tool_from_its_creation_on(tools: Tools) -> None:
    user = await tools.holding("my_mcp", role_id="role_of_user")
    body = {
        "toolId": "my_mcp",
        "displayName": "My",
        "description": "d",
        "category": "data",
        "protocol": "mcp_external",
        "mcpConfig": {"serverUrl": "https://h/"},
        "requiresOauthProvider": "google",
    }
    answer = await tools("POST", body=body)
    assert answer.status_code == 200
    shown = answer.json()
    created = shown["createdAt"]
    assert MOMENT.fullmatch(created)
    expected = {
        **body,
        "icon": None,
        "status": "active",
        "isPublic": False,
        "enabledByDefault": False,
        "mcpConfig": MCP,
        "a2aConfig": None,
        "allowedAppRoles": ["role_of_user"],
        "createdAt": created,
        "updatedAt": created,
        "createdBy": "111111111",
        "updatedBy": "111111111",
    }
    assert shown == expected
    assert await tools.seen_ids(user) == ["my_mcp"]

    changed = await tools("PUT", "my_mcp", {"category": "search", "requiresOauthProvider": None})
    assert changed.json()["requiresOauthProvider"] is None
    assert changed.json()["updatedAt"] > created
    assert changed.json() == (await tools("GET", "my_mcp")).json()
    assert (tools.item("my_mcp")["GSI1PK"], tools.item("my_mcp")["GSI1SK"]) == ("CATEGORY#search", "TOOL#my_mcp")
    assert (await tools.seen_tool("my_mcp", user))["category"] == "search"

    compared = await tools("POST", "sync?dry_run=true")
    assert "my_mcp" not in [one["tool_id"] for one in compared.json()["orphaned"]]

    gone = await tools("DELETE", "my_mcp")
    assert (gone.status_code, list(gone.json())) == (200, ["message"])
    assert await tools.seen_ids(user) == []
    assert (await tools("GET", "my_mcp")).json()["status"] == "disabled"


async def test_example_19_the_roles_of_a_tool(tools: Tools) -> None:
    await tools.create("my_mcp")
    await role(tools, "power_user", displayName="Power users")
    refused = await tools("PUT", "my_mcp/roles", {"appRoleIds": ["power_user", "nope", "neither"]})
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_request")
    assert refused.json()["detail"] == "Unknown roles: neither, nope"
    assert tools.granted("power_user") == []
    saved = await tools("PUT", "my_mcp/roles", {"appRoleIds": ["power_user", "power_user"]})
    assert (saved.status_code, list(saved.json())) == (200, ["message"])
    assert (await tools("GET", "my_mcp/roles")).json() == {
        "toolId": "my_mcp",
        "roles": [
            {
                "roleId": "power_user",
                "displayName": "Power users",
                "grantType": "direct",
                "inheritedFrom": None,
                "enabled": True,
            }
        ],
    }
    assert (await tools("GET", "my_mcp")).json()["allowedAppRoles"] == ["power_user"]


async def test_what_the_table_holds(tools: Tools) -> None:
    shown = await tools.create("agent", protocol="a2a", a2aConfig={"agentUrl": "https://a/"}, icon="x")
    assert shown["a2aConfig"] == A2A
    shown = {name: value for name, value in shown.items() if name not in {"allowedAppRoles", "mcpConfig"}}
    keys = {"PK": "TOOL#agent", "SK": "METADATA", "GSI1PK": "CATEGORY#utility", "GSI1SK": "TOOL#agent"}
    assert tools.item("agent") == {**keys, **shown}
    await tools("PUT", "agent", {"a2aConfig": None, "icon": None})
    assert "a2aConfig" not in tools.item("agent")
    assert tools.item("agent")["icon"] is None


async def test_a_second_tool_with_the_id(tools: Tools) -> None:
    answers = [await tools("POST", body={"toolId": "one", "displayName": "One", "description": ""}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 400]
    assert answers[1].json()["detail"] == "Tool 'one' already exists"


async def test_l6_two_creations_at_one_moment(tools: Tools) -> None:
    body = {"toolId": "one", "displayName": "One", "description": ""}
    answers = await asyncio.gather(*(tools("POST", body=body) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("toolId", "No"),
        ("toolId", "ab"),
        ("displayName", ""),
        ("displayName", "x" * 101),
        ("description", "x" * 501),
        ("description", None),
        ("icon", "x" * 51),
        ("category", "ToolCategory.SEARCH"),
        ("protocol", "http"),
        ("status", "on"),
        ("requiresOauthProvider", "x" * 2001),
        ("mcpConfig", {}),
        ("mcpConfig", {"serverUrl": "https://h/", "transport": "pigeon"}),
        ("a2aConfig", {"agentUrl": "https://a/", "timeoutSeconds": 10**101}),
    ],
    ids=lambda value: str(value)[:20],
)
async def test_what_no_tool_may_be(tools: Tools, member: str, value: Any) -> None:
    body = {"toolId": "one", "displayName": "One", "description": "", member: value}
    answer = await tools("POST", body=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")
    assert answer.json()["field"].startswith(f"body.{member}")


async def test_null_clears_only_what_may_be_absent(tools: Tools) -> None:
    full = {
        "icon": "x",
        "requiresOauthProvider": "google",
        "mcpConfig": {"serverUrl": "https://h/", "tools": ["a"]},
        "a2aConfig": {"agentUrl": "https://a/"},
        "isPublic": True,
    }
    shown = await tools.create("full", **full)
    writable = set(shown) - {"toolId", "createdAt", "updatedAt", "createdBy", "updatedBy", "allowedAppRoles"}
    changed = (await tools("PUT", "full", dict.fromkeys(writable))).json()
    cleared = dict.fromkeys(("icon", "requiresOauthProvider", "mcpConfig", "a2aConfig"))
    assert changed == {**shown, **cleared, "updatedAt": changed["updatedAt"]}


async def test_a_configuration_is_replaced_as_a_whole(tools: Tools) -> None:
    await tools.create("tee", mcpConfig={"server_url": "https://h/", "tools": ["a"], "awsRegion": "us-east-1"})
    changed = await tools("PUT", "tee", {"mcp_config": {"serverUrl": "https://i/"}})
    assert changed.json()["mcpConfig"] == {**MCP, "serverUrl": "https://i/"}


async def test_d_06_a_corrupt_index_key_is_mended_by_the_next_change(tools: Tools) -> None:
    await tools.store(stored.tool("tee", category="search", GSI1PK="CATEGORY#ToolCategory.SEARCH"))
    assert (await tools("PUT", "tee", {"displayName": "T"})).status_code == 200
    assert (tools.item("tee")["GSI1PK"], tools.item("tee")["category"]) == ("CATEGORY#search", "search")


async def test_a_change_is_seen_at_once(tools: Tools) -> None:
    """The catalogue is kept for a minute, but not past a change in the same process."""
    await tools.create("tee", isPublic=True)
    assert await tools.seen_ids() == ["tee"]
    await tools("PUT", "tee", {"displayName": "New name"})
    assert (await tools.seen_tool("tee"))["displayName"] == "New name"
    await tools("DELETE", "tee")
    assert await tools.seen_ids() == []
    await tools("DELETE", "tee?hard=true")
    assert len(await tools.seen_ids()) == 3, "the catalogue of the code again"


async def test_the_list_is_ordered_and_filtered(tools: Tools) -> None:
    await tools.store(
        stored.tool("a", category="search", displayName="B"),
        stored.tool("b", category="search", displayName="A", status="deprecated"),
        stored.tool("c", category="data", displayName="Z", status="disabled"),
    )
    await role(tools, "r2", "a", "b")
    await role(tools, "r1", "a", enabled=False)
    await role(tools, "all", "*")
    assert await listed(tools) == ["c", "b", "a"]
    assert await listed(tools, "?status=deprecated") == ["b"]
    assert await listed(tools, "?status=invented") == []
    shown = {tool["toolId"]: tool["allowedAppRoles"] for tool in (await tools("GET")).json()["tools"]}
    assert shown == {"a": ["r1", "r2"], "b": ["r2"], "c": []}


async def test_l5_a_table_with_roles_and_preferences_only(tools: Tools) -> None:
    """F-QTM-51: over several empty pages of the scan."""
    await role(tools, "r", "calculator")
    for number in range(4):
        tools.platform.put(stored.TOOLS, {"PK": f"USER#{number}", "SK": "TOOL_PREFERENCES", "note": "x" * 390_000})
    assert len(await listed(tools)) == CODE_TOOLS
    assert await listed(tools, "?status=deprecated") == []
    (calculator,) = [tool for tool in (await tools("GET")).json()["tools"] if tool["toolId"] == "calculator"]
    assert calculator["allowedAppRoles"] == ["r"]


async def test_a_filter_that_leaves_nothing_is_no_empty_catalogue(tools: Tools) -> None:
    await tools.store(stored.tool("a"))
    assert await listed(tools, "?status=deprecated") == []


async def test_a_tool_of_the_code_can_be_read_but_not_changed(tools: Tools) -> None:
    answer = await tools("GET", "calculator")
    assert (answer.status_code, answer.json()["displayName"]) == (200, "Calculator")
    for method, path in (("PUT", "calculator"), ("DELETE", "calculator"), ("DELETE", "calculator?hard=true")):
        assert (await tools(method, path, {} if method == "PUT" else None)).status_code == 404


@pytest.mark.parametrize("tool_id", ["unknown", "x" * 2100, "%ED%A0%80", "a%23b"], ids=lambda text: text[:8])
async def test_an_unknown_tool(tools: Tools, tool_id: str) -> None:
    await role(tools, "r")
    for method, path, body in (
        ("GET", tool_id, None),
        ("PUT", tool_id, {"displayName": "x"}),
        ("DELETE", tool_id, None),
        ("DELETE", f"{tool_id}?hard=true", None),
        ("GET", f"{tool_id}/roles", None),
        ("PUT", f"{tool_id}/roles", {"appRoleIds": ["r"]}),
        ("POST", f"{tool_id}/roles/add", {"appRoleIds": ["r"]}),
    ):
        answer = await tools(method, path, body)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
    assert tools.granted("r") == []
    # Grants of a tool that is gone can still be taken back.
    assert (await tools("POST", f"{tool_id}/roles/remove", {"appRoleIds": ["r"]})).status_code == 200


async def test_roles_are_added_removed_and_replaced(tools: Tools) -> None:
    for role_id in ("r1", "r2", "r3"):
        await role(tools, role_id, "kept")
    user = await tools.holding(role_id="r4")
    await tools.create("tee")

    async def granting() -> list[str]:
        return [one["roleId"] for one in (await tools("GET", "tee/roles")).json()["roles"]]

    await tools("POST", "tee/roles/add", {"appRoleIds": ["r1", "r4"]})
    assert await granting() == ["r1", "r4"]
    assert await tools.seen_ids(user) == ["tee"], "at once: caches of roles are emptied"
    await tools("PUT", "tee/roles", {"app_role_ids": ["r2", "r1"]})
    assert await granting() == ["r1", "r2"]
    assert await tools.seen_ids(user) == []
    await tools("POST", "tee/roles/remove", {"appRoleIds": ["r1", "r3"]})
    assert await granting() == ["r2"]
    await tools("PUT", "tee/roles", {"appRoleIds": []})
    assert await granting() == []
    assert [tools.granted(role_id) for role_id in ("r1", "r2", "r3")] == [["kept"]] * 3


async def test_roles_of_a_tool_of_the_code(tools: Tools) -> None:
    await role(tools, "r")
    assert (await tools("PUT", "calculator/roles", {"appRoleIds": ["r"]})).status_code == 200
    assert [one["roleId"] for one in (await tools("GET", "calculator/roles")).json()["roles"]] == ["r"]


async def test_the_role_of_the_system_is_protected(tools: Tools) -> None:
    await role(tools, "system_admin", "*", "tee")
    await role(tools, "r")
    await tools.create("tee")
    for method, path, role_ids in (
        ("PUT", "tee/roles", ["r", "system_admin"]),
        ("PUT", "tee/roles", ["r"]),
        ("POST", "tee/roles/add", ["r", "system_admin"]),
        ("POST", "tee/roles/remove", ["r", "system_admin"]),
    ):
        answer = await tools(method, path, {"appRoleIds": role_ids})
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request"), path
        assert "system_admin" in answer.json()["detail"]
    assert (tools.granted("r"), tools.granted("system_admin")) == ([], ["*", "tee"])
    assert (await tools("DELETE", "tee?hard=true")).status_code == 200


async def test_f_qtm_55_a_grant_of_a_deleted_role_is_left_out(tools: Tools) -> None:
    await tools.create("tee")
    keys = {"PK": "ROLE#gone", "SK": "TOOL_GRANT#tee", "GSI2PK": "TOOL#tee", "GSI2SK": "ROLE#gone", "roleId": "gone"}
    tools.platform.put(stored.ROLES, keys)
    answer = await tools("GET", "tee/roles")
    assert (answer.status_code, answer.json()["roles"]) == (200, [])


async def test_a_hard_deletion_takes_the_grants_along(tools: Tools) -> None:
    await role(tools, "r1", "tee", "kept")
    await role(tools, "r2", "tee")
    await tools.create("tee")
    assert (await tools("DELETE", "tee?hard=true")).status_code == 200
    assert tools.item("tee") == {}
    assert (tools.granted("r1"), tools.granted("r2")) == (["kept"], [])


async def test_definitions_decide_what_roles_grant_not_items_that_an_index_knows(tools: Tools) -> None:
    """An item that a change left behind, and a definition whose item is missing."""
    await tools.create("tee")
    left_behind = [row for row in stored.whole_role("r1", grantedTools=["tee"]) if "TOOL_GRANT#tee" in str(row.item)]
    await tools.store(*stored.whole_role("r1"), *left_behind)
    without_item = [row for row in stored.whole_role("r2", grantedTools=["tee"]) if row not in left_behind]
    await tools.store(*(row for row in without_item if "TOOL_GRANT#" not in str(row.item["SK"])))
    assert (await tools("GET", "tee")).json()["allowedAppRoles"] == []
    assert (await tools("PUT", "tee/roles", {"appRoleIds": ["r1"]})).status_code == 200
    assert (tools.granted("r1"), tools.granted("r2")) == (["tee"], [])


async def test_a_role_that_is_full_is_refused_before_anything_is_written(tools: Tools) -> None:
    await tools.create("tee")
    await role(tools, "r1")
    await role(tools, "r2", *(f"t{number}" for number in range(99)))
    for method, path in (("PUT", "tee/roles"), ("POST", "tee/roles/add")):
        answer = await tools(method, path, {"appRoleIds": ["r1", "r2"]})
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
        assert tools.granted("r1") == []


async def test_a_tool_that_cannot_be_read_can_be_deleted(tools: Tools) -> None:
    """Nothing else would end the failure of every catalogue."""
    await tools.create("tee")
    await tools.store(stored.tool("tee", displayName=None))
    assert (await tools("GET", "tee")).status_code == 500
    assert (await tools("DELETE", "tee?hard=true")).status_code == 200
    assert tools.item("tee") == {}
    assert (await tools("DELETE", "tee?hard=true")).status_code == 404


async def test_f_qtm_54_a_change_that_fails_midway_says_what_was_done(tools: Tools) -> None:
    await tools.create("tee")
    for role_id in ("r1", "r2", "r3"):
        await role(tools, role_id, *(["tee"] if role_id == "r3" else []))
    fault = Fault(FaultKind.THROTTLED, operation="TransactWriteItems", containing="ROLE#r2")
    with tools.platform.proxy.injecting(fault):
        answer = await tools("PUT", "tee/roles", {"appRoleIds": ["r1", "r2"]})
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    metadata = answer.json()["metadata"]
    assert (metadata["applied"], metadata["pending"]) == (["r1", "r3"], ["r2"])
    assert [tools.granted(role_id) for role_id in ("r1", "r2", "r3")] == [["tee"], [], []]
    assert (await tools("PUT", "tee/roles", {"appRoleIds": ["r1", "r2"]})).status_code == 200
    assert tools.granted("r2") == ["tee"]


async def test_f_qtm_54_roles_that_cannot_be_checked_leave_all_as_it_was(tools: Tools) -> None:
    await tools.create("tee")
    for role_id in ("r1", "r2"):
        await role(tools, role_id)
    with tools.platform.proxy.injecting(Fault(FaultKind.SERVER_ERROR, operation="GetItem", containing="ROLE#r2")):
        answer = await tools("POST", "tee/roles/add", {"appRoleIds": ["r1", "r2"]})
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    assert (tools.granted("r1"), tools.granted("r2")) == ([], [])


async def test_f_qtm_56_a_role_that_vanishes_meanwhile(tools: Tools) -> None:
    await tools.create("tee")
    await role(tools, "r1")
    await role(tools, "r2")
    with tools.platform.proxy.holding("GetItem", containing="ROLE#r2") as checked:
        adding = asyncio.create_task(tools("POST", "tee/roles/add", {"appRoleIds": ["r1", "r2"]}))
        await checked.has(1)
        for item in tools.platform.items(stored.ROLES, "ROLE#r2"):
            tools.platform.boto("dynamodb").delete_item(
                TableName=tools.platform.variables[stored.ROLES],
                Key={"PK": {"S": item["PK"]}, "SK": {"S": item["SK"]}},
            )
    answer = await adding
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.json()["detail"] == "Role 'r2' not found"
    assert (answer.json()["metadata"]["applied"], answer.json()["metadata"]["pending"]) == (["r1"], ["r2"])


async def test_sync_compares_and_applies(tools: Tools) -> None:
    await tools.store(
        stored.tool("calculator", displayName="Renamed", isPublic=False),
        stored.tool("retired"),
        stored.tool("retired_in_aws", protocol="aws_sdk"),
        stored.tool("off", status="disabled"),
        stored.tool("external", protocol="mcp_external"),
        stored.tool("agent", protocol="a2a"),
        stored.tool("behind_gateway", protocol="mcp"),
    )
    compared = (await tools("POST", "sync")).json()
    assert compared["dryRun"] is True
    assert compared["discovered"][0] == {
        "tool_id": "ddg_web_search",
        "display_name": "Web Search",
        "description": "Search the web.",
        "category": "search",
        "protocol": "local",
        "action": "create",
    }
    assert len(compared["discovered"]) == CODE_TOOLS - 1
    assert compared["orphaned"] == [
        {"tool_id": tool_id, "action": "mark_deprecated"} for tool_id in ("retired", "retired_in_aws")
    ]
    assert compared["unchanged"] == ["agent", "behind_gateway", "calculator", "external", "off"]
    assert tools.item("ddg_web_search") == {}
    assert tools.item("retired")["status"] == "active"

    applied = (await tools("POST", "sync?dry_run=false")).json()
    assert applied == {**compared, "dryRun": False}
    created = tools.item("ddg_web_search")
    assert (created["icon"], created["isPublic"], created["status"]) == ("magnifying-glass", True, "active")
    assert (created["GSI1PK"], created["createdBy"]) == ("CATEGORY#search", "111111111")
    statuses = {tool_id: tools.item(tool_id)["status"] for tool_id in ("retired", "retired_in_aws", "off", "external")}
    assert statuses == {
        "retired": "deprecated",
        "retired_in_aws": "deprecated",
        "off": "disabled",
        "external": "active",
    }
    assert tools.item("calculator")["displayName"] == "Renamed"

    again = (await tools("POST", "sync?dry_run=false")).json()
    assert (again["discovered"], again["orphaned"]) == ([], [])


async def test_f_qtm_57_a_sync_that_fails_midway_says_what_was_done(tools: Tools) -> None:
    await tools.store(stored.tool("retired"), stored.tool("calculator"))
    with tools.platform.proxy.injecting(Fault(FaultKind.THROTTLED, operation="PutItem", containing="browser_act")):
        answer = await tools("POST", "sync?dry_run=false")
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    metadata = answer.json()["metadata"]
    assert len(metadata["created"]) == CODE_TOOLS - 2
    assert "browser_act" not in metadata["created"]
    assert metadata["deprecated"] == ["retired"]
    again = (await tools("POST", "sync?dry_run=false")).json()
    assert [one["tool_id"] for one in again["discovered"]] == ["browser_act"]


@pytest.mark.parametrize("operation", ["Scan", "GetItem", "PutItem", "UpdateItem", "DeleteItem"])
async def test_f_qtm_46_and_47_a_store_that_is_down(tools: Tools, operation: str) -> None:
    await tools.create("tee")
    new = {"toolId": "new", "displayName": "New", "description": ""}
    requests: dict[str, list[tuple[str, str, Any]]] = {
        "Scan": [("GET", "", None), ("POST", "sync", None), ("POST", "sync?dry_run=false", None)],
        "GetItem": [("GET", "tee", None), ("GET", "tee/roles", None), ("DELETE", "tee?hard=true", None)],
        "PutItem": [("POST", "", new)],
        "UpdateItem": [("PUT", "tee", {"icon": "x"}), ("DELETE", "tee", None)],
        "DeleteItem": [("DELETE", "tee?hard=true", None)],
    }
    with tools.platform.proxy.injecting(Fault(FaultKind.THROTTLED, operation=operation)):
        answers = [await tools(*request) for request in requests[operation]]
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
        assert not [word for word in tools.platform.internals if word in answer.text]


async def test_example_23_an_administrators_look_does_not_change_what_a_user_may(tools: Tools) -> None:
    """By the tools of one user: what is kept is kept for these roles of the token."""
    user = await tools.holding("*")
    with_other_roles = tools.platform.sign_in(user.user_id, "Staff")
    for who, has_all in ((user, True), (with_other_roles, False), (user, True)):
        answer = await tools.platform.ask(who, "GET", "/tools/my-permissions")
        assert answer.json()["hasWildcard"] is has_all


async def test_round_trips(tools: Tools) -> None:
    async def calls(method: str, path: str, body: Any = None) -> Counter[str]:
        with tools.platform.proxy.recording() as recording:
            answer = await tools(method, path, body)
        assert answer.is_success, answer.text
        return Counter(call.target.operation for call in recording.calls)

    for role_id in ("r1", "r2"):
        await role(tools, role_id)
    new = {"toolId": "tee", "displayName": "T", "description": ""}
    granting = {"Query": 1}
    assert await calls("POST", "", new) == {**granting, "PutItem": 1}
    assert await calls("GET", "") == {"Scan": 2}
    assert await calls("GET", "tee") == {**granting, "GetItem": 1}
    assert await calls("PUT", "tee", {"category": "data"}) == {**granting, "UpdateItem": 1}
    changed = {"appRoleIds": ["r1"]}
    # The tool and the role are looked at; then the role is read and written as a whole.
    add = {"GetItem": 2, "Query": 1, "TransactWriteItems": 1}
    assert await calls("POST", "tee/roles/add", changed) == add
    assert await calls("POST", "tee/roles/remove", changed) == {**add, "GetItem": 1}
    assert await calls("PUT", "tee/roles", changed) == {**add, "Scan": 1}
    assert await calls("GET", "tee/roles") == {**granting, "GetItem": 2}
    assert await calls("DELETE", "tee") == {"UpdateItem": 1}
    hard = {"Scan": 1, "GetItem": 1, "Query": 1, "TransactWriteItems": 1, "DeleteItem": 1}
    assert await calls("DELETE", "tee?hard=true") == hard
    assert await calls("POST", "sync") == {"Scan": 1}
    assert await calls("POST", "sync?dry_run=false") == {"Scan": 1, "PutItem": CODE_TOOLS}
