"""What the providers of models offer: live, with the deployment's own credentials.

A provider's text is never shown; those of Gemini and OpenAI, which may quote a key, are not logged either. Each
provider is a module, which is imported on first use, in a worker thread, and makes its client there: that takes a
second.
"""

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, cast

from pydantic import SecretStr

from agents.failures import described
from apis.app_api.listings.bedrock import list_foundation_models
from apis.app_api.listings.models import FoundationModel, GeminiModel, OpenAIModel
from apis.app_api.listings.refusals import DEADLINE_SECONDS
from apis.shared.errors import ErrorCode, ErrorDetail, service_unavailable, timed_out
from apis.shared.result import ErrorTable, Failure, Result, attempt_async
from apis.shared.settings import ListingSettings, settings


def not_configured(variable: str) -> ErrorDetail:
    message = "This model provider is not configured for this deployment."
    return ErrorDetail(code=ErrorCode.SERVICE_UNAVAILABLE, message=message, detail=f"{variable} is not configured.")


class _ProviderModule[M](Protocol):
    ERRORS: ErrorTable
    client: Callable[[str], object]
    list_models: Callable[[str], Awaitable[list[M]]]


async def bedrock_models(filters: Mapping[str, str]) -> Result[list[FoundationModel], ErrorDetail]:
    """By id, the last first. Fails with `bad_request` for a filter that the provider does not accept."""
    listed = await list_foundation_models(filters)
    return listed.map(lambda models: sorted(models, key=lambda model: model.model_id, reverse=True))


async def gemini_models() -> Result[list[GeminiModel], ErrorDetail]:
    """By name, the last first."""
    key = settings(ListingSettings).google_api_key
    listed: Result[list[GeminiModel], ErrorDetail] = await _listed("gemini", key, "GOOGLE_API_KEY")
    return listed.map(lambda models: sorted(models, key=lambda model: model.name, reverse=True))


async def openai_models() -> Result[list[OpenAIModel], ErrorDetail]:
    """The newest first, then by id; last those of which it is not known when they were made."""
    key = settings(ListingSettings).openai_api_key
    listed: Result[list[OpenAIModel], ErrorDetail] = await _listed("openai", key, "OPENAI_API_KEY")
    return listed.map(lambda models: sorted(models, key=lambda model: model.order))


async def _listed(provider: str, key: SecretStr | None, variable: str) -> Result[list[Any], ErrorDetail]:
    """Any: each provider has models of its own."""
    if key is None:
        return Failure(not_configured(variable))
    secret = key.get_secret_value()
    module = await asyncio.to_thread(_ready, provider, secret)
    return await attempt_async(_in_time, module, secret, errors=module.ERRORS + _COMMON)


def _ready(provider: str, key: str) -> _ProviderModule[Any]:
    imported = importlib.import_module(f"apis.app_api.listings.{provider}")
    module = cast("_ProviderModule[Any]", imported)  # chosen by name
    module.client(key)
    return module


async def _in_time(module: _ProviderModule[Any], key: str) -> list[Any]:
    async with asyncio.timeout(DEADLINE_SECONDS):
        return await module.list_models(key)


_COMMON = ErrorTable.of(
    (TimeoutError, lambda error: described(error, timed_out())),
    # JSON, or none, that is not the answer of such an operation.
    (ValueError, lambda error: described(error, service_unavailable())),
    (KeyError, lambda error: described(error, service_unavailable())),
    (TypeError, lambda error: described(error, service_unavailable())),
    (AttributeError, lambda error: described(error, service_unavailable())),
    (RecursionError, lambda error: described(error, service_unavailable())),
)
