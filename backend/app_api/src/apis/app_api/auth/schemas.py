"""The wire models of signing in; their members are in snake case."""

from typing import Annotated

from pydantic import ConfigDict, Field

from apis.app_api.auth.token_endpoint import DEFAULT_TOKEN_TYPE
from apis.shared.http import SnakeCaseWire
from apis.shared.http.bounds import IssuedText, ShortText


class LoginResponse(SnakeCaseWire):
    """Where to send the browser."""

    authorization_url: Annotated[str, Field(description="The page of the identity provider.")]
    state: Annotated[str, Field(description="Comes back with the code; good for ten minutes, and once.")]


class TokenExchangeRequest(SnakeCaseWire):
    """What the browser came back with."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"code": "0.AXoA-code", "state": "bGet-state"}]})

    code: Annotated[IssuedText, Field(description="As the identity provider gave it.")]
    state: Annotated[ShortText, Field(description="As it was when the sign-in began.")]
    redirect_uri: Annotated[
        ShortText | None, Field(description="Used when the sign-in was begun without one; empty counts as absent.")
    ] = None


class TokenRefreshRequest(SnakeCaseWire):
    """A refresh token for new tokens."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"refresh_token": "1.AXoA-refresh"}]})

    refresh_token: Annotated[IssuedText, Field(description="From the previous answer.")]


class _TokensResponse(SnakeCaseWire):
    access_token: Annotated[str, Field(description="For the header `Authorization: Bearer`.")]
    refresh_token: Annotated[str, Field(description="For the next refresh; replaces the one before.")]
    id_token: Annotated[str | None, Field(description="Null when the identity provider gave none.")] = None
    token_type: Annotated[str, Field(description="As the identity provider names it.")] = DEFAULT_TOKEN_TYPE
    expires_in: Annotated[int, Field(description="Seconds that the access token is good for.")]
    scope: Annotated[str, Field(description="What the access token allows, separated by blanks; may be empty.")]


class TokenExchangeResponse(_TokensResponse):
    """The tokens of a user who has just signed in."""


class TokenRefreshResponse(_TokensResponse):
    """The new tokens."""


class LogoutResponse(SnakeCaseWire):
    """Where to send the browser."""

    logout_url: Annotated[str, Field(description="The page of the identity provider that ends its session.")]
