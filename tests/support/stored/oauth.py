import base64
from typing import Any, Final

from tests.support.stored.things import LATE_TTL, MOMENT, Row, row_of

OAUTH_PROVIDERS: Final = "DYNAMODB_OAUTH_PROVIDERS_TABLE_NAME"
OAUTH_TOKENS: Final = "DYNAMODB_OAUTH_USER_TOKENS_TABLE_NAME"
NO_SCOPES_HASH: Final = "e3b0c44298fc1c14"


def oauth_provider(provider_id: str, url: str = "https://provider.example", **attributes: Any) -> Row:
    """An enabled one without scopes, for everybody, with its endpoints below `url`."""
    enabled = attributes.get("enabled", True)
    return row_of(
        OAUTH_PROVIDERS,
        {
            "PK": f"PROVIDER#{provider_id}",
            "SK": "CONFIG",
            "GSI1PK": f"ENABLED#{'true' if enabled else 'false'}",
            "GSI1SK": f"PROVIDER#{provider_id}",
            "providerId": provider_id,
            "displayName": f"Provider {provider_id}",
            "providerType": "custom",
            "authorizationEndpoint": f"{url}/authorize",
            "tokenEndpoint": f"{url}/token",
            "clientId": "cid",
            "scopes": [],
            "allowedRoles": [],
            "scopesHash": NO_SCOPES_HASH,
            "enabled": enabled,
            "iconName": "heroLink",
            "userinfoEndpoint": None,
            "revocationEndpoint": None,
            "pkceRequired": True,
            "createdAt": MOMENT,
            "updatedAt": MOMENT,
        },
        attributes,
    )


def oauth_connection(user_id: str, provider_id: str, **attributes: Any) -> Row:
    """A good one, with the tokens `AT1` and `RT1` as a service without a key stores them."""
    return row_of(
        OAUTH_TOKENS,
        {
            "PK": f"USER#{user_id}",
            "SK": f"PROVIDER#{provider_id}",
            "GSI1PK": f"PROVIDER#{provider_id}",
            "GSI1SK": f"USER#{user_id}",
            "userId": user_id,
            "providerId": provider_id,
            "accessTokenEncrypted": unencrypted("AT1"),
            "refreshTokenEncrypted": unencrypted("RT1"),
            "tokenType": "Bearer",
            "expiresAt": LATE_TTL,
            "scopesHash": NO_SCOPES_HASH,
            "status": "connected",
            "connectedAt": MOMENT,
            "updatedAt": MOMENT,
        },
        attributes,
    )


def oauth_state(state: str, provider_id: str, user_id: str, **attributes: Any) -> Row:
    """What a connection waits with for the browser to come back; it expires late."""
    item = {
        "PK": f"STATE#{state}",
        "SK": f"STATE#{state}",
        "state": state,
        "expiresAt": LATE_TTL,
        "created_at": 1_700_000_000,
        "code_verifier": "verifier",
        "nonce": f"{provider_id}|{user_id}",
    }
    return row_of("DYNAMODB_OIDC_STATE_TABLE_NAME", item, attributes)


def unencrypted(token: str) -> str:
    return f"DEV:{base64.b64encode(token.encode()).decode()}"
