"""Administration of providers: the row, and the client secret beside it."""

import asyncio
import logging
from collections.abc import Mapping

from apis.app_api.oauth.return_urls import is_endpoint
from apis.app_api.oauth.service import by_name
from apis.shared.auth.models import User
from apis.shared.errors import ErrorDetail, bad_request, service_unavailable, validation_error
from apis.shared.moments import zulu_form
from apis.shared.oauth.client_secrets import ClientSecrets
from apis.shared.oauth.models import OAuthProvider, ProviderDraft, ProviderPatch, provider_not_found
from apis.shared.oauth.repository import ConnectionRepository, ProviderRepository
from apis.shared.oauth.service import (
    OAuthTokenService,
    get_client_secrets,
    get_connection_repository,
    get_oauth_token_service,
    get_provider_repository,
)
from apis.shared.result import Failure, Result, Success, all_done, railway, require
from apis.shared.settings import OAuthSettings, settings
from apis.shared.wiring import once

logger = logging.getLogger(__name__)

NO_PROVIDERS = service_unavailable(None, reason="not set: DYNAMODB_OAUTH_PROVIDERS_TABLE_NAME")
_HALF_DONE = "The client secret was changed, but the other changes could not be stored. Please save them again."
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "revocation_endpoint")


def provider_id_taken(provider_id: str) -> ErrorDetail:
    return bad_request(f"OAuth provider '{provider_id}' already exists")


def still_connected(provider_id: str, users: int) -> ErrorDetail:
    what = "1 user is" if users == 1 else f"{users} users are"
    return bad_request(f"{what} connected to '{provider_id}'. Disconnect them first, or delete it with force=true.")


def no_endpoint(field: str) -> ErrorDetail:
    return validation_error("must be an https address without a user", field=f"body.{field}")


class ProviderAdminService:
    """A client secret is stored before the row that needs it, and the row goes last."""

    def __init__(
        self,
        providers: ProviderRepository,
        connections: ConnectionRepository,
        client_secrets: ClientSecrets,
        tokens: OAuthTokenService,
        *,
        is_development: bool,
    ) -> None:
        self._providers = providers
        self._connections = connections
        self._client_secrets = client_secrets
        self._tokens = tokens
        self._is_development = is_development

    async def list_providers(self, *, enabled_only: bool) -> Result[list[OAuthProvider], ErrorDetail]:
        """By name."""
        return (await (self._providers.enabled() if enabled_only else self._providers.every())).map(by_name)

    async def get(self, provider_id: str) -> Result[OAuthProvider, ErrorDetail]:
        found = await self._providers.find(provider_id, consistent=True)
        return found.bind(lambda provider: require(provider, provider_not_found(provider_id)))

    @railway
    async def create(self, draft: ProviderDraft, client_secret: str, admin: User) -> Result[OAuthProvider, ErrorDetail]:
        """`bad_request` for an id that is taken, also by another request at the same moment."""
        provider_id = draft.provider_id
        if not self._providers.is_configured:
            return Failure(NO_PROVIDERS)
        self._client_secrets.usable().unwrap()
        self._check_endpoints({name: getattr(draft, name) for name in _ENDPOINTS}).unwrap()
        if (await self._providers.find(provider_id, consistent=True)).unwrap() is not None:
            return Failure(provider_id_taken(provider_id))
        (await self._client_secrets.keep(provider_id, client_secret)).unwrap()
        now = zulu_form()
        provider = OAuthProvider(**draft.model_dump(), created_at=now, updated_at=now)
        match await self._providers.create(provider):
            case Success(True):
                _audit("oauth_provider_created", provider_id, admin)
                return Success(provider)
            case Success(_):
                # The secret is that of whoever came first, or replaced it: never to be removed.
                return Failure(provider_id_taken(provider_id))
            case Failure(error):
                removed = await self._client_secrets.remove(provider_id)
                return all_done([Failure(error), removed], what="a provider").map(lambda _: provider)

    @railway
    async def update(
        self, provider_id: str, patch: ProviderPatch, client_secret: str | None, admin: User
    ) -> Result[OAuthProvider, ErrorDetail]:
        """Only what changes is checked: addresses that were stored before stay accepted."""
        current = (await self.get(provider_id)).unwrap()
        changes = patch.changes
        changed = {
            name: changes[name] for name in _ENDPOINTS if changes.get(name) not in {None, getattr(current, name)}
        }
        self._check_endpoints(changed).unwrap()
        provider = OAuthProvider(**{**current.model_dump(), **changes, "updated_at": zulu_form()})
        if client_secret is not None:
            kept = await self._client_secrets.keep(provider_id, client_secret)
            # Also when the answer was lost.
            self._tokens.forget_provider(provider_id)
            kept.unwrap()
        stored = await self._providers.update(provider)
        self._tokens.forget_provider(provider_id)
        if client_secret is not None:
            stored = stored.alt(lambda error: error.model_copy(update={"message": _HALF_DONE, "detail": _HALF_DONE}))
        stored.unwrap()
        _audit("oauth_provider_updated", provider_id, admin, changes=sorted(changes))
        return Success(provider)

    @railway
    async def delete(self, provider_id: str, admin: User, *, force: bool) -> Result[None, ErrorDetail]:
        """With `force` users are disconnected first. May be repeated after any failure."""
        found, counted = await asyncio.gather(
            self._providers.find(provider_id, consistent=True), self._connections.count(provider_id)
        )
        users = counted.unwrap()
        if found.unwrap() is None:
            # What an earlier attempt may have left.
            (await self._disconnect_all(provider_id, there_are=force and users > 0)).unwrap()
            return Failure(provider_not_found(provider_id))
        if users and not force:
            return Failure(still_connected(provider_id, users))
        (await self._disconnect_all(provider_id, there_are=users > 0)).unwrap()
        (await self._client_secrets.remove(provider_id)).unwrap()
        gone = await self._providers.delete(provider_id)
        self._tokens.forget_provider(provider_id)
        gone.unwrap()
        # Whoever connected while this went on; from now on nobody can.
        (await self._connections.delete_all(provider_id)).unwrap()
        _audit("oauth_provider_deleted", provider_id, admin, disconnected=users)
        return Success(None)

    @railway
    async def count_connections(self, provider_id: str) -> Result[int, ErrorDetail]:
        found, counted = await asyncio.gather(self.get(provider_id), self._connections.count(provider_id))
        found.unwrap()
        return counted

    async def _disconnect_all(self, provider_id: str, *, there_are: bool) -> Result[None, ErrorDetail]:
        if not there_are:
            return Success(None)
        gone = await self._connections.delete_all(provider_id)
        self._tokens.forget_provider(provider_id)
        return gone

    def _check_endpoints(self, endpoints: Mapping[str, str | None]) -> Result[None, ErrorDetail]:
        """The server sends client secrets there."""
        for name, url in endpoints.items():
            if url and not is_endpoint(url, may_be_plain=self._is_development):
                return Failure(no_endpoint(name))
        return Success(None)


def _audit(event: str, provider_id: str, admin: User, **more: object) -> None:
    logger.info(
        event.replace("_", " "),
        extra={"event": event, "provider_id": provider_id, "admin_user_id": admin.user_id, **more},
    )


@once
def get_provider_admin_service() -> ProviderAdminService:
    return ProviderAdminService(
        get_provider_repository(),
        get_connection_repository(),
        get_client_secrets(),
        get_oauth_token_service(),
        is_development=settings(OAuthSettings).is_development,
    )
