"""What the calls of a turn used and cost: for the wire, and for the records."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from agents.config import ModelConfig
from agents.events import CallRecord, Metrics, TurnMetadata, Usage
from apis.shared.costs.formula import calculate_cost
from apis.shared.costs.models import LatencyMetrics, PricingSnapshot, TokenUsage
from apis.shared.costs.service import AssistantMessageUsage


def turn_metadata(
    calls: Sequence[CallRecord], *, pricing: PricingSnapshot | None, elapsed_ms: int, first_delta_ms: int | None
) -> TurnMetadata:
    """Usage is the sum over the calls, cost the sum of the calls' costs, latency the wall time of the turn."""
    used = [call.usage for call in calls if call.usage is not None]
    costs = [cost for usage in used if (cost := calculate_cost(_tokens(usage), pricing)) is not None]
    return TurnMetadata(
        usage=sum(used, Usage()),
        metrics=Metrics(elapsed_ms, first_delta_ms),
        cost=sum(costs) if costs else None,
    )


def message_usage(
    calls: Sequence[CallRecord],
    *,
    config: ModelConfig,
    pricing: PricingSnapshot | None,
    messages_before: int,
    first_delta_ms: int | None,
) -> list[AssistantMessageUsage]:
    """One entry per completed assistant message. Message i of a turn has index `messages_before + 2i + 1`: one user
    message comes before it, and a tool result between two of them."""
    now = datetime.now(UTC)
    return [
        AssistantMessageUsage(
            message_index=messages_before + 2 * number + 1,
            model_id=config.model_id,
            provider=config.provider,
            usage=_tokens(call.usage) if call.usage is not None else None,
            latency=LatencyMetrics(
                time_to_first_token=call.metrics.time_to_first_byte_ms
                or (first_delta_ms if number == 0 else None)
                or 0,
                end_to_end_latency=call.metrics.latency_ms or int((call.ended - call.started) * 1000),
            ),
            # Two records of one turn need different timestamps: they are part of the key.
            timestamp=now + timedelta(microseconds=number),
            pricing=pricing,
        )
        for number, call in enumerate(calls)
    ]


def _tokens(usage: Usage) -> TokenUsage:
    return TokenUsage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        total_tokens=usage.total_tokens,
        cache_read_input_tokens=usage.cache_read_input_tokens,
        cache_write_input_tokens=usage.cache_write_input_tokens,
    )
