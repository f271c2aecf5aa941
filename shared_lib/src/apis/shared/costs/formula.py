"""What tokens cost. Sources: the pricing rules of the platform, US dollars per million tokens, never rounded."""

import re
from collections.abc import Iterable
from decimal import Context, Decimal
from functools import reduce

from apis.shared.costs.models import PricingSnapshot, TokenUsage

_CENT = Decimal("0.01")
# By default 28 digits are kept. The store's numbers have 38, between 1e-130 and 1e126: no sum of them is rounded.
_EXACTLY = Context(prec=300)
_MODEL_NAMES = (
    ("claude-sonnet-4-5", "Claude Sonnet 4.5"),
    ("claude-opus-4", "Claude Opus 4"),
    ("claude-haiku-4-5", "Claude Haiku 4.5"),
    ("claude-3-5-sonnet", "Claude 3.5 Sonnet"),
    ("claude-3-opus", "Claude 3 Opus"),
    ("claude-3-haiku", "Claude 3 Haiku"),
)


def calculate_cost(usage: TokenUsage | None, pricing: PricingSnapshot | None) -> float | None:
    """`sum of tokens / 1e6 x price` over input, output, cache read and cache write; missing counters and cache prices
    count 0. None when usage or pricing is unknown."""
    if usage is None or pricing is None:
        return None
    return _dollars(
        usage.input_tokens * _exact(pricing.input_price_per_mtok)
        + usage.output_tokens * _exact(pricing.output_price_per_mtok)
        + (usage.cache_read_input_tokens or 0) * _exact(pricing.cache_read_price_per_mtok)
        + (usage.cache_write_input_tokens or 0) * _exact(pricing.cache_write_price_per_mtok)
    )


def calculate_savings(usage: TokenUsage | None, pricing: PricingSnapshot | None) -> float:
    """`cache reads / 1e6 x (input price - cache read price)`; 0 without cache reads or pricing."""
    if usage is None or pricing is None or not usage.cache_read_input_tokens:
        return 0.0
    price_difference = _exact(pricing.input_price_per_mtok) - _exact(pricing.cache_read_price_per_mtok)
    return _dollars(usage.cache_read_input_tokens * price_difference)


def _exact(price: float | None) -> Decimal:
    # In binary, 200 tokens at 0.30 do not cost 0.00006, and the error adds up in the totals.
    return exact(price or 0.0)


def _dollars(price_of_a_million: Decimal) -> float:
    return float(price_of_a_million.scaleb(-6))


def total_of(amounts: Iterable[Decimal]) -> Decimal:
    """The sum, with every digit."""
    return reduce(_EXACTLY.add, amounts, Decimal(0))


def exact(amount: float) -> Decimal:
    """The decimal that the number is written as, and stored as."""
    return Decimal(repr(amount))


def sanitize_model_id(model_id: str) -> str:
    """The model id as a map key: `.`, `:` and `-` become `_`."""
    return re.sub(r"[.:\-]", "_", model_id)


def cents_key(total_cost: Decimal | int | float) -> str:
    """`COST#` and the cents, truncated, in 15 digits: 125.505 -> COST#000000000012550."""
    dollars = exact(total_cost) if isinstance(total_cost, float) else Decimal(total_cost)
    # The usual context holds 28 digits; a stored total may have 38, and what a client asks for 100.
    return f"COST#{int(_EXACTLY.divide_int(dollars, _CENT)):015d}"


def model_name(model_id: str) -> str:
    return next((name for part, name in _MODEL_NAMES if part in model_id), model_id)


def model_version(model_id: str) -> str | None:
    """`v1` of `...-v1:0`; None for an id without a version."""
    if ":0" not in model_id:
        return None
    part = next((part for part in model_id.split("-") if part.startswith("v") and ":" in part), None)
    return part.partition(":")[0] if part is not None else None
