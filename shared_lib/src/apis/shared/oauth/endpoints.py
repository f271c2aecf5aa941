"""The endpoints of a provider that the server itself talks to: each request goes out once."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from apis.shared.errors import ErrorDetail, internal_error, service_unavailable
from apis.shared.http_client import HttpClient
from apis.shared.oauth.answers import Granted, parse_answer
from apis.shared.oauth.models import OAuthProvider
from apis.shared.result import Failure, Result, Success, railway

DEADLINE_SECONDS = 10.0
MAX_ANSWER_BYTES = 64 * 1024

providers_http = HttpClient("oauth provider", deadline_seconds=DEADLINE_SECONDS, max_response_bytes=MAX_ANSWER_BYTES)

NOT_LATIN = internal_error(None, reason="the client id or secret cannot be sent in a header")


@dataclass(frozen=True, slots=True)
class ProviderEndpoints:
    """Fails with `bad_request` where the user's code or token is refused, with `service_unavailable` and `timeout` for
    outages, with `internal_error` where our own credentials or request are refused."""

    http: HttpClient

    async def redeem_code(
        self, provider: OAuthProvider, client_secret: str, *, code: str, redirect_uri: str, verifier: str | None
    ) -> Result[Granted, ErrorDetail]:
        form = {"grant_type": "authorization_code", "redirect_uri": redirect_uri, "code": code}
        return await self._ask(
            provider, client_secret, form if verifier is None else form | {"code_verifier": verifier}
        )

    async def refresh(
        self, provider: OAuthProvider, client_secret: str, refresh_token: str
    ) -> Result[Granted, ErrorDetail]:
        return await self._ask(provider, client_secret, {"grant_type": "refresh_token", "refresh_token": refresh_token})

    async def revoke(
        self, url: str, provider: OAuthProvider, client_secret: str, token: str
    ) -> Result[None, ErrorDetail]:
        form = {"token": token, "client_id": provider.client_id, "client_secret": client_secret}
        answered = await self.http.post_form(url, form)
        return answered.bind(
            lambda answer: (
                Success(None)
                if 200 <= answer.status < 300
                else Failure(service_unavailable(None, reason="not revoked", http_status=str(answer.status)))
            )
        ).alt(lambda error: _of(provider, error))

    @railway
    async def _ask(
        self, provider: OAuthProvider, client_secret: str, form: Mapping[str, str]
    ) -> Result[Granted, ErrorDetail]:
        authorization = basic(provider.client_id, client_secret)
        if authorization is None:
            return Failure(_of(provider, NOT_LATIN))
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded;charset=UTF-8",
            "Authorization": authorization,
        }
        answered = await self.http.post_form(provider.token_endpoint, form, headers=headers)
        return answered.bind(parse_answer).alt(lambda error: _of(provider, error))


def basic(client_id: str, client_secret: str) -> str | None:
    """The raw values, as providers expect them; None for characters that no header can carry."""
    pair = f"{client_id}:{client_secret}"
    if any(ord(character) > 0xFF for character in pair):
        return None
    return f"Basic {base64.b64encode(pair.encode('latin-1')).decode()}"


def _of(provider: OAuthProvider, error: ErrorDetail) -> ErrorDetail:
    return error.caused_by(None, provider_id=provider.provider_id)
