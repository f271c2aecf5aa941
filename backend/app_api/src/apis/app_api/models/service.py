"""What administrators do with managed models, and what users see of them."""

import asyncio
import logging
import uuid

from apis.shared.auth import User
from apis.shared.errors import ErrorDetail
from apis.shared.models.managed_models import accessible_models, get_managed_models
from apis.shared.models.models import ManagedModel, ModelChange, is_record_id, model_not_found, newest_first
from apis.shared.models.repository import ManagedModelRepository
from apis.shared.moments import offset_form
from apis.shared.rbac.admin_service import ROLES_NOT_CONFIGURED, AppRoleAdminService, get_app_role_admin_service
from apis.shared.rbac.models import AppRole
from apis.shared.rbac.service import AppRoleService, get_app_role_service
from apis.shared.result import Failure, Result, Success, railway, require
from apis.shared.wiring import once

logger = logging.getLogger(__name__)


class ModelsApi:
    """`roles` is None where no table of roles is configured."""

    def __init__(
        self, models: ManagedModelRepository, permissions: AppRoleService, roles: AppRoleAdminService | None
    ) -> None:
        self._models = models
        self._permissions = permissions
        self._roles = roles

    @railway
    async def offered_to(self, user: User) -> Result[list[ManagedModel], ErrorDetail]:
        """What the user may choose, the newest first."""
        listed, resolved = await asyncio.gather(
            self._models.list_all(), self._permissions.resolve_user_permissions(user)
        )
        return Success(accessible_models(user, listed.unwrap(), resolved.unwrap()))

    async def list_all(self) -> Result[list[ManagedModel], ErrorDetail]:
        """The newest first."""
        return (await self._models.list_all()).map(newest_first)

    async def get(self, record_id: str) -> Result[ManagedModel, ErrorDetail]:
        """Fails with `not_found`."""
        if not is_record_id(record_id):
            return Failure(model_not_found(record_id))
        return (await self._models.get(record_id)).bind(lambda model: require(model, model_not_found(record_id)))

    @railway
    async def create(self, draft: ModelChange, admin: User) -> Result[ManagedModel, ErrorDetail]:
        """Fails with `bad_request` when the provider's id is taken."""
        now = offset_form()
        model = ManagedModel(**draft, id=str(uuid.uuid4()), created_at=now, updated_at=now)
        (await self._models.add(model)).unwrap()
        _audit("managed_model_created", model.id, admin)
        return Success(model)

    @railway
    async def change(self, record_id: str, change: ModelChange, admin: User) -> Result[ManagedModel, ErrorDetail]:
        """An empty change writes nothing. Fails with `not_found`, and with `bad_request` when the new id is taken."""
        if not change or not is_record_id(record_id):
            return await self.get(record_id)
        model = (await self._models.change(record_id, {**change, "updated_at": offset_form()})).unwrap()
        _audit("managed_model_updated", record_id, admin)
        return Success(model)

    @railway
    async def delete(self, record_id: str, admin: User) -> Result[None, ErrorDetail]:
        """Fails with `not_found`."""
        if not is_record_id(record_id):
            return Failure(model_not_found(record_id))
        (await self._models.remove(record_id)).unwrap()
        _audit("managed_model_deleted", record_id, admin)
        return Success(None)

    @railway
    async def sync_roles(self, record_id: str, admin: User) -> Result[ManagedModel, ErrorDetail]:
        """Note on the model which roles grant it. No role is written. Fails with `not_found`."""
        roles = require(self._roles, ROLES_NOT_CONFIGURED).unwrap()
        found, listed = await asyncio.gather(self.get(record_id), roles.list_roles())
        model = found.unwrap()
        granting = [role.role_id for role in listed.unwrap() if _names(role, model.model_id)]
        return await self.change(record_id, {"allowed_app_roles": granting}, admin)


def _names(role: AppRole, model_id: str) -> bool:
    """By its id: a role that grants everything names no model."""
    return model_id in role.granted_models or model_id in role.effective_permissions.models


def _audit(event: str, record_id: str, admin: User) -> None:
    logger.info(event.replace("_", " "), extra={"event": event, "record_id": record_id, "admin_user_id": admin.user_id})


@once
def get_models_api() -> ModelsApi:
    return ModelsApi(get_managed_models(), get_app_role_service(), get_app_role_admin_service())
