"""The body of a cost record, as stored and as shown."""

from datetime import UTC, datetime, timedelta, timezone

from apis.shared.costs.models import (
    CostRecord,
    LatencyMetrics,
    StoredCitation,
    TokenUsage,
)
from apis.shared.costs.service import AssistantMessageUsage
from apis.shared.moments import offset_form
from tests.support.worked_example import PRICING, USAGE

MOMENT = datetime(2025, 1, 15, 10, 30, 45, 123456, UTC)


def test_a_complete_record() -> None:
    usage = AssistantMessageUsage(
        message_index=1,
        model_id="us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        provider="bedrock",
        usage=USAGE,
        latency=LatencyMetrics(time_to_first_token=250, end_to_end_latency=1500),
        timestamp=MOMENT,
        pricing=PRICING,
        citations=[StoredCitation(assistant_id="AST-1", document_id="DOC-1", file_name="a.pdf", text="hello")],
    )
    assert usage.to_record("000000001", "abc").stored() == {
        "latency": {"timeToFirstToken": 250, "endToEndLatency": 1500},
        "tokenUsage": {
            "inputTokens": 1000,
            "outputTokens": 500,
            "totalTokens": 1500,
            "cacheReadInputTokens": 200,
            "cacheWriteInputTokens": 100,
        },
        "modelInfo": {
            "modelId": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "modelName": "Claude Sonnet 4.5",
            "modelVersion": "v1",
            "provider": "bedrock",
            "pricingSnapshot": {
                "inputPricePerMtok": 3.0,
                "outputPricePerMtok": 15.0,
                "cacheWritePricePerMtok": 3.75,
                "cacheReadPricePerMtok": 0.3,
                "currency": "USD",
                "snapshotAt": "2025-01-15T10:30:45Z",
            },
        },
        "attribution": {
            "userId": "000000001",
            "sessionId": "abc",
            "timestamp": "2025-01-15T10:30:45.123456+00:00",
        },
        "cost": 0.010935,
        "citations": [{"assistantId": "AST-1", "documentId": "DOC-1", "fileName": "a.pdf", "text": "hello"}],
    }


def test_what_is_unknown_is_left_out() -> None:
    bare = AssistantMessageUsage(
        message_index=1, model_id="gpt-x", provider="openai", usage=None, latency=LatencyMetrics(), timestamp=MOMENT
    )
    record = bare.to_record("u", "s")
    assert record.stored() == {
        "latency": {"timeToFirstToken": 0, "endToEndLatency": 0},
        "modelInfo": {"modelId": "gpt-x", "modelName": "gpt-x", "provider": "openai"},
        "attribution": {"userId": "u", "sessionId": "s", "timestamp": "2025-01-15T10:30:45.123456+00:00"},
    }
    assert CostRecord.model_validate(record.stored()) == record


def test_cache_counters_only_if_reported() -> None:
    assert TokenUsage(input_tokens=1).model_dump(by_alias=True, exclude_none=True) == {
        "inputTokens": 1,
        "outputTokens": 0,
        "totalTokens": 0,
    }


def test_f_smc_44_timestamps_are_utc_with_microseconds() -> None:
    assert offset_form(datetime(2025, 1, 15, 10, 30, 45, tzinfo=UTC)) == "2025-01-15T10:30:45.000000+00:00"
    # The day and month of the totals are cut from this text.
    late_in_boise = datetime(2024, 12, 31, 22, tzinfo=timezone(timedelta(hours=-7)))
    assert offset_form(late_in_boise) == "2025-01-01T05:00:00.000000+00:00"
