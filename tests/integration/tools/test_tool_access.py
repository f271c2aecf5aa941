"""Which of the requested tools a user may use, from stored roles and the stored catalogue."""

from collections import Counter
from typing import Any

import pytest

from apis.shared.auth.models import User
from apis.shared.aws.dynamodb import Table
from apis.shared.settings import StorageSettings, settings
from apis.shared.tools.access import FilteredTools, ToolAccess, get_tool_access
from apis.shared.tools.models import McpConfig
from apis.shared.tools.repository import CATALOGUE_TTL_SECONDS, ToolRepository
from tests.integration.conftest import Aws, Configure
from tests.support import stored
from tests.support.fault_proxy import Fault, FaultKind

ADA = User(email="ada@x.edu", user_id="000000001", name="Ada", roles=["Staff"])


@pytest.fixture
def access(aws: Aws) -> ToolAccess:
    """With empty caches and an empty table."""
    aws.clear(stored.ROLES)
    return get_tool_access()


def grant(aws: Aws, *tools: str) -> None:
    """To everybody who has no other role."""
    aws.store(*stored.role("default", **stored.granting(*tools)))


def store(aws: Aws, tool_id: str, **changes: Any) -> None:
    aws.store(stored.tool(tool_id, **changes))


async def filtered(access: ToolAccess, *requested: str) -> FilteredTools:
    return (await access.filter(ADA, requested)).unwrap()


async def test_nothing_requested_asks_nobody(aws: Aws, access: ToolAccess) -> None:
    with aws.proxy.recording() as recording:
        assert await filtered(access) == FilteredTools([], [])
    assert recording.calls == []


async def test_with_nothing_stored_the_public_tools_of_the_code_are_allowed(access: ToolAccess) -> None:
    tools = await filtered(access, "browser_act", "calculator", "unknown", "ddg_web_search", "get_current_weather")
    assert tools == FilteredTools(["calculator", "ddg_web_search", "get_current_weather"], ["browser_act", "unknown"])


async def test_once_a_tool_is_stored_the_catalogue_says_what_is_public(aws: Aws, access: ToolAccess) -> None:
    store(aws, "ddg_web_search", isPublic=True)
    store(aws, "fetch_url_content")
    tools = await filtered(access, "calculator", "ddg_web_search", "fetch_url_content")
    assert tools == FilteredTools(["ddg_web_search"], ["calculator", "fetch_url_content"])


async def test_a_granted_id_needs_no_catalogue_entry(aws: Aws, access: ToolAccess) -> None:
    grant(aws, "gateway_wikipedia", "browser_act")
    tools = await filtered(access, "gateway_wikipedia", "gateway_other", "browser_act", "browser_extract")
    assert tools == FilteredTools(["gateway_wikipedia", "browser_act"], ["gateway_other", "browser_extract"])


async def test_the_wildcard_allows_every_tool_that_is_known(aws: Aws, access: ToolAccess) -> None:
    grant(aws, "*")
    store(aws, "only_stored")
    tools = await filtered(access, "unknown", "only_stored", "browser_act", "gateway_any")
    assert tools == FilteredTools(["only_stored", "browser_act", "gateway_any"], ["unknown"])


@pytest.mark.parametrize(
    ("status", "is_allowed"), [("active", True), ("deprecated", True), ("disabled", False), ("coming_soon", False)]
)
@pytest.mark.parametrize("granted", ["calculator", "*"])
async def test_what_is_switched_off_is_never_loaded(
    aws: Aws, access: ToolAccess, granted: str, status: str, is_allowed: bool
) -> None:
    grant(aws, granted)
    store(aws, "calculator", status=status, isPublic=True)
    assert (await filtered(access, "calculator")).allowed == (["calculator"] if is_allowed else [])


async def test_external_tools_are_reported(aws: Aws, access: ToolAccess) -> None:
    grant(aws, "mine", "legacy", "local")
    store(aws, "mine", protocol="mcp_external", mcpConfig={"serverUrl": "https://h/"})
    store(aws, "legacy", protocol="mcp_http")
    store(aws, "local", protocol="something new")
    store(aws, "denied", protocol="mcp_external")
    tools = await filtered(access, "local", "denied", "legacy", "mine")
    assert (tools.allowed, tools.denied) == (["local", "legacy", "mine"], ["denied"])
    assert {tool_id: record.tool_id for tool_id, record in tools.external.items()} == {
        "legacy": "legacy",
        "mine": "mine",
    }
    assert tools.external["mine"].mcp_config == McpConfig(server_url="https://h/")


async def test_only_tool_definitions_are_tools(aws: Aws, access: ToolAccess) -> None:
    aws.put(stored.ROLES, {"PK": "TOOL#calculator", "SK": "OTHER", "toolId": "calculator"})
    aws.put(stored.ROLES, {"PK": "USER#000000001", "SK": "TOOL_PREFERENCES", "toolPreferences": {"calculator": False}})
    assert (await filtered(access, "calculator")).allowed == ["calculator"]


async def test_an_entry_without_its_optional_attributes(aws: Aws, access: ToolAccess) -> None:
    optional = ("protocol", "status", "enabledByDefault", "displayName")
    store(aws, "bare", isPublic=True, **dict.fromkeys(optional, stored.LEFT_OUT))
    assert (await filtered(access, "bare")).allowed == ["bare"]


@pytest.mark.parametrize("corrupt", [{"status": "unheard of"}, {"isPublic": "perhaps"}, {"toolId": stored.LEFT_OUT}])
async def test_a_corrupt_entry_fails_the_request_and_is_named(
    aws: Aws, access: ToolAccess, corrupt: dict[str, Any]
) -> None:
    store(aws, "bad", **corrupt)
    error = (await access.filter(ADA, ["calculator"])).failure()
    assert error.code == "internal_error"
    assert error.context["key"] == "TOOL#bad / METADATA"


async def test_calls(aws: Aws, access: ToolAccess) -> None:
    store(aws, "calculator", isPublic=True)
    grant(aws, "a")
    with aws.proxy.recording() as first:
        await filtered(access, "calculator")
    assert Counter(call.target.operation for call in first.calls) == {"Query": 1, "GetItem": 1, "Scan": 1}
    with aws.proxy.recording() as later:
        await filtered(access, "calculator", "a")
    assert later.calls == []


async def test_the_catalogue_is_kept_for_a_minute(aws: Aws) -> None:
    assert CATALOGUE_TTL_SECONDS == 60
    aws.clear(stored.ROLES)
    table = Table(settings(StorageSettings).dynamodb_app_roles_table_name or "")
    kept, forgotten = ToolRepository(table), ToolRepository(table, ttl_seconds=0)
    assert [(await each.catalogue()).map(len).unwrap() for each in (kept, forgotten)] == [0, 0]
    store(aws, "calculator")
    assert [(await each.catalogue()).map(len).unwrap() for each in (kept, forgotten)] == [0, 1]


@pytest.mark.parametrize("operation", ["Scan", "Query", "GetItem"])
async def test_a_failure_denies_and_is_not_kept(aws: Aws, access: ToolAccess, operation: str) -> None:
    with aws.proxy.injecting(Fault(FaultKind.THROTTLED, operation=operation)):
        assert (await access.filter(ADA, ["calculator"])).failure().code == "service_unavailable"
    assert (await filtered(access, "calculator")).allowed == ["calculator"]


async def test_the_catalogue_of_many_pages_is_read_whole(aws: Aws, access: ToolAccess) -> None:
    # A page of a scan ends at one megabyte.
    for number in range(5):
        store(aws, f"t{number}", isPublic=True, description="x" * 300_000)
    requested = [f"t{number}" for number in range(5)]
    with aws.proxy.recording() as recording:
        assert (await filtered(access, *requested)).allowed == requested
    assert [call.target.operation for call in recording.calls].count("Scan") == 2


async def test_an_empty_table_name_leaves_the_public_tools(aws: Aws, configure: Configure) -> None:
    configure(**{stored.ROLES: ""})
    access = get_tool_access()
    with aws.proxy.recording() as recording:
        tools = await filtered(access, "calculator", "browser_act")
    assert (tools, recording.calls) == (FilteredTools(["calculator"], ["browser_act"]), [])
