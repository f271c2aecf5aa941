"""Which tools a user may use, and which of them are switched on."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from apis.shared.auth.models import User
from apis.shared.errors import ErrorDetail, bad_request, forbidden
from apis.shared.rbac.models import WILDCARD, UserEffectivePermissions
from apis.shared.rbac.service import AppRoleService, get_app_role_service
from apis.shared.result import Failure, Result, Success, railway
from apis.shared.tools.catalogue import CODE_CATALOGUE, GATEWAY_PREFIX, code_records
from apis.shared.tools.models import ToolRecord
from apis.shared.tools.preferences import ToolPreferenceRepository, get_tool_preferences
from apis.shared.tools.repository import Catalogue, ToolRepository, get_tool_repository
from apis.shared.wiring import once


@dataclass(frozen=True, slots=True)
class FilteredTools:
    """Ids in the order of the request, each once; `external` are the allowed ones on an external MCP server,
    with their records."""

    allowed: list[str]
    denied: list[str]
    external: Mapping[str, ToolRecord] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UserTool:
    """A tool as one user has it. `granted_by` holds `public` and the ids of AppRoles; `user_enabled` is the user's own
    choice, None where there is none."""

    record: ToolRecord
    granted_by: Sequence[str]
    user_enabled: bool | None

    @property
    def is_enabled(self) -> bool:
        if self.record.status == "coming_soon":
            return False
        return self.record.enabled_by_default if self.user_enabled is None else self.user_enabled


@dataclass(frozen=True, slots=True)
class UserTools:
    """By category and name."""

    tools: Sequence[UserTool]
    app_roles: Sequence[str]


def not_accessible(tool_ids: Sequence[str]) -> ErrorDetail:
    return bad_request(f"No access to: {', '.join(tool_ids)}", field="body.preferences")


def denied_tools(tool_ids: Sequence[str]) -> ErrorDetail:
    return forbidden(f"You do not have access to these tools: {', '.join(tool_ids)}")


class ToolAccess:
    """Permissions or a catalogue that cannot be read are a Failure, never a shorter or a longer list."""

    def __init__(self, roles: AppRoleService, tools: ToolRepository, preferences: ToolPreferenceRepository) -> None:
        self._roles = roles
        self._tools = tools
        self._preferences = preferences

    @railway
    async def of_user(self, user: User) -> Result[UserTools, ErrorDetail]:
        """What the user sees; a disabled tool is seen by nobody."""
        resolved, listed, chosen = await asyncio.gather(
            self._roles.resolve_user_permissions(user),
            self._tools.catalogue(),
            self._preferences.of_user(user.user_id),
        )
        permissions, preferences = resolved.unwrap(), chosen.unwrap()
        granted = _granted(listed.unwrap(), permissions)
        return Success(
            UserTools(
                [
                    UserTool(record, granted_by, preferences.get(record.tool_id))
                    for record, granted_by in sorted(granted.values(), key=lambda one: one[0].order)
                ],
                permissions.app_roles,
            )
        )

    @railway
    async def prefer(self, user: User, preferences: Mapping[str, bool]) -> Result[None, ErrorDetail]:
        """Switch tools on or off. Fails with `bad_request`, and changes nothing, when the user does not see one."""
        resolved, listed = await asyncio.gather(self._roles.resolve_user_permissions(user), self._tools.catalogue())
        granted = _granted(listed.unwrap(), resolved.unwrap())
        if refused := sorted(preferences.keys() - granted.keys()):
            return Failure(not_accessible(refused))
        return await self._preferences.merge(user.user_id, preferences) if preferences else Success(None)

    @railway
    async def filter(self, user: User, requested: Sequence[str] | None) -> Result[FilteredTools, ErrorDetail]:
        """A denied tool is left out, it never fails the request; permissions that cannot be read do. None stands for
        the tools of the code: those that are allowed. Nothing requested, nothing looked up."""
        if requested is not None and not requested:
            return Success(FilteredTools([], []))
        known = (await self._known(user)).unwrap()
        if requested is None:
            return Success(known.filtered([tool_id for tool_id in CODE_CATALOGUE if known.may_use(tool_id)]))
        return Success(known.filtered(requested))

    @railway
    async def require(self, user: User, requested: Sequence[str]) -> Result[FilteredTools, ErrorDetail]:
        """`filter` that fails with `forbidden`, naming the denied tools, when there are any."""
        filtered = (await self.filter(user, requested)).unwrap()
        return Failure(denied_tools(filtered.denied)) if filtered.denied else Success(filtered)

    @railway
    async def _known(self, user: User) -> "Result[_Known, ErrorDetail]":
        resolved, listed = await asyncio.gather(self._roles.resolve_user_permissions(user), self._tools.catalogue())
        return Success(_Known(resolved.unwrap(), listed.unwrap()))


def _granted(
    catalogue: Catalogue, permissions: UserEffectivePermissions
) -> dict[str, tuple[ToolRecord, Sequence[str]]]:
    """The tools that the user sees, by id, with what grants them. The code catalogue stands in while nothing is
    stored."""
    found: dict[str, tuple[ToolRecord, Sequence[str]]] = {}
    for record in (catalogue or code_records()).values():
        by_role = permissions.app_roles if permissions.allows_tool(record.tool_id) else ()
        granted_by = (*(("public",) if record.is_public else ()), *by_role)
        if granted_by and record.status != "disabled":
            found[record.tool_id] = record, granted_by
    return found


@dataclass(frozen=True, slots=True)
class _Known:
    """What decides for one user. The one truth about what a turn may load."""

    permissions: UserEffectivePermissions
    catalogue: Catalogue

    def may_use(self, tool_id: str) -> bool:
        """Public, granted by id, or, with the wildcard, known at all. The code catalogue decides what is public only
        while nothing is stored."""
        stored = self.catalogue.get(tool_id)
        if stored is not None and not stored.is_loadable:
            return False
        if tool_id in self.permissions.tools and tool_id != WILDCARD:
            return True
        if stored is not None and stored.is_public:
            return True
        if not self.catalogue and tool_id in CODE_CATALOGUE and CODE_CATALOGUE[tool_id].is_public:
            return True
        known = stored is not None or tool_id in CODE_CATALOGUE or tool_id.startswith(GATEWAY_PREFIX)
        return WILDCARD in self.permissions.tools and known

    def filtered(self, requested: Sequence[str]) -> FilteredTools:
        allowed = [tool_id for tool_id in dict.fromkeys(requested) if self.may_use(tool_id)]
        external = {
            tool_id: self.catalogue[tool_id]
            for tool_id in allowed
            if tool_id in self.catalogue and self.catalogue[tool_id].protocol == "mcp_external"
        }
        denied = [tool_id for tool_id in dict.fromkeys(requested) if tool_id not in allowed]
        return FilteredTools(allowed, denied, external)


@once
def get_tool_access() -> ToolAccess:
    return ToolAccess(get_app_role_service(), get_tool_repository(), get_tool_preferences())
