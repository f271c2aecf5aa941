"""The tools of a user: what is seen, what is switched on, and what older clients ask for."""

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from tests.integration.tools.conftest import MEMBER, Tools
from tests.support import stored
from tests.support.fault_proxy import Fault, FaultKind
from tests.support.platform import Platform, running_platform

PUBLIC = ["get_current_weather", "ddg_web_search", "calculator"]
OF_THE_CODE = [
    "ddg_web_search",
    "fetch_url_content",
    "search_boise_state",
    "get_current_weather",
    "create_visualization",
    "calculator",
    "generate_diagram_and_validate",
    "browser_navigate",
    "browser_act",
    "browser_extract",
    "browser_get_page_info",
]


async def test_example_15_a_user_without_roles_and_an_empty_catalogue(tools: Tools) -> None:
    seen = await tools.seen()
    assert [tool["toolId"] for tool in seen["tools"]] == PUBLIC
    assert seen["categories"] == ["data", "search", "utility"]
    assert seen["appRolesApplied"] == []
    assert seen["tools"][2] == {
        "toolId": "calculator",
        "displayName": "Calculator",
        "description": "Calculate, solve, derive and integrate.",
        "category": "utility",
        "icon": "calculator",
        "protocol": "local",
        "status": "active",
        "requiresOauthProvider": None,
        "grantedBy": ["public"],
        "enabledByDefault": True,
        "userEnabled": None,
        "isEnabled": True,
    }


async def test_example_16_preferences(tools: Tools) -> None:
    saved = await tools.prefer({"calculator": False})
    assert (saved.status_code, list(saved.json())) == (200, ["message"])
    calculator = await tools.seen_tool("calculator")
    assert (calculator["userEnabled"], calculator["isEnabled"]) == (False, False)
    refused = await tools.prefer({"calculator": True, "nope": True, "browser_act": True})
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_request")
    assert refused.json()["detail"] == "No access to: browser_act, nope"
    assert (await tools.seen_tool("calculator"))["userEnabled"] is False


async def test_a_preference_is_merged_into_what_is_stored(tools: Tools) -> None:
    for preference in ({"calculator": False}, {"ddg_web_search": True}, {"calculator": True}, {}):
        assert (await tools.prefer(preference)).status_code == 200
    item = tools.platform.item(stored.TOOLS, f"USER#{tools.user.user_id}", "TOOL_PREFERENCES")
    assert item.pop("updatedAt").endswith("Z")
    assert item == {
        "PK": f"USER#{tools.user.user_id}",
        "SK": "TOOL_PREFERENCES",
        "userId": tools.user.user_id,
        "toolPreferences": {"calculator": True, "ddg_web_search": True},
    }


async def test_l1_first_switches_at_one_moment_are_all_kept(tools: Tools) -> None:
    odd = ["with.dot", "with#hash", "with-dash", "with blank"]
    user = await tools.holding(*odd)
    await tools.store(*(stored.tool(tool_id) for tool_id in odd))
    answers = await asyncio.gather(*(tools.prefer({tool_id: True}, user) for tool_id in odd))
    assert {answer.status_code for answer in answers} == {200}
    assert [tool["userEnabled"] for tool in (await tools.seen(user))["tools"]] == [True] * 4


async def test_a_null_in_the_place_of_the_map(tools: Tools) -> None:
    key = {"PK": f"USER#{tools.user.user_id}", "SK": "TOOL_PREFERENCES"}
    tools.platform.put(stored.TOOLS, {**key, "toolPreferences": None})
    assert (await tools.seen_tool("calculator"))["userEnabled"] is None
    assert (await tools.prefer({"calculator": False})).status_code == 200
    assert (await tools.seen_tool("calculator"))["userEnabled"] is False


async def test_as_many_preferences_as_one_request_may_hold(tools: Tools) -> None:
    ids = [f"{number:03}{'x' * 197}" for number in range(200)]
    user = await tools.holding("*")
    await tools.store(*(stored.tool(tool_id) for tool_id in ids))
    assert (await tools.prefer(dict.fromkeys(ids, True), user)).status_code == 200
    assert all(tool["userEnabled"] for tool in (await tools.seen(user))["tools"])
    over = await tools.prefer(dict.fromkeys([*ids, "one more"], True), user)
    assert (over.status_code, over.json()["field"]) == (422, "body.preferences")


async def test_preferences_of_a_tool_that_is_gone_stay_and_are_ignored(tools: Tools) -> None:
    user = await tools.holding("mine")
    await tools.store(stored.tool("mine"))
    await tools.prefer({"mine": True}, user)
    await tools("DELETE", "mine")
    assert await tools.seen_ids(user) == []
    await tools("PUT", "mine", {"status": "active"})
    assert (await tools.seen_tool("mine", user))["userEnabled"] is True


@pytest.mark.parametrize(
    ("status", "is_seen", "is_enabled"),
    [("active", True, True), ("deprecated", True, True), ("coming_soon", True, False), ("disabled", False, None)],
)
async def test_status(tools: Tools, status: str, is_seen: bool, is_enabled: bool | None) -> None:
    await tools.store(stored.tool("t", status=status, isPublic=True, enabledByDefault=True))
    assert [tool["isEnabled"] for tool in (await tools.seen())["tools"]] == ([is_enabled] if is_seen else [])
    assert (await tools.prefer({"t": True})).status_code == (200 if is_seen else 400)


async def test_what_grants_a_tool(tools: Tools) -> None:
    """All roles of the user, whichever of them grants it, behind `public`."""
    await tools.store(
        *stored.whole_role("b_role", jwtRoleMappings=["J"], grantedTools=["mine"]),
        *stored.whole_role("a_role", jwtRoleMappings=["J"], grantedTools=["other"]),
        stored.tool("mine", isPublic=True, requiresOauthProvider="google", category="research"),
        stored.tool("other", displayName="Also mine", category="research"),
        stored.tool("theirs"),
    )
    user = tools.platform.sign_in("900000001", MEMBER, "J")
    seen = await tools.seen(user)
    assert [(tool["displayName"], tool["grantedBy"]) for tool in seen["tools"]] == [
        ("Also mine", ["a_role", "b_role"]),
        ("mine", ["public", "a_role", "b_role"]),
    ]
    assert seen["tools"][1]["requiresOauthProvider"] == "google"
    assert (seen["categories"], seen["appRolesApplied"]) == (["research"], ["a_role", "b_role"])


async def test_the_wildcard_grants_the_catalogue(tools: Tools) -> None:
    user = await tools.holding("*")
    assert sorted(await tools.seen_ids(user)) == sorted(OF_THE_CODE)
    await tools.store(stored.tool("only"))
    assert await tools.seen_ids(user) == ["only"]


async def test_example_17_a_catalogue_that_cannot_be_read_is_not_that_of_the_code(tools: Tools) -> None:
    """F-QTM-46, 48, 49 and 51."""
    for held in ("TOOL#", "TOOL_PREFERENCES", "JWT_ROLE#"):
        await tools.platform.app_api.steer("forget")
        with tools.platform.proxy.injecting(Fault(FaultKind.THROTTLED, containing=held)):
            answer = await tools.platform.ask(tools.user, "GET", "/tools/")
        assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable"), held
        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["detail"]
        assert await tools.seen_ids() == PUBLIC, "the failure was kept"


@pytest.mark.parametrize("held", ["TOOL#", "JWT_ROLE#", "TOOL_PREFERENCES"])
async def test_f_qtm_48_a_preference_that_cannot_be_stored(tools: Tools, held: str) -> None:
    await tools.platform.app_api.steer("forget")
    with tools.platform.proxy.injecting(Fault(FaultKind.ACCESS_DENIED, containing=held)):
        answer = await tools.prefer({"calculator": False})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert (await tools.seen_tool("calculator"))["userEnabled"] is None


@pytest.mark.parametrize("path", ["available", "my-permissions"])
async def test_f_qtm_49_permissions_that_cannot_be_read(tools: Tools, path: str) -> None:
    with tools.platform.proxy.injecting(Fault(FaultKind.SERVER_ERROR, containing="JWT_ROLE#")):
        answer = await tools.platform.ask(tools.user, "GET", f"/tools/{path}")
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")


CORRUPT = [{"category": "CATEGORY.SEARCH"}, {"status": "on"}, {"createdAt": "yesterday"}, {"mcpConfig": {"tools": 1}}]


@pytest.mark.parametrize("attributes", CORRUPT, ids=lambda one: next(iter(one)))
async def test_f_qtm_53_a_corrupt_tool_is_named(tools: Tools, attributes: dict[str, Any]) -> None:
    await tools.store(stored.tool("bad", **attributes), stored.tool("good", isPublic=True))
    for user, path in ((tools.user, "/tools/"), (tools.admin, "/admin/tools/"), (tools.admin, "/admin/tools/bad")):
        answer = await tools.platform.ask(user, "GET", path)
        assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
        assert answer.json()["metadata"]["toolId"] == "bad"


async def test_f_qtm_52_an_unknown_protocol_reads_as_local(tools: Tools) -> None:
    await tools.store(stored.tool("t", isPublic=True, protocol="carrier-pigeon", createdAt=stored.LEFT_OUT))
    assert (await tools.seen_tool("t"))["protocol"] == "local"


async def test_the_tools_of_the_code_for_older_clients(tools: Tools) -> None:
    await tools.store(stored.tool("only_stored", isPublic=True))
    answer = await tools.platform.ask(tools.user, "GET", "/tools/catalog")
    listed = answer.json()
    assert ([tool["toolId"] for tool in listed["tools"]], listed["total"]) == (OF_THE_CODE, 11)
    assert listed["tools"][5] == {
        "toolId": "calculator",
        "name": "Calculator",
        "description": "Calculate, solve, derive and integrate.",
        "category": "utilities",
        "isGatewayTool": False,
        "icon": "calculator",
    }


@pytest.mark.parametrize(
    ("category", "expected"),
    [
        ("utilities", ["calculator"]),
        ("UTILITIES", ["calculator"]),
        ("utility", []),
        ("gateway", []),
        ("invented", []),
        ("", []),
        ("browser", ["browser_navigate", "browser_act", "browser_extract", "browser_get_page_info"]),
    ],
)
@pytest.mark.parametrize("path", ["catalog", "available"])
async def test_one_category_for_older_clients(tools: Tools, path: str, category: str, expected: list[str]) -> None:
    user = await tools.holding("*")
    answer = await tools.platform.ask(user, "GET", f"/tools/{path}?category={category}")
    assert ([tool["toolId"] for tool in answer.json()["tools"]], answer.status_code) == (expected, 200)


async def test_available_goes_by_roles_alone(tools: Tools) -> None:
    user = await tools.holding("browser_act", "gateway_wikipedia")
    for who, expected in ((user, ["browser_act"]), (tools.user, [])):
        answer = await tools.platform.ask(who, "GET", "/tools/available")
        assert [tool["toolId"] for tool in answer.json()["tools"]] == expected


async def test_my_permissions(tools: Tools) -> None:
    user = await tools.holding("b", "a", role_id="mine")
    answer = await tools.platform.ask(user, "GET", "/tools/my-permissions")
    assert answer.json() == {
        "userId": user.user_id,
        "allowedTools": ["a", "b"],
        "hasWildcard": False,
        "appRoles": ["mine"],
    }
    everything = await tools.platform.ask(await tools.holding("*", "a"), "GET", "/tools/my-permissions")
    assert (everything.json()["allowedTools"], everything.json()["hasWildcard"]) == (["*"], True)


async def test_round_trips(tools: Tools) -> None:
    async def calls(method: str, path: str, body: Any = None) -> Counter[str]:
        with tools.platform.proxy.recording() as recording:
            answer = await tools.platform.ask(tools.user, method, path, body)
        assert answer.is_success, answer.text
        return Counter(call.target.operation for call in recording.calls)

    # Nothing of roles is kept in these tests: the role of the token, and the role for everybody.
    roles = Counter(Query=1, GetItem=1)
    await tools.platform.app_api.steer("forget")
    assert await calls("GET", "/tools/") == roles + Counter(Scan=1, GetItem=1)
    assert await calls("GET", "/tools/") == roles + Counter(GetItem=1)
    switch = {"preferences": {"calculator": True}}
    assert await calls("PUT", "/tools/preferences", switch) == roles + Counter(UpdateItem=2), "the first one makes it"
    assert await calls("PUT", "/tools/preferences", switch) == roles + Counter(UpdateItem=1)
    assert await calls("GET", "/tools/catalog") == {}
    assert await calls("GET", "/tools/available") == roles
    assert await calls("GET", "/tools/my-permissions") == roles


async def test_the_other_spelling(tools: Tools) -> None:
    for path, registered in (("/tools", "/tools/"), ("/admin/tools", "/admin/tools/")):
        answer = await tools.platform.ask(tools.admin, "GET", path)
        assert (answer.status_code, answer.headers["location"]) == (307, registered)


async def test_without_a_table_there_are_the_public_tools_of_the_code(own_table: Platform) -> None:
    """A documented local mode: nothing can be changed, and that is said."""
    around = replace(own_table.surroundings, chosen={stored.ROLES: ""})
    async with running_platform(around, own_table.root, in_tables=True) as platform:
        tools = Tools(platform)
        assert await tools.seen_ids() == PUBLIC
        assert (await tools("GET")).json()["total"] == len(OF_THE_CODE)
        assert (await tools("GET", "calculator")).json()["allowedAppRoles"] == []
        assert (await tools("GET", "calculator/roles")).json() == {"toolId": "calculator", "roles": []}
        assert (await tools("POST", "sync")).json()["dryRun"] is True
        for answer in (
            await tools.prefer({"calculator": True}),
            await tools("POST", body={"toolId": "new", "displayName": "New", "description": ""}),
            await tools("PUT", "calculator", {}),
            await tools("DELETE", "calculator"),
            await tools("DELETE", "calculator?hard=true"),
            await tools("PUT", "calculator/roles", {"appRoleIds": []}),
            await tools("POST", "calculator/roles/add", {"appRoleIds": []}),
            await tools("POST", "calculator/roles/remove", {"appRoleIds": []}),
            await tools("POST", "sync?dry_run=false"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable"), answer.url
