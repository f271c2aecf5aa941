from typing import Annotated

from fastapi import Path, Query, Request
from starlette.responses import JSONResponse, RedirectResponse

from apis.app_api.oauth.callback import Returned, get_callback_service
from apis.app_api.oauth.providers import (
    get_provider_admin_service,
    no_endpoint,
    provider_id_taken,
    still_connected,
)
from apis.app_api.oauth.schemas import (
    ConnectionCountResponse,
    OAuthConnectionListResponse,
    OAuthConnectResponse,
    OAuthProviderCreate,
    OAuthProviderListResponse,
    OAuthProviderResponse,
    OAuthProviderUpdate,
)
from apis.app_api.oauth.service import (
    DISABLED,
    NOT_OUR_PAGE,
    NOT_PERMITTED,
    BegunConnection,
    get_connection_service,
    not_connected,
)
from apis.shared.auth import AdminUser, CurrentUser, require_admin
from apis.shared.errors import ErrorDetail
from apis.shared.http import GUARDED, STORE_ERRORS, AdminRouter, ResultRouter, note_failure
from apis.shared.http.bounds import ShortText
from apis.shared.oauth.client_secrets import NO_ROOM, OVERTAKEN
from apis.shared.oauth.models import provider_not_found
from apis.shared.result import Result, Success

# States and addresses that hold them are of one answer only.
_NEVER_KEPT = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}

router = ResultRouter(tags=["Connections"], errors=(*GUARDED, *STORE_ERRORS))
admin_router = AdminRouter(guard=require_admin, tags=["Connections"], errors=STORE_ERRORS)

# As OpenAPI shows them.
NOT_FOUND = provider_not_found("google-workspace")
TAKEN = provider_id_taken("google-workspace")
CONNECTED = still_connected("google-workspace", 3)
NO_ENDPOINT = no_endpoint("token_endpoint")

ProviderIdInPath = Annotated[str, Path(description="Id of the provider.", examples=["google-workspace"])]
Redirect = Annotated[
    ShortText | None,
    Query(description="Page of the web client to come back to, with the outcome in its query; by default its own."),
]
EnabledOnly = Annotated[bool, Query(description="Leave disabled providers out.")]
Force = Annotated[bool, Query(description="Disconnect all users first.")]


@router.get("/oauth/providers", summary="List providers")
async def list_available_providers(user: CurrentUser) -> Result[OAuthProviderListResponse, ErrorDetail]:
    """Those that the caller may use, by name."""
    return (await get_connection_service().providers_for(user)).map(OAuthProviderListResponse.of_providers)


@router.get("/oauth/connections", summary="List connections")
async def list_connections(user: CurrentUser) -> Result[OAuthConnectionListResponse, ErrorDetail]:
    """One entry for each provider that the caller may use, connected or not."""
    return (await get_connection_service().connections_of(user)).map(OAuthConnectionListResponse.of_shown)


@router.get(
    "/oauth/connect/{provider_id}",
    summary="Begin to connect",
    response_model=OAuthConnectResponse,
    errors=(NOT_FOUND, DISABLED, NOT_PERMITTED, NOT_OUR_PAGE),
)
async def begin_connection(
    user: CurrentUser, provider_id: ProviderIdInPath, redirect: Redirect = None
) -> Result[JSONResponse, ErrorDetail]:
    """The address of the provider's page, from where the browser comes back to `/oauth/callback`."""
    return (await get_connection_service().begin(user, provider_id, redirect)).map(_begun)


def _begun(begun: BegunConnection) -> JSONResponse:
    answer = OAuthConnectResponse(authorization_url=begun.authorization_url)
    response = JSONResponse(answer.model_dump(), headers=_NEVER_KEPT)
    begun.cookie.give(response)
    return response


callback_router = ResultRouter(tags=["Connections"])


def _sent_back(name: str, description: str) -> dict[str, object]:
    schema = {"anyOf": [{"type": "string"}, {"type": "null"}]}
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}


# Declared here and not in the signature: nothing that comes from elsewhere may end in an answer that is no redirect.
_SENT_BACK = [
    _sent_back("code", "For tokens, once."),
    _sent_back("state", "As it was when the connection was begun."),
    _sent_back("error", "In the place of a code: what the provider refuses."),
    _sent_back("error_description", "In the provider's words."),
]


@callback_router.get(
    "/oauth/callback",
    summary="Come back from a provider",
    openapi_extra={"parameters": _SENT_BACK},
    responses={
        302: {
            "description": "To the web client, with `success` or `error`, and `provider`, in the query.",
            "headers": {"Location": {"description": "A page of the web client.", "schema": {"type": "string"}}},
        }
    },
)
async def come_back(request: Request) -> Result[RedirectResponse, ErrorDetail]:
    """Called by the browser, with the provider's answer in the query. Whatever happens, the browser is sent on to the
    web client."""
    way_on = await get_callback_service().finish(Returned.of(request))
    if way_on.error is not None:
        note_failure(way_on.error)
    response = RedirectResponse(way_on.url, 302, headers=_NEVER_KEPT)
    if way_on.cookie is not None:
        way_on.cookie.take_back(response)
    return Success(response)


@router.delete("/oauth/connections/{provider_id}", summary="Disconnect", errors=(not_connected("google-workspace"),))
async def disconnect(user: CurrentUser, provider_id: ProviderIdInPath) -> Result[None, ErrorDetail]:
    """The tokens are revoked at the provider where that is possible, and deleted here."""
    return await get_connection_service().disconnect(user, provider_id)


@admin_router.get("/oauth-providers/", summary="List all providers")
async def list_providers(enabled_only: EnabledOnly = False) -> Result[OAuthProviderListResponse, ErrorDetail]:
    """By name."""
    found = await get_provider_admin_service().list_providers(enabled_only=enabled_only)
    return found.map(OAuthProviderListResponse.of_providers)


@admin_router.post(
    "/oauth-providers/",
    summary="Register a provider",
    status_code=201,
    errors=(TAKEN, NO_ENDPOINT, NO_ROOM, OVERTAKEN),
)
async def create_provider(admin: AdminUser, body: OAuthProviderCreate) -> Result[OAuthProviderResponse, ErrorDetail]:
    """The client secret is kept where it is never shown again."""
    created = await get_provider_admin_service().create(body.to_draft(), body.client_secret, admin)
    return created.map(OAuthProviderResponse.of)


@admin_router.get("/oauth-providers/{provider_id}", summary="Get a provider", errors=(NOT_FOUND,))
async def get_provider(provider_id: ProviderIdInPath) -> Result[OAuthProviderResponse, ErrorDetail]:
    """One provider, enabled or not."""
    return (await get_provider_admin_service().get(provider_id)).map(OAuthProviderResponse.of)


@admin_router.patch(
    "/oauth-providers/{provider_id}",
    summary="Change a provider",
    errors=(NOT_FOUND, NO_ENDPOINT, NO_ROOM, OVERTAKEN),
)
async def update_provider(
    admin: AdminUser, provider_id: ProviderIdInPath, body: OAuthProviderUpdate
) -> Result[OAuthProviderResponse, ErrorDetail]:
    """Users stay connected; after a change of the scopes they are asked to connect anew."""
    changed = await get_provider_admin_service().update(provider_id, body.to_patch(), body.client_secret, admin)
    return changed.map(OAuthProviderResponse.of)


@admin_router.delete("/oauth-providers/{provider_id}", summary="Delete a provider", errors=(NOT_FOUND, CONNECTED))
async def delete_provider(
    admin: AdminUser, provider_id: ProviderIdInPath, force: Force = False
) -> Result[None, ErrorDetail]:
    """Refused while users are connected, unless forced."""
    return await get_provider_admin_service().delete(provider_id, admin, force=force)


@admin_router.get("/oauth-providers/{provider_id}/connections/count", summary="Count connections", errors=(NOT_FOUND,))
async def count_connections(provider_id: ProviderIdInPath) -> Result[ConnectionCountResponse, ErrorDetail]:
    """How many users are connected."""
    counted = await get_provider_admin_service().count_connections(provider_id)
    return counted.map(lambda users: ConnectionCountResponse(provider_id=provider_id, connection_count=users))
