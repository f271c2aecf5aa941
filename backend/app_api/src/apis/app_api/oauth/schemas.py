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


_ID = "Of the provider."
_NAME = "As users see it."
_TYPE = "Which mark is shown with it; `custom` for any other."
_PAGE = "Page where users agree."
_TOKENS = "Where codes and refresh tokens become tokens."
_REVOCATION = "Where tokens are revoked; null: nowhere."
_CLIENT = "Of our registration at the provider."
_ENABLED = "Whether users see it, and tools get tokens of it."
_ICON = "Name of an icon of the web client."
_PKCE = "Whether codes are bound to a proof key (RFC 7636)."
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

    provider_id: Annotated[str, Field(description=_ID)]
    display_name: Annotated[str, Field(description=_NAME)]
    provider_type: Annotated[ProviderType, Field(description=_TYPE)]
    authorization_endpoint: Annotated[str, Field(description=_PAGE)]
    token_endpoint: Annotated[str, Field(description=_TOKENS)]
    client_id: Annotated[str, Field(description=_CLIENT)]
    scopes: Annotated[list[str], Field(description=_SCOPES)]
    allowed_roles: Annotated[list[str], Field(description=_ROLES)]
    enabled: Annotated[bool, Field(description=_ENABLED)]
    icon_name: Annotated[str, Field(description=_ICON)]
    userinfo_endpoint: Annotated[str | None, Field(description="Not used by the services.")] = None
    revocation_endpoint: Annotated[str | None, Field(description=_REVOCATION)] = None
    pkce_required: Annotated[bool, Field(description=_PKCE)]
    created_at: Annotated[str, Field(description=_MOMENT)]
    updated_at: Annotated[str, Field(description=_MOMENT)]


class OAuthProviderListResponse(SnakeCaseWire):
    """Providers by name."""

    providers: Annotated[list[OAuthProviderResponse], Field(description="By name.")]
    total: Annotated[int, Field(description="How many these are.")]

    @classmethod
    def of_providers(cls, providers: Sequence[OAuthProvider]) -> "OAuthProviderListResponse":
        return cls(providers=[OAuthProviderResponse.of(one) for one in providers], total=len(providers))


class OAuthProviderCreate(SnakeCaseWire):
    """A new provider."""

    provider_id: Annotated[str, Field(min_length=1, max_length=64, pattern="^[a-z0-9-]+$", description=_ID)]
    display_name: Annotated[str, Field(min_length=1, max_length=128, description=_NAME)]
    provider_type: Annotated[ProviderType, Field(description=_TYPE)]
    authorization_endpoint: Annotated[ShortText, Field(min_length=1, description=_ENDPOINT)]
    token_endpoint: Annotated[ShortText, Field(min_length=1, description=_ENDPOINT)]
    client_id: Annotated[Credential, Field(min_length=1, description=_CLIENT)]
    client_secret: Annotated[Credential, Field(min_length=1, repr=False, description="Never shown again.")]
    scopes: Annotated[ShortTexts, Field(default_factory=list, description=_SCOPES)]
    allowed_roles: Annotated[ShortTexts, Field(default_factory=list, description=_ROLES)]
    enabled: Annotated[bool, Field(description=_ENABLED)] = True
    icon_name: Annotated[ShortText, Field(description=_ICON)] = "heroLink"
    userinfo_endpoint: Annotated[ShortText | None, Field(description=_OPTIONAL_ENDPOINT)] = None
    revocation_endpoint: Annotated[ShortText | None, Field(description=_OPTIONAL_ENDPOINT)] = None
    pkce_required: Annotated[bool, Field(description=_PKCE)] = True

    def to_draft(self) -> ProviderDraft:
        return ProviderDraft(**self.model_dump(exclude={"client_secret"}))


class OAuthProviderUpdate(SnakeCaseWire):
    """What of a provider changes; null and absent members do not."""

    display_name: Annotated[str | None, Field(min_length=1, max_length=128, description=_NAME + _UNCHANGED)] = None
    authorization_endpoint: Annotated[SomeText | None, Field(description=_ENDPOINT + _UNCHANGED)] = None
    token_endpoint: Annotated[SomeText | None, Field(description=_ENDPOINT + _UNCHANGED)] = None
    client_id: Annotated[SomeCredential | None, Field(description=_CLIENT + _UNCHANGED)] = None
    client_secret: Annotated[SomeCredential | None, Field(repr=False, description="Never shown again.")] = None
    scopes: Annotated[ShortTexts | None, Field(description=_SCOPES + _UNCHANGED)] = None
    allowed_roles: Annotated[ShortTexts | None, Field(description=_ROLES + _UNCHANGED)] = None
    enabled: Annotated[bool | None, Field(description=_ENABLED + _UNCHANGED)] = None
    icon_name: Annotated[ShortText | None, Field(description=_ICON + _UNCHANGED)] = None
    userinfo_endpoint: Annotated[ShortText | None, Field(description=_OPTIONAL_ENDPOINT + _UNCHANGED)] = None
    revocation_endpoint: Annotated[ShortText | None, Field(description=_OPTIONAL_ENDPOINT + _UNCHANGED)] = None
    pkce_required: Annotated[bool | None, Field(description=_PKCE + _UNCHANGED)] = None

    def to_patch(self) -> ProviderPatch:
        return ProviderPatch(**self.model_dump(exclude={"client_secret"}))


class OAuthConnectionResponse(SnakeCaseWire):
    """A provider that the caller may use, connected or not."""

    provider_id: Annotated[str, Field(description=_ID)]
    display_name: Annotated[str, Field(description=_NAME)]
    provider_type: Annotated[ProviderType, Field(description=_TYPE)]
    icon_name: Annotated[str, Field(description=_ICON)]
    status: Annotated[ConnectionStatus, Field(description="`revoked` also where there was never a connection.")]
    connected_at: Annotated[str | None, Field(description=f"{_MOMENT} Null when not connected.")] = None
    needs_reauth: Annotated[bool, Field(description="Whether the provider now asks for other scopes.")] = False


class OAuthConnectionListResponse(SnakeCaseWire):
    """The providers that the caller may use, by name."""

    connections: Annotated[list[OAuthConnectionResponse], Field(description="By name.")]

    @classmethod
    def of_shown(cls, shown: Sequence[ShownConnection]) -> "OAuthConnectionListResponse":
        return cls(connections=[OAuthConnectionResponse.of(one) for one in shown])


class OAuthConnectResponse(SnakeCaseWire):
    """Where to send the browser."""

    authorization_url: Annotated[str, Field(description="The page of the provider; good for ten minutes, and once.")]


class ConnectionCountResponse(SnakeCaseWire):
    """How many users are connected."""

    provider_id: Annotated[str, Field(description=_ID)]
    connection_count: Annotated[int, Field(description="Of users.")]
