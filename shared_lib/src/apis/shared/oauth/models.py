"""OAuth providers, and what users have connected there."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from apis.shared.errors import ErrorDetail, not_found
from apis.shared.records import Record, StoredMoment, Texts

type ProviderType = Literal["google", "microsoft", "github", "canvas", "custom"]
type ConnectionStatus = Literal["connected", "expired", "revoked", "needs_reauth"]

EXPIRY_MARGIN_SECONDS = 60
"""An access token counts as expired so long before it is: it has to reach the tool's service."""

DEFAULT_TOKEN_TYPE = "Bearer"  # noqa: S105 - the kind of a token

_ABSENT_IS_TRUE = BeforeValidator(lambda value: True if value is None else value)
_EMPTY_IS_NONE = AfterValidator(lambda value: value or None)
_WHOLE = BeforeValidator(lambda value: int(value) if isinstance(value, float | Decimal) else value)
_HASH_CHARACTERS = 16


def scopes_hash(scopes: Iterable[str]) -> str:
    """Whatever their order."""
    return hashlib.sha256(",".join(sorted(scopes)).encode()).hexdigest()[:_HASH_CHARACTERS]


class ProviderDraft(Record):
    """What an administrator decides about a provider; its client secret is kept elsewhere."""

    provider_id: str
    display_name: str
    provider_type: ProviderType
    authorization_endpoint: str
    token_endpoint: str
    client_id: str
    scopes: Texts = Field(default_factory=list)
    allowed_roles: Texts = Field(default_factory=list)
    enabled: Annotated[bool, _ABSENT_IS_TRUE] = True
    icon_name: str
    userinfo_endpoint: Annotated[str | None, _EMPTY_IS_NONE] = None
    revocation_endpoint: Annotated[str | None, _EMPTY_IS_NONE] = None
    pkce_required: Annotated[bool, _ABSENT_IS_TRUE] = True


class OAuthProvider(ProviderDraft):
    """A registered provider."""

    created_at: StoredMoment
    updated_at: StoredMoment

    @property
    def scopes_hash(self) -> str:
        return scopes_hash(self.scopes)

    def permits(self, app_roles: Sequence[str]) -> bool:
        """Whether somebody with these AppRoles may use it; without a list of roles everybody may."""
        return not self.allowed_roles or not set(self.allowed_roles).isdisjoint(app_roles)


class ProviderPatch(Record):
    """A change of a provider: None changes nothing, an empty optional endpoint removes it."""

    display_name: str | None = None
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    client_id: str | None = None
    scopes: list[str] | None = None
    allowed_roles: list[str] | None = None
    enabled: bool | None = None
    icon_name: str | None = None
    userinfo_endpoint: str | None = None
    revocation_endpoint: str | None = None
    pkce_required: bool | None = None

    @property
    def changes(self) -> dict[str, Any]:  # Any: each member has its own type
        return {name: value for name in type(self).model_fields if (value := getattr(self, name)) is not None}


class Connection(Record):
    """What a user has connected: the stored row, with encrypted tokens.

    `expires_at` (epoch seconds) is of the access token, None where it is not known to expire. `account_hash` tells
    whether two ID tokens are of the same account. A claim is one process's right to renew the tokens, until
    `claimed_until` (epoch seconds).
    """

    user_id: str
    provider_id: str
    access_token_encrypted: str = Field(repr=False)
    refresh_token_encrypted: str | None = Field(default=None, repr=False)
    token_type: str = DEFAULT_TOKEN_TYPE
    expires_at: Annotated[int | None, _WHOLE] = None
    scopes_hash: str = ""
    status: ConnectionStatus = "connected"
    connected_at: StoredMoment
    updated_at: StoredMoment
    account_hash: str | None = None
    refresh_claimed_by: str | None = None
    refresh_claimed_until: float = 0

    def has_expired(self, now: float) -> bool:
        """Whether the access token is not to be handed out any more."""
        return self.expires_at is not None and now >= self.expires_at - EXPIRY_MARGIN_SECONDS

    def is_claimed(self, now: float) -> bool:
        return self.refresh_claimed_by is not None and now < self.refresh_claimed_until

    def has_tokens_of(self, other: "Connection") -> bool:
        """Whether neither token was replaced since; the status may have been."""
        return (self.access_token_encrypted, self.refresh_token_encrypted) == (
            other.access_token_encrypted,
            other.refresh_token_encrypted,
        )


@dataclass(frozen=True, slots=True)
class ShownConnection:
    """A provider that a user may use, and whether the user is connected there."""

    provider_id: str
    display_name: str
    provider_type: ProviderType
    icon_name: str
    status: ConnectionStatus
    connected_at: str | None
    needs_reauth: bool


def shown_connection(provider: OAuthProvider, connection: Connection | None, now: float) -> ShownConnection:
    """ "Not connected" is shown as `revoked`.

    An access token that has expired is renewed at its next use, so it is shown as `expired` only where that cannot be.
    """
    status, needs_reauth = _shown_status(provider, connection, now)
    return ShownConnection(
        provider.provider_id,
        provider.display_name,
        provider.provider_type,
        provider.icon_name,
        status,
        connection.connected_at if connection is not None else None,
        needs_reauth,
    )


def _shown_status(provider: OAuthProvider, connection: Connection | None, now: float) -> tuple[ConnectionStatus, bool]:
    if connection is None:
        return "revoked", False
    is_outdated = connection.scopes_hash != provider.scopes_hash
    is_past = connection.expires_at is not None and now > connection.expires_at
    if is_past and (connection.refresh_token_encrypted is None or connection.status != "connected"):
        return "expired", is_outdated
    if is_outdated:
        return "needs_reauth", True
    return connection.status, False


@dataclass(frozen=True, slots=True)
class AccessToken:
    """For `Authorization: Bearer`."""

    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NotConnected:
    """That a user has to connect first, or with `needs_reauth` anew; a normal outcome, not a failure."""

    provider_id: str
    provider_name: str
    connect_url: str
    needs_reauth: bool = False


type TokenOutcome = AccessToken | NotConnected


def provider_not_found(provider_id: str) -> ErrorDetail:
    return not_found(f"OAuth provider not found: {provider_id}")
