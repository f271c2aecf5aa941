"""What a turn writes about its usage: every item as it is stored, and how few calls it takes."""

import itertools
import re
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from apis.shared.aws.dynamodb import Condition, F, Key, Table, UpdateExpression
from apis.shared.costs.counted import Counted
from apis.shared.costs.models import LatencyMetrics, TokenUsage
from apis.shared.costs.service import AssistantMessageUsage, UsageRecorder, get_usage_recorder
from apis.shared.costs.summaries import UserCostSummaries
from apis.shared.errors import ErrorDetail
from apis.shared.result import Result, Success
from tests.integration.conftest import Aws
from tests.support.worked_example import PRICING, USAGE

SESSIONS = "DYNAMODB_SESSIONS_METADATA_TABLE_NAME"
SUMMARIES = "DYNAMODB_COST_SUMMARY_TABLE_NAME"
ROLLUPS = "DYNAMODB_SYSTEM_ROLLUP_TABLE_NAME"
SONNET = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
KEY = "us_anthropic_claude_sonnet_4_5_20250929_v1_0"
_months = itertools.count()


def message(moment: datetime, index: int = 1, **changes: Any) -> AssistantMessageUsage:
    """The worked example of the pricing rules."""
    return AssistantMessageUsage(
        **{
            "message_index": index,
            "model_id": SONNET,
            "provider": "bedrock",
            "usage": USAGE,
            "latency": LatencyMetrics(time_to_first_token=250, end_to_end_latency=1500),
            "timestamp": moment,
            "pricing": PRICING,
            **changes,
        }
    )


@pytest.fixture
def user() -> str:
    return uuid.uuid4().hex[:9]


@pytest.fixture
def moment() -> datetime:
    """In a month of its own: the rollups are of all users."""
    number = next(_months)
    return datetime(2030 + number // 12, number % 12 + 1, 15, 10, 30, 45, 123456, UTC)


@pytest.fixture
def recorder(aws: Aws) -> UsageRecorder:
    return get_usage_recorder()


def summary(aws: Aws, user: str, moment: datetime) -> dict[str, Any]:
    return aws.item(SUMMARIES, f"USER#{user}", f"PERIOD#{moment:%Y-%m}")


async def test_e13_every_item_of_the_worked_example(aws: Aws, recorder: UsageRecorder) -> None:
    moment, stamp = datetime(2025, 1, 15, 10, 30, 45, 123456, UTC), "2025-01-15T10:30:45.123456+00:00"
    before = int(datetime.now(UTC).timestamp())
    assert await recorder.record("u1", "abc", [message(moment)]) == Success(None)

    (record,) = aws.items(SESSIONS, "USER#u1")
    assert re.fullmatch(rf"C#{re.escape(stamp)}#[0-9a-f-]{{36}}", record.pop("SK"))
    assert record.pop("ttl") - before - 365 * 86400 in range(60)
    assert record == {
        "PK": "USER#u1",
        "GSI1PK": "USER#u1",
        "GSI1SK": stamp,
        "GSI_PK": "SESSION#abc",
        "GSI_SK": f"C#{stamp}",
        "sessionId": "abc",
        "userId": "u1",
        "timestamp": stamp,
        "messageId": 1,
        "latency": {"timeToFirstToken": 250, "endToEndLatency": 1500},
        "tokenUsage": {
            "inputTokens": 1000,
            "outputTokens": 500,
            "totalTokens": 1500,
            "cacheReadInputTokens": 200,
            "cacheWriteInputTokens": 100,
        },
        "modelInfo": {
            "modelId": SONNET,
            "modelName": "Claude Sonnet 4.5",
            "modelVersion": "v1",
            "provider": "bedrock",
            "pricingSnapshot": {
                "inputPricePerMtok": 3,
                "outputPricePerMtok": 15,
                "cacheWritePricePerMtok": Decimal("3.75"),
                "cacheReadPricePerMtok": Decimal("0.3"),
                "currency": "USD",
                "snapshotAt": "2025-01-15T10:30:45Z",
            },
        },
        "attribution": {"userId": "u1", "sessionId": "abc", "timestamp": stamp},
        "cost": Decimal("0.010935"),
    }
    assert summary(aws, "u1", moment) == {
        "PK": "USER#u1",
        "SK": "PERIOD#2025-01",
        "GSI2PK": "PERIOD#2025-01",
        "GSI2SK": "COST#000000000000001",
        "userId": "u1",
        "periodStart": "2025-01-01T00:00:00Z",
        "periodEnd": "2025-01-31T23:59:59Z",
        "lastUpdated": stamp,
        "totalCost": Decimal("0.010935"),
        "cacheSavings": Decimal("0.00054"),
        "totalRequests": 1,
        "totalInputTokens": 1000,
        "totalOutputTokens": 500,
        "totalCacheReadTokens": 200,
        "totalCacheWriteTokens": 100,
        "modelBreakdown": {
            KEY: {
                "modelName": "Claude Sonnet 4.5",
                "provider": "bedrock",
                "cost": Decimal("0.010935"),
                "requests": 1,
                "inputTokens": 1000,
                "outputTokens": 500,
                "cacheReadTokens": 200,
                "cacheWriteTokens": 100,
            }
        },
    }
    daily = aws.item(ROLLUPS, "ROLLUP#DAILY", "2025-01-15")
    monthly = aws.item(ROLLUPS, "ROLLUP#MONTHLY", "2025-01")
    of_model = aws.item(ROLLUPS, "ROLLUP#MODEL", f"2025-01#{KEY}")
    for rollup in (daily, monthly, of_model):
        assert datetime.fromisoformat(rollup.pop("lastUpdated")).timestamp() >= before
    totals = {
        "totalCost": Decimal("0.010935"),
        "totalRequests": 1,
        "totalInputTokens": 1000,
        "totalOutputTokens": 500,
    }
    cached = {"totalCacheReadTokens": 200, "totalCacheWriteTokens": 100}
    assert daily == {
        "PK": "ROLLUP#DAILY", "SK": "2025-01-15", "type": "daily", "activeUsers": 1, **totals, **cached,
    }  # fmt: skip
    assert monthly == {
        "PK": "ROLLUP#MONTHLY", "SK": "2025-01", "type": "monthly", "activeUsers": 1, **totals, **cached,
        "totalCacheSavings": Decimal("0.00054"),
    }  # fmt: skip
    assert of_model == {
        "PK": "ROLLUP#MODEL", "SK": f"2025-01#{KEY}", "type": "model", "uniqueUsers": 1, **totals,
        "modelId": SONNET, "modelName": "Claude Sonnet 4.5", "provider": "bedrock",
    }  # fmt: skip
    for period, days in (
        ("ACTIVE#DAILY#2025-01-15", 90),
        ("ACTIVE#MONTHLY#2025-01", 400),
        (f"ACTIVE#MODEL#2025-01#{KEY}", 400),
    ):
        (marker,) = aws.items(ROLLUPS, period)
        assert marker.keys() == {"PK", "SK", "trackedAt", "TTL"}
        assert marker["SK"] == "u1"
        assert marker["TTL"] - before - days * 86400 in range(60)

    second = message(moment, 3, pricing=PRICING.model_copy(update={"cache_read_price_per_mtok": None}))
    assert await recorder.record("u1", "abc", [second]) == Success(None)
    after = summary(aws, "u1", moment)
    assert after["cacheSavings"] == Decimal("0.00114")
    assert aws.item(ROLLUPS, "ROLLUP#MONTHLY", "2025-01")["totalCacheSavings"] == Decimal("0.00114")


async def test_e13_the_same_twice(aws: Aws, recorder: UsageRecorder, user: str, moment: datetime) -> None:
    for index in (1, 3):
        assert await recorder.record(user, "abc", [message(moment, index)]) == Success(None)
    totals = summary(aws, user, moment)
    assert (totals["totalCost"], totals["totalRequests"]) == (Decimal("0.02187"), 2)
    assert totals["GSI2SK"] == "COST#000000000000002"
    assert totals["modelBreakdown"][KEY]["requests"] == 2
    assert totals["modelBreakdown"][KEY]["cost"] == Decimal("0.02187")
    for kind, key, counter in (
        ("DAILY", f"{moment:%Y-%m-%d}", "activeUsers"),
        ("MONTHLY", f"{moment:%Y-%m}", "activeUsers"),
        ("MODEL", f"{moment:%Y-%m}#{KEY}", "uniqueUsers"),
    ):
        rollup = aws.item(ROLLUPS, f"ROLLUP#{kind}", key)
        assert (rollup["totalRequests"], rollup[counter], rollup["totalCost"]) == (2, 1, Decimal("0.02187"))


async def test_users_are_counted_once_per_period(aws: Aws, recorder: UsageRecorder, moment: datetime) -> None:
    for name, day in (("a", 0), ("b", 0), ("a", 1)):
        turn = [message(moment + timedelta(days=day))]
        assert await recorder.record(f"{name}{moment:%Y%m}", "s", turn) == Success(None)
    assert aws.item(ROLLUPS, "ROLLUP#MONTHLY", f"{moment:%Y-%m}")["activeUsers"] == 2
    assert aws.item(ROLLUPS, "ROLLUP#DAILY", f"{moment:%Y-%m-%d}")["activeUsers"] == 2
    assert aws.item(ROLLUPS, "ROLLUP#DAILY", f"{moment + timedelta(days=1):%Y-%m-%d}")["activeUsers"] == 1


CALLS = {
    "first turn of a month": Counter({"PutItem shared-sessions-metadata": 1, "UpdateItem shared-user-cost-summary": 1,
        "PutItem shared-user-cost-summary": 1, "PutItem shared-system-cost-rollup": 3,
        "UpdateItem shared-system-cost-rollup": 3}),
    "later turn": Counter({"PutItem shared-sessions-metadata": 1, "UpdateItem shared-user-cost-summary": 1,
        "PutItem shared-system-cost-rollup": 3, "UpdateItem shared-system-cost-rollup": 3}),
}  # fmt: skip
CALLS["later turn that reaches another cent"] = CALLS["later turn"] + Counter(
    {"UpdateItem shared-user-cost-summary": 1}
)


async def test_the_fewest_calls(aws: Aws, recorder: UsageRecorder, user: str, moment: datetime) -> None:
    cheap = TokenUsage(input_tokens=100, output_tokens=0, total_tokens=100)
    for case, usage in zip(CALLS, (cheap, cheap, USAGE), strict=True):
        with aws.proxy.recording() as recording:
            assert await recorder.record(user, "s", [message(moment, usage=usage)]) == Success(None)
        made = Counter(str(call.target).removeprefix("dynamodb.") for call in recording.calls)
        assert made == CALLS[case], case


async def test_usage_without_a_price_is_counted(aws: Aws, recorder: UsageRecorder, user: str, moment: datetime) -> None:
    assert await recorder.record(user, "s", [message(moment, pricing=None)]) == Success(None)
    (record,) = aws.items(SESSIONS, f"USER#{user}")
    assert "cost" not in record
    assert "pricingSnapshot" not in record["modelInfo"]
    totals = summary(aws, user, moment)
    assert (totals["totalCost"], totals["totalRequests"], totals["totalInputTokens"]) == (0, 1, 1000)
    assert (totals["cacheSavings"], totals["GSI2SK"]) == (0, "COST#000000000000000")


async def test_a_message_without_usage_is_a_request(
    aws: Aws, recorder: UsageRecorder, user: str, moment: datetime
) -> None:
    assert await recorder.record(user, "s", [message(moment, usage=None)]) == Success(None)
    (record,) = aws.items(SESSIONS, f"USER#{user}")
    assert "tokenUsage" not in record
    assert summary(aws, user, moment)["totalRequests"] == 1


async def test_all_messages_of_a_turn_are_counted(
    aws: Aws, recorder: UsageRecorder, user: str, moment: datetime
) -> None:
    turn = [message(moment + timedelta(microseconds=number), 2 * number + 1) for number in range(4)]
    assert await recorder.record(user, "s", turn) == Success(None)
    assert sorted(record["messageId"] for record in aws.items(SESSIONS, f"USER#{user}")) == [1, 3, 5, 7]
    totals = summary(aws, user, moment)
    assert (totals["totalRequests"], totals["totalCost"]) == (4, Decimal("0.04374"))
    assert totals["modelBreakdown"][KEY]["requests"] == 4
    assert totals["GSI2SK"] == "COST#000000000000004"
    assert totals["lastUpdated"] == turn[-1].timestamp.isoformat()
    monthly = aws.item(ROLLUPS, "ROLLUP#MONTHLY", f"{moment:%Y-%m}")
    assert (monthly["totalRequests"], monthly["activeUsers"]) == (4, 1)


async def test_a_second_model_has_its_own_breakdown(
    aws: Aws, recorder: UsageRecorder, user: str, moment: datetime
) -> None:
    assert await recorder.record(user, "s", [message(moment)]) == Success(None)
    other = message(moment, 3, model_id="gpt-4.1", provider="openai")
    assert await recorder.record(user, "s", [other]) == Success(None)
    totals = summary(aws, user, moment)
    assert totals["totalRequests"] == 2
    assert {key: (entry["modelName"], entry["provider"], entry["requests"]) for key, entry in
            totals["modelBreakdown"].items()} == {
        KEY: ("Claude Sonnet 4.5", "bedrock", 1),
        "gpt_4_1": ("gpt-4.1", "openai", 1),
    }  # fmt: skip


async def test_an_item_of_the_previous_system_goes_on(
    aws: Aws, recorder: UsageRecorder, user: str, moment: datetime
) -> None:
    """It went on when it could not make the map, always wrote the 31st, and its index key could be behind."""
    aws.put(
        SUMMARIES,
        {
            "PK": f"USER#{user}",
            "SK": f"PERIOD#{moment:%Y-%m}",
            "userId": user,
            "totalCost": Decimal("1.5"),
            "totalRequests": 7,
            "periodStart": f"{moment:%Y-%m}-01T00:00:00Z",
            "periodEnd": f"{moment:%Y-%m}-31T23:59:59Z",
            "lastUpdated": f"{moment:%Y-%m}-01T10:00:00+00:00",
        },
    )
    assert await recorder.record(user, "s", [message(moment)]) == Success(None)
    totals = summary(aws, user, moment)
    assert (totals["totalCost"], totals["totalRequests"]) == (Decimal("1.510935"), 8)
    assert (totals["GSI2SK"], totals["periodEnd"][8:10]) == ("COST#000000000000151", "31")
    assert totals["modelBreakdown"][KEY]["requests"] == 1
    assert totals["lastUpdated"] == moment.isoformat()


async def test_a_breakdown_with_missing_counters_goes_on(
    aws: Aws, recorder: UsageRecorder, user: str, moment: datetime
) -> None:
    aws.put(
        SUMMARIES,
        {
            "PK": f"USER#{user}",
            "SK": f"PERIOD#{moment:%Y-%m}",
            "totalCost": 0,
            "modelBreakdown": {KEY: {"modelName": "Mine", "requests": 2}},
        },
    )
    assert await recorder.record(user, "s", [message(moment)]) == Success(None)
    entry = summary(aws, user, moment)["modelBreakdown"][KEY]
    assert (entry["modelName"], entry["requests"], entry["inputTokens"]) == ("Mine", 3, 1000)


async def test_neither_time_nor_rank_goes_back(aws: Aws, recorder: UsageRecorder, user: str, moment: datetime) -> None:
    """A turn that is counted after a later one, and an index key that another turn has already raised."""
    later = moment + timedelta(hours=1)
    assert await recorder.record(user, "s", [message(later)]) == Success(None)
    aws.dynamodb.update_item(
        TableName=aws.environment[SUMMARIES],
        Key={"PK": {"S": f"USER#{user}"}, "SK": {"S": f"PERIOD#{moment:%Y-%m}"}},
        UpdateExpression="SET GSI2SK = :rank",
        ExpressionAttributeValues={":rank": {"S": "COST#000000000000999"}},
    )
    assert await recorder.record(user, "s", [message(moment, 3)]) == Success(None)
    totals = summary(aws, user, moment)
    assert (totals["totalRequests"], totals["totalCost"]) == (2, Decimal("0.02187"))
    assert totals["lastUpdated"] == later.isoformat()
    assert totals["GSI2SK"] == "COST#000000000000999"


async def test_a_rank_that_another_turn_has_raised_meanwhile_stays(aws: Aws, user: str, moment: datetime) -> None:
    """The other turn comes between the increment and the rank of this one."""

    class Overtaken(Table):
        async def update_if(
            self, key: Key, change: UpdateExpression, *, condition: Condition
        ) -> Result[bool, ErrorDetail]:
            if change.set_updates[0][0] == F("GSI2SK"):
                aws.dynamodb.update_item(
                    TableName=self.name,
                    Key={name: {"S": value} for name, value in key.items()},
                    UpdateExpression="SET GSI2SK = :rank",
                    ExpressionAttributeValues={":rank": {"S": "COST#000000000000999"}},
                )
            return await super().update_if(key, change, condition=condition)

    summaries = UserCostSummaries(Overtaken(aws.environment[SUMMARIES]))
    counted = Counted.of(message(moment).to_record(user, "s"), moment.isoformat())
    assert [await summaries.add(counted) for _ in range(2)] == [Success(None)] * 2
    totals = summary(aws, user, moment)
    assert (totals["totalRequests"], totals["GSI2SK"]) == (2, "COST#000000000000999")


@pytest.mark.parametrize(("year", "month", "last"), [(2027, 2, 28), (2028, 2, 29), (2027, 4, 30), (2027, 12, 31)])
async def test_a_period_ends_on_the_last_day(
    aws: Aws, recorder: UsageRecorder, user: str, year: int, month: int, last: int
) -> None:
    moment = datetime(year, month, 5, tzinfo=UTC)
    assert await recorder.record(user, "s", [message(moment)]) == Success(None)
    assert summary(aws, user, moment)["periodEnd"] == f"{year}-{month:02}-{last}T23:59:59Z"


async def test_a_provider_that_is_unknown_has_no_rollup_of_its_model(
    aws: Aws, recorder: UsageRecorder, user: str, moment: datetime
) -> None:
    assert await recorder.record(user, "s", [message(moment, provider="")]) == Success(None)
    assert aws.item(ROLLUPS, "ROLLUP#MODEL", f"{moment:%Y-%m}#{KEY}") == {}
    assert aws.item(ROLLUPS, "ROLLUP#MONTHLY", f"{moment:%Y-%m}")["totalRequests"] == 1
    assert summary(aws, user, moment)["modelBreakdown"][KEY]["provider"] == "unknown"


async def test_nothing_to_record_calls_nothing(aws: Aws, recorder: UsageRecorder, user: str) -> None:
    with aws.proxy.recording() as recording:
        assert await recorder.record(user, "s", []) == Success(None)
    assert recording.calls == []
