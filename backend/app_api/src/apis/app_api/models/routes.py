from typing import Annotated

from fastapi import Path

from apis.app_api.models.schemas import (
    ManagedModelCreate,
    ManagedModelResponse,
    ManagedModelsListResponse,
    ManagedModelUpdate,
)
from apis.app_api.models.service import get_models_api
from apis.shared.auth import AdminUser, CurrentUser, SystemAdminUser, require_admin, require_system_admin
from apis.shared.errors import ErrorDetail
from apis.shared.http import GUARDED, STORE_ERRORS, AdminRouter, ResultRouter
from apis.shared.models.models import model_id_taken, model_not_found
from apis.shared.result import Result

_TAGS: list[str] = ["Models"]
router = ResultRouter(tags=_TAGS, errors=(*GUARDED, *STORE_ERRORS))
admin_router = AdminRouter(guard=require_admin, tags=_TAGS, errors=STORE_ERRORS)
system_admin_router = AdminRouter(guard=require_system_admin, tags=_TAGS, errors=STORE_ERRORS)

# As OpenAPI shows them.
NOT_FOUND = model_not_found("5c7d1b1e-7a06-4a0e-8c43-2f0f2a0f9d11")
TAKEN = model_id_taken("us.anthropic.claude-haiku-4-5-20251001-v1:0")

RecordId = Annotated[
    str,
    Path(description="Our own id of the entry, not the provider's.", examples=["5c7d1b1e-7a06-4a0e-8c43-2f0f2a0f9d11"]),
]


@router.get("/models", summary="List the models that the caller may use")
async def list_models(user: CurrentUser) -> Result[ManagedModelsListResponse, ErrorDetail]:
    """Enabled ones that one of the caller's roles allows, the newest first. There may be none: clients then use the
    default model."""
    return (await get_models_api().offered_to(user)).map(ManagedModelsListResponse.of_models)


@admin_router.get("/managed-models", summary="List all models")
async def list_managed_models() -> Result[ManagedModelsListResponse, ErrorDetail]:
    """Enabled or not, the newest first."""
    return (await get_models_api().list_all()).map(ManagedModelsListResponse.of_models)


@admin_router.post("/managed-models", summary="Add a model", status_code=201, errors=(TAKEN,))
async def create_managed_model(admin: AdminUser, body: ManagedModelCreate) -> Result[ManagedModelResponse, ErrorDetail]:
    """Whom it is available to is said here, or by roles; `allowedAppRoles` gives nobody access."""
    return (await get_models_api().create(body.to_draft(), admin)).map(ManagedModelResponse.of_model)


@admin_router.get("/managed-models/{model_id}", summary="Get a model", errors=(NOT_FOUND,))
async def get_managed_model(model_id: RecordId) -> Result[ManagedModelResponse, ErrorDetail]:
    """One model, enabled or not."""
    return (await get_models_api().get(model_id)).map(ManagedModelResponse.of_model)


@admin_router.put("/managed-models/{model_id}", summary="Change a model", errors=(NOT_FOUND, TAKEN))
async def update_managed_model(
    admin: AdminUser, model_id: RecordId, body: ManagedModelUpdate
) -> Result[ManagedModelResponse, ErrorDetail]:
    """Only the given members change. New prices count for turns that begin after it."""
    return (await get_models_api().change(model_id, body.to_change(), admin)).map(ManagedModelResponse.of_model)


@admin_router.delete("/managed-models/{model_id}", summary="Remove a model", errors=(NOT_FOUND,))
async def delete_managed_model(admin: AdminUser, model_id: RecordId) -> Result[None, ErrorDetail]:
    """What was billed with its prices stays."""
    return await get_models_api().delete(model_id, admin)


@system_admin_router.post(
    "/managed-models/{model_id}/sync-roles", summary="Note which roles grant a model", errors=(NOT_FOUND,)
)
async def sync_roles(admin: SystemAdminUser, model_id: RecordId) -> Result[ManagedModelResponse, ErrorDetail]:
    """Fills `allowedAppRoles` from the roles that name the model, the highest priority first. No role changes."""
    return (await get_models_api().sync_roles(model_id, admin)).map(ManagedModelResponse.of_model)
