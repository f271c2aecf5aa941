from typing import Annotated

from fastapi import Path, Query

from apis.app_api.roles.schemas import (
    AppRoleCreate,
    AppRoleListResponse,
    AppRoleResponse,
    AppRoleUpdate,
    CacheStatsResponse,
)
from apis.shared.auth import SystemAdminUser, require_admin, require_system_admin
from apis.shared.errors import ErrorDetail
from apis.shared.http import STORE_ERRORS, AdminRouter, Depends, dependency
from apis.shared.rbac.admin_service import (
    ROLES_NOT_CONFIGURED,
    TOO_MANY_ITEMS,
    AppRoleAdminService,
    get_app_role_admin_service,
    protected_fields,
    role_id_taken,
    system_role_stays,
    unknown_parent,
)
from apis.shared.rbac.cache import get_app_role_cache
from apis.shared.rbac.repository import ROLE_CHANGED, role_not_found
from apis.shared.result import Result, Success, require

admin_router = AdminRouter(guard=require_admin, tags=["Roles"], errors=STORE_ERRORS)
system_admin_router = AdminRouter(guard=require_system_admin, tags=["Roles"], errors=STORE_ERRORS)

# As OpenAPI shows them.
NOT_FOUND = role_not_found("research_staff")
TAKEN = role_id_taken("research_staff")
UNKNOWN_PARENT = unknown_parent("staff")
PROTECTED = protected_fields(["grantedTools", "priority"])
SYSTEM_ROLE = system_role_stays("default")

RoleIdInPath = Annotated[str, Path(description="Id of the role.", examples=["research_staff"])]
EnabledOnly = Annotated[bool, Query(description="Leave disabled roles out.")]


@dependency
async def _configured() -> Result[AppRoleAdminService, ErrorDetail]:
    return require(get_app_role_admin_service(), ROLES_NOT_CONFIGURED)


Roles = Annotated[AppRoleAdminService, Depends(_configured)]


@admin_router.get("/roles/", summary="List roles")
async def list_roles(roles: Roles, enabled_only: EnabledOnly = False) -> Result[AppRoleListResponse, ErrorDetail]:
    """All roles, the highest priority first, then by id."""
    return (await roles.list_roles(enabled_only=enabled_only)).map(AppRoleListResponse.of_roles)


@system_admin_router.post(
    "/roles/",
    summary="Create a role",
    status_code=201,
    errors=(TAKEN, UNKNOWN_PARENT, TOO_MANY_ITEMS, ROLE_CHANGED),
)
async def create_role(
    admin: SystemAdminUser, roles: Roles, body: AppRoleCreate
) -> Result[AppRoleResponse, ErrorDetail]:
    """Users get what it gives within 15 minutes, those whom this process serves at once."""
    return (await roles.create_role(body.to_draft(), admin)).map(AppRoleResponse.of)


@system_admin_router.get("/roles/cache/stats", summary="Look at the caches of roles")
async def get_cache_stats() -> Result[CacheStatsResponse, ErrorDetail]:
    """Of the process that answers; there may be others."""
    return Success(CacheStatsResponse.of(get_app_role_cache().get_stats()))


@system_admin_router.post("/roles/cache/invalidate", summary="Empty the caches of roles")
async def invalidate_cache() -> Result[None, ErrorDetail]:
    """Of the process that answers; there may be others."""
    get_app_role_cache().invalidate_all()
    return Success(None)


@admin_router.get("/roles/{role_id}", summary="Get a role", errors=(NOT_FOUND,))
async def get_role(roles: Roles, role_id: RoleIdInPath) -> Result[AppRoleResponse, ErrorDetail]:
    """One role, enabled or not."""
    return (await roles.get_role(role_id)).map(AppRoleResponse.of)


@system_admin_router.patch(
    "/roles/{role_id}",
    summary="Change a role",
    errors=(NOT_FOUND, UNKNOWN_PARENT, PROTECTED, TOO_MANY_ITEMS, ROLE_CHANGED),
)
async def update_role(
    admin: SystemAdminUser, roles: Roles, role_id: RoleIdInPath, body: AppRoleUpdate
) -> Result[AppRoleResponse, ErrorDetail]:
    """Only the given members change; what the role gives is computed anew. Roles that inherit from it keep what they
    have until they are saved or synced themselves. Who saves a role that somebody else has changed meanwhile gets a
    `conflict`."""
    return (await roles.update_role(role_id, body.to_patch(), admin)).map(AppRoleResponse.of)


@system_admin_router.delete(
    "/roles/{role_id}",
    summary="Delete a role",
    errors=(NOT_FOUND, SYSTEM_ROLE, ROLE_CHANGED),
)
async def delete_role(admin: SystemAdminUser, roles: Roles, role_id: RoleIdInPath) -> Result[None, ErrorDetail]:
    """Roles that inherit from it keep what they have until they are saved or synced."""
    return await roles.delete_role(role_id, admin)


@system_admin_router.post(
    "/roles/{role_id}/sync",
    summary="Compute anew what a role gives",
    errors=(NOT_FOUND, ROLE_CHANGED),
)
async def sync_role(
    admin: SystemAdminUser, roles: Roles, role_id: RoleIdInPath
) -> Result[AppRoleResponse, ErrorDetail]:
    """After a change of a role that it inherits from. Needs no body."""
    return (await roles.sync_effective_permissions(role_id, admin)).map(AppRoleResponse.of)
