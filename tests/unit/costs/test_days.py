"""What was spent on one day, in local files."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from apis.shared.costs.local import LocalCostRecords, LocalCostSummaries
from apis.shared.costs.models import Attribution, CostRecord, LatencyMetrics, ModelInfo
from apis.shared.costs.tally import Span
from apis.shared.result import Success


@pytest.mark.parametrize(
    ("at", "is_counted"),
    [
        ("2025-01-14T23:59:59.999999+00:00", False),
        ("2025-01-15T00:00:00+00:00", True),
        ("2025-01-15T23:59:59.999999Z", True),
        ("2025-01-16T00:00:00Z", False),
        ("2025-01-16T01:00:00+02:00", True),
    ],
)
async def test_the_day_is_one_of_utc(tmp_path: Path, at: str, is_counted: bool) -> None:
    record = CostRecord(
        latency=LatencyMetrics(),
        model_info=ModelInfo(model_id="m", model_name="M"),
        attribution=Attribution(user_id="1", session_id="s1", timestamp=at),
        cost=0.1,
    )
    assert isinstance(await LocalCostRecords(tmp_path).put(record, 1), Success)
    spent = await LocalCostSummaries(tmp_path).spent_on("1", "2025-01-15")
    assert spent.unwrap() == (Decimal("0.1") if is_counted else 0)


def test_the_moments_of_a_day() -> None:
    span = Span.of_day("2025-12-31")
    assert (span.start, span.end) == (
        datetime(2025, 12, 31, tzinfo=UTC),
        datetime(2025, 12, 31, 23, 59, 59, 999999, UTC),
    )
