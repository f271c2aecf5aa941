"""The wire models of managed models. Responses are camelCase; requests take both spellings."""

from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, JsonValue

from apis.shared.http import Wire
from apis.shared.http.bounds import Integer, KeyId, Number, ShortText, ShortTexts, SomeText, SomeTexts
from apis.shared.models.models import CLEARABLE, ManagedModel, ModelChange
from apis.shared.moments import zulu_form

_EXAMPLE: dict[str, JsonValue] = {
    "modelId": "us.anthropic.claude-haiku-4-5-20251001-v1:0",
    "modelName": "Claude Haiku",
    "provider": "bedrock",
    "providerName": "Anthropic",
    "inputModalities": ["TEXT", "IMAGE"],
    "outputModalities": ["TEXT"],
    "maxInputTokens": 200_000,
    "maxOutputTokens": 4096,
    "inputPricePerMillionTokens": 1,
    "outputPricePerMillionTokens": 5,
    "cacheReadPricePerMillionTokens": 0.1,
    "availableToRoles": ["Faculty"],
}

_MODEL_ID = "The provider's id of the model; one entry has it."
_PROVIDER = "Whose interface it speaks: `bedrock`, `openai` or `gemini`."
_PROVIDER_NAME = "Who made it, for people."
_MODALITIES = "`TEXT`, `IMAGE`, `VIDEO`, `AUDIO` or `EMBEDDING`."
_APP_ROLES = "Roles that grant it, for information: `sync-roles` fills it, and it gives nobody access."
_JWT_ROLES = "Roles of the token whose holders may use it."
_ENABLED = "Nobody may use a disabled model."
_PRICE = "US dollars per million tokens."
_CUTOFF = "How far its knowledge reaches, as free text."
_CACHING = "Whether prompts to it may be cached."
_MOMENT = "UTC, ISO 8601."

_ModelId = Annotated[KeyId, Field(min_length=1)]
_Name = Annotated[ShortText, Field(min_length=1)]
_Modalities = Annotated[ShortTexts, Field(min_length=1)]
_Tokens = Annotated[Integer, Field(ge=1)]
_Price = Annotated[Number, Field(ge=0)]
_Moment = Annotated[str, Field(description=_MOMENT, json_schema_extra={"format": "date-time"})]


class ManagedModelResponse(Wire):
    """One model."""

    id: Annotated[str, Field(description="Our own id of the entry; never changes.")]
    model_id: Annotated[str, Field(description=_MODEL_ID)]
    model_name: Annotated[str, Field(description="Its name for people.")]
    provider: Annotated[str, Field(description=_PROVIDER)]
    provider_name: Annotated[str, Field(description=_PROVIDER_NAME)]
    input_modalities: Annotated[list[str], Field(description=_MODALITIES)]
    output_modalities: Annotated[list[str], Field(description=_MODALITIES)]
    max_input_tokens: Annotated[int, Field(description="Of one request.")]
    max_output_tokens: Annotated[int, Field(description="Of one answer.")]
    allowed_app_roles: Annotated[list[str], Field(description=_APP_ROLES)]
    available_to_roles: Annotated[list[str], Field(description=_JWT_ROLES)]
    enabled: Annotated[bool, Field(description=_ENABLED)]
    input_price_per_million_tokens: Annotated[float, Field(description=_PRICE)]
    output_price_per_million_tokens: Annotated[float, Field(description=_PRICE)]
    cache_write_price_per_million_tokens: Annotated[float | None, Field(description=_PRICE)] = None
    cache_read_price_per_million_tokens: Annotated[float | None, Field(description=_PRICE)] = None
    is_reasoning_model: Annotated[bool, Field(description="Whether it thinks before it answers.")]
    knowledge_cutoff_date: Annotated[str | None, Field(description=_CUTOFF)] = None
    supports_caching: Annotated[bool, Field(description=_CACHING)]
    created_at: _Moment
    updated_at: _Moment

    @classmethod
    def of_model(cls, model: ManagedModel) -> Self:
        moments = {"created_at": zulu_form(model.created), "updated_at": zulu_form(model.updated)}
        return cls.of(model).model_copy(update=moments)


class ManagedModelsListResponse(Wire):
    """Models, the newest first."""

    models: Annotated[list[ManagedModelResponse], Field(description="Clients choose the first one by default.")]
    total_count: Annotated[int, Field(description="How many there are.")]

    @classmethod
    def of_models(cls, models: list[ManagedModel]) -> Self:
        return cls(models=[ManagedModelResponse.of_model(model) for model in models], total_count=len(models))


class ManagedModelCreate(Wire):
    """A new model."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    model_id: Annotated[_ModelId, Field(description=_MODEL_ID)]
    model_name: Annotated[_Name, Field(description="Its name for people.")]
    provider: Annotated[_Name, Field(description=_PROVIDER)]
    provider_name: Annotated[_Name, Field(description=_PROVIDER_NAME)]
    input_modalities: Annotated[_Modalities, Field(description=_MODALITIES)]
    output_modalities: Annotated[_Modalities, Field(description=_MODALITIES)]
    max_input_tokens: Annotated[_Tokens, Field(description="Of one request.")]
    max_output_tokens: Annotated[_Tokens, Field(description="Of one answer.")]
    allowed_app_roles: Annotated[ShortTexts, Field(default_factory=list, description=_APP_ROLES)]
    available_to_roles: Annotated[ShortTexts, Field(default_factory=list, description=_JWT_ROLES)]
    enabled: Annotated[bool, Field(description=_ENABLED)] = True
    input_price_per_million_tokens: Annotated[_Price, Field(description=_PRICE)]
    output_price_per_million_tokens: Annotated[_Price, Field(description=_PRICE)]
    cache_write_price_per_million_tokens: Annotated[_Price | None, Field(description=_PRICE)] = None
    cache_read_price_per_million_tokens: Annotated[_Price | None, Field(description=_PRICE)] = None
    is_reasoning_model: Annotated[bool, Field(description="Whether it thinks before it answers.")] = False
    knowledge_cutoff_date: Annotated[ShortText | None, Field(description=_CUTOFF)] = None
    supports_caching: Annotated[bool | None, Field(description=f"{_CACHING} By default those of Bedrock.")] = None

    def to_draft(self) -> ModelChange:
        given = self.model_dump()
        if self.supports_caching is None:
            given["supports_caching"] = self.provider.lower() == "bedrock"
        return given


class ManagedModelUpdate(Wire):
    """Absent members change nothing, and neither does null; but null clears the prices of caching and
    `knowledgeCutoffDate`."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"enabled": False, "cacheReadPricePerMillionTokens": 0}]})

    model_id: Annotated[_ModelId | None, Field(description=_MODEL_ID)] = None
    model_name: Annotated[SomeText | None, Field(description="Its name for people.")] = None
    provider: Annotated[SomeText | None, Field(description=_PROVIDER)] = None
    provider_name: Annotated[SomeText | None, Field(description=_PROVIDER_NAME)] = None
    input_modalities: Annotated[SomeTexts | None, Field(description=_MODALITIES)] = None
    output_modalities: Annotated[SomeTexts | None, Field(description=_MODALITIES)] = None
    max_input_tokens: Annotated[_Tokens | None, Field(description="Of one request.")] = None
    max_output_tokens: Annotated[_Tokens | None, Field(description="Of one answer.")] = None
    allowed_app_roles: Annotated[ShortTexts | None, Field(description=_APP_ROLES)] = None
    available_to_roles: Annotated[ShortTexts | None, Field(description=_JWT_ROLES)] = None
    enabled: Annotated[bool | None, Field(description=_ENABLED)] = None
    input_price_per_million_tokens: Annotated[_Price | None, Field(description=_PRICE)] = None
    output_price_per_million_tokens: Annotated[_Price | None, Field(description=_PRICE)] = None
    cache_write_price_per_million_tokens: Annotated[_Price | None, Field(description=_PRICE)] = None
    cache_read_price_per_million_tokens: Annotated[_Price | None, Field(description=_PRICE)] = None
    is_reasoning_model: Annotated[bool | None, Field(description="Whether it thinks before it answers.")] = None
    knowledge_cutoff_date: Annotated[ShortText | None, Field(description=_CUTOFF)] = None
    supports_caching: Annotated[bool | None, Field(description=_CACHING)] = None

    def to_change(self) -> ModelChange:
        given: dict[str, Any] = self.model_dump(exclude_unset=True)  # Any: as in ModelChange
        return {name: value for name, value in given.items() if value is not None or name in CLEARABLE}
