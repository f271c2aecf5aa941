"""Turns of one user that end at the same moment: every one is counted, exactly once."""

import asyncio
import random
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from apis.shared.costs.models import LatencyMetrics
from apis.shared.costs.service import AssistantMessageUsage, get_usage_recorder
from apis.shared.result import Success
from tests.integration.conftest import Aws
from tests.support.worked_example import PRICING, USAGE

SESSIONS = "DYNAMODB_SESSIONS_METADATA_TABLE_NAME"
SUMMARIES = "DYNAMODB_COST_SUMMARY_TABLE_NAME"
ROLLUPS = "DYNAMODB_SYSTEM_ROLLUP_TABLE_NAME"
TURNS = 10
# Months that no other test counts in.
MOMENT = datetime(2041, 5, 15, 10, 30, 45, 123456, UTC)


def turn(moment: datetime, model_id: str) -> AssistantMessageUsage:
    """A cent and 0.0935 of one, the worked example of the pricing rules."""
    return AssistantMessageUsage(
        message_index=1,
        model_id=model_id,
        provider="bedrock",
        usage=USAGE,
        latency=LatencyMetrics(),
        timestamp=moment,
        pricing=PRICING,
    )


@pytest.mark.parametrize("models", [1, 3])
async def test_concurrent_turns_are_all_counted(aws: Aws, models: int) -> None:
    user, day = uuid.uuid4().hex[:9], MOMENT.replace(month=models)
    turns = [turn(day + timedelta(seconds=number), f"model-{number % models}") for number in range(TURNS)]
    random.Random(models).shuffle(turns)
    recorders = [get_usage_recorder() for _ in range(TURNS)]
    with aws.proxy.recording(containing=f"USER#{user}") as recording:
        outcomes = await asyncio.gather(
            *(each.record(user, f"s{number}", [turns[number]]) for number, each in enumerate(recorders))
        )
    assert outcomes == [Success(None)] * TURNS

    summary = aws.item(SUMMARIES, f"USER#{user}", f"PERIOD#{day:%Y-%m}")
    assert (summary["totalCost"], summary["cacheSavings"]) == (Decimal("0.10935"), Decimal("0.0054"))
    assert (summary["totalRequests"], summary["totalInputTokens"], summary["totalOutputTokens"]) == (10, 10_000, 5000)
    assert (summary["totalCacheReadTokens"], summary["totalCacheWriteTokens"]) == (2000, 1000)
    assert summary["GSI2SK"] == "COST#000000000000010"
    assert summary["lastUpdated"] == (day + timedelta(seconds=TURNS - 1)).isoformat()
    assert {key: entry["requests"] for key, entry in summary["modelBreakdown"].items()} == Counter(
        f"model_{number % models}" for number in range(TURNS)
    )
    assert sum(entry["cost"] for entry in summary["modelBreakdown"].values()) == Decimal("0.10935")

    for kind, key in (("DAILY", f"{day:%Y-%m-%d}"), ("MONTHLY", f"{day:%Y-%m}")):
        rollup = aws.item(ROLLUPS, f"ROLLUP#{kind}", key)
        assert (rollup["totalCost"], rollup["totalRequests"]) == (Decimal("0.10935"), TURNS)
        assert rollup["activeUsers"] == 1
    by_model = [aws.item(ROLLUPS, "ROLLUP#MODEL", f"{day:%Y-%m}#model_{number}") for number in range(models)]
    assert sum(rollup["totalRequests"] for rollup in by_model) == TURNS
    assert [rollup["uniqueUsers"] for rollup in by_model] == [1] * models

    on_the_summary = [call for call in recording.calls if call.target.table == aws.environment[SUMMARIES]]
    # The worst of one turn: increment, create, prepare, increment, increment of an earlier time, rank.
    assert len(on_the_summary) <= 6 * TURNS
    assert len([item for item in aws.items(SESSIONS, f"USER#{user}") if item["SK"].startswith("C#")]) == TURNS
