"""What a user sees of providers and connections: listing them, beginning to connect, disconnecting."""

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from apis.app_api.oauth.flow import FlowCookie
from apis.app_api.oauth.return_urls import ReturnUrls, authorization_url
from apis.app_api.origins import allowed_origins
from apis.shared.auth.models import User
from apis.shared.auth.pkce import challenge_of
from apis.shared.auth.state_store import OIDCStateData, StateStore, create_state_store
from apis.shared.errors import ErrorDetail, bad_request, forbidden, not_found, service_unavailable
from apis.shared.oauth.client_secrets import ClientSecrets
from apis.shared.oauth.encryption import TokenCipher
from apis.shared.oauth.endpoints import ProviderEndpoints
from apis.shared.oauth.models import (
    Connection,
    OAuthProvider,
    ShownConnection,
    provider_not_found,
    shown_connection,
)
from apis.shared.oauth.refresh import NO_CLIENT_SECRET
from apis.shared.oauth.repository import ConnectionRepository, ProviderRepository
from apis.shared.oauth.service import (
    OAuthTokenService,
    get_client_secrets,
    get_connection_repository,
    get_oauth_token_service,
    get_provider_endpoints,
    get_provider_repository,
    get_token_cipher,
)
from apis.shared.rbac.service import AppRoleService, get_app_role_service
from apis.shared.result import Failure, Result, Success, best_effort, railway, require
from apis.shared.settings import OAuthSettings, settings
from apis.shared.wiring import once

DISABLED = bad_request("This provider is disabled.")
NOT_PERMITTED = forbidden("You are not allowed to use this provider.")
NOT_OUR_PAGE = bad_request("This is no page that you can be sent back to.", field="query.redirect")
NO_CALLBACK = service_unavailable(None, reason="not set: OAUTH_CALLBACK_URL")
NO_CONNECTIONS = service_unavailable(None, reason="not set: DYNAMODB_OAUTH_USER_TOKENS_TABLE_NAME")
_SECRET_BYTES = 32


def not_connected(provider_id: str) -> ErrorDetail:
    return not_found(f"Not connected to provider: {provider_id}")


def by_name(providers: Sequence[OAuthProvider]) -> list[OAuthProvider]:
    return sorted(providers, key=lambda provider: (provider.display_name.lower(), provider.provider_id))


@dataclass(frozen=True, slots=True)
class BegunConnection:
    """The page of the provider, and the cookie that tells this browser from others."""

    authorization_url: str = field(repr=False)
    cookie: FlowCookie


class ConnectionService:
    def __init__(
        self,
        roles: AppRoleService,
        providers: ProviderRepository,
        connections: ConnectionRepository,
        states: StateStore,
        client_secrets: ClientSecrets,
        cipher: TokenCipher,
        endpoints: ProviderEndpoints,
        tokens: OAuthTokenService,
        *,
        callback_url: str | None,
        return_urls: ReturnUrls,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._roles = roles
        self._providers = providers
        self._connections = connections
        self._states = states
        self._client_secrets = client_secrets
        self._cipher = cipher
        self._endpoints = endpoints
        self._tokens = tokens
        self._callback_url = callback_url
        self._return_urls = return_urls
        self._clock = clock

    @railway
    async def providers_for(self, user: User) -> Result[list[OAuthProvider], ErrorDetail]:
        """Enabled ones that the user may use, by name."""
        permissions, enabled = await asyncio.gather(
            self._roles.resolve_user_permissions(user), self._providers.enabled()
        )
        app_roles = permissions.unwrap().app_roles
        return Success(by_name([one for one in enabled.unwrap() if one.enabled and one.permits(app_roles)]))

    @railway
    async def connections_of(self, user: User) -> Result[list[ShownConnection], ErrorDetail]:
        """One for each provider of `providers_for`."""
        providers, found = await asyncio.gather(self.providers_for(user), self._connections.of_user(user.user_id))
        allowed = providers.unwrap()
        connections = {one.provider_id: one for one in found.unwrap()}
        now = self._clock()
        return Success([shown_connection(one, connections.get(one.provider_id), now) for one in allowed])

    @railway
    async def begin(self, user: User, provider_id: str, redirect: str | None) -> Result[BegunConnection, ErrorDetail]:
        """The state is good for ten minutes, and once."""
        found, permissions = await asyncio.gather(
            self._providers.find(provider_id), self._roles.resolve_user_permissions(user)
        )
        provider = require(found.unwrap(), provider_not_found(provider_id)).unwrap()
        if not provider.enabled:
            return Failure(DISABLED)
        if not provider.permits(permissions.unwrap().app_roles):
            return Failure(NOT_PERMITTED)
        if redirect and not self._return_urls.allows(redirect):
            return Failure(NOT_OUR_PAGE)
        callback_url = require(self._callback_url, NO_CALLBACK).unwrap()
        if not self._connections.is_configured:
            return Failure(NO_CONNECTIONS)
        self._cipher.usable().unwrap()
        state = secrets.token_urlsafe(_SECRET_BYTES)
        verifier = secrets.token_urlsafe(_SECRET_BYTES) if provider.pkce_required else None
        kept = OIDCStateData(redirect or None, verifier, f"{provider_id}|{user.user_id}", provider.scopes_hash)
        (await self._states.store_state(state, kept)).unwrap()
        query = {
            "client_id": provider.client_id,
            "redirect_uri": callback_url,
            "response_type": "code",
            "scope": " ".join(provider.scopes),
            "state": state,
        }
        if verifier is not None:
            query |= {"code_challenge": challenge_of(verifier), "code_challenge_method": "S256"}
        url = authorization_url(provider.authorization_endpoint, query)
        return Success(BegunConnection(url, FlowCookie.of(state, callback_url)))

    @railway
    async def disconnect(self, user: User, provider_id: str) -> Result[None, ErrorDetail]:
        """The provider need not exist any more."""
        found = (await self._connections.find(user.user_id, provider_id)).unwrap()
        connection = require(found, not_connected(provider_id)).unwrap()
        await best_effort(
            self._revoke(connection),
            reason="Revoking at the provider is optional (RFC 7009); what is stored here is deleted all the same.",
            default=None,
        )
        (await self._connections.delete(user.user_id, provider_id)).unwrap()
        self._tokens.forget(user.user_id, provider_id)
        return Success(None)

    @railway
    async def _revoke(self, connection: Connection) -> Result[None, ErrorDetail]:
        """The refresh token if there is one, which ends the access tokens too."""
        provider_id = connection.provider_id
        provider = (await self._providers.find(provider_id)).alt(_naming(provider_id)).unwrap()
        if provider is None or provider.revocation_endpoint is None:
            return Success(None)
        encrypted = connection.refresh_token_encrypted or connection.access_token_encrypted
        secret, token = await asyncio.gather(self._client_secrets.find(provider_id), self._cipher.decrypt(encrypted))
        client_secret = require(secret.alt(_naming(provider_id)).unwrap(), NO_CLIENT_SECRET).unwrap()
        return await self._endpoints.revoke(
            provider.revocation_endpoint, provider, client_secret, token.alt(_naming(provider_id)).unwrap()
        )


def _naming(provider_id: str) -> Callable[[ErrorDetail], ErrorDetail]:
    return lambda error: error.caused_by(None, provider_id=provider_id)


@once
def get_state_store() -> StateStore:
    """Of this flow; in memory it knows no states of signing in."""
    return create_state_store()


@once
def get_return_urls() -> ReturnUrls:
    return ReturnUrls.of(settings(OAuthSettings).frontend_url, allowed_origins())


@once
def get_connection_service() -> ConnectionService:
    return ConnectionService(
        get_app_role_service(),
        get_provider_repository(),
        get_connection_repository(),
        get_state_store(),
        get_client_secrets(),
        get_token_cipher(),
        get_provider_endpoints(),
        get_oauth_token_service(),
        callback_url=settings(OAuthSettings).oauth_callback_url,
        return_urls=get_return_urls(),
    )
