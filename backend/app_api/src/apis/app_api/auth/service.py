"""Signing in: the code flow with PKCE of OpenID Connect, as a confidential client."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlencode

from apis.app_api.auth.token_endpoint import TokenEndpoint, Tokens
from apis.shared.auth.entra import EntraTenant, tokens_http
from apis.shared.auth.pkce import challenge_of
from apis.shared.auth.state_store import OIDCStateData, StateStore, Taken, create_state_store
from apis.shared.auth.tokens import unverified_claims
from apis.shared.errors import ErrorCode, ErrorDetail, bad_request, service_unavailable
from apis.shared.result import Failure, Result, Success, railway
from apis.shared.settings import AuthSettings, settings
from apis.shared.wiring import once

NOT_CONFIGURED = ErrorDetail(
    code=ErrorCode.SERVICE_UNAVAILABLE,
    message="Signing in is not set up here. Please contact your administrator.",
    detail="Authentication is not configured",
)
STATE_INVALID = bad_request("The sign-in has expired or was used before. Please sign in again.")
ID_TOKEN_REFUSED = bad_request("The sign-in could not be verified. Please sign in again.")
NOT_BEGUN = "Failed to generate authorization URL"
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Application:
    """Our registration at the identity provider."""

    tenant: EntraTenant
    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str

    @classmethod
    def of(cls, auth: AuthSettings) -> Result[Self, ErrorDetail]:
        """Fails with `service_unavailable` unless all four variables are set; only the log names those that are not."""
        secret = auth.entra_client_secret.get_secret_value() if auth.entra_client_secret is not None else None
        match (auth.entra_tenant_id, auth.entra_client_id, secret, auth.entra_redirect_uri):
            case (str(tenant_id), str(client_id), str(secret), str(redirect_uri)):
                return Success(cls(EntraTenant(auth.entra_authority, tenant_id), client_id, secret, redirect_uri))
            case values:
                names = ("ENTRA_TENANT_ID", "ENTRA_CLIENT_ID", "ENTRA_CLIENT_SECRET", "ENTRA_REDIRECT_URI")
                missing = [name for name, value in zip(names, values, strict=True) if value is None]
                return Failure(NOT_CONFIGURED.caused_by(None, reason=f"not set: {', '.join(missing)}"))

    @property
    def scope(self) -> str:
        return f"openid profile email api://{self.client_id}/Read offline_access"

    def form(self, grant_type: str, **fields: str) -> Mapping[str, str]:
        """A request to the token endpoint."""
        return {
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "grant_type": grant_type,
            "scope": self.scope,
            **fields,
        }


@dataclass(frozen=True, slots=True)
class BegunSignIn:
    authorization_url: str
    state: str


class SignInService:
    def __init__(self, application: Application, states: StateStore, endpoint: TokenEndpoint) -> None:
        self._application = application
        self._states = states
        self._endpoint = endpoint

    async def begin(self, redirect_uri: str | None, prompt: str) -> Result[BegunSignIn, ErrorDetail]:
        """The page of the provider, with a state that is good for ten minutes.

        `redirect_uri` is not checked here: the provider knows the registered ones.
        """
        state, nonce, verifier = (secrets.token_urlsafe(_SECRET_BYTES) for _ in range(3))
        stored = await self._states.store_state(state, OIDCStateData(redirect_uri or None, verifier, nonce))
        query = {
            "client_id": self._application.client_id,
            "response_type": "code",
            "redirect_uri": redirect_uri or self._application.redirect_uri,
            "response_mode": "query",
            "scope": self._application.scope,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge_of(verifier),
            "code_challenge_method": "S256",
            "prompt": prompt,
        }
        url = f"{self._application.tenant.authorize_url}?{urlencode(query)}"
        return stored.map(lambda _: BegunSignIn(url, state)).alt(
            lambda error: error.model_copy(update={"detail": NOT_BEGUN})
        )

    @railway
    async def complete(self, code: str, state: str, redirect_uri: str | None) -> Result[Tokens, ErrorDetail]:
        """The tokens for a code. The state is used up also when a later step fails: the user begins anew."""
        kept = _of_a_sign_in((await self._states.get_and_delete_state(state)).unwrap()).unwrap()
        form = self._application.form(
            "authorization_code",
            code=code,
            redirect_uri=kept.redirect_uri or redirect_uri or self._application.redirect_uri,
            code_verifier=kept.code_verifier,
        )
        tokens = (await self._endpoint.redeem_code(form)).unwrap()
        if not tokens.refresh_token:
            return Failure(service_unavailable(None, reason="no refresh token in the provider's answer"))
        if tokens.id_token and kept.nonce:
            (await _check_nonce(tokens.id_token, kept.nonce)).unwrap()
        return Success(tokens)

    async def refresh(self, refresh_token: str) -> Result[Tokens, ErrorDetail]:
        """New tokens. Nothing is remembered here: two refreshes at once are the provider's to tell apart."""
        answered = await self._endpoint.refresh(self._application.form("refresh_token", refresh_token=refresh_token))
        return answered.map(lambda tokens: tokens.with_refresh_token(tokens.refresh_token or refresh_token))

    def logout_url(self, post_logout_redirect_uri: str | None) -> str:
        """The page of the provider that ends its session; nothing ends here."""
        url = self._application.tenant.logout_url
        if not post_logout_redirect_uri:
            return url
        return f"{url}?{urlencode({'post_logout_redirect_uri': post_logout_redirect_uri})}"


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a sign-in has stored."""

    code_verifier: str
    nonce: str | None
    redirect_uri: str | None


def _of_a_sign_in(taken: Taken) -> Result[_Kept, ErrorDetail]:
    """`bad_request` for a state that is not good, or that something else than a sign-in has stored."""
    match taken:
        case (True, OIDCStateData(redirect_uri, str(verifier), nonce)) if "|" not in (nonce or ""):
            return Success(_Kept(verifier, nonce, redirect_uri))
        case _:
            return Failure(STATE_INVALID)


async def _check_nonce(id_token: str, nonce: str) -> Result[None, ErrorDetail]:
    """That the provider made the token for this sign-in. It came from there over TLS: no signature is needed."""
    claims = (await unverified_claims(id_token)).alt(
        lambda _: ID_TOKEN_REFUSED.caused_by(None, check="form of the id token")
    )
    return claims.bind(
        lambda known: (
            Success(None)
            if _is_same(known.get("nonce"), nonce)
            else Failure(ID_TOKEN_REFUSED.caused_by(None, check="nonce"))
        )
    )


def _is_same(claim: object, nonce: str) -> bool:
    return isinstance(claim, str) and secrets.compare_digest(claim.encode(errors="replace"), nonce.encode())


@once
def get_sign_in_service() -> Result[SignInService, ErrorDetail]:
    """Fails with `service_unavailable` when signing in is not configured."""
    return Application.of(settings(AuthSettings)).map(
        lambda application: SignInService(
            application, create_state_store(), TokenEndpoint(application.tenant.token_url, tokens_http)
        )
    )
