"""Records that the stack starts with: the local model with prices, so that a turn has a cost, and with an identity
provider on this machine an account there that can be connected."""

import json
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from apis.shared.oauth.models import scopes_hash
from apis.shared.settings import InstitutionSettings, settings
from devstack.identity.process import CLIENT_ID, LocalIdentity
from devstack.model import PROVIDER, Model
from devstack.model_server import ANSWER_TOKENS, CONTEXT_TOKENS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_secretsmanager import SecretsManagerClient

# US dollars per million tokens. The model is free; these only make costs visible.
INPUT_PRICE = "1"
OUTPUT_PRICE = "2"

LOCAL_PROVIDER = "local"
LOCAL_SCOPES = ("openid", "offline_access")


def seed_model(client: "DynamoDBClient", table: str, model: Model) -> None:
    """Write `model` as a managed model that developers may use, and everybody who can sign in."""
    roles = ("Developer", *settings(InstitutionSettings).base_roles)
    record_id, now = str(uuid.uuid4()), datetime.now(UTC).isoformat()
    client.put_item(
        TableName=table,
        Item={
            "PK": {"S": f"MODEL#{record_id}"},
            "SK": {"S": f"MODEL#{record_id}"},
            "GSI1PK": {"S": f"MODEL#{model.name}"},
            "GSI1SK": {"S": f"MODEL#{record_id}"},
            "id": {"S": record_id},
            "modelId": {"S": model.name},
            "modelName": {"S": model.name},
            "provider": {"S": PROVIDER},
            "providerName": {"S": "Local"},
            "inputModalities": {"L": [{"S": "TEXT"}]},
            "outputModalities": {"L": [{"S": "TEXT"}]},
            "maxInputTokens": {"N": str(CONTEXT_TOKENS)},
            "maxOutputTokens": {"N": str(ANSWER_TOKENS)},
            "allowedAppRoles": {"L": []},
            "availableToRoles": {"L": [{"S": role} for role in roles]},
            "enabled": {"BOOL": True},
            "inputPricePerMillionTokens": {"N": INPUT_PRICE},
            "outputPricePerMillionTokens": {"N": OUTPUT_PRICE},
            "isReasoningModel": {"BOOL": False},
            "supportsCaching": {"BOOL": False},
            "createdAt": {"S": now},
            "updatedAt": {"S": now},
        },
    )


def seed_provider(
    client: "DynamoDBClient", table: str, secrets: "SecretsManagerClient", secret_arn: str, identity: LocalIdentity
) -> None:
    """Write the identity provider as one whose accounts can be connected, with its client secret."""
    secrets.put_secret_value(SecretId=secret_arn, SecretString=json.dumps({LOCAL_PROVIDER: identity.client_secret}))
    now = datetime.now(UTC).isoformat()
    client.put_item(
        TableName=table,
        Item={
            "PK": {"S": f"PROVIDER#{LOCAL_PROVIDER}"},
            "SK": {"S": "CONFIG"},
            "GSI1PK": {"S": "ENABLED#true"},
            "GSI1SK": {"S": f"PROVIDER#{LOCAL_PROVIDER}"},
            "providerId": {"S": LOCAL_PROVIDER},
            "displayName": {"S": "An account on this machine"},
            "providerType": {"S": "custom"},
            "authorizationEndpoint": {"S": f"{identity.oauth_url}/authorize"},
            "tokenEndpoint": {"S": f"{identity.oauth_url}/token"},
            "revocationEndpoint": {"S": f"{identity.oauth_url}/revoke"},
            "userinfoEndpoint": {"NULL": True},
            "clientId": {"S": CLIENT_ID},
            "scopes": {"L": [{"S": scope} for scope in LOCAL_SCOPES]},
            "scopesHash": {"S": scopes_hash(LOCAL_SCOPES)},
            "allowedRoles": {"L": []},
            "enabled": {"BOOL": True},
            "pkceRequired": {"BOOL": True},
            "iconName": {"S": "heroLink"},
            "createdAt": {"S": now},
            "updatedAt": {"S": now},
        },
    )
