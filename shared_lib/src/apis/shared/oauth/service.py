"""Access tokens of users, for the tools that act in their name."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from apis.shared.aws.dynamodb import Table
from apis.shared.aws.kms import KmsKey
from apis.shared.aws.secrets import Secret
from apis.shared.errors import ErrorDetail, service_unavailable
from apis.shared.lifecycle import at_close, background
from apis.shared.oauth.client_secrets import ClientSecrets
from apis.shared.oauth.encryption import TokenCipher
from apis.shared.oauth.endpoints import ProviderEndpoints, providers_http
from apis.shared.oauth.models import (
    EXPIRY_MARGIN_SECONDS,
    AccessToken,
    Connection,
    NotConnected,
    OAuthProvider,
    TokenOutcome,
)
from apis.shared.oauth.refresh import ConnectionKey, ConnectionRefresher, Gone, Outcome, Renewed, Unusable
from apis.shared.oauth.repository import ConnectionRepository, ProviderRepository
from apis.shared.result import Failure, Result, Success, railway
from apis.shared.settings import OAuthSettings, settings
from apis.shared.ttl_cache import TtlCache
from apis.shared.wiring import once

CACHE_SECONDS = 300.0
CACHED_TOKENS = 1_000
_ROUNDS = 3
"""How often in one lookup the tokens may turn out to have been replaced meanwhile."""

_KEPT_CHANGING = service_unavailable(None, reason="the connection kept changing while it was read")


@dataclass(frozen=True, slots=True)
class _Kept:
    """`until` in epoch seconds."""

    access_token: str = field(repr=False)
    until: float


@dataclass(frozen=True, slots=True)
class _Lookup:
    """A look at one connection that others may wait for. `instead_of` is the token that it must not give."""

    task: asyncio.Task[Result[TokenOutcome, ErrorDetail]]
    instead_of: str | None = field(repr=False)


class OAuthTokenService:
    """Tokens are kept for at most five minutes, so that long at most another process hands out one that was revoked.

    "Not connected" and "connect anew" are outcomes. Whatever cannot be found out is a Failure, and changes nothing.
    """

    def __init__(
        self,
        providers: ProviderRepository,
        connections: ConnectionRepository,
        cipher: TokenCipher,
        refresher: ConnectionRefresher,
        *,
        connect_url: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._providers = providers
        self._connections = connections
        self._cipher = cipher
        self._refresher = refresher
        self._connect_url = connect_url
        self._clock = clock
        self._cache: TtlCache[ConnectionKey, _Kept] = TtlCache(CACHE_SECONDS, max_size=CACHED_TOKENS)
        self._lookups: dict[ConnectionKey, _Lookup] = {}

    async def access_token(
        self, user_id: str, provider_id: str, *, instead_of: str | None = None
    ) -> Result[TokenOutcome, ErrorDetail]:
        """The user's token, renewed if necessary.

        `instead_of` is a token that the tool's service has refused although it had not expired: it is renewed, unless
        that has happened already. One lookup runs at a time for a connection; it goes on when a caller is cancelled.
        """
        key = (user_id, provider_id)
        while True:
            kept = self._cache.get(key)
            if kept is not None and self._clock() < kept.until and kept.access_token != instead_of:
                return Success(AccessToken(kept.access_token))
            running = self._lookups.get(key)
            if running is None:
                running = self._begin(key, instead_of)
            if running.instead_of == instead_of:
                return await asyncio.shield(running.task)
            await asyncio.wait((running.task,))

    @railway
    async def to_reconnect(self, user_id: str, provider_id: str) -> Result[NotConnected, ErrorDetail]:
        """What the user is told when a tool's service refuses a token that was just renewed, too."""
        provider = (await self._providers.find(provider_id)).unwrap()
        return Success(self._not_connected((user_id, provider_id), provider, needs_reauth=True))

    def remember(self, connection: Connection, access_token: str) -> None:
        """The user has just connected: what is known from before, or is being looked up, is not handed out."""
        key = (connection.user_id, connection.provider_id)
        self.forget(*key)
        kept = self._keepable(connection, access_token)
        if kept is not None:
            self._cache.put(key, kept)

    def forget(self, user_id: str, provider_id: str) -> None:
        """The user has disconnected."""
        key = (user_id, provider_id)
        self._lookups.pop(key, None)
        self._refresher.forget(key)
        self._cache.invalidate_keys([key])

    def forget_provider(self, provider_id: str) -> None:
        """The provider was changed: every token of it is looked up anew."""
        for key in [key for key in self._lookups if key[1] == provider_id]:
            del self._lookups[key]
        self._cache.invalidate_where(lambda key: key[1] == provider_id)

    def _begin(self, key: ConnectionKey, instead_of: str | None) -> _Lookup:
        lookup = _Lookup(background.start(self._look_up(key, instead_of), name="oauth token"), instead_of)
        self._lookups[key] = lookup

        def done(_: asyncio.Task[Result[TokenOutcome, ErrorDetail]]) -> None:
            if self._lookups.get(key) is lookup:
                del self._lookups[key]

        lookup.task.add_done_callback(done)
        return lookup

    @railway
    async def _look_up(self, key: ConnectionKey, instead_of: str | None) -> Result[TokenOutcome, ErrorDetail]:
        if instead_of is not None:
            self._cache.invalidate_keys([key])
        outcome, kept = (await self._find(key, instead_of)).unwrap()
        running = self._lookups.get(key)
        # Not after the user has connected or disconnected meanwhile: what was found may be older than that.
        if kept is not None and running is not None and running.task is asyncio.current_task():
            self._cache.put(key, kept)
        return Success(outcome)

    @railway
    async def _find(
        self, key: ConnectionKey, instead_of: str | None
    ) -> Result[tuple[TokenOutcome, _Kept | None], ErrorDetail]:
        found, known = await asyncio.gather(self._connections.find(*key), self._providers.find(key[1]))
        connection, provider = found.unwrap(), known.unwrap()
        if provider is None or not provider.enabled or connection is None or connection.status == "revoked":
            return Success((self._not_connected(key, provider), None))
        for _ in range(_ROUNDS):
            match (await self._current(provider, connection, instead_of)).unwrap():
                case Renewed(stored, str(access_token)) if access_token != instead_of:
                    return Success((AccessToken(access_token), self._keepable(stored, access_token)))
                case Renewed(stored):
                    connection = stored
                case Gone():
                    return Success((self._not_connected(key, provider), None))
                case Unusable():
                    return Success((self._not_connected(key, provider, needs_reauth=True), None))
        return Failure(_KEPT_CHANGING.caused_by(None, provider_id=provider.provider_id))

    @railway
    async def _current(
        self, provider: OAuthProvider, connection: Connection, instead_of: str | None
    ) -> Result[Outcome, ErrorDetail]:
        """The connection with its access token; without one, or with `instead_of`, it has to be looked at again."""
        settled = (await self._refresher.settled(connection)).unwrap()
        if not isinstance(settled, Renewed):
            return Success(settled)
        connection = settled.connection
        if connection.has_expired(self._clock()):
            return await self._refresher.renew(provider, connection)
        access_token = settled.access_token
        if access_token is None:
            access_token = (await self._cipher.decrypt(connection.access_token_encrypted)).unwrap()
        if access_token == instead_of:
            return await self._refresher.renew(provider, connection)
        return Success(Renewed(connection, access_token))

    def _keepable(self, connection: Connection, access_token: str) -> _Kept | None:
        now = self._clock()
        until = now + CACHE_SECONDS
        if connection.expires_at is not None:
            until = min(until, connection.expires_at - EXPIRY_MARGIN_SECONDS)
        return _Kept(access_token, until) if until > now else None

    def _not_connected(
        self, key: ConnectionKey, provider: OAuthProvider | None, *, needs_reauth: bool = False
    ) -> NotConnected:
        name = provider.display_name if provider is not None else key[1]
        return NotConnected(key[1], name, self._connect_url, needs_reauth)


@once
def get_provider_repository() -> ProviderRepository:
    name = settings(OAuthSettings).dynamodb_oauth_providers_table_name
    return ProviderRepository(Table(name) if name else None)


@once
def get_connection_repository() -> ConnectionRepository:
    name = settings(OAuthSettings).dynamodb_oauth_user_tokens_table_name
    return ConnectionRepository(Table(name) if name else None)


@once
def get_client_secrets() -> ClientSecrets:
    arn = settings(OAuthSettings).oauth_client_secrets_arn
    return ClientSecrets(Secret(arn) if arn else None)


@once
def get_token_cipher() -> TokenCipher:
    chosen = settings(OAuthSettings)
    key = chosen.oauth_token_encryption_key_arn
    return TokenCipher(KmsKey(key) if key else None, is_development=chosen.is_development)


@once
def get_provider_endpoints() -> ProviderEndpoints:
    return ProviderEndpoints(providers_http)


@once
def get_oauth_token_service() -> OAuthTokenService:
    """For tools, in both APIs."""
    connections, cipher = get_connection_repository(), get_token_cipher()
    return OAuthTokenService(
        get_provider_repository(),
        connections,
        cipher,
        ConnectionRefresher(connections, get_client_secrets(), cipher, get_provider_endpoints()),
        connect_url=f"{settings(OAuthSettings).frontend_url}/settings/connections",
    )


at_close(providers_http.aclose)
