"""A tool of the stored catalogue, as far as reading it needs."""

from typing import Annotated, Literal

from pydantic import BeforeValidator

from apis.shared.records import Record

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


class ToolRecord(Record):
    tool_id: str
    protocol: Annotated[ToolProtocol, BeforeValidator(_protocol)] = "local"
    status: ToolStatus = "active"
    is_public: bool = False
    enabled_by_default: bool = False

    @property
    def is_loadable(self) -> bool:
        """Whether a run may use the tool: a disabled or announced one stays out."""
        return self.status in {"active", "deprecated"}
