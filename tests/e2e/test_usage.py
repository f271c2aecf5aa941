"""What a turn costs: on the wire, in the messages, and in the tables that the reports are made of."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.support import stored
from tests.support.model_server import ModelServer, answer, tool_call, usage
from tests.support.platform import PRICED, USER_ID, Platform

# 1000 new input tokens and 5000 that the cache already had; then 300 and 6000.
FIRST = usage(6000, 200, prompt_tokens_details={"cached_tokens": 5000})
SECOND = usage(6300, 100, prompt_tokens_details={"cached_tokens": 6000})
FIRST_COST = Decimal("0.0025")  # 0.001 + 0.001 + 0.0005
SECOND_COST = Decimal("0.0014")  # 0.0003 + 0.0005 + 0.0006


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def empty_totals(tables: Platform) -> None:
    """No summary and no rollup of an earlier test."""
    tables.clear(stored.SUMMARIES, stored.ROLLUPS)


def picked(item: Mapping[str, Any], *names: str) -> list[Any]:
    return [item.get(name) for name in names]


def one(platform: Platform, table: str, partition: str, sort: str) -> dict[str, Any]:
    (item,) = [item for item in platform.items(table, partition) if item["SK"] == sort]
    return item


@pytest.mark.usefixtures("empty_totals")
async def test_a_turn_of_two_calls_is_counted_once_everywhere(
    tables: Platform, model: ModelServer, session_id: str, now: datetime
) -> None:
    model.script(tool_call(("t1", "calculator", {"expression": "6*7"}), counted=FIRST), answer("42.", counted=SECOND))

    turn = await tables.chat(session_id, enabled_tools=["calculator"])

    assert turn.total["usage"] == {
        "inputTokens": 1300,
        "outputTokens": 300,
        "totalTokens": 12600,
        "cacheReadInputTokens": 11000,
    }
    assert turn.total["cost"] == pytest.approx(float(FIRST_COST + SECOND_COST), rel=1e-12)
    shown = [message.get("metadata", {}).get("cost") for message in await tables.messages(session_id)]
    assert shown == [None, pytest.approx(float(FIRST_COST)), None, pytest.approx(float(SECOND_COST))]

    first, second = tables.of_session(USER_ID, session_id, "C#")
    assert [first["messageId"], second["messageId"]] == [1, 3]
    assert [first["cost"], second["cost"]] == [FIRST_COST, SECOND_COST]
    timestamp = first["timestamp"]
    assert timestamp.endswith("+00:00")
    assert first["SK"].startswith(f"C#{timestamp}#")
    assert picked(first, "GSI1PK", "GSI1SK") == [f"USER#{USER_ID}", timestamp]
    assert picked(first, "GSI_PK", "GSI_SK") == [f"SESSION#{session_id}", f"C#{timestamp}"]
    assert picked(first, "sessionId", "userId") == [session_id, USER_ID]
    assert abs(first["ttl"] - now.timestamp() - 365 * 86400) < 120
    assert first["tokenUsage"] == {
        "inputTokens": 1000,
        "outputTokens": 200,
        "totalTokens": 6200,
        "cacheReadInputTokens": 5000,
    }
    assert picked(first["modelInfo"], "modelId", "modelName", "provider") == [PRICED, PRICED, "openai"]
    assert first["modelInfo"]["pricingSnapshot"]["inputPricePerMtok"] == 1
    assert first["modelInfo"]["pricingSnapshot"]["snapshotAt"].endswith("Z")
    assert first["attribution"] == {"userId": USER_ID, "sessionId": session_id, "timestamp": timestamp}
    assert first["latency"].keys() == {"timeToFirstToken", "endToEndLatency"}

    month, day = f"{now:%Y-%m}", f"{now:%Y-%m-%d}"
    summary = one(tables, "DYNAMODB_COST_SUMMARY_TABLE_NAME", f"USER#{USER_ID}", f"PERIOD#{month}")
    total = FIRST_COST + SECOND_COST
    counters = (
        "totalRequests",
        "totalInputTokens",
        "totalOutputTokens",
        "totalCacheReadTokens",
        "totalCacheWriteTokens",
    )
    assert picked(summary, *counters) == [2, 1300, 300, 11000, 0]
    assert summary["totalCost"] == total
    assert summary["cacheSavings"] == Decimal("0.0099")
    assert picked(summary, "GSI2PK", "GSI2SK", "userId") == [f"PERIOD#{month}", "COST#000000000000000", USER_ID]
    assert summary["periodStart"] == f"{month}-01T00:00:00Z"
    assert summary["modelBreakdown"]["gpt_priced"] == {
        "modelName": PRICED,
        "provider": "openai",
        "cost": total,
        "requests": 2,
        "inputTokens": 1300,
        "outputTokens": 300,
        "cacheReadTokens": 11000,
        "cacheWriteTokens": 0,
    }
    rollups = "DYNAMODB_SYSTEM_ROLLUP_TABLE_NAME"
    for partition, sort, users in (
        ("ROLLUP#DAILY", day, "activeUsers"),
        ("ROLLUP#MONTHLY", month, "activeUsers"),
        ("ROLLUP#MODEL", f"{month}#gpt_priced", "uniqueUsers"),
    ):
        rollup = one(tables, rollups, partition, sort)
        assert picked(rollup, "totalCost", "totalRequests", "totalInputTokens", users) == [total, 2, 1300, 1]
    for partition in (f"ACTIVE#DAILY#{day}", f"ACTIVE#MONTHLY#{month}", f"ACTIVE#MODEL#{month}#gpt_priced"):
        assert one(tables, rollups, partition, USER_ID)["TTL"] > now.timestamp()

    await tables.chat(session_id, "again")
    assert one(tables, rollups, "ROLLUP#DAILY", day)["activeUsers"] == 1
    assert one(tables, rollups, "ROLLUP#DAILY", day)["totalRequests"] == 3


async def test_a_model_that_nobody_manages_is_counted_without_cost(tables: Platform, session_id: str) -> None:
    turn = await tables.chat(session_id, model_id="gpt-unmanaged")
    assert "cost" not in turn.total
    (record,) = tables.of_session(USER_ID, session_id, "C#")
    assert "cost" not in record
    assert "pricingSnapshot" not in record["modelInfo"]
    assert record["tokenUsage"]["inputTokens"] == 10


async def test_a_model_that_reports_no_usage(tables: Platform, model: ModelServer, session_id: str) -> None:
    model.script({"steps": [{"text": "Hello."}, {"finish": "stop"}]})
    turn = await tables.chat(session_id)
    assert turn.names.count("metadata") == 1
    assert "cost" not in turn.total
    (record,) = tables.of_session(USER_ID, session_id, "C#")
    assert record.keys().isdisjoint({"tokenUsage", "cost"})


async def test_the_session_record_moves_with_its_last_message(tables: Platform, session_id: str) -> None:
    await tables.chat(session_id)
    (before,) = tables.of_session(USER_ID, session_id)
    await tables.chat(session_id, "again")
    (after,) = tables.of_session(USER_ID, session_id)
    assert after["SK"] == f"S#ACTIVE#{after['lastMessageAt']}#{session_id}"
    assert after["SK"] > before["SK"]
    assert picked(after, "GSI_PK", "GSI_SK", "messageCount") == [f"SESSION#{session_id}", "META", 2]
    assert after.keys().isdisjoint({"GSI1PK", "GSI1SK", "ttl"})
    assert after["createdAt"] == before["createdAt"]


async def test_title_and_preferences_of_the_client_survive_a_turn(platform: Platform, session_id: str) -> None:
    changed = await platform.app.put(
        f"/sessions/{session_id}/metadata", json={"title": "My trip", "starred": True, "tags": ["a"]}
    )
    assert changed.status_code == 200, changed.text
    await platform.chat(session_id)
    session = await platform.session(session_id)
    assert picked(session, "title", "starred", "tags", "messageCount") == ["My trip", True, ["a"], 1]


async def test_a_deleted_session_loses_its_messages_and_keeps_its_costs(tables: Platform, session_id: str) -> None:
    await tables.chat(session_id)
    assert (await tables.app.delete(f"/sessions/{session_id}")).status_code == 204
    assert await tables.messages(session_id) == []
    assert len(tables.of_session(USER_ID, session_id, "C#")) == 1
