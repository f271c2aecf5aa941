from typing import Annotated

from fastapi import Query

from apis.app_api.listings.bedrock import FILTER_REFUSED
from apis.app_api.listings.refusals import DENIED
from apis.app_api.listings.schemas import BedrockModelsResponse, GeminiModelsResponse, OpenAIModelsResponse
from apis.app_api.listings.service import bedrock_models, gemini_models, not_configured, openai_models
from apis.shared.auth import require_admin
from apis.shared.errors import ErrorDetail
from apis.shared.http import STORE_ERRORS, AdminRouter
from apis.shared.http.bounds import ShortText
from apis.shared.result import Result

admin_router = AdminRouter(guard=require_admin, tags=["Models"], errors=STORE_ERRORS)

Limit = Annotated[int | None, Query(ge=1, le=1000, description="How many to list at most; the others are left out.")]
Filter = ShortText | None


@admin_router.get("/bedrock/models", summary="List the models of Bedrock", errors=(FILTER_REFUSED,))
async def list_bedrock_models(
    by_provider: Annotated[Filter, Query(description="Who made it.")] = None,
    by_output_modality: Annotated[Filter, Query(description="`TEXT`, `IMAGE` or `EMBEDDING`.")] = None,
    by_inference_type: Annotated[Filter, Query(description="`ON_DEMAND` or `PROVISIONED`.")] = None,
    by_customization_type: Annotated[
        Filter, Query(description="`FINE_TUNING`, `CONTINUED_PRE_TRAINING` or `DISTILLATION`.")
    ] = None,
    max_results: Limit = None,
) -> Result[BedrockModelsResponse, ErrorDetail]:
    """What the region of this deployment offers, whether it may be used or not."""
    given = {
        "byProvider": by_provider,
        "byOutputModality": by_output_modality,
        "byInferenceType": by_inference_type,
        "byCustomizationType": by_customization_type,
    }
    listed = await bedrock_models({name: value for name, value in given.items() if value})
    return listed.map(lambda models: BedrockModelsResponse.of_models(models, max_results))


@admin_router.get(
    "/gemini/models", summary="List the models of Gemini", errors=(not_configured("GOOGLE_API_KEY"), DENIED)
)
async def list_gemini_models(max_results: Limit = None) -> Result[GeminiModelsResponse, ErrorDetail]:
    """Needs a key of the provider in this deployment."""
    return (await gemini_models()).map(lambda models: GeminiModelsResponse.of_models(models, max_results))


@admin_router.get(
    "/openai/models", summary="List the models of OpenAI", errors=(not_configured("OPENAI_API_KEY"), DENIED)
)
async def list_openai_models(max_results: Limit = None) -> Result[OpenAIModelsResponse, ErrorDetail]:
    """Needs a key of the provider in this deployment."""
    return (await openai_models()).map(lambda models: OpenAIModelsResponse.of_models(models, max_results))
