"""Models of the providers. Clients and their connections are shared by the process, a model belongs to one turn.

Each provider is a module with a `build` and the `ERRORS` of its library; it is imported on first use, in a worker
thread, because that takes a second.
"""

import asyncio
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from agents.config import ModelConfig
from agents.failures import NOT_CONFIGURED
from apis.shared.errors import ErrorDetail
from apis.shared.result import ErrorTable, Failure, Result, Success
from apis.shared.settings import ModelSettings, settings

if TYPE_CHECKING:
    from strands.models import Model


@dataclass(frozen=True, slots=True)
class ProviderModel:
    """`errors` is what a run with this model can fail with."""

    model: "Model"
    errors: ErrorTable


class _ProviderModule(Protocol):
    ERRORS: ErrorTable
    build: "Callable[[ModelConfig, str], Model]"


async def build_model(config: ModelConfig) -> Result[ProviderModel, ErrorDetail]:
    """Fails with `agent_error` when the provider's key is not configured."""
    keys = settings(ModelSettings)
    key = {"openai": keys.openai_api_key, "gemini": keys.google_gemini_api_key}.get(config.provider)
    if config.provider != "bedrock" and key is None:
        return Failure(NOT_CONFIGURED)
    return Success(await asyncio.to_thread(_build, config, key.get_secret_value() if key else ""))


def _build(config: ModelConfig, key: str) -> ProviderModel:
    from agents.providers.framework import run_errors  # noqa: PLC0415 - lazy: the framework stays out of the start

    module = cast("_ProviderModule", importlib.import_module(f"agents.providers.{config.provider}"))  # chosen by name
    return ProviderModel(module.build(config, key), run_errors(module.ERRORS))
