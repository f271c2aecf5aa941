"""What the calls of a turn used and cost: for the wire, and for the records."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from agents.config import ModelConfig
from agents.events import CallRecord, Metrics, TurnMetadata
from agents.run import Progress
from agents.turn.plan import Plan
from apis.shared.costs.formula import calculate_cost
from apis.shared.costs.models import LatencyMetrics, PricingSnapshot, StoredCitation, TokenUsage
from apis.shared.costs.service import AssistantMessageUsage


@dataclass(slots=True)
class Account:
    """What a turn has used so far; stays readable when it is cancelled. `progress` is None until its agent runs."""

    plan: Plan
    progress: Progress | None = None
    started: float = field(default_factory=time.monotonic)

    @property
    def calls(self) -> Sequence[CallRecord]:
        return () if self.progress is None else self.progress.calls

    @property
    def partial_text(self) -> str:
        """The text of the assistant message that is not complete yet."""
        return "" if self.progress is None else self.progress.partial_text

    def metadata(self) -> TurnMetadata:
        return turn_metadata(
            self.calls,
            pricing=self.plan.pricing,
            elapsed_ms=int((time.monotonic() - self.started) * 1000),
            first_delta_ms=self._first_delta_ms,
        )

    def messages(self) -> list[AssistantMessageUsage]:
        return message_usage(
            self.calls,
            config=self.plan.config,
            pricing=self.plan.pricing,
            messages_before=len(self.plan.history),
            first_delta_ms=self._first_delta_ms,
            citations=self.plan.citations,
        )

    @property
    def _first_delta_ms(self) -> int | None:
        first = None if self.progress is None else self.progress.first_delta
        return None if first is None else int((first - self.started) * 1000)


def turn_metadata(
    calls: Sequence[CallRecord], *, pricing: PricingSnapshot | None, elapsed_ms: int, first_delta_ms: int | None
) -> TurnMetadata:
    """Usage is the sum over the calls, cost the sum of the calls' costs, latency the wall time of the turn."""
    used = [call.usage for call in calls if call.usage is not None]
    costs = [cost for usage in used if (cost := calculate_cost(usage, pricing)) is not None]
    return TurnMetadata(
        usage=sum(used, TokenUsage()),
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
    citations: Sequence[StoredCitation] = (),
) -> list[AssistantMessageUsage]:
    """One entry per completed assistant message. Message i of a turn has index `messages_before + 2i + 1`: one user
    message comes before it, and a tool result between two of them. The first has the citations."""
    now = datetime.now(UTC)
    return [
        AssistantMessageUsage(
            message_index=messages_before + 2 * number + 1,
            model_id=config.model_id,
            provider=config.provider,
            usage=call.usage,
            latency=LatencyMetrics(
                time_to_first_token=call.metrics.time_to_first_byte_ms
                or (first_delta_ms if number == 0 else None)
                or 0,
                end_to_end_latency=call.metrics.latency_ms or int((call.ended - call.started) * 1000),
            ),
            # Two records of one turn need different timestamps: they are part of the key.
            timestamp=now + timedelta(microseconds=number),
            pricing=pricing,
            citations=citations if number == 0 else (),
        )
        for number, call in enumerate(calls)
    ]
