"""The wire models of tools. Responses are camelCase; requests take both spellings."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self, cast

from pydantic import ConfigDict, Field, JsonValue

from apis.app_api.tools.service import AdminTool, Difference
from apis.shared.http import Wire
from apis.shared.http.bounds import Integer, ParentIds, ShortText, ShortTexts, Switches
from apis.shared.rbac.models import WILDCARD, ToolRole, UserEffectivePermissions
from apis.shared.tools.access import UserTool, UserTools
from apis.shared.tools.catalogue import GATEWAY_PREFIX, CatalogueTool, display_name
from apis.shared.tools.models import (
    CLEARABLE,
    A2aConfig,
    McpConfig,
    ToolCategory,
    ToolProtocol,
    ToolRecord,
    ToolStatus,
)
from apis.shared.tools.repository import ToolChange

_TOOL_ID = "Id of the tool."
_CATEGORY = "Where lists show it."
_ICON = "Name of a symbol."
_PROTOCOL = "How a run reaches the tool."
_STATUS = "A `disabled` tool is seen by nobody, a `coming_soon` one is shown and never runs."
_PROVIDER = "Id of the OAuth provider that users have to be connected with."
_PUBLIC = "Whether everybody may use it."
_DEFAULT = "Whether it is on for users who have not chosen."
_MOMENT = "UTC, ISO 8601."
_BY = "Id of an administrator."
_ARN = "ARN of the secret that holds the credentials, not the credentials."

_MCP: dict[str, JsonValue] = {"serverUrl": "https://tools.example.edu/mcp", "authType": "aws-iam"}


class UserToolAccess(Wire):
    """A tool as the caller has it."""

    tool_id: Annotated[str, Field(description=_TOOL_ID)]
    display_name: Annotated[str, Field(description="Its name for people.")]
    description: Annotated[str, Field(description="What it does.")]
    category: Annotated[ToolCategory, Field(description=_CATEGORY)]
    icon: Annotated[str | None, Field(description=_ICON)] = None
    protocol: Annotated[ToolProtocol, Field(description=_PROTOCOL)]
    status: Annotated[ToolStatus, Field(description=_STATUS)]
    requires_oauth_provider: Annotated[str | None, Field(description=_PROVIDER)] = None
    granted_by: Annotated[list[str], Field(description="`public`, and ids of the caller's roles.")]
    enabled_by_default: Annotated[bool, Field(description=_DEFAULT)]
    user_enabled: Annotated[bool | None, Field(description="The caller's own choice; null where there is none.")] = None
    is_enabled: Annotated[bool, Field(description="Whether clients name it in `enabled_tools` of a turn.")]

    @classmethod
    def of_tool(cls, tool: UserTool) -> Self:
        return cls(
            **{name: getattr(tool.record, name) for name in _SHARED},
            granted_by=list(tool.granted_by),
            user_enabled=tool.user_enabled,
            is_enabled=tool.is_enabled,
        )


_SHARED = tuple(name for name in UserToolAccess.model_fields if name in ToolRecord.model_fields)


class UserToolsResponse(Wire):
    """The tools that the caller may use."""

    tools: Annotated[list[UserToolAccess], Field(description="By category and name.")]
    categories: Annotated[list[str], Field(description="Of these tools, sorted.")]
    app_roles_applied: Annotated[list[str], Field(description="The caller's roles.")]

    @classmethod
    def of_tools(cls, tools: UserTools) -> Self:
        return cls(
            tools=[UserToolAccess.of_tool(tool) for tool in tools.tools],
            categories=sorted({tool.record.category for tool in tools.tools}),
            app_roles_applied=list(tools.app_roles),
        )


class ToolPreferencesRequest(Wire):
    """Tools to switch on or off; the others stay as they are."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"preferences": {"calculator": False}}]})

    preferences: Annotated[Switches, Field(description="By id of the tool.")]


class Done(Wire):
    """What was done, as a sentence."""

    message: Annotated[str, Field(description="For people.")]


class LegacyToolResponse(Wire):
    """A tool that the platform's own code brings."""

    tool_id: Annotated[str, Field(description=_TOOL_ID)]
    name: Annotated[str, Field(description="Its name for people.")]
    description: Annotated[str, Field(description="What it does.")]
    category: Annotated[str, Field(description="`search`, `browser`, `data`, `utilities`, `code` or `gateway`.")]
    is_gateway_tool: Annotated[bool, Field(description="Whether it runs behind the gateway.")]
    icon: Annotated[str | None, Field(description=_ICON)] = None


class LegacyToolListResponse(Wire):
    """Tools that the platform's own code brings."""

    tools: Annotated[list[LegacyToolResponse], Field(description="In the order of the code.")]
    total: Annotated[int, Field(description="How many there are.")]

    @classmethod
    def of_tools(cls, tools: Sequence[CatalogueTool]) -> Self:
        shown = [
            LegacyToolResponse(
                tool_id=tool.tool_id,
                name=display_name(tool),
                description=tool.description,
                category=tool.legacy_category,
                is_gateway_tool=tool.tool_id.startswith(GATEWAY_PREFIX),
                icon=tool.icon,
            )
            for tool in tools
        ]
        return cls(tools=shown, total=len(shown))


class UserToolPermissionsResponse(Wire):
    """What the caller's roles grant."""

    user_id: Annotated[str, Field(description="Of the caller.")]
    allowed_tools: Annotated[list[str], Field(description="Ids as granted; `*` stands for all.")]
    has_wildcard: Annotated[bool, Field(description="Whether all are granted.")]
    app_roles: Annotated[list[str], Field(description="The caller's roles.")]

    @classmethod
    def of_permissions(cls, permissions: UserEffectivePermissions) -> Self:
        return cls(
            user_id=permissions.user_id,
            allowed_tools=list(permissions.tools),
            has_wildcard=WILDCARD in permissions.tools,
            app_roles=list(permissions.app_roles),
        )


class MCPServerConfigResponse(Wire):
    """How to reach a tool on an MCP server."""

    server_url: Annotated[str, Field(description="Address of the server.")]
    transport: Annotated[str, Field(description="`streamable-http`, `sse` or `stdio`.")]
    auth_type: Annotated[str, Field(description="How requests are authenticated.")]
    aws_region: Annotated[str | None, Field(description="For `aws-iam`.")] = None
    api_key_header: Annotated[str | None, Field(description="For `api-key`.")] = None
    secret_arn: Annotated[str | None, Field(description=_ARN)] = None
    tools: Annotated[list[str], Field(default_factory=list, description="Which of the server's tools; empty: all.")]
    health_check_enabled: Annotated[bool, Field(description="Whether it is asked regularly.")] = False
    health_check_interval_seconds: Annotated[int, Field(description="How often.")] = 300


class A2AAgentConfigResponse(Wire):
    """How to reach another agent."""

    agent_url: Annotated[str, Field(description="Address of the agent.")]
    agent_id: Annotated[str | None, Field(description="Its id there.")] = None
    auth_type: Annotated[str, Field(description="How requests are authenticated.")]
    aws_region: Annotated[str | None, Field(description="For `aws-iam`.")] = None
    secret_arn: Annotated[str | None, Field(description=_ARN)] = None
    capabilities: Annotated[list[str], Field(default_factory=list, description="What it can do.")]
    timeout_seconds: Annotated[int, Field(description="Of one request.")] = 120
    max_retries: Annotated[int, Field(description="Of one request.")] = 3


class AdminToolResponse(Wire):
    """A tool of the catalogue."""

    tool_id: Annotated[str, Field(description="Never changes.")]
    display_name: Annotated[str, Field(description="Its name for people.")]
    description: Annotated[str, Field(description="May be empty.")]
    category: Annotated[ToolCategory, Field(description=_CATEGORY)]
    icon: Annotated[str | None, Field(description=_ICON)] = None
    protocol: Annotated[ToolProtocol, Field(description=_PROTOCOL)]
    status: Annotated[ToolStatus, Field(description=_STATUS)]
    requires_oauth_provider: Annotated[str | None, Field(description=_PROVIDER)] = None
    is_public: Annotated[bool, Field(description=_PUBLIC)]
    allowed_app_roles: Annotated[list[str], Field(description="Ids of the roles that grant it themselves.")]
    enabled_by_default: Annotated[bool, Field(description=_DEFAULT)]
    created_at: Annotated[str, Field(description=_MOMENT)]
    updated_at: Annotated[str, Field(description=_MOMENT)]
    created_by: Annotated[str | None, Field(description=_BY)] = None
    updated_by: Annotated[str | None, Field(description=_BY)] = None
    mcp_config: Annotated[MCPServerConfigResponse | None, Field(description="For `mcp` and `mcp_external`.")] = None
    a2a_config: Annotated[A2AAgentConfigResponse | None, Field(alias="a2aConfig", description="For `a2a`.")] = None

    @classmethod
    def of_tool(cls, tool: AdminTool) -> Self:
        record = tool.record
        return cls(
            **{name: getattr(record, name) for name in cls.model_fields if name in _PLAIN},
            allowed_app_roles=list(tool.granting),
            mcp_config=None if record.mcp_config is None else MCPServerConfigResponse.of(record.mcp_config),
            a2a_config=None if record.a2a_config is None else A2AAgentConfigResponse.of(record.a2a_config),
        )


_PLAIN = ToolRecord.model_fields.keys() - {"mcp_config", "a2a_config"}


class AdminToolListResponse(Wire):
    """The whole catalogue."""

    tools: Annotated[list[AdminToolResponse], Field(description="By category and name.")]
    total: Annotated[int, Field(description="How many there are.")]

    @classmethod
    def of_tools(cls, tools: list[AdminTool], status: str | None) -> Self:
        shown = [AdminToolResponse.of_tool(tool) for tool in tools if status in {None, tool.record.status}]
        return cls(tools=shown, total=len(shown))


class MCPServerConfigRequest(Wire):
    """How to reach a tool on an MCP server."""

    server_url: Annotated[ShortText, Field(description="Address of the server.")]
    transport: Annotated[Literal["streamable-http", "sse", "stdio"], Field(description="What it speaks.")] = (
        "streamable-http"
    )
    auth_type: Annotated[
        Literal["none", "aws-iam", "api-key", "bearer-token", "oauth2"],
        Field(description="How requests are authenticated."),
    ] = "aws-iam"
    aws_region: Annotated[ShortText | None, Field(description="For `aws-iam`.")] = None
    api_key_header: Annotated[ShortText | None, Field(description="For `api-key`.")] = None
    secret_arn: Annotated[ShortText | None, Field(description=_ARN)] = None
    tools: Annotated[ShortTexts, Field(default_factory=list, description="Which of the server's tools; empty: all.")]
    health_check_enabled: Annotated[bool, Field(description="Whether to ask it regularly.")] = False
    health_check_interval_seconds: Annotated[Integer, Field(description="How often.")] = 300

    def to_record(self) -> McpConfig:
        return McpConfig.model_validate(self.model_dump())


class A2AAgentConfigRequest(Wire):
    """How to reach another agent."""

    agent_url: Annotated[ShortText, Field(description="Address of the agent.")]
    agent_id: Annotated[ShortText | None, Field(description="Its id there.")] = None
    auth_type: Annotated[
        Literal["none", "aws-iam", "agentcore", "api-key"], Field(description="How requests are authenticated.")
    ] = "agentcore"
    aws_region: Annotated[ShortText | None, Field(description="For `aws-iam`.")] = None
    secret_arn: Annotated[ShortText | None, Field(description=_ARN)] = None
    capabilities: Annotated[ShortTexts, Field(default_factory=list, description="What it can do.")]
    timeout_seconds: Annotated[Integer, Field(description="Of one request.")] = 120
    max_retries: Annotated[Integer, Field(description="Of one request.")] = 3

    def to_record(self) -> A2aConfig:
        return A2aConfig.model_validate(self.model_dump())


_ToolId = Annotated[
    str,
    Field(pattern=r"^[a-z][a-z0-9_]{2,49}$", description="3 to 50 lower-case letters, digits and `_`; never changes."),
]
_DisplayName = Annotated[str, Field(min_length=1, max_length=100)]
_Description = Annotated[str, Field(max_length=500)]
_Icon = Annotated[str, Field(max_length=50)]


class ToolCreateRequest(Wire):
    """A new tool of the catalogue. Whether there is an implementation of it is not checked."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "toolId": "library_search",
                    "displayName": "Library",
                    "description": "Search the library's catalogue.",
                    "category": "research",
                    "protocol": "mcp_external",
                    "mcpConfig": _MCP,
                }
            ]
        }
    )

    tool_id: _ToolId
    display_name: Annotated[_DisplayName, Field(description="Its name for people.")]
    description: Annotated[_Description, Field(description="May be empty.")]
    category: Annotated[ToolCategory, Field(description=_CATEGORY)] = "utility"
    icon: Annotated[_Icon | None, Field(description=_ICON)] = None
    protocol: Annotated[ToolProtocol, Field(description=_PROTOCOL)] = "local"
    status: Annotated[ToolStatus, Field(description=_STATUS)] = "active"
    requires_oauth_provider: Annotated[ShortText | None, Field(description=_PROVIDER)] = None
    is_public: Annotated[bool, Field(description=_PUBLIC)] = False
    enabled_by_default: Annotated[bool, Field(description=_DEFAULT)] = False
    mcp_config: Annotated[MCPServerConfigRequest | None, Field(description="For `mcp` and `mcp_external`.")] = None
    a2a_config: Annotated[A2AAgentConfigRequest | None, Field(alias="a2aConfig", description="For `a2a`.")] = None

    def to_record(self) -> ToolRecord:
        return ToolRecord.model_validate(self.model_dump())


class ToolUpdateRequest(Wire):
    """Absent members change nothing, and neither does null; but null clears `icon`, `requiresOauthProvider`,
    `mcpConfig` and `a2aConfig`. A configuration is replaced as a whole."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"isPublic": True, "requiresOauthProvider": None}]})

    display_name: Annotated[_DisplayName | None, Field(description="Its name for people.")] = None
    description: Annotated[_Description | None, Field(description="May be empty.")] = None
    category: Annotated[ToolCategory | None, Field(description=_CATEGORY)] = None
    icon: Annotated[_Icon | None, Field(description=_ICON)] = None
    protocol: Annotated[ToolProtocol | None, Field(description=_PROTOCOL)] = None
    status: Annotated[ToolStatus | None, Field(description=_STATUS)] = None
    requires_oauth_provider: Annotated[ShortText | None, Field(description=_PROVIDER)] = None
    is_public: Annotated[bool | None, Field(description=_PUBLIC)] = None
    enabled_by_default: Annotated[bool | None, Field(description=_DEFAULT)] = None
    mcp_config: Annotated[MCPServerConfigRequest | None, Field(description="For `mcp` and `mcp_external`.")] = None
    a2a_config: Annotated[A2AAgentConfigRequest | None, Field(alias="a2aConfig", description="For `a2a`.")] = None

    def to_change(self) -> ToolChange:
        given: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set}  # Any: as in ToolChange
        for name in given.keys() & {"mcp_config", "a2a_config"}:
            config = cast("MCPServerConfigRequest | A2AAgentConfigRequest | None", given[name])  # by its name
            given[name] = None if config is None else config.to_record()
        return {name: value for name, value in given.items() if value is not None or name in CLEARABLE}


class ToolRoleAssignment(Wire):
    """A role that grants the tool."""

    role_id: Annotated[str, Field(description="Id of the role.")]
    display_name: Annotated[str, Field(description="Its name for administrators.")]
    grant_type: Annotated[str, Field(description="`direct`: the role itself grants it.")]
    inherited_from: Annotated[str | None, Field(description="Null for a direct grant.")] = None
    enabled: Annotated[bool, Field(description="A disabled role gives nobody anything.")]


class ToolRolesResponse(Wire):
    """The roles that grant a tool by its id; roles that grant everything are not named."""

    tool_id: Annotated[str, Field(description=_TOOL_ID)]
    roles: Annotated[list[ToolRoleAssignment], Field(description="By id.")]

    @classmethod
    def of_roles(cls, tool_id: str, roles: list[ToolRole]) -> Self:
        return cls(tool_id=tool_id, roles=[ToolRoleAssignment.of(role) for role in roles])


class SetToolRolesRequest(Wire):
    """All roles that shall grant the tool."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"appRoleIds": ["research_staff"]}]})

    app_role_ids: Annotated[ParentIds, Field(description="Ids of roles; none may be `system_admin`.")]


class AddRemoveRolesRequest(Wire):
    """Roles that shall grant the tool, or shall grant it no more."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"appRoleIds": ["research_staff"]}]})

    app_role_ids: Annotated[ParentIds, Field(description="Ids of roles; none may be `system_admin`.")]


class SyncResult(Wire):
    """How the stored catalogue differs from the code."""

    discovered: Annotated[
        list[dict[str, str]],
        Field(description="Tools that only the code has: `tool_id`, `display_name`, `description`, `category`, ..."),
    ]
    orphaned: Annotated[
        list[dict[str, str]], Field(description="Tools that the code does not have any more: `tool_id`, `action`.")
    ]
    unchanged: Annotated[list[str], Field(description="Ids of the other stored tools.")]
    dry_run: Annotated[bool, Field(description="Whether nothing was written.")]

    @classmethod
    def of_difference(cls, difference: Difference, *, dry_run: bool) -> Self:
        return cls(
            discovered=[
                {
                    "tool_id": record.tool_id,
                    "display_name": record.display_name,
                    "description": record.description,
                    "category": record.category,
                    "protocol": record.protocol,
                    "action": "create",
                }
                for record in difference.discovered
            ],
            orphaned=[{"tool_id": tool_id, "action": "mark_deprecated"} for tool_id in difference.orphaned],
            unchanged=list(difference.unchanged),
            dry_run=dry_run,
        )
