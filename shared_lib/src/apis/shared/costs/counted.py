"""What one cost record adds to every total."""

from dataclasses import dataclass
from typing import Self

from apis.shared.costs.formula import calculate_savings, sanitize_model_id
from apis.shared.costs.models import CostRecord, TokenUsage


@dataclass(frozen=True, slots=True)
class Counted:
    """`turn_timestamp` is that of the last message of the turn: the messages are counted at the same time, and the
    totals must not look older than the last of them.
    """

    record: CostRecord
    usage: TokenUsage
    cost: float
    savings: float
    turn_timestamp: str

    @classmethod
    def of(cls, record: CostRecord, turn_timestamp: str) -> Self:
        return cls(
            record,
            record.token_usage or TokenUsage(),
            record.cost or 0.0,
            calculate_savings(record.token_usage, record.model_info.pricing_snapshot),
            turn_timestamp,
        )

    @property
    def user_id(self) -> str:
        return self.record.attribution.user_id

    @property
    def timestamp(self) -> str:
        return self.record.attribution.timestamp

    @property
    def month(self) -> str:
        return self.timestamp[:7]

    @property
    def day(self) -> str:
        return self.timestamp[:10]

    @property
    def model_key(self) -> str:
        return sanitize_model_id(self.record.model_info.model_id)
