"""The way back from a provider: whatever happened there and here, the browser is sent on to the web client."""

import asyncio
import hashlib
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from starlette.requests import Request

from apis.app_api.oauth.flow import FlowCookie
from apis.app_api.oauth.return_urls import ReturnUrls, with_parameters
from apis.app_api.oauth.service import get_return_urls, get_state_store
from apis.shared.auth.state_store import OIDCStateData, StateStore
from apis.shared.auth.tokens import unverified_claims
from apis.shared.errors import ErrorDetail, bad_request, service_unavailable
from apis.shared.http import note_user
from apis.shared.http.bounds import BEARER_TOKEN_BYTES
from apis.shared.lifecycle import background
from apis.shared.moments import zulu_form
from apis.shared.oauth.answers import Granted
from apis.shared.oauth.client_secrets import ClientSecrets
from apis.shared.oauth.encryption import TokenCipher
from apis.shared.oauth.endpoints import NOT_LATIN, ProviderEndpoints, basic
from apis.shared.oauth.models import Connection, OAuthProvider, provider_not_found
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
from apis.shared.result import Failure, Result, Success, collect, railway, require
from apis.shared.settings import OAuthSettings, settings
from apis.shared.wiring import once

DESCRIPTION_CHARACTERS = 200

_ERROR_NAME = re.compile(r"[a-z_]{1,64}")
_PREFETCHES = frozenset({"prefetch", "preview", "prerender"})

# What a failure is called towards the web client; without a name of its own it is `server_error`.
_TOLD = "told"


def _told(name: str) -> Callable[[ErrorDetail], ErrorDetail]:
    return lambda error: error.caused_by(None, **{_TOLD: name})


def _unavailable(name: str, reason: str) -> ErrorDetail:
    return service_unavailable(None, reason=reason, **{_TOLD: name})


_INCOMPLETE = _told("missing_params")(bad_request("The provider sent no code, or no state."))
_STATE_INVALID = _told("invalid_state")(bad_request("The connection has expired or was used before."))
_DISABLED = _unavailable("configuration_error", "the provider was disabled meanwhile")
_NO_CALLBACK = _unavailable("configuration_error", "not set: OAUTH_CALLBACK_URL")
_NO_SECRET = _told("configuration_error")(NO_CLIENT_SECRET)
_NO_HEADER = _told("configuration_error")(NOT_LATIN)
_NO_TABLE = _unavailable("server_error", "not set: DYNAMODB_OAUTH_USER_TOKENS_TABLE_NAME")
_NO_ACCESS_TOKEN = _unavailable("no_access_token", "no access token in the provider's answer")
_NO_LIFETIME = _unavailable("token_exchange_failed", "the lifetime of the token is no number")


def _gone(provider_id: str) -> ErrorDetail:
    return _told("provider_not_found")(provider_not_found(provider_id))


@dataclass(frozen=True, slots=True)
class Returned:
    """What the browser came back with; empty texts are absent, as is what was sent more than once."""

    code: str = field(repr=False)
    state: str = field(repr=False)
    error: str
    description: str
    cookies: Mapping[str, str] = field(repr=False)
    is_prefetch: bool

    @classmethod
    def of(cls, request: Request) -> Self:
        def only(name: str) -> str:
            values = request.query_params.getlist(name)
            return values[0] if len(values) == 1 else ""

        purposes = (request.headers.get(name, "") for name in ("sec-purpose", "purpose", "x-purpose", "x-moz"))
        said = {word.strip().lower() for purpose in purposes for word in re.split("[;,]", purpose)}
        return cls(
            code=only("code"),
            state=only("state"),
            error=next((error for error in request.query_params.getlist("error") if error), ""),
            description=only("error_description"),
            cookies=request.cookies,
            is_prefetch=not said.isdisjoint(_PREFETCHES),
        )


@dataclass(frozen=True, slots=True)
class WayOn:
    """Where the browser is sent. `error` is what the log is to know of."""

    url: str
    error: ErrorDetail | None = None
    cookie: FlowCookie | None = None
    """To be taken back."""


@dataclass(frozen=True, slots=True)
class _Flow:
    """The connection that a state stands for."""

    provider_id: str
    user_id: str
    base: str
    verifier: str | None = field(repr=False)
    scopes_hash: str | None


class CallbackService:
    def __init__(
        self,
        states: StateStore,
        providers: ProviderRepository,
        connections: ConnectionRepository,
        client_secrets: ClientSecrets,
        cipher: TokenCipher,
        endpoints: ProviderEndpoints,
        tokens: OAuthTokenService,
        *,
        callback_url: str | None,
        return_urls: ReturnUrls,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._states = states
        self._providers = providers
        self._connections = connections
        self._client_secrets = client_secrets
        self._cipher = cipher
        self._endpoints = endpoints
        self._tokens = tokens
        self._callback_url = callback_url
        self._return_urls = return_urls
        self._clock = clock

    async def finish(self, returned: Returned) -> WayOn:
        """Goes on to its end when the browser leaves meanwhile: the code is used up then."""
        if returned.error:
            return await background.finish(self._refused(returned), name="oauth refusal")
        if not returned.code or not returned.state:
            return _on(self._return_urls.default, _INCOMPLETE, error=_name(_INCOMPLETE))
        return await background.finish(self._accepted(returned), name="oauth callback")

    async def _refused(self, returned: Returned) -> WayOn:
        """What the provider says is passed on; its own words only to where the user comes from."""
        name = returned.error if _ERROR_NAME.fullmatch(returned.error) else "invalid_request"
        refusal = bad_request("The provider refused the connection.").caused_by(None, provider_error=name)
        match await self._flow(returned):
            case Success(flow):
                words = returned.description[:DESCRIPTION_CHARACTERS]
                way_on = _on(flow.base, refusal, error=name, error_description=words, provider=flow.provider_id)
                return replace(way_on, cookie=self._cookie(returned))
            case Failure(error) if error != _STATE_INVALID:
                return _on(self._return_urls.default, error, error=_name(error), provider="")
            case _:
                return _on(self._return_urls.default, refusal, error=name, error_description="")

    async def _accepted(self, returned: Returned) -> WayOn:
        match await self._flow(returned):
            case Failure(error):
                return _on(self._return_urls.default, error, error=_name(error), provider="")
            case Success(flow):
                connected = await self._connect(flow, returned.code)
        match connected:
            case Failure(error):
                log = error.caused_by(None, provider_id=flow.provider_id)
                way_on = _on(flow.base, log, error=_name(error), provider=flow.provider_id)
            case _:
                way_on = _on(flow.base, None, success="true", provider=flow.provider_id)
        return replace(way_on, cookie=self._cookie(returned))

    @railway
    async def _flow(self, returned: Returned) -> Result[_Flow, ErrorDetail]:
        """Takes the state, which is used up whatever comes of it; not for a browser that only looks ahead."""
        if returned.is_prefetch or not returned.state or len(returned.code.encode()) > BEARER_TOKEN_BYTES:
            return Failure(_STATE_INVALID)
        match (await self._states.get_and_delete_state(returned.state)).unwrap():
            case (True, OIDCStateData(redirect_uri, verifier, str(nonce), scopes_hash)) if "|" in nonce:
                cookie = self._cookie(returned)
                if cookie is not None and cookie.is_missing_among(returned.cookies):
                    return Failure(_STATE_INVALID.caused_by(None, check="browser"))
                provider_id, _, user_id = nonce.partition("|")
                note_user(user_id)
                base = self._return_urls.chosen(redirect_uri)
                return Success(_Flow(provider_id, user_id, base, verifier, scopes_hash))
            case _:
                return Failure(_STATE_INVALID)

    @railway
    async def _connect(self, flow: _Flow, code: str) -> Result[None, ErrorDetail]:
        provider, client_secret, callback_url = (await self._ready(flow)).unwrap()
        answered = await self._endpoints.redeem_code(
            provider, client_secret, code=code, redirect_uri=callback_url, verifier=flow.verifier
        )
        granted = answered.alt(_told("token_exchange_failed")).unwrap()
        access_token = require(granted.access_token, _NO_ACCESS_TOKEN).unwrap()
        if not granted.lifetime_is_readable:
            return Failure(_NO_LIFETIME)
        connection = (await self._connection(flow, provider, access_token, granted)).unwrap()
        is_there = self._providers.still_there(provider.provider_id)
        if not (await self._connections.replace(connection, only_if=is_there)).unwrap():
            return Failure(_gone(provider.provider_id))
        self._tokens.remember(connection, access_token)
        return Success(None)

    @railway
    async def _ready(self, flow: _Flow) -> Result[tuple[OAuthProvider, str, str], ErrorDetail]:
        """What the exchange needs: provider, client secret, and our own address."""
        found, kept = await asyncio.gather(
            self._providers.find(flow.provider_id, consistent=True), self._client_secrets.find(flow.provider_id)
        )
        provider = require(found.unwrap(), _gone(flow.provider_id)).unwrap()
        if not provider.enabled:
            return Failure(_DISABLED)
        client_secret = require(kept.unwrap(), _NO_SECRET).unwrap()
        if basic(provider.client_id, client_secret) is None:
            return Failure(_NO_HEADER)
        callback_url = require(self._callback_url, _NO_CALLBACK).unwrap()
        if not self._connections.is_configured:
            return Failure(_NO_TABLE)
        return Success((provider, client_secret, callback_url))

    @railway
    async def _connection(
        self, flow: _Flow, provider: OAuthProvider, access_token: str, granted: Granted
    ) -> Result[Connection, ErrorDetail]:
        account = await _account_hash(granted.id_token, provider.client_id)
        tokens = [access_token] if granted.refresh_token is None else [access_token, granted.refresh_token]
        encrypted = collect(await asyncio.gather(*(self._cipher.encrypt(token) for token in tokens))).unwrap()
        before = (await self._refresh_token_of_before(flow, granted, account)).unwrap()
        now = zulu_form()
        lifetime = granted.lifetime_seconds
        return Success(
            Connection(
                user_id=flow.user_id,
                provider_id=provider.provider_id,
                access_token_encrypted=encrypted[0],
                refresh_token_encrypted=encrypted[1] if len(encrypted) > 1 else before,
                token_type=granted.token_type,
                expires_at=None if lifetime is None else int(self._clock()) + lifetime,
                # Of the scopes that were asked for; the provider may have others by now.
                scopes_hash=flow.scopes_hash or provider.scopes_hash,
                connected_at=now,
                updated_at=now,
                account_hash=account,
            )
        )

    async def _refresh_token_of_before(
        self, flow: _Flow, granted: Granted, account: str | None
    ) -> Result[str | None, ErrorDetail]:
        """As it is stored. Some providers give a refresh token at the first consent only; it is still good if this is
        the same account."""
        if granted.refresh_token is not None or account is None:
            return Success(None)
        found = await self._connections.find(flow.user_id, flow.provider_id)
        return found.map(
            lambda before: (
                before.refresh_token_encrypted if before is not None and before.account_hash == account else None
            )
        )

    def _cookie(self, returned: Returned) -> FlowCookie | None:
        return None if self._callback_url is None else FlowCookie.of(returned.state, self._callback_url)


def _on(base: str, log: ErrorDetail | None, **parameters: str) -> WayOn:
    return WayOn(with_parameters(base, parameters), log)


def _name(error: ErrorDetail) -> str:
    return error.context.get(_TOLD, "server_error")


async def _account_hash(id_token: str | None, client_id: str) -> str | None:
    """None where no ID token proves whose account it is. It came from the provider itself: no signature is needed."""
    if id_token is None:
        return None
    match await unverified_claims(id_token):
        case Success({"iss": str(issuer), "sub": str(subject), "aud": audience}):
            audiences = audience if isinstance(audience, list) else [audience]
            named = f"{issuer}|{subject}|{client_id}"
            return hashlib.sha256(named.encode()).hexdigest()[:32] if client_id in audiences else None
        case _:
            return None


@once
def get_callback_service() -> CallbackService:
    return CallbackService(
        get_state_store(),
        get_provider_repository(),
        get_connection_repository(),
        get_client_secrets(),
        get_token_cipher(),
        get_provider_endpoints(),
        get_oauth_token_service(),
        callback_url=settings(OAuthSettings).oauth_callback_url,
        return_urls=get_return_urls(),
    )
