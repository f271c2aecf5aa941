import uuid
from typing import Any, Final

from tests.support.stored.things import MOMENT, Item, Row, row_of

MODELS: Final = "DYNAMODB_MANAGED_MODELS_TABLE_NAME"


def managed_model(model_id: str, *, record_id: str | None = None, **attributes: Any) -> Row:
    """An enabled model of OpenAI that costs nothing and that nobody may use."""
    record_id = record_id or str(uuid.uuid4())
    return row_of(
        MODELS,
        {
            **keys_of_model(model_id, record_id),
            "id": record_id,
            "modelId": model_id,
            "modelName": "A model",
            "provider": "openai",
            "providerName": "A provider",
            "inputModalities": ["TEXT"],
            "outputModalities": ["TEXT"],
            "maxInputTokens": 200_000,
            "maxOutputTokens": 4096,
            "allowedAppRoles": [],
            "availableToRoles": [],
            "enabled": True,
            "inputPricePerMillionTokens": 0,
            "outputPricePerMillionTokens": 0,
            "isReasoningModel": False,
            "supportsCaching": True,
            "createdAt": MOMENT,
            "updatedAt": MOMENT,
        },
        attributes,
    )


def keys_of_model(model_id: str, record_id: str) -> Item:
    """`model_id` is the provider's name of the model."""
    of_record = f"MODEL#{record_id}"
    return {"PK": of_record, "SK": of_record, "GSI1PK": f"MODEL#{model_id}", "GSI1SK": of_record}
