"""The wire models of providers and connections; their members are in snake case."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, Field

from apis.shared.http import SnakeCaseWire
from apis.shared.http.bounds import ShortText, ShortTexts, SomeText
from apis.shared.oauth.models import (
    ConnectionStatus,
    OAuthProvider,
    ProviderDraft,
    ProviderPatch,
    ProviderType,
    ShownConnection,
)


def _sendable(text: str) -> str:
    """What a header can carry."""
    if any(ord(character) > 0xFF or not (character.isprintable() or character == "\xad") for character in text):
        msg = "only Latin-1 characters, and no control characters, are allowed"
        raise ValueError(msg)
    return text


_MOMENT = "UTC, ISO 8601."
_SCOPES = "What the access is for; sent to the provider as they are."
_ROLES = "AppRoles whose users may connect; none: everybody."
_ENDPOINT = "An `https` address."
_OPTIONAL_ENDPOINT = "An `https` address; empty removes it."
_UNCHANGED = " Null changes nothing."

Credential = Annotated[ShortText, AfterValidator(_sendable)]
SomeCredential = Annotated[SomeText, AfterValidator(_sendable)]


class OAuthProviderResponse(SnakeCaseWire):
    """A provider, without its client secret."""

    provider_id: str
    display_name: str
    provider_type: ProviderType
    authorization_endpoint: str
    token_endpoint: str
    client_id: str
    scopes: Annotated[list[str], Field(description=_SCOPES)]
    allowed_roles: Annotated[list[str], Field(description=_ROLES)]
    enabled: bool
    icon_name: str
    userinfo_endpoint: str | None = None
    revocation_endpoint: str | None = None
    pkce_required: bool
    created_at: Annotated[str, Field(description=_MOMENT)]
    updated_at: Annotated[str, Field(description=_MOMENT)]


class OAuthProviderListResponse(SnakeCaseWire):
    """Providers by name."""

    providers: list[OAuthProviderResponse]
    total: Annotated[int, Field(description="How many these are.")]

    @classmethod
    def of_providers(cls, providers: Sequence[OAuthProvider]) -> "OAuthProviderListResponse":
        return cls(providers=[OAuthProviderResponse.of(one) for one in providers], total=len(providers))


class OAuthProviderCreate(SnakeCaseWire):
    """A new provider."""

    provider_id: Annotated[str, Field(min_length=1, max_length=64, pattern="^[a-z0-9-]+$")]
    display_name: Annotated[str, Field(min_length=1, max_length=128)]
    provider_type: ProviderType
    authorization_endpoint: Annotated[ShortText, Field(min_length=1, description=_ENDPOINT)]
    token_endpoint: Annotated[ShortText, Field(min_length=1, description=_ENDPOINT)]
    client_id: Annotated[Credential, Field(min_length=1)]
    client_secret: Annotated[Credential, Field(min_length=1, repr=False, description="Never shown again.")]
    scopes: Annotated[ShortTexts, Field(default_factory=list, description=_SCOPES)]
    allowed_roles: Annotated[ShortTexts, Field(default_factory=list, description=_ROLES)]
    enabled: bool = True
    icon_name: ShortText = "heroLink"
    userinfo_endpoint: Annotated[ShortText | None, Field(description=_OPTIONAL_ENDPOINT)] = None
    revocation_endpoint: Annotated[ShortText | None, Field(description=_OPTIONAL_ENDPOINT)] = None
    pkce_required: bool = True

    def to_draft(self) -> ProviderDraft:
        return ProviderDraft(**self.model_dump(exclude={"client_secret"}))


class OAuthProviderUpdate(SnakeCaseWire):
    """What of a provider changes; null and absent members do not."""

    display_name: Annotated[str | None, Field(min_length=1, max_length=128)] = None
    authorization_endpoint: Annotated[SomeText | None, Field(description=_ENDPOINT + _UNCHANGED)] = None
    token_endpoint: Annotated[SomeText | None, Field(description=_ENDPOINT + _UNCHANGED)] = None
    client_id: SomeCredential | None = None
    client_secret: Annotated[SomeCredential | None, Field(repr=False, description="Never shown again.")] = None
    scopes: Annotated[ShortTexts | None, Field(description=_SCOPES + _UNCHANGED)] = None
    allowed_roles: Annotated[ShortTexts | None, Field(description=_ROLES + _UNCHANGED)] = None
    enabled: bool | None = None
    icon_name: ShortText | None = None
    userinfo_endpoint: Annotated[ShortText | None, Field(description=_OPTIONAL_ENDPOINT + _UNCHANGED)] = None
    revocation_endpoint: Annotated[ShortText | None, Field(description=_OPTIONAL_ENDPOINT + _UNCHANGED)] = None
    pkce_required: bool | None = None

    def to_patch(self) -> ProviderPatch:
        return ProviderPatch(**self.model_dump(exclude={"client_secret"}))


class OAuthConnectionResponse(SnakeCaseWire):
    """A provider that the caller may use, connected or not."""

    provider_id: str
    display_name: str
    provider_type: ProviderType
    icon_name: str
    status: Annotated[ConnectionStatus, Field(description="`revoked` also where there was never a connection.")]
    connected_at: Annotated[str | None, Field(description=f"{_MOMENT} Null when not connected.")] = None
    needs_reauth: Annotated[bool, Field(description="Whether the provider now asks for other scopes.")] = False


class OAuthConnectionListResponse(SnakeCaseWire):
    """The providers that the caller may use, by name."""

    connections: list[OAuthConnectionResponse]

    @classmethod
    def of_shown(cls, shown: Sequence[ShownConnection]) -> "OAuthConnectionListResponse":
        return cls(connections=[OAuthConnectionResponse.of(one) for one in shown])


class OAuthConnectResponse(SnakeCaseWire):
    """Where to send the browser."""

    authorization_url: Annotated[str, Field(description="The page of the provider; good for ten minutes, and once.")]


class ConnectionCountResponse(SnakeCaseWire):
    """How many users are connected."""

    provider_id: str
    connection_count: int
