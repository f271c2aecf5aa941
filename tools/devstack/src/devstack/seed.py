"""Records that the stack starts with: the local model with prices, so that a turn has a cost."""

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from apis.shared.settings import InstitutionSettings, settings
from devstack.model import PROVIDER, Model
from devstack.model_server import ANSWER_TOKENS, CONTEXT_TOKENS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# US dollars per million tokens. The model is free; these only make costs visible.
INPUT_PRICE = "1"
OUTPUT_PRICE = "2"


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
