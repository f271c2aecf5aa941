"""What administrators do with roles. Only the App API may: the Inference API's credentials cannot write roles."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from apis.shared.auth.models import User
from apis.shared.aws.dynamodb import Table
from apis.shared.errors import ErrorDetail, bad_request, service_unavailable
from apis.shared.moments import zulu_form
from apis.shared.rbac.cache import AppRoleCache, get_app_role_cache
from apis.shared.rbac.models import (
    DEFAULT_ROLE,
    SYSTEM_ADMIN_ROLE,
    WILDCARD,
    AppRole,
    EffectivePermissions,
    RoleDraft,
    RolePatch,
    ToolRole,
)
from apis.shared.rbac.repository import (
    MOST_ACTIONS,
    AppRoleRepository,
    AppRoleWriter,
    RolePartition,
    role_not_found,
)
from apis.shared.result import Failure, Result, Success, railway, require
from apis.shared.settings import StorageSettings, settings
from apis.shared.wiring import once

logger = logging.getLogger(__name__)

ROLES_NOT_CONFIGURED = service_unavailable(None, reason="DYNAMODB_APP_ROLES_TABLE_NAME is empty")
_MOST_ITEMS = MOST_ACTIONS - 1
TOO_MANY_ITEMS = bad_request(f"A role has at most {_MOST_ITEMS} role mappings, tools and models together.")
# What of `system_admin` may be changed.
_UNPROTECTED = frozenset({"displayName", "description"})


def role_id_taken(role_id: str) -> ErrorDetail:
    return bad_request(f"Role '{role_id}' already exists")


def unknown_parent(role_id: str) -> ErrorDetail:
    return bad_request(f"Inherited role '{role_id}' does not exist")


def protected_fields(names: Sequence[str]) -> ErrorDetail:
    return bad_request(f"Protected fields of the role '{SYSTEM_ADMIN_ROLE}' cannot be changed: {', '.join(names)}")


def system_role_stays(role_id: str) -> ErrorDetail:
    return bad_request(f"Cannot delete system role: {role_id}")


class AppRoleAdminService:
    """A change is written as a whole, on the role as it was read: whoever comes second gets `conflict`."""

    def __init__(self, repository: AppRoleRepository, writer: AppRoleWriter, cache: AppRoleCache) -> None:
        self._repository = repository
        self._writer = writer
        self._cache = cache

    async def list_roles(self, *, enabled_only: bool = False) -> Result[list[AppRole], ErrorDetail]:
        """By priority, the highest first, then by id."""
        listed = await self._repository.list_roles()
        return listed.map(
            lambda roles: sorted(
                (role for role in roles if role.enabled or not enabled_only),
                key=lambda role: (-role.priority, role.role_id),
            )
        )

    async def get_role(self, role_id: str) -> Result[AppRole, ErrorDetail]:
        """Fails with `not_found`."""
        found = await self._repository.get_role(role_id)
        return found.bind(lambda role: require(role, role_not_found(role_id)))

    async def find_roles(self, role_ids: Sequence[str]) -> Result[list[AppRole | None], ErrorDetail]:
        """In the order of `role_ids`; None for one that there is not."""
        return await self._repository.get_roles(role_ids)

    @railway
    async def create_role(self, data: RoleDraft, admin: User) -> Result[AppRole, ErrorDetail]:
        """Fails with `bad_request` for an unknown parent, and when the id is taken."""
        parents = (await self._existing(data.inherits_from)).unwrap()
        now = zulu_form()
        role = AppRole(
            **dict(data),
            effective_permissions=effective_permissions(data, parents, quota_tier=None),
            created_at=now,
            updated_at=now,
            created_by=admin.user_id,
        )
        if not (await self._create(role)).unwrap():
            return Failure(role_id_taken(role.role_id))
        _audit("app_role_created", role.role_id, admin)
        return Success(role)

    @railway
    async def update_role(self, role_id: str, updates: RolePatch, admin: User) -> Result[AppRole, ErrorDetail]:
        """Also without any change the role is written anew. Fails with `not_found`, with `bad_request` for an unknown
        parent and for what of `system_admin` is protected, and with `conflict`."""
        given = updates.inherits_from
        # Parents that the request names need not wait for the role.
        found, named = await asyncio.gather(self._writer.find(role_id), self._existing(given or ()))
        before = found.unwrap()
        role = before.role().unwrap()
        _refuse_protected(role_id, updates.named).unwrap()
        changed = role.model_copy(update=updates.changes)
        parents = named.unwrap() if given is not None else (await self._parents(changed)).unwrap()
        saved = (await self._save(before, changed, parents)).unwrap()
        changes = sorted(str(AppRole.model_fields[name].alias) for name in updates.changes)
        _audit("app_role_updated", role_id, admin, changes=changes)
        return Success(saved)

    @railway
    async def delete_role(self, role_id: str, admin: User) -> Result[None, ErrorDetail]:
        """Also when its definition cannot be read: nothing else would end that. What inherits from it keeps what it
        has. Fails with `not_found`, with `bad_request` for a system role, and with `conflict`."""
        before = (await self._writer.find(role_id)).unwrap()
        if before.is_system_role().unwrap():
            return Failure(system_role_stays(role_id))
        if before.definition is None and not before.items:
            return Failure(role_not_found(role_id))
        with self._invalidating(role_id, before.jwt_roles):
            (await self._writer.delete(before)).unwrap()
        _audit("app_role_deleted", role_id, admin)
        return Success(None)

    @railway
    async def sync_effective_permissions(self, role_id: str, admin: User) -> Result[AppRole, ErrorDetail]:
        """Computes anew what the role gives, after a change of its parents. Fails as `update_role`."""
        before = (await self._writer.find(role_id)).unwrap()
        role = before.role().unwrap()
        saved = (await self._save(before, role, (await self._parents(role)).unwrap())).unwrap()
        _audit("app_role_synced", role_id, admin)
        return Success(saved)

    @railway
    async def get_roles_granting_tool(self, tool_id: str) -> Result[list[ToolRole], ErrorDetail]:
        """By role id. The index knows direct grants only, and lags behind: a role that is gone, or does not grant the
        tool any more, is left out."""
        grants = (await self._repository.get_roles_for_tool(tool_id)).unwrap()
        roles = (await self._repository.get_roles([grant.role_id for grant in grants])).unwrap()
        return Success(
            [
                ToolRole(role.role_id, role.display_name, "direct", None, role.enabled)
                for role in roles
                if role is not None and tool_id in role.granted_tools
            ]
        )

    async def add_tool_to_role(self, role_id: str, tool_id: str, admin: User) -> Result[AppRole, ErrorDetail]:
        """Nothing is written when the role grants the tool already. Fails as `update_role`."""
        return await self._grant(role_id, tool_id, admin, granted=True)

    async def remove_tool_from_role(self, role_id: str, tool_id: str, admin: User) -> Result[AppRole, ErrorDetail]:
        """Nothing is written when the role does not grant the tool itself. Fails as `update_role`."""
        return await self._grant(role_id, tool_id, admin, granted=False)

    @railway
    async def seed(self, role: AppRole) -> Result[bool, ErrorDetail]:
        """Create the role unless it is there, in whatever form. Whether it was created."""
        if (await self._repository.role_exists(role.role_id)).unwrap():
            return Success(False)
        return await self._create(role)

    @railway
    async def _grant(self, role_id: str, tool_id: str, admin: User, *, granted: bool) -> Result[AppRole, ErrorDetail]:
        before = (await self._writer.find(role_id)).unwrap()
        role = before.role().unwrap()
        _refuse_protected(role_id, ["grantedTools"]).unwrap()
        if (tool_id in role.granted_tools) is granted:
            return Success(role)
        others = [tool for tool in role.granted_tools if tool != tool_id]
        changed = role.model_copy(update={"granted_tools": [*others, tool_id] if granted else others})
        saved = (await self._save(before, changed, (await self._parents(role)).unwrap())).unwrap()
        _audit("tool_added_to_role" if granted else "tool_removed_from_role", role_id, admin, tool_id=tool_id)
        return Success(saved)

    @railway
    async def _create(self, role: AppRole) -> Result[bool, ErrorDetail]:
        _refuse_too_many(role).unwrap()
        with self._invalidating(role.role_id, role.jwt_role_mappings):
            return await self._writer.create(role)

    @railway
    async def _save(
        self, before: RolePartition, changed: AppRole, parents: Sequence[AppRole]
    ) -> Result[AppRole, ErrorDetail]:
        tier = changed.effective_permissions.quota_tier
        role = changed.model_copy(
            update={
                "effective_permissions": effective_permissions(changed, parents, quota_tier=tier),
                "updated_at": zulu_form(),
            }
        )
        _refuse_too_many(role).unwrap()
        with self._invalidating(role.role_id, before.jwt_roles.union(role.jwt_role_mappings)):
            (await self._writer.replace(before, role)).unwrap()
        return Success(role)

    @contextmanager
    def _invalidating(self, role_id: str, jwt_roles: Sequence[str] | set[str]) -> Iterator[None]:
        try:
            yield
        finally:
            # Also after a failure: a write whose answer was lost may have been done.
            self._cache.invalidate_role(role_id, jwt_roles)

    async def _parents(self, role: AppRole) -> Result[list[AppRole], ErrorDetail]:
        """Those that there still are."""
        found = await self._repository.get_roles(role.inherits_from)
        return found.map(lambda roles: [role for role in roles if role is not None])

    @railway
    async def _existing(self, role_ids: Sequence[str]) -> Result[list[AppRole], ErrorDetail]:
        roles = (await self._repository.get_roles(role_ids)).unwrap()
        missing = [role_id for role_id, role in zip(role_ids, roles, strict=True) if role is None]
        if missing:
            return Failure(unknown_parent(missing[0]))
        return Success([role for role in roles if role is not None])


def effective_permissions(
    role: RoleDraft, parents: Sequence[AppRole], *, quota_tier: str | None
) -> EffectivePermissions:
    """Own grants, then the direct ones of each enabled parent in order; a parent's parents do not count, nor does the
    role itself among its parents."""
    granting = [role, *(parent for parent in parents if parent.enabled and parent.role_id != role.role_id)]
    return EffectivePermissions(
        tools=list(dict.fromkeys(tool for one in granting for tool in one.granted_tools)),
        models=list(dict.fromkeys(model for one in granting for model in one.granted_models)),
        quota_tier=quota_tier,
    )


def system_roles() -> tuple[AppRole, AppRole]:
    """The roles that every deployment has from its first start on."""
    now = zulu_form()
    return (
        AppRole(
            role_id=SYSTEM_ADMIN_ROLE,
            display_name="System Administrator",
            description="Everything there is. Nobody receives this role by a mapping, and it cannot be deleted.",
            granted_tools=[WILDCARD],
            granted_models=[WILDCARD],
            effective_permissions=EffectivePermissions(tools=[WILDCARD], models=[WILDCARD]),
            priority=1000,
            is_system_role=True,
            created_at=now,
            updated_at=now,
            created_by="system",
        ),
        AppRole(
            role_id=DEFAULT_ROLE,
            display_name="Default User",
            description="What a user has to whom no other role applies.",
            effective_permissions=EffectivePermissions(quota_tier="tier_basic"),
            is_system_role=True,
            created_at=now,
            updated_at=now,
            created_by="system",
        ),
    )


def _refuse_protected(role_id: str, named: Sequence[str]) -> Result[None, ErrorDetail]:
    """`named`: what a request wants to change, whatever it says of it."""
    refused = [name for name in named if name not in _UNPROTECTED]
    if role_id == SYSTEM_ADMIN_ROLE and refused:
        return Failure(protected_fields(refused))
    return Success(None)


def is_full(role: AppRole) -> bool:
    """Whether the role can grant nothing more."""
    return _count(role) >= _MOST_ITEMS


def _refuse_too_many(role: AppRole) -> Result[None, ErrorDetail]:
    return Failure(TOO_MANY_ITEMS) if _count(role) > _MOST_ITEMS else Success(None)


def _count(role: AppRole) -> int:
    return len(role.jwt_role_mappings) + len(role.granted_tools) + len(role.granted_models)


def _audit(event: str, role_id: str, admin: User, **more: object) -> None:
    logger.info(
        event.replace("_", " "),
        extra={"event": event, "role_id": role_id, "admin_user_id": admin.user_id, "admin_email": admin.email, **more},
    )


@once
def get_app_role_admin_service() -> AppRoleAdminService | None:
    """None where no table is configured; what was asked for is then `ROLES_NOT_CONFIGURED`."""
    name = settings(StorageSettings).dynamodb_app_roles_table_name
    if name is None:
        return None
    table = Table(name)
    return AppRoleAdminService(AppRoleRepository(table), AppRoleWriter(table), get_app_role_cache())
