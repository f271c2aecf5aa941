"""The worked example of the pricing rules: what one assistant message used, and what a million tokens cost."""

from apis.shared.costs.models import PricingSnapshot, TokenUsage

PRICING = PricingSnapshot(
    input_price_per_mtok=3,
    output_price_per_mtok=15,
    cache_write_price_per_mtok=3.75,
    cache_read_price_per_mtok=0.3,
    snapshot_at="2025-01-15T10:30:45Z",
)
USAGE = TokenUsage(
    input_tokens=1000, output_tokens=500, total_tokens=1500, cache_read_input_tokens=200, cache_write_input_tokens=100
)
