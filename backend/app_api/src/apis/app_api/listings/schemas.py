"""The wire models of what providers offer."""

from typing import Annotated, Self

from pydantic import Field

from apis.app_api.listings.models import FoundationModel, GeminiModel, OpenAIModel
from apis.shared.http import Wire


class FoundationModelSummary(Wire):
    """A model of Bedrock."""

    model_id: Annotated[str, Field(description="The provider's id.")]
    model_name: Annotated[str, Field(description="May be empty.")]
    provider_name: Annotated[str, Field(description="Who made it; may be empty.")]
    input_modalities: Annotated[list[str], Field(description="What it reads.")]
    output_modalities: Annotated[list[str], Field(description="What it writes.")]
    customizations_supported: Annotated[list[str], Field(description="How it can be trained further.")]
    inference_types_supported: Annotated[list[str], Field(description="How it can be called.")]
    response_streaming_supported: Annotated[bool, Field(description="Whether it can answer piece by piece.")] = False
    model_lifecycle: Annotated[str | None, Field(description="`ACTIVE`, or `LEGACY` before its end.")] = None


class BedrockModelsResponse(Wire):
    """The models of Bedrock."""

    models: Annotated[list[FoundationModelSummary], Field(description="By id, the last first.")]
    next_token: Annotated[str | None, Field(description="Always null: there is one page.")] = None
    total_count: Annotated[int | None, Field(description="How many are listed here.")] = None

    @classmethod
    def of_models(cls, models: list[FoundationModel], limit: int | None) -> Self:
        shown = [FoundationModelSummary.of(model) for model in models[:limit]]
        return cls(models=shown, total_count=len(shown))


class GeminiModelSummary(Wire):
    """A model of Gemini."""

    name: Annotated[str, Field(description="The provider's id.")]
    base_model_id: Annotated[str | None, Field(description="What it was made of.")] = None
    version: Annotated[str | None, Field(description="Of the model.")] = None
    display_name: Annotated[str, Field(description="Its name for people.")]
    description: Annotated[str | None, Field(description="What it is for.")] = None
    input_token_limit: Annotated[int | None, Field(description="Of one request.")] = None
    output_token_limit: Annotated[int | None, Field(description="Of one answer.")] = None
    supported_generation_methods: Annotated[list[str], Field(description="What it can be asked for.")]
    thinking: Annotated[bool | None, Field(description="Whether it can think before it answers.")] = None
    temperature: Annotated[float | None, Field(description="Its default.")] = None
    max_temperature: Annotated[float | None, Field(description="The highest one.")] = None
    top_p: Annotated[float | None, Field(description="Its default.")] = None
    top_k: Annotated[int | None, Field(description="Its default.")] = None


class GeminiModelsResponse(Wire):
    """The models of Gemini."""

    models: Annotated[list[GeminiModelSummary], Field(description="By name, the last first.")]
    total_count: Annotated[int, Field(description="How many are listed here.")]

    @classmethod
    def of_models(cls, models: list[GeminiModel], limit: int | None) -> Self:
        shown = [GeminiModelSummary.of(model) for model in models[:limit]]
        return cls(models=shown, total_count=len(shown))


class OpenAIModelSummary(Wire):
    """A model of OpenAI."""

    id: Annotated[str, Field(description="The provider's id.")]
    created: Annotated[int | None, Field(description="When it was made, in epoch seconds.")] = None
    owned_by: Annotated[str, Field(description="May be empty.")]
    object: Annotated[str | None, Field(description="Always `model`.")] = None


class OpenAIModelsResponse(Wire):
    """The models of OpenAI."""

    models: Annotated[list[OpenAIModelSummary], Field(description="The newest first, then by id.")]
    total_count: Annotated[int, Field(description="How many are listed here.")]

    @classmethod
    def of_models(cls, models: list[OpenAIModel], limit: int | None) -> Self:
        shown = [OpenAIModelSummary.of(model) for model in models[:limit]]
        return cls(models=shown, total_count=len(shown))
