"""The sum of cost records, as summary of a month and as report of any other period."""

from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Self

from apis.shared.costs.formula import calculate_savings, exact, total_of
from apis.shared.costs.models import (
    UNKNOWN_ID,
    UNKNOWN_NAME,
    UNKNOWN_PROVIDER,
    ModelUsage,
    RecordedUsage,
    UserCostSummary,
)


@dataclass(frozen=True, slots=True)
class Span:
    """The moments from `start` to `end`, both included; both know their offset."""

    start: datetime
    end: datetime

    @classmethod
    def of_month(cls, month: str) -> Self:
        """`month` is `YYYY-MM`, in UTC."""
        first = datetime.fromisoformat(f"{month}-01T00:00:00+00:00")
        last = monthrange(first.year, first.month)[1]
        return cls(first, datetime(first.year, first.month, last, 23, 59, 59, 999999, UTC))

    @classmethod
    def of_day(cls, day: str) -> Self:
        """`day` is `YYYY-MM-DD`, in UTC."""
        first = datetime.fromisoformat(f"{day}T00:00:00+00:00")
        return cls(first, datetime.combine(first, time.max, UTC))

    def holds(self, moment: datetime) -> bool:
        return self.start <= moment <= self.end


@dataclass(slots=True)
class Tally:
    """Records come in one by one and are not kept; models are told apart by their real ids."""

    _models: dict[str, "_ModelTally"] = field(default_factory=dict)

    def add(self, usage: RecordedUsage) -> None:
        model = usage.model_info
        # The names are those of the model's first record.
        known = self._models.setdefault(
            model.model_id or UNKNOWN_ID,
            _ModelTally(model.model_name or UNKNOWN_NAME, model.provider or UNKNOWN_PROVIDER),
        )
        known.add(usage)

    def summary(self) -> UserCostSummary:
        """Models in the order in which they first appeared."""
        models = self._models.values()
        return UserCostSummary(
            total_cost=total_of(model.cost for model in models),
            cache_savings=total_of(model.savings for model in models),
            total_requests=sum(model.requests for model in models),
            total_input_tokens=sum(model.input_tokens for model in models),
            total_output_tokens=sum(model.output_tokens for model in models),
            total_cache_read_tokens=sum(model.cache_read_tokens for model in models),
            total_cache_write_tokens=sum(model.cache_write_tokens for model in models),
            model_breakdown={model_id: model.usage() for model_id, model in self._models.items()},
        )


@dataclass(slots=True)
class _ModelTally:
    name: str
    provider: str
    cost: Decimal = Decimal(0)
    savings: Decimal = Decimal(0)
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0

    def add(self, usage: RecordedUsage) -> None:
        tokens = usage.token_usage
        self.requests += 1
        self.cost = total_of((self.cost, usage.cost or Decimal(0)))
        self.savings = total_of((self.savings, exact(calculate_savings(tokens, usage.model_info.pricing_snapshot))))
        if tokens is not None:
            self.input_tokens += tokens.input_tokens
            self.output_tokens += tokens.output_tokens
            self.cache_read_tokens += tokens.cache_read_input_tokens or 0
            self.cache_write_tokens += tokens.cache_write_input_tokens or 0

    def usage(self) -> ModelUsage:
        return ModelUsage(
            model_name=self.name,
            provider=self.provider,
            cost=self.cost,
            requests=self.requests,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            cache_read_tokens=self.cache_read_tokens,
            cache_write_tokens=self.cache_write_tokens,
        )


def tallied(usages: Iterable[RecordedUsage]) -> UserCostSummary:
    tally = Tally()
    for usage in usages:
        tally.add(usage)
    return tally.summary()
