"""The roles that every deployment has: made by this API, because the other one may not write roles."""

import asyncio

from apis.shared.lifecycle import background
from apis.shared.rbac.admin_service import AppRoleAdminService, get_app_role_admin_service, system_roles
from apis.shared.rbac.models import AppRole
from apis.shared.result import best_effort
from apis.shared.wiring import once


@once
def seed_roles() -> None:
    """Begin to create those that are missing, once a process; a process that is asked to stop does not wait for it.

    To be called when the process has shown that it is healthy: neither its start nor its health depends on the table.
    """
    background.spawn(_seed(), name="seed roles", awaited_at_stop=False)


async def _seed() -> None:
    service = get_app_role_admin_service()
    if service is not None:
        await asyncio.gather(*(_seed_one(service, role) for role in system_roles()))


async def _seed_one(service: AppRoleAdminService, role: AppRole) -> None:
    await best_effort(
        service.seed(role),
        reason="Permissions are resolved without this role too, and the next start creates it.",
        default=False,
    )
