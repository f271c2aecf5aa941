from typing import Annotated

from fastapi import Path, Query

from apis.app_api.tools.schemas import (
    AddRemoveRolesRequest,
    AdminToolListResponse,
    AdminToolResponse,
    Done,
    LegacyToolListResponse,
    SetToolRolesRequest,
    SyncResult,
    ToolCreateRequest,
    ToolPreferencesRequest,
    ToolRolesResponse,
    ToolUpdateRequest,
    UserToolPermissionsResponse,
    UserToolsResponse,
)
from apis.app_api.tools.service import PROTECTED, get_tools_admin, tool_id_taken, unknown_roles
from apis.shared.auth import AdminUser, CurrentUser, CurrentUserId, require_admin
from apis.shared.errors import ErrorDetail
from apis.shared.http import GUARDED, STORE_ERRORS, AdminRouter, ResultRouter
from apis.shared.http.bounds import ShortText
from apis.shared.rbac.admin_service import TOO_MANY_ITEMS
from apis.shared.rbac.repository import ROLE_CHANGED
from apis.shared.rbac.service import get_app_role_service
from apis.shared.result import Result, Success
from apis.shared.tools.access import get_tool_access, not_accessible
from apis.shared.tools.catalogue import CODE_CATALOGUE, CatalogueTool
from apis.shared.tools.repository import tool_not_found

_TAGS: list[str] = ["Tools"]
router = ResultRouter(tags=_TAGS, errors=(*GUARDED, *STORE_ERRORS))
admin_router = AdminRouter(guard=require_admin, tags=_TAGS, errors=STORE_ERRORS)

# As OpenAPI shows them.
NOT_FOUND = tool_not_found("library_search")
TAKEN = tool_id_taken("library_search")
NO_ACCESS = not_accessible(["library_search"])
UNKNOWN_ROLES = unknown_roles(["research_staff"])
ROLE_ERRORS = (NOT_FOUND, UNKNOWN_ROLES, PROTECTED, TOO_MANY_ITEMS, ROLE_CHANGED)

ToolId = Annotated[str, Path(description="Id of the tool.", examples=["library_search"])]
LegacyCategory = Annotated[
    ShortText | None,
    Query(description="`search`, `browser`, `data`, `utilities`, `code` or `gateway`; another one has no tools."),
]


@router.get("/tools/", summary="List the tools that the caller may use")
async def list_tools(user: CurrentUser) -> Result[UserToolsResponse, ErrorDetail]:
    """Public ones, and those that a role grants. What is `isEnabled` goes into `enabled_tools` of a turn."""
    return (await get_tool_access().of_user(user)).map(UserToolsResponse.of_tools)


@router.put("/tools/preferences", summary="Switch tools on or off", errors=(NO_ACCESS,))
async def update_preferences(user: CurrentUser, body: ToolPreferencesRequest) -> Result[Done, ErrorDetail]:
    """All of them, or none when there is one that the caller may not use."""
    saved = await get_tool_access().prefer(user, body.preferences)
    return saved.map(lambda _: Done(message="Preferences saved"))


@router.get("/tools/catalog", summary="List the tools of the platform itself")
async def list_catalogue(
    _: CurrentUserId, category: LegacyCategory = None
) -> Result[LegacyToolListResponse, ErrorDetail]:
    """For older clients: what the code brings, whoever may use it."""
    return Success(LegacyToolListResponse.of_tools(_of_category(category)))


@router.get("/tools/available", summary="List the tools of the platform that roles grant")
async def list_available(
    user: CurrentUser, category: LegacyCategory = None
) -> Result[LegacyToolListResponse, ErrorDetail]:
    """For older clients: what the code brings and one of the caller's roles grants; that a tool is public does not
    count."""
    resolved = await get_app_role_service().resolve_user_permissions(user)
    return resolved.map(
        lambda permissions: LegacyToolListResponse.of_tools(
            [tool for tool in _of_category(category) if permissions.allows_tool(tool.tool_id)]
        )
    )


@router.get("/tools/my-permissions", summary="Tell what the caller's roles grant")
async def get_permissions(user: CurrentUser) -> Result[UserToolPermissionsResponse, ErrorDetail]:
    """Public tools need no role, and are not named."""
    resolved = await get_app_role_service().resolve_user_permissions(user)
    return resolved.map(UserToolPermissionsResponse.of_permissions)


@admin_router.get("/tools/", summary="List the tool catalogue")
async def list_admin_tools(
    status: Annotated[ShortText | None, Query(description="Only tools with this status.")] = None,
) -> Result[AdminToolListResponse, ErrorDetail]:
    """While none is stored, the tools that the platform's own code brings."""
    return (await get_tools_admin().list_all()).map(lambda tools: AdminToolListResponse.of_tools(tools, status))


@admin_router.post("/tools/", summary="Add a tool", errors=(TAKEN,))
async def create_tool(admin: AdminUser, body: ToolCreateRequest) -> Result[AdminToolResponse, ErrorDetail]:
    """Roles grant it; see the operations on its roles."""
    return (await get_tools_admin().create(body.to_record(), admin)).map(AdminToolResponse.of_tool)


@admin_router.post("/tools/sync", summary="Compare the tool catalogue with the code")
async def sync_tools(
    admin: AdminUser,
    dry_run: Annotated[bool, Query(description="Only compare.")] = True,
) -> Result[SyncResult, ErrorDetail]:
    """Tools that only the code has are added, and active ones of the platform that it does not have any more are marked
    as deprecated; tools elsewhere are left alone. After a failure it can be repeated; `metadata` says what was done."""
    service = get_tools_admin()
    difference = await (service.compare() if dry_run else service.sync(admin))
    return difference.map(lambda found: SyncResult.of_difference(found, dry_run=dry_run))


@admin_router.get("/tools/{tool_id}", summary="Get a tool", errors=(NOT_FOUND,))
async def get_tool(tool_id: ToolId) -> Result[AdminToolResponse, ErrorDetail]:
    """A stored tool, or one that the platform's own code brings."""
    return (await get_tools_admin().get(tool_id)).map(AdminToolResponse.of_tool)


@admin_router.put("/tools/{tool_id}", summary="Change a tool", errors=(NOT_FOUND,))
async def update_tool(
    admin: AdminUser, tool_id: ToolId, body: ToolUpdateRequest
) -> Result[AdminToolResponse, ErrorDetail]:
    """A stored one; only the given members change."""
    return (await get_tools_admin().change(tool_id, body.to_change(), admin)).map(AdminToolResponse.of_tool)


@admin_router.delete("/tools/{tool_id}", summary="Switch a tool off, or remove it", errors=(NOT_FOUND, ROLE_CHANGED))
async def delete_tool(
    admin: AdminUser,
    tool_id: ToolId,
    hard: Annotated[bool, Query(description="Remove it, and its grants, for good.")] = False,
) -> Result[Done, ErrorDetail]:
    """By default it only becomes `disabled`, and can be switched on again."""
    service = get_tools_admin()
    gone = await (service.delete(tool_id, admin) if hard else service.disable(tool_id, admin))
    return gone.map(lambda _: Done(message=f"Tool '{tool_id}' {'deleted' if hard else 'disabled'}"))


@admin_router.get("/tools/{tool_id}/roles", summary="List the roles that grant a tool", errors=(NOT_FOUND,))
async def get_tool_roles(tool_id: ToolId) -> Result[ToolRolesResponse, ErrorDetail]:
    """Those that grant it themselves, enabled or not."""
    return (await get_tools_admin().roles_of(tool_id)).map(lambda roles: ToolRolesResponse.of_roles(tool_id, roles))


@admin_router.put("/tools/{tool_id}/roles", summary="Say which roles grant a tool", errors=ROLE_ERRORS)
async def set_tool_roles(admin: AdminUser, tool_id: ToolId, body: SetToolRolesRequest) -> Result[Done, ErrorDetail]:
    """These, and no others. Nothing is written unless there are all of them; when a write fails, `metadata.applied` and
    `metadata.pending` name the roles that were changed and those that were not."""
    saved = await get_tools_admin().set_roles(tool_id, body.app_role_ids, admin)
    return saved.map(lambda _: Done(message=f"Roles of tool '{tool_id}' saved"))


@admin_router.post("/tools/{tool_id}/roles/add", summary="Have roles grant a tool", errors=ROLE_ERRORS)
async def add_tool_roles(admin: AdminUser, tool_id: ToolId, body: AddRemoveRolesRequest) -> Result[Done, ErrorDetail]:
    """Those that grant it already stay as they are. Fails as the operation that sets them."""
    saved = await get_tools_admin().add_roles(tool_id, body.app_role_ids, admin)
    return saved.map(lambda _: Done(message=f"Roles added to tool '{tool_id}'"))


@admin_router.post("/tools/{tool_id}/roles/remove", summary="Have roles grant a tool no more", errors=ROLE_ERRORS)
async def remove_tool_roles(
    admin: AdminUser, tool_id: ToolId, body: AddRemoveRolesRequest
) -> Result[Done, ErrorDetail]:
    """Also of a tool that is gone, so that no grant is left behind. Fails as the operation that sets them."""
    saved = await get_tools_admin().remove_roles(tool_id, body.app_role_ids, admin)
    return saved.map(lambda _: Done(message=f"Roles removed from tool '{tool_id}'"))


def _of_category(category: str | None) -> list[CatalogueTool]:
    tools = CODE_CATALOGUE.values()
    return [tool for tool in tools if category is None or tool.legacy_category == category.lower()]
