"""The token endpoint of the identity provider: what is asked of it, and what its answers mean."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, Field

from apis.shared.errors import ErrorDetail, bad_request, service_unavailable, unauthorized
from apis.shared.http_client import HttpClient, HttpResponse
from apis.shared.result import Failure, Result, railway

logger = logging.getLogger(__name__)

DEFAULT_TOKEN_TYPE = "Bearer"  # noqa: S105 - the kind of a token
DEFAULT_LIFETIME_SECONDS = 3600
_LIFETIME_DIGITS = 10

# What may be logged of a refusal: the names that OAuth 2.0 and OpenID Connect define, and no text of the provider.
_KNOWN_ERRORS = frozenset(
    {
        "access_denied",
        "consent_required",
        "interaction_required",
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_resource",
        "invalid_scope",
        "login_required",
        "server_error",
        "temporarily_unavailable",
        "unauthorized_client",
        "unsupported_grant_type",
        "unsupported_response_type",
    }
)

CODE_REFUSED = bad_request("The sign-in could not be completed. Please sign in again.")
REFRESH_REFUSED = unauthorized("The session has expired. Please sign in again.")
NOT_REFRESHED = bad_request("The session could not be renewed. Please sign in again.")


def _lifetime(value: Any) -> int:  # Any: not validated yet
    """Some providers write the number as a text; what is no positive whole number counts as absent."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= _LIFETIME_DIGITS:
        value = int(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and value > 0 and value == value // 1:
        return int(value)
    return DEFAULT_LIFETIME_SECONDS


def _text_or(default: str) -> BeforeValidator:
    return BeforeValidator(lambda value: value if isinstance(value, str) and value else default)


class Tokens(BaseModel):
    """What the provider issues; members that it may leave out have their defaults."""

    access_token: Annotated[str, Field(min_length=1)]
    refresh_token: Annotated[str, _text_or("")] = ""
    id_token: Annotated[str | None, BeforeValidator(lambda value: None if value == "" else value)] = None
    token_type: Annotated[str, _text_or(DEFAULT_TOKEN_TYPE)] = DEFAULT_TOKEN_TYPE
    expires_in: Annotated[int, BeforeValidator(_lifetime)] = DEFAULT_LIFETIME_SECONDS
    scope: Annotated[str, _text_or("")] = ""

    def with_refresh_token(self, refresh_token: str) -> Self:
        return self.model_copy(update={"refresh_token": refresh_token})


type _Refused = Callable[[int], ErrorDetail]
"""What a refusal with this status means."""


class _Refusal(BaseModel):
    error: str


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """Each request goes out once: a code or a refresh token may be used up although no answer came.

    Fails with `service_unavailable` when the provider is down, throttles, or answers what holds no tokens, and with
    `timeout`.
    """

    url: str
    http: HttpClient

    async def redeem_code(self, form: Mapping[str, str]) -> Result[Tokens, ErrorDetail]:
        """`bad_request` when the provider refuses."""
        return await self._post(form, lambda _: CODE_REFUSED)

    async def refresh(self, form: Mapping[str, str]) -> Result[Tokens, ErrorDetail]:
        """`unauthorized` for a refresh token that is not good any more, `bad_request` for any other refusal."""
        return await self._post(form, lambda status: REFRESH_REFUSED if status == 400 else NOT_REFRESHED)

    @railway
    async def _post(self, form: Mapping[str, str], refused: _Refused) -> Result[Tokens, ErrorDetail]:
        response = (await self.http.post_form(self.url, form)).unwrap()
        if response.status == 200:
            return response.parse(Tokens)
        if response.status < 400:
            return Failure(service_unavailable(None, reason="no tokens", http_status=str(response.status)))
        return Failure(_noted(refused(response.status), response))


def _noted(error: ErrorDetail, response: HttpResponse) -> ErrorDetail:
    """The failure with the name of the refusal for the log."""
    said = response.parse(_Refusal).map(lambda refusal: refusal.error).value_or("")
    name = said if said in _KNOWN_ERRORS else "other"
    if name == "invalid_client":
        # The user can do nothing: it is our credential, perhaps expired.
        logger.error("the identity provider refuses the client secret", extra={"provider_error": name})
    return error.caused_by(None, provider_error=name, http_status=str(response.status))
