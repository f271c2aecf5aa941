import pytest

from agents.config import ModelConfig, Provider, resolve_model_config


def test_the_defaults() -> None:
    assert resolve_model_config() == ModelConfig(
        model_id="us.anthropic.claude-haiku-4-5-20251001-v1:0",
        temperature=0.7,
        caching=True,
        provider="bedrock",
        max_tokens=None,
    )


@pytest.mark.parametrize(
    ("model_id", "requested", "provider"),
    [
        ("gpt-4o", None, "openai"),
        ("O1-mini", None, "openai"),
        ("gemini-2.5-flash", None, "gemini"),
        ("us.anthropic.claude-opus-4", None, "bedrock"),
        ("openai.gpt-oss-120b", None, "bedrock"),
        ("anything", "openai", "openai"),
        ("gpt-4o", "gemini", "gemini"),
        ("o1-mini", "bogus", "openai"),
        ("gpt-4o", "bedrock", "openai"),
        ("anything", " OpenAI ", "openai"),
        ("anything", "", "bedrock"),
    ],
)
def test_the_provider(model_id: str, requested: str | None, provider: Provider) -> None:
    assert resolve_model_config(model_id=model_id, provider=requested).provider == provider


def test_zero_and_false_are_values() -> None:
    config = resolve_model_config(temperature=0.0, caching_enabled=False)
    assert (config.temperature, config.caching) == (0.0, False)


@pytest.mark.parametrize(("requested", "limit"), [(None, None), (0, None), (-5, None), (1, 1), (4096, 4096)])
def test_a_token_limit_below_one_is_none(requested: int | None, limit: int | None) -> None:
    assert resolve_model_config(max_tokens=requested).max_tokens == limit
