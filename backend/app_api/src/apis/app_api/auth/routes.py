from typing import Annotated

from fastapi import Query

from apis.app_api.auth.schemas import (
    LoginResponse,
    LogoutResponse,
    TokenExchangeRequest,
    TokenExchangeResponse,
    TokenRefreshRequest,
    TokenRefreshResponse,
)
from apis.app_api.auth.service import ID_TOKEN_REFUSED, NOT_CONFIGURED, STATE_INVALID, get_sign_in_service
from apis.app_api.auth.token_endpoint import CODE_REFUSED, NOT_REFRESHED, REFRESH_REFUSED
from apis.shared.errors import ErrorDetail
from apis.shared.http import STORE_ERRORS, ResultRouter
from apis.shared.http.bounds import ShortText
from apis.shared.result import Result, railway

# Tokens and states are of this answer only (RFC 6749, 5.1).
router = ResultRouter(tags=["Sign-in"], errors=(NOT_CONFIGURED,), headers={"Cache-Control": "no-store"})

RedirectUri = Annotated[
    ShortText, Query(description="Where the identity provider sends the browser back to; empty: the configured place.")
]
Prompt = Annotated[ShortText, Query(description="What the identity provider asks; passed on as it is.")]
PostLogoutRedirectUri = Annotated[
    ShortText, Query(description="Where the browser goes after that; it has to be registered.")
]


@router.get("/auth/login", summary="Begin to sign in", errors=STORE_ERRORS)
@railway
async def login(
    redirect_uri: RedirectUri = "", prompt: Prompt = "select_account"
) -> Result[LoginResponse, ErrorDetail]:
    """The address of the identity provider's page, and the state that comes back from there with a code."""
    begun = await get_sign_in_service().unwrap().begin(redirect_uri, prompt)
    return begun.map(LoginResponse.of)


@router.post(
    "/auth/token",
    summary="Get tokens for a code",
    errors=(*STORE_ERRORS, STATE_INVALID, CODE_REFUSED, ID_TOKEN_REFUSED),
)
@railway
async def exchange_token(body: TokenExchangeRequest) -> Result[TokenExchangeResponse, ErrorDetail]:
    """A state is good once: after any failure the sign-in begins anew."""
    tokens = await get_sign_in_service().unwrap().complete(body.code, body.state, body.redirect_uri)
    return tokens.map(TokenExchangeResponse.of)


@router.post("/auth/refresh", summary="Get new tokens", errors=(*STORE_ERRORS, REFRESH_REFUSED, NOT_REFRESHED))
@railway
async def refresh_token(body: TokenRefreshRequest) -> Result[TokenRefreshResponse, ErrorDetail]:
    """`unauthorized` only when the refresh token itself is not good any more."""
    tokens = await get_sign_in_service().unwrap().refresh(body.refresh_token)
    return tokens.map(TokenRefreshResponse.of)


@router.get("/auth/logout", summary="Sign out")
async def logout(post_logout_redirect_uri: PostLogoutRedirectUri = "") -> Result[LogoutResponse, ErrorDetail]:
    """The address of the identity provider's page. Tokens that were issued stay good until they expire."""
    service = get_sign_in_service()
    return service.map(lambda signing: LogoutResponse(logout_url=signing.logout_url(post_logout_redirect_uri)))
