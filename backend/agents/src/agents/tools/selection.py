"""Which of the permitted tool ids a run can use, and how each is reached."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from agents.tools.registry import LOCAL_TOOLS
from apis.shared.tools.catalogue import GATEWAY_PREFIX


@dataclass(frozen=True, slots=True)
class ToolSelection:
    """Ids in the order of the request, each once."""

    local: tuple[str, ...] = ()
    gateway: tuple[str, ...] = ()
    external: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    def statistics(self) -> dict[str, int]:
        return {
            "total_requested": len(self.local) + len(self.gateway) + len(self.external) + len(self.unknown),
            "local_tools": len(self.local),
            "gateway_tools": len(self.gateway),
            "external_mcp_tools": len(self.external),
            "unknown_tools": len(self.unknown),
        }


def select_tools(ids: Sequence[str], *, external: Collection[str] = ()) -> ToolSelection:
    """`external` are the ids whose stored record names an external MCP server. First match wins."""
    kinds: dict[str, list[str]] = {}
    for tool_id in dict.fromkeys(ids):
        if tool_id in LOCAL_TOOLS:
            kind = "local"
        elif tool_id.startswith(GATEWAY_PREFIX):
            kind = "gateway"
        elif tool_id in external:
            kind = "external"
        else:
            kind = "unknown"
        kinds.setdefault(kind, []).append(tool_id)
    return ToolSelection(**{kind: tuple(found) for kind, found in kinds.items()})
