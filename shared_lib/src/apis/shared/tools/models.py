"""A tool of the catalogue, as stored."""

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from apis.shared.moments import zulu_form
from apis.shared.records import Record, StoredMoment, Texts

type ToolCategory = Literal[
    "search",
    "data",
    "visualization",
    "document",
    "code",
    "browser",
    "utility",
    "research",
    "finance",
    "gateway",
    "custom",
]
type ToolProtocol = Literal["local", "aws_sdk", "mcp", "mcp_external", "a2a"]
type ToolStatus = Literal["active", "deprecated", "disabled", "coming_soon"]

_PROTOCOLS = {"local", "aws_sdk", "mcp", "mcp_external", "a2a"}
_LEGACY_PROTOCOLS = {"mcp_http": "mcp_external", "http": "mcp_external"}


def _protocol(value: object) -> object:
    """An unknown name is a legacy one and reads as `local`: such a tool is in no registry, so nothing wrong runs."""
    if not isinstance(value, str):
        return value
    known = _LEGACY_PROTOCOLS.get(value, value)
    return known if known in _PROTOCOLS else "local"


class McpConfig(Record):
    """How to reach a tool on an MCP server. `secret_arn` names a secret, it holds none."""

    server_url: str
    transport: str = "streamable-http"
    auth_type: str = "aws-iam"
    aws_region: str | None = None
    api_key_header: str | None = None
    secret_arn: str | None = None
    tools: Texts = Field(default_factory=list)
    health_check_enabled: bool = False
    health_check_interval_seconds: int = 300


class A2aConfig(Record):
    """How to reach another agent. `secret_arn` names a secret, it holds none."""

    agent_url: str
    agent_id: str | None = None
    auth_type: str = "agentcore"
    aws_region: str | None = None
    secret_arn: str | None = None
    capabilities: Texts = Field(default_factory=list)
    timeout_seconds: int = 120
    max_retries: int = 3


class ToolRecord(Record):
    """One tool, with the defaults of an incomplete record. `created_by` and `updated_by` are ids of users."""

    tool_id: str
    display_name: str = ""
    description: str = ""
    category: ToolCategory = "utility"
    icon: str | None = None
    protocol: Annotated[ToolProtocol, BeforeValidator(_protocol)] = "local"
    status: ToolStatus = "active"
    requires_oauth_provider: str | None = None
    is_public: bool = False
    enabled_by_default: bool = False
    created_at: StoredMoment = Field(default_factory=zulu_form)
    updated_at: StoredMoment = Field(default_factory=zulu_form)
    created_by: str | None = None
    updated_by: str | None = None
    mcp_config: McpConfig | None = None
    a2a_config: A2aConfig | None = Field(default=None, alias="a2aConfig")

    @property
    def is_loadable(self) -> bool:
        """Whether a run may use the tool: a disabled or announced one stays out."""
        return self.status in {"active", "deprecated"}

    @property
    def order(self) -> tuple[str, str, str]:
        """Of lists: by category, then by name."""
        return self.category, self.display_name, self.tool_id


CONFIGS: Final = frozenset({"mcp_config", "a2a_config"})
"""Of a tool, what is left out where there is none; anything else that may be without a value is stored as NULL."""
CLEARABLE: Final = CONFIGS | {"icon", "requires_oauth_provider"}
"""Of a tool, what may be without a value."""


class ToolPreferences(Record):
    """Which tools a user has switched on or off, by their ids; what is not named follows the tool's default."""

    tool_preferences: Annotated[dict[str, bool], BeforeValidator(lambda value: {} if value is None else value)] = Field(
        default_factory=dict
    )
