"""The door to tools on servers, for a turn. What is behind it is imported when a turn has such tools."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from agents.tools.selection import ToolSelection
from apis.shared.errors import ErrorDetail
from apis.shared.result import Result, Success
from apis.shared.tools.models import ToolRecord
from apis.shared.wiring import once

if TYPE_CHECKING:
    from agents.tools.mcp.servers import RemoteTool, ToolServers


class OpenTools(Protocol):
    """`close` is called once whatever happens to the turn, and does not wait."""

    @property
    def tools(self) -> "Sequence[RemoteTool]": ...

    def close(self) -> None: ...


class _None:
    tools: "Sequence[RemoteTool]" = ()

    def close(self) -> None:
        pass


async def open_tools(
    selection: ToolSelection, records: Sequence[ToolRecord], user_id: str
) -> Result[OpenTools, ErrorDetail]:
    """The tools of the turn that are on servers. See `ToolServers.connect`."""
    if not selection.gateway and not selection.external:
        return Success(_None())
    servers = await asyncio.to_thread(_get_tool_servers)
    connected = await servers.connect(selection.gateway, records, user_id)
    return connected.map(_as_open)


def _as_open(tools: OpenTools) -> OpenTools:
    return tools


def framework_tools(tools: "Sequence[RemoteTool]") -> list[Any]:
    """The framework's tool objects."""
    return [_framework_tool(tool) for tool in tools]


def _framework_tool(tool: "RemoteTool") -> Any:  # Any: as above
    from strands.tools.tools import PythonAgentTool  # noqa: PLC0415 - lazy: the framework stays out of the start

    async def run(use: Any, **_: Any) -> Any:  # Any: the framework's own dictionaries
        given = use.get("input")
        result = await tool.run(given if isinstance(given, dict) else {})
        return {"toolUseId": use["toolUseId"], **result}

    spec: Any = {"name": tool.name, "description": tool.description, "inputSchema": {"json": tool.schema}}
    return PythonAgentTool(tool.name, spec, run)


@once
def _get_tool_servers() -> "ToolServers":
    from agents.outgoing.pages import tls_context  # noqa: PLC0415 - lazy: as below
    from agents.tools.mcp.endpoints import get_gateway  # noqa: PLC0415 - lazy: as below
    from agents.tools.mcp.servers import ToolServers  # noqa: PLC0415 - lazy: the HTTP client stays out of the start
    from apis.shared.oauth.service import get_oauth_token_service  # noqa: PLC0415 - lazy: as above

    tls_context()  # reading the certificates takes a moment, which is spent in this thread
    return ToolServers(get_gateway(), get_oauth_token_service())
