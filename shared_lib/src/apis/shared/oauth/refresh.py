"""Renewing the tokens of one connection.

Refresh tokens are often good once. So one process at a time renews a connection, what it got is stored before it is
used, and what could not be stored is kept until it is.
"""

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from apis.shared.errors import ErrorDetail, internal_error, service_unavailable, timed_out
from apis.shared.moments import zulu_form
from apis.shared.oauth.answers import Granted, is_refused_for_good
from apis.shared.oauth.client_secrets import ClientSecrets
from apis.shared.oauth.encryption import TokenCipher
from apis.shared.oauth.endpoints import DEADLINE_SECONDS, ProviderEndpoints
from apis.shared.oauth.models import Connection, OAuthProvider
from apis.shared.oauth.repository import ConnectionRepository
from apis.shared.result import Failure, Result, Success, best_effort, collect, error_of, railway
from apis.shared.ttl_cache import TtlCache

CLAIM_SECONDS = int(DEADLINE_SECONDS) + 30
"""The token endpoint, and the calls of AWS around it."""
REFUSAL_SECONDS = 60.0
MAX_UNSAVED = 10_000

NO_CLIENT_SECRET = internal_error(None, reason="the provider has no client secret")
_NO_ACCESS_TOKEN = service_unavailable(None, reason="no access token in the provider's answer")

type ConnectionKey = tuple[str, str]
"""User id and provider id."""


@dataclass(frozen=True, slots=True)
class Pauses:
    """How often, and how long apart, a refresh looks again, in seconds."""

    between_writes: tuple[float, ...] = (0.1, 0.3)
    before_a_refusal_counts: tuple[float, ...] = (0.2, 0.5)
    while_another_renews: float = 0.25
    most_while_another_renews: float = 15.0


@dataclass(frozen=True, slots=True)
class Renewed:
    """The connection as it is stored now; `access_token` where it is known already, without decrypting it."""

    connection: Connection
    access_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Unusable:
    """That the user has to connect anew."""


@dataclass(frozen=True, slots=True)
class Gone:
    """That the user has disconnected meanwhile."""


type Outcome = Renewed | Unusable | Gone


@dataclass(frozen=True, slots=True)
class _Unsaved:
    """What a provider gave for the refresh token of `known` at the moment `at` (epoch seconds)."""

    known: Connection
    granted: Granted = field(repr=False)
    at: float


class ConnectionRefresher:
    """To be asked for one connection at a time in a process; processes keep each other off by a claim in the store."""

    def __init__(
        self,
        connections: ConnectionRepository,
        secrets: ClientSecrets,
        cipher: TokenCipher,
        endpoints: ProviderEndpoints,
        *,
        pauses: Pauses | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._connections = connections
        self._secrets = secrets
        self._cipher = cipher
        self._endpoints = endpoints
        self._pauses = pauses or Pauses()
        self._clock = clock
        # The same for all that this process claims: a claim whose answer was lost is still its own.
        self._owner = uuid.uuid4().hex
        # What was refused stays so: not every call of a tool asks the provider again.
        self._refused: TtlCache[ConnectionKey, Connection] = TtlCache(REFUSAL_SECONDS)
        self._unsaved: dict[ConnectionKey, _Unsaved] = {}

    def forget(self, key: ConnectionKey) -> None:
        """The user has connected anew, or disconnected."""
        self._unsaved.pop(key, None)
        self._refused.invalidate_keys([key])

    @railway
    async def settled(self, connection: Connection) -> Result[Outcome, ErrorDetail]:
        """`connection` with what was renewed before and could not be stored then, which is stored first."""
        unsaved = self._unsaved.get(_key(connection))
        if unsaved is None:
            return Success(Renewed(connection))
        if not unsaved.known.has_tokens_of(connection):
            self._unsaved.pop(_key(connection), None)
            return Success(Renewed(connection))
        return await self._save(unsaved)

    @railway
    async def renew(self, provider: OAuthProvider, connection: Connection) -> Result[Outcome, ErrorDetail]:
        """New tokens in the place of those of `connection`; its status changes only when the provider refuses."""
        refresh_token = connection.refresh_token_encrypted
        if refresh_token is None:
            return await self._useless(connection)
        refused = self._refused.get(_key(connection))
        if refused is not None and refused.has_tokens_of(connection):
            return await self._useless(connection)
        now = self._clock()
        if not (await self._connections.claim(connection, self._owner, now, now + CLAIM_SECONDS)).unwrap():
            return await self._look_again(connection)
        renewed = await self._ask(provider, connection, refresh_token)
        if error_of(renewed) is not None and _key(connection) not in self._unsaved:
            await best_effort(
                self._connections.release(connection, self._owner),
                reason="The claim ends by itself within a minute, and the failure of the refresh is told.",
                default=False,
            )
        return renewed

    @railway
    async def _ask(
        self, provider: OAuthProvider, connection: Connection, encrypted: str
    ) -> Result[Outcome, ErrorDetail]:
        secret, token = await asyncio.gather(self._secrets.find(provider.provider_id), self._cipher.decrypt(encrypted))
        client_secret, refresh_token = secret.unwrap(), token.unwrap()
        if client_secret is None:
            return Failure(NO_CLIENT_SECRET.caused_by(None, provider_id=provider.provider_id))
        answered = await self._endpoints.refresh(provider, client_secret, refresh_token)
        match answered:
            case Success(granted) if granted.access_token is None:
                return Failure(_NO_ACCESS_TOKEN.caused_by(None, provider_id=provider.provider_id))
            case Success(granted):
                return await self._save(self._kept(_Unsaved(connection, granted, self._clock())))
            case Failure(error) if is_refused_for_good(error):
                return await self._judge(connection)
            case _:
                return answered.map(lambda _: Gone())

    def _kept(self, unsaved: _Unsaved) -> _Unsaved:
        """What is in memory outlives a caller that gives up, and a store that does not answer."""
        while len(self._unsaved) >= MAX_UNSAVED:
            self._unsaved.pop(next(iter(self._unsaved)))
        self._unsaved[_key(unsaved.known)] = unsaved
        return unsaved

    @railway
    async def _save(self, unsaved: _Unsaved) -> Result[Outcome, ErrorDetail]:
        known, granted = unsaved.known, unsaved.granted
        access = granted.access_token or ""
        tokens = [access] if granted.refresh_token is None else [access, granted.refresh_token]
        encrypted = collect(await asyncio.gather(*(self._cipher.encrypt(token) for token in tokens))).unwrap()
        lifetime = granted.lifetime_seconds
        renewed = known.model_copy(
            update={
                "access_token_encrypted": encrypted[0],
                "refresh_token_encrypted": encrypted[1] if len(encrypted) > 1 else known.refresh_token_encrypted,
                "expires_at": None if lifetime is None else int(unsaved.at) + lifetime,
                "status": "connected",
                "updated_at": zulu_form(),
                "refresh_claimed_by": None,
                "refresh_claimed_until": 0,
            }
        )
        stored = await self._connections.renew(known, renewed)
        for pause in self._pauses.between_writes:
            if error_of(stored) is None:
                break
            await asyncio.sleep(pause)
            stored = await self._connections.renew(known, renewed)
        if stored.unwrap():
            self._unsaved.pop(_key(known), None)
            return Success(Renewed(renewed, access))
        return await self._replaced(known, renewed, access)

    @railway
    async def _replaced(self, known: Connection, renewed: Connection, access: str) -> Result[Outcome, ErrorDetail]:
        """Somebody else has stored other tokens, or ours although the answer was lost."""
        found = (await self._connections.find(known.user_id, known.provider_id)).unwrap()
        self._unsaved.pop(_key(known), None)
        if found is None:
            return Success(Gone())
        return Success(Renewed(found, access if found.has_tokens_of(renewed) else None))

    @railway
    async def _judge(self, connection: Connection) -> Result[Outcome, ErrorDetail]:
        """The provider refuses the refresh token. Perhaps another process that knows no claims has just used it, and is
        about to store what it got."""
        for pause in (0.0, *self._pauses.before_a_refusal_counts):
            await asyncio.sleep(pause)
            found = (await self._connections.find(connection.user_id, connection.provider_id)).unwrap()
            if found is None:
                return Success(Gone())
            if not found.has_tokens_of(connection):
                return Success(Renewed(found))
        self._refused.put(_key(connection), connection)
        return await self._expire(connection)

    async def _useless(self, connection: Connection) -> Result[Outcome, ErrorDetail]:
        return Success(Unusable()) if connection.status == "expired" else await self._expire(connection)

    @railway
    async def _expire(self, connection: Connection) -> Result[Outcome, ErrorDetail]:
        if (await self._connections.mark_expired(connection)).unwrap():
            return Success(Unusable())
        found = (await self._connections.find(connection.user_id, connection.provider_id)).unwrap()
        return Success(Gone() if found is None else Renewed(found))

    @railway
    async def _look_again(self, connection: Connection) -> Result[Outcome, ErrorDetail]:
        """What the process that renews the tokens now makes of them."""
        waited = 0.0
        while waited <= self._pauses.most_while_another_renews:
            found = (await self._connections.find(connection.user_id, connection.provider_id)).unwrap()
            if found is None:
                return Success(Gone())
            if not found.has_tokens_of(connection) or not found.is_claimed(self._clock()):
                return Success(Unusable() if _was_refused(connection, found) else Renewed(found))
            await asyncio.sleep(self._pauses.while_another_renews)
            waited += self._pauses.while_another_renews
        return Failure(timed_out(None, reason="another process renews the tokens", provider_id=connection.provider_id))


def _was_refused(before: Connection, after: Connection) -> bool:
    return after.has_tokens_of(before) and after.status == "expired" and after.updated_at != before.updated_at


def _key(connection: Connection) -> ConnectionKey:
    return connection.user_id, connection.provider_id
