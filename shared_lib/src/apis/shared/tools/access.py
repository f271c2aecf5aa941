"""Which of the requested tools a user may use."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from apis.shared.auth.models import User
from apis.shared.errors import ErrorDetail
from apis.shared.rbac.models import WILDCARD, UserEffectivePermissions
from apis.shared.rbac.service import AppRoleService, get_app_role_service
from apis.shared.result import Result, Success, railway
from apis.shared.tools.catalogue import CODE_CATALOGUE, GATEWAY_PREFIX
from apis.shared.tools.repository import Catalogue, ToolRepository, get_tool_repository
from apis.shared.wiring import once


@dataclass(frozen=True, slots=True)
class FilteredTools:
    """Ids in the order of the request, each once; `external` are the allowed ones on an external MCP server."""

    allowed: list[str]
    denied: list[str]
    external: frozenset[str] = frozenset()


class ToolAccess:
    def __init__(self, roles: AppRoleService, tools: ToolRepository) -> None:
        self._roles = roles
        self._tools = tools

    @railway
    async def filter(self, user: User, requested: Sequence[str]) -> Result[FilteredTools, ErrorDetail]:
        """A denied tool is left out, it never fails the request; permissions that cannot be read do. Nothing
        requested, nothing looked up."""
        if not requested:
            return Success(FilteredTools([], []))
        resolved, listed = await asyncio.gather(self._roles.resolve_user_permissions(user), self._tools.catalogue())
        permissions, catalogue = resolved.unwrap(), listed.unwrap()
        judged = {tool_id: _may_use(tool_id, permissions, catalogue) for tool_id in requested}
        allowed = [tool_id for tool_id, is_allowed in judged.items() if is_allowed]
        return Success(
            FilteredTools(
                allowed,
                [tool_id for tool_id, is_allowed in judged.items() if not is_allowed],
                frozenset(
                    tool_id
                    for tool_id in allowed
                    if tool_id in catalogue and catalogue[tool_id].protocol == "mcp_external"
                ),
            )
        )


def _may_use(tool_id: str, permissions: UserEffectivePermissions, catalogue: Catalogue) -> bool:
    """Public, granted by id, or, with the wildcard, known at all. The code catalogue decides what is public only
    while nothing is stored."""
    stored = catalogue.get(tool_id)
    if stored is not None and not stored.is_loadable:
        return False
    if tool_id in permissions.tools:
        return True
    if stored is not None and stored.is_public:
        return True
    if not catalogue and tool_id in CODE_CATALOGUE and CODE_CATALOGUE[tool_id].is_public:
        return True
    known = stored is not None or tool_id in CODE_CATALOGUE or tool_id.startswith(GATEWAY_PREFIX)
    return WILDCARD in permissions.tools and known


@once
def get_tool_access() -> ToolAccess:
    return ToolAccess(get_app_role_service(), get_tool_repository())
