"""Which model a turn uses, and how."""

from dataclasses import dataclass
from typing import Literal

type Provider = Literal["bedrock", "openai", "gemini"]

DEFAULT_MODEL_ID = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
DEFAULT_TEMPERATURE = 0.7


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """`caching` asks for prompt cache markers; `max_tokens` limits the answer, None leaves it to the provider."""

    model_id: str = DEFAULT_MODEL_ID
    temperature: float = DEFAULT_TEMPERATURE
    caching: bool = True
    provider: Provider = "bedrock"
    max_tokens: int | None = None


def resolve_model_config(
    *,
    model_id: str | None = None,
    temperature: float | None = None,
    caching_enabled: bool | None = None,
    provider: str | None = None,
    max_tokens: int | None = None,
) -> ModelConfig:
    """Fill in the defaults. Only None falls back: a temperature of 0.0 stays. `max_tokens` below 1 counts as None."""
    chosen = model_id or DEFAULT_MODEL_ID
    return ModelConfig(
        model_id=chosen,
        temperature=DEFAULT_TEMPERATURE if temperature is None else temperature,
        caching=True if caching_enabled is None else caching_enabled,
        provider=_provider(provider, chosen),
        max_tokens=max_tokens if max_tokens is not None and max_tokens >= 1 else None,
    )


def _provider(requested: str | None, model_id: str) -> Provider:
    """A requested `openai` or `gemini` wins; anything else is told from the model id."""
    match (requested or "").strip().lower():
        case "openai":
            return "openai"
        case "gemini":
            return "gemini"
    lowered = model_id.lower()
    if lowered.startswith(("gpt-", "o1-")):
        return "openai"
    if lowered.startswith("gemini-"):
        return "gemini"
    return "bedrock"
