"""What one assistant message used and cost, as it is stored and shown."""

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class _Stored(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, protected_namespaces=())


class TokenUsage(_Stored):
    """`input_tokens` never includes cached tokens; cache counters only if the provider reported them."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None


class LatencyMetrics(_Stored):
    """Milliseconds; a time to first token of 0 was not measured."""

    time_to_first_token: int = 0
    end_to_end_latency: int = 0


class PricingSnapshot(_Stored):
    """US dollars per million tokens at `snapshot_at`; cache prices only if they are defined."""

    input_price_per_mtok: float
    output_price_per_mtok: float
    cache_write_price_per_mtok: float | None = None
    cache_read_price_per_mtok: float | None = None
    currency: str = "USD"
    snapshot_at: str


class ModelInfo(_Stored):
    model_id: str
    model_name: str
    model_version: str | None = None
    provider: str | None = None
    pricing_snapshot: PricingSnapshot | None = None


class Attribution(_Stored):
    user_id: str
    session_id: str
    timestamp: str


class StoredCitation(_Stored):
    assistant_id: str = ""
    document_id: str = ""
    file_name: str = "Unknown Source"
    text: str = ""


class CostRecord(_Stored):
    """The body of a cost record; table keys are the repository's business. Absent values are left out when stored."""

    latency: LatencyMetrics
    token_usage: TokenUsage | None = None
    model_info: ModelInfo
    attribution: Attribution
    cost: float | None = None
    citations: list[StoredCitation] | None = None

    def body(self) -> dict[str, object]:
        return self.model_dump(by_alias=True, exclude_none=True)


def iso_timestamp(moment: datetime) -> str:
    """UTC with microseconds and `+00:00`, the form of message timestamps."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
