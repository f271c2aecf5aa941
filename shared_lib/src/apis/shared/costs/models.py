"""What one assistant message used and cost, as it is stored and shown."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, FiniteFloat

from apis.shared.records import Record

UNKNOWN_ID, UNKNOWN_NAME, UNKNOWN_PROVIDER = "unknown", "Unknown", "unknown"
"""What a model is called where a record does not tell."""


class TokenUsage(Record):
    """Tokens of one model call, or their sum over a turn. `input_tokens` never includes cached tokens; cache counters
    only if the provider reported them."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None

    def __add__(self, other: Self) -> Self:
        return self.model_copy(
            update={
                "input_tokens": self.input_tokens + other.input_tokens,
                "output_tokens": self.output_tokens + other.output_tokens,
                "total_tokens": self.total_tokens + other.total_tokens,
                "cache_read_input_tokens": _sum(self.cache_read_input_tokens, other.cache_read_input_tokens),
                "cache_write_input_tokens": _sum(self.cache_write_input_tokens, other.cache_write_input_tokens),
            }
        )

    def payload(self) -> dict[str, Any]:
        """The wire form; counters that were not reported are left out."""
        return self.model_dump(by_alias=True, exclude_none=True)


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None and other is None else (one or 0) + (other or 0)


class LatencyMetrics(Record):
    """Milliseconds; a time to first token of 0 was not measured."""

    time_to_first_token: int = 0
    end_to_end_latency: int = 0


class PricingSnapshot(Record):
    """US dollars per million tokens at `snapshot_at`; cache prices only if they are defined."""

    input_price_per_mtok: float
    output_price_per_mtok: float
    cache_write_price_per_mtok: float | None = None
    cache_read_price_per_mtok: float | None = None
    currency: str = "USD"
    snapshot_at: str


class ModelInfo(Record):
    model_id: str
    model_name: str
    model_version: str | None = None
    provider: str | None = None
    pricing_snapshot: PricingSnapshot | None = None


class Attribution(Record):
    user_id: str
    session_id: str
    timestamp: str


class StoredCitation(Record):
    assistant_id: str = ""
    document_id: str = ""
    file_name: str = "Unknown Source"
    text: str = ""


class CostRecord(Record):
    """The body of a cost record; where it is stored is the stores' business."""

    latency: LatencyMetrics
    token_usage: TokenUsage | None = None
    model_info: ModelInfo
    attribution: Attribution
    cost: float | None = None
    citations: list[StoredCitation] | None = None

    def stored(self) -> dict[str, Any]:
        """The members that have a value, under their stored names."""
        return self.model_dump(by_alias=True, exclude_none=True)


def _zero_if_null(value: object) -> object:
    return 0 if value is None else value


_Count = Annotated[int, BeforeValidator(_zero_if_null)]
_Price = Annotated[FiniteFloat, BeforeValidator(_zero_if_null)]


class RecordedTokens(TokenUsage):
    input_tokens: _Count = 0
    output_tokens: _Count = 0
    total_tokens: _Count = 0


class RecordedPrices(PricingSnapshot):
    input_price_per_mtok: _Price = 0.0
    output_price_per_mtok: _Price = 0.0
    cache_write_price_per_mtok: FiniteFloat | None = None
    cache_read_price_per_mtok: FiniteFloat | None = None
    snapshot_at: str | None = None  # type: ignore[assignment]  # not looked at


class RecordedModel(Record):
    model_id: str | None = None
    model_name: str | None = None
    provider: str | None = None
    pricing_snapshot: RecordedPrices | None = None


class RecordedUsage(Record):
    """A cost record of any age, as far as sums need it: what is missing counts 0, or is unknown."""

    token_usage: RecordedTokens | None = None
    model_info: RecordedModel = Field(default_factory=RecordedModel)
    cost: Decimal | None = None


class ModelUsage(Record):
    """What one user spent on one model in a month."""

    model_name: str = UNKNOWN_NAME
    provider: str = UNKNOWN_PROVIDER
    cost: Decimal = Decimal(0)
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0


class UserCostSummary(Record):
    """What one user spent in a period; zeros without any data. Models are in `model_breakdown` by their id; where the
    table keeps the month, in the form of a map key."""

    total_cost: Decimal = Decimal(0)
    cache_savings: Decimal = Decimal(0)
    total_requests: int = 0
    total_input_tokens: int = 0
    total_output_tokens: int = 0
    total_cache_read_tokens: int = 0
    total_cache_write_tokens: int = 0
    model_breakdown: Mapping[str, ModelUsage] = Field(default_factory=dict)

    @property
    def primary_model(self) -> str | None:
        """The name of the model with the most requests; of several the first."""
        most = max(self.model_breakdown.values(), key=lambda usage: usage.requests, default=None)
        return most.model_name if most is not None else None


class UserTotal(Record):
    """What one user spent in a month, as the ranking of users knows it."""

    user_id: str
    total_cost: Decimal = Decimal(0)
    total_requests: int = 0
    last_updated: str = ""


class ModelShare(Record):
    cost: Decimal = Decimal(0)
    requests: int = 0


class SystemTotal(Record):
    """What all users spent on a day or in a month. Days know no savings."""

    total_cost: Decimal = Decimal(0)
    total_requests: int = 0
    active_users: int = 0
    total_input_tokens: int = 0
    total_output_tokens: int = 0
    total_cache_savings: Decimal = Decimal(0)
    model_breakdown: Mapping[str, ModelShare] | None = None
    last_updated: str


class DayTotal(SystemTotal):
    date: str = Field(alias="SK")


class ModelTotal(Record):
    """What all users spent on one model in a month. `model_id` is the real one."""

    model_id: str
    model_name: str
    provider: str
    total_cost: Decimal = Decimal(0)
    total_requests: int = 0
    unique_users: int = 0
    total_input_tokens: int = 0
    total_output_tokens: int = 0

    @property
    def avg_cost_per_request(self) -> Decimal:
        return self.total_cost / self.total_requests if self.total_requests else Decimal(0)
