from collections.abc import Iterator

from tests.faults.scenario import Case, Request, Scenario
from tests.support import stored
from tests.support.fault_proxy import FaultKind
from tests.support.platform import Platform
from tests.support.stored import Thing

ADMIN = ("DotNetDevelopers",)


def tool_id(case: Case) -> str:
    return f"tool_{case.marker}"


def role_id(case: Case) -> str:
    return f"role_{case.marker}"


TOOL = {"tool_id": tool_id}


def a_tool(_: Platform, case: Case) -> Iterator[Thing]:
    """Which a role of the user grants."""
    yield stored.tool("calculator")
    yield stored.tool(tool_id(case))
    yield from stored.whole_role(role_id(case), jwtRoleMappings=[case.role], grantedTools=[tool_id(case)])


def a_tool_and_a_role(_: Platform, case: Case) -> Iterator[Thing]:
    yield stored.tool("calculator")
    yield stored.tool(tool_id(case))
    yield from stored.whole_role(role_id(case), jwtRoleMappings=[case.role], grantedTools=["other"])


def a_difference(platform: Platform, _: Case) -> Iterator[Thing]:
    """The code lacks one tool, and the table another one: of nobody, so that no case does another's work."""
    key = {"PK": {"S": "TOOL#browser_extract"}, "SK": {"S": "METADATA"}}
    platform.boto("dynamodb").delete_item(TableName=platform.variables[stored.TOOLS], Key=key)
    yield stored.tool("retired")


def new(case: Case) -> dict[str, object]:
    return {"toolId": tool_id(case), "displayName": "New", "description": ""}


def roles(case: Case) -> dict[str, object]:
    return {"appRoleIds": [role_id(case)]}


def a_known_tool(_: Platform, case: Case) -> Iterator[Thing]:
    """A process keeps the catalogue for a while: this tool is in it, whether that is the stored one or the code's."""
    yield stored.tool("calculator")
    yield from stored.whole_role(role_id(case), jwtRoleMappings=[case.role], grantedTools=["calculator"])


async def is_whole(platform: Platform, case: Case, _: bool) -> None:
    """The role grants what its definition says, whatever was done."""
    items = {str(item["SK"]): item for item in platform.items(stored.ROLES, f"ROLE#{role_id(case)}")}
    definition = items.pop("DEFINITION", {"grantedTools": [], "jwtRoleMappings": []})
    granted = {f"TOOL_GRANT#{name}" for name in definition["grantedTools"]}
    assert {key for key in items if key.startswith("TOOL_GRANT#")} == granted


SWITCH = {"preferences": {"calculator": True}}

CHANGED_BLINDLY = {
    (f"dynamodb.{operation} {stored.TOOLS}", FaultKind.CORRUPT_ITEM): "A tool that cannot be read can be removed."
    for operation in ("GetItem", "DeleteItem")
}

SCENARIOS = [
    Scenario("tools of a user", Request("GET /tools/"), a_tool),
    Scenario("switch a tool", Request("PUT /tools/preferences", SWITCH), a_known_tool),
    Scenario("available tools", Request("GET /tools/available"), a_tool),
    Scenario("tool permissions", Request("GET /tools/my-permissions"), a_tool),
    Scenario("list tools", Request("GET /admin/tools/", roles=ADMIN), a_tool),
    Scenario("get tool", Request("GET /admin/tools/{tool_id}", fill=TOOL, roles=ADMIN), a_tool),
    Scenario("create tool", Request("POST /admin/tools/", new, roles=ADMIN), repeats=False),
    Scenario("change tool", Request("PUT /admin/tools/{tool_id}", {"category": "code"}, TOOL, roles=ADMIN), a_tool),
    Scenario("disable tool", Request("DELETE /admin/tools/{tool_id}", None, TOOL, roles=ADMIN), a_tool),
    Scenario(
        "delete tool",
        Request("DELETE /admin/tools/{tool_id}", None, TOOL, lambda _: {"hard": "true"}, ADMIN),
        a_tool,
        is_whole,
        repeats=False,
        harmless=CHANGED_BLINDLY,
    ),
    Scenario("roles of tool", Request("GET /admin/tools/{tool_id}/roles", fill=TOOL, roles=ADMIN), a_tool),
    Scenario(
        "set roles of tool",
        Request("PUT /admin/tools/{tool_id}/roles", roles, TOOL, roles=ADMIN),
        a_tool_and_a_role,
        is_whole,
    ),
    Scenario(
        "add roles to tool",
        Request("POST /admin/tools/{tool_id}/roles/add", roles, TOOL, roles=ADMIN),
        a_tool_and_a_role,
        is_whole,
    ),
    Scenario(
        "remove roles from tool",
        Request("POST /admin/tools/{tool_id}/roles/remove", roles, TOOL, roles=ADMIN),
        a_tool,
        is_whole,
    ),
    Scenario(
        "sync tools",
        Request("POST /admin/tools/sync", None, {}, lambda _: {"dry_run": "false"}, ADMIN),
        a_difference,
        is_alone=True,
    ),
]

CALLS_NOTHING = {"GET /tools/catalog": "It lists what the code brings."}
