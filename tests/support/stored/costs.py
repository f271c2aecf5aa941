import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from tests.support.stored.sessions import SESSIONS
from tests.support.stored.things import LATE_TTL, MOMENT, Row, row_of

SUMMARIES: Final = "DYNAMODB_COST_SUMMARY_TABLE_NAME"
ROLLUPS: Final = "DYNAMODB_SYSTEM_ROLLUP_TABLE_NAME"


def cost_record(user_id: str, session_id: str, message_index: int, **attributes: Any) -> Row:
    """What the assistant message at `message_index` used and cost, at the moment of its `attribution`."""
    attribution = {"userId": user_id, "sessionId": session_id, "timestamp": MOMENT}
    at = attributes.get("attribution", attribution)["timestamp"]
    return row_of(
        SESSIONS,
        {
            "PK": f"USER#{user_id}",
            "SK": f"C#{at}#{uuid.uuid4()}",
            "GSI1PK": f"USER#{user_id}",
            "GSI1SK": at,
            "GSI_PK": f"SESSION#{session_id}",
            "GSI_SK": f"C#{at}",
            "sessionId": session_id,
            "userId": user_id,
            "timestamp": at,
            "messageId": message_index,
            "ttl": LATE_TTL,
            "latency": {"timeToFirstToken": 250, "endToEndLatency": 1500},
            "tokenUsage": {"inputTokens": 1000, "outputTokens": 500, "totalTokens": 1500},
            "modelInfo": {"modelId": "m", "modelName": "A model"},
            "attribution": attribution,
        },
        attributes,
    )


def known_usage(user_id: str, model_id: str, now: datetime) -> Iterator[Row]:
    """What tells that the user has been counted today, this month, and with this model."""
    day, month, model = f"{now:%Y-%m-%d}", f"{now:%Y-%m}", sanitised(model_id)
    counted = {"requests": 1, "inputTokens": 10, "outputTokens": 5, "cacheReadTokens": 0, "cacheWriteTokens": 0}
    yield Row(
        SUMMARIES,
        {
            "PK": f"USER#{user_id}",
            "SK": f"PERIOD#{month}",
            "GSI2PK": f"PERIOD#{month}",
            "GSI2SK": f"COST#{'0' * 15}",
            "userId": user_id,
            "totalCost": 0,
            "cacheSavings": 0,
            "totalRequests": 1,
            "totalInputTokens": 10,
            "totalOutputTokens": 5,
            "totalCacheReadTokens": 0,
            "totalCacheWriteTokens": 0,
            "lastUpdated": now.isoformat(),
            "periodStart": f"{month}-01T00:00:00Z",
            "periodEnd": f"{month}-28T23:59:59Z",
            "modelBreakdown": {model: {"modelName": model_id, "provider": "openai", "cost": 0, **counted}},
        },
    )
    for period in (f"DAILY#{day}", f"MONTHLY#{month}", f"MODEL#{month}#{model}"):
        yield Row(ROLLUPS, {"PK": f"ACTIVE#{period}", "SK": user_id, "trackedAt": now.isoformat(), "TTL": LATE_TTL})


def spent(user_id: str, cost: Any, **attributes: Any) -> Row:
    """What the user spent this month."""
    return cost_summary(user_id, f"{datetime.now(UTC):%Y-%m}", cost, **attributes)


def cost_summary(user_id: str, month: str, total_cost: Any, *, cents: int | None = None, **attributes: Any) -> Row:
    """What a user spent in a month, with one request; by default ranked by the cents of it."""
    ranked_by = int(Decimal(str(total_cost)) * 100) if cents is None else cents
    return row_of(
        SUMMARIES,
        {
            "PK": f"USER#{user_id}",
            "SK": f"PERIOD#{month}",
            "GSI2PK": f"PERIOD#{month}",
            "GSI2SK": f"COST#{ranked_by:015}",
            "userId": user_id,
            "totalCost": total_cost,
            "cacheSavings": 0,
            "totalRequests": 1,
            "totalInputTokens": 10,
            "totalOutputTokens": 5,
            "totalCacheReadTokens": 0,
            "totalCacheWriteTokens": 0,
            "lastUpdated": f"{month}-15T10:00:00+00:00",
            "periodStart": f"{month}-01T00:00:00Z",
            "periodEnd": f"{month}-31T23:59:59Z",
            "modelBreakdown": {},
        },
        attributes,
    )


def rollup(kind: str, key: str, total_cost: Any, **attributes: Any) -> Row:
    """What all users spent on a day (`DAILY`), in a month (`MONTHLY`) or on a model in a month (`MODEL`)."""
    described = {"modelId": key[8:], "modelName": "A model", "provider": "openai", "uniqueUsers": 1}
    return row_of(
        ROLLUPS,
        {
            "PK": f"ROLLUP#{kind}",
            "SK": key,
            "totalCost": total_cost,
            "totalRequests": 2,
            "totalInputTokens": 10,
            "totalOutputTokens": 5,
            "lastUpdated": MOMENT,
            "type": kind.lower(),
            **(described if kind == "MODEL" else {"activeUsers": 1}),
        },
        attributes,
    )


def sanitised(model_id: str) -> str:
    """A model id as part of a key."""
    return re.sub(r"[^A-Za-z0-9_]", "_", model_id)
