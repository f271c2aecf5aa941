"""What tokens cost."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apis.shared.costs.formula import (
    calculate_cost,
    calculate_savings,
    cents_key,
    model_name,
    model_version,
    sanitize_model_id,
)
from apis.shared.costs.models import PricingSnapshot, TokenUsage

SONNET = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
WORKED = TokenUsage(
    input_tokens=1000, output_tokens=500, cache_read_input_tokens=200, cache_write_input_tokens=100, total_tokens=1500
)

tokens = st.integers(0, 10_000_000)
prices = st.decimals(0, 1000, places=4).map(float)
usages = st.tuples(tokens, tokens, st.none() | tokens, st.none() | tokens).map(
    lambda counts: TokenUsage(
        input_tokens=counts[0],
        output_tokens=counts[1],
        cache_read_input_tokens=counts[2],
        cache_write_input_tokens=counts[3],
    )
)
pricings = st.tuples(prices, prices, st.none() | prices, st.none() | prices).map(
    lambda each: priced(each[0], each[1], read=each[2], write=each[3])
)


def priced(
    input_price: float = 3, output_price: float = 15, *, read: float | None = 0.3, write: float | None = 3.75
) -> PricingSnapshot:
    return PricingSnapshot(
        input_price_per_mtok=input_price,
        output_price_per_mtok=output_price,
        cache_read_price_per_mtok=read,
        cache_write_price_per_mtok=write,
        snapshot_at="2025-01-15T10:30:45Z",
    )


def test_the_worked_example_is_exact() -> None:
    assert calculate_cost(WORKED, priced()) == 0.010935
    assert calculate_savings(WORKED, priced()) == 0.00054


def test_f_smc_43_an_absent_cache_price_counts_zero() -> None:
    assert calculate_cost(WORKED, priced(read=None, write=None)) == 0.0105
    assert calculate_savings(WORKED, priced(read=None)) == 0.0006


def test_absent_counters_count_zero() -> None:
    assert calculate_cost(TokenUsage(input_tokens=1000), priced()) == 0.003
    assert calculate_savings(TokenUsage(input_tokens=1000), priced()) == 0


@pytest.mark.parametrize(("usage", "pricing"), [(None, priced()), (WORKED, None), (None, None)])
def test_a_cost_that_is_unknown_is_not_zero(usage: TokenUsage | None, pricing: PricingSnapshot | None) -> None:
    assert calculate_cost(usage, pricing) is None
    assert calculate_savings(usage, pricing) == 0


@given(usages, pricings)
def test_f_smc_56_no_digit_is_lost(usage: TokenUsage, pricing: PricingSnapshot) -> None:
    """There is nothing that it fails for. Against exact fractions of the prices as they are written."""

    def of(count: int | None, price: float | None) -> Fraction:
        return Fraction(count or 0) * Fraction(repr(price or 0.0)) / 1_000_000

    exact = (
        of(usage.input_tokens, pricing.input_price_per_mtok)
        + of(usage.output_tokens, pricing.output_price_per_mtok)
        + of(usage.cache_read_input_tokens, pricing.cache_read_price_per_mtok)
        + of(usage.cache_write_input_tokens, pricing.cache_write_price_per_mtok)
    )
    saved = of(usage.cache_read_input_tokens, pricing.input_price_per_mtok) - of(
        usage.cache_read_input_tokens, pricing.cache_read_price_per_mtok
    )
    assert calculate_cost(usage, pricing) == float(exact)
    assert calculate_savings(usage, pricing) == float(saved)


@given(usages, pricings, st.integers(1, 1000))
def test_more_tokens_never_cost_less(usage: TokenUsage, pricing: PricingSnapshot, more: int) -> None:
    larger = usage.model_copy(update={"output_tokens": usage.output_tokens + more})
    before, after = calculate_cost(usage, pricing), calculate_cost(larger, pricing)
    assert before is not None
    assert after is not None
    assert after >= before


@pytest.mark.parametrize(
    ("total", "key"),
    [
        (125.505, "COST#000000000012550"),
        (Decimal("125.505"), "COST#000000000012550"),
        (0.29, "COST#000000000000029"),
        (0.010935, "COST#000000000000001"),
        (Decimal("0.02187"), "COST#000000000000002"),
        (0, "COST#000000000000000"),
        (3, "COST#000000000000300"),
        (1e-07, "COST#000000000000000"),
        (Decimal("0.0099999999999999999999999999999999999999"), "COST#000000000000000"),
        (Decimal("9999999999999.99"), "COST#999999999999999"),
    ],
)
def test_cents(total: Decimal | float, key: str) -> None:
    assert cents_key(total) == key


@given(st.decimals(0, 10_000_000, places=6), st.decimals(0, 10_000_000, places=6))
def test_keys_rank_as_the_totals_do(first: Decimal, second: Decimal) -> None:
    if first <= second:
        assert cents_key(first) <= cents_key(second)
    else:
        assert cents_key(first) >= cents_key(second)


@pytest.mark.parametrize(
    ("model_id", "key"),
    [(SONNET, "us_anthropic_claude_sonnet_4_5_20250929_v1_0"), ("gpt-4.1", "gpt_4_1"), ("a/b", "a/b")],
)
def test_map_keys(model_id: str, key: str) -> None:
    assert sanitize_model_id(model_id) == key


@pytest.mark.parametrize(
    ("model_id", "name", "version"),
    [
        (SONNET, "Claude Sonnet 4.5", "v1"),
        ("us.anthropic.claude-opus-4-20250514-v1:0", "Claude Opus 4", "v1"),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "Claude Haiku 4.5", "v1"),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", "Claude 3.5 Sonnet", "v2"),
        ("anthropic.claude-3-opus-20240229-v1:0", "Claude 3 Opus", "v1"),
        ("anthropic.claude-3-haiku-20240307-v1:0", "Claude 3 Haiku", "v1"),
        ("gpt-4o", "gpt-4o", None),
        ("gemini-2.5-pro", "gemini-2.5-pro", None),
        ("local:0", "local:0", None),
        ("some-vision-model:0", "some-vision-model:0", None),
    ],
)
def test_names_and_versions(model_id: str, name: str, version: str | None) -> None:
    assert (model_name(model_id), model_version(model_id)) == (name, version)
