"""What a user spent in a month, read back: from the summary table, or from local files."""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from apis.shared.costs.models import UserCostSummary
from apis.shared.costs.service import get_cost_summaries, get_usage_recorder
from apis.shared.errors import ErrorCode
from apis.shared.result import Success
from tests.integration.conftest import Aws, Configure
from tests.integration.costs.test_usage import ROLLUPS, SESSIONS, SONNET, SUMMARIES, message

MOMENT = datetime(2061, 5, 15, 10, 30, 45, 123456, UTC)
FILES: Mapping[str, Any] = {SESSIONS: None, SUMMARIES: None, ROLLUPS: None, "AGENTCORE_MEMORY_TYPE": None}


@pytest.fixture
def user() -> str:
    return uuid.uuid4().hex[:9]


async def read(user: str, month: str = "2061-05") -> UserCostSummary:
    return (await get_cost_summaries().read(user, month)).unwrap()


async def test_no_data_is_zeros(aws: Aws, user: str) -> None:
    summary = await read(user)
    assert summary == UserCostSummary(total_cost=Decimal(0), total_requests=0)
    assert summary.primary_model is None


@pytest.mark.parametrize("mode", ["table", "files"])
async def test_what_was_recorded_is_read(aws: Aws, configure: Configure, tmp_path: Path, user: str, mode: str) -> None:
    """The worked example twice, a cheaper model more often, and what does not belong to the month or the user."""
    configure(**{**aws.environment, **(FILES if mode == "files" else {})}, SESSIONS_DIR=str(tmp_path))
    recorder = get_usage_recorder()
    dear = [message(MOMENT, index) for index in (1, 3)]
    cheap = [message(MOMENT, index, model_id="a.b-1", pricing=None) for index in (5, 7, 9)]
    for session_id, messages in (("s1", dear), ("s2", cheap)):
        assert await recorder.record(user, session_id, messages) == Success(None)
    assert await recorder.record(user, "s3", [message(MOMENT.replace(month=6))]) == Success(None)
    assert await recorder.record(f"{user}x", "s4", [message(MOMENT)]) == Success(None)
    summary = await read(user)
    assert summary.total_cost == Decimal("0.02187")
    assert summary.cache_savings == Decimal("0.00108")
    assert (summary.total_requests, summary.total_input_tokens, summary.total_output_tokens) == (5, 5000, 2500)
    assert (summary.total_cache_read_tokens, summary.total_cache_write_tokens) == (1000, 500)
    assert summary.primary_model == "a.b-1"
    assert sorted(usage.requests for usage in summary.model_breakdown.values()) == [2, 3]
    assert (SONNET in summary.model_breakdown) == (mode == "files"), "in a table the ids are parts of a path"


async def test_the_first_of_two_that_were_used_as_often(aws: Aws, user: str) -> None:
    used = {"provider": "p", "cost": 1, "inputTokens": 1, "outputTokens": 1}
    breakdown = {name: {**used, "modelName": name, "requests": 2} for name in ("one", "two")}
    aws.put(SUMMARIES, {"PK": f"USER#{user}", "SK": "PERIOD#2061-05", "modelBreakdown": breakdown})
    assert (await read(user)).primary_model == "one"
    aws.put(SUMMARIES, {"PK": f"USER#{user}", "SK": "PERIOD#2061-05", "modelBreakdown": {"m": {"requests": 1}}})
    assert (await read(user)).primary_model == "Unknown"


async def test_a_summary_that_does_not_fit(aws: Aws, user: str) -> None:
    aws.put(SUMMARIES, {"PK": f"USER#{user}", "SK": "PERIOD#2061-05", "totalCost": "much"})
    error = (await get_cost_summaries().read(user, "2061-05")).failure()
    assert (error.code, error.context["corrupt_fields"]) == (ErrorCode.INTERNAL_ERROR, "totalCost")


def _costs(root: Path, session_id: str, content: str) -> None:
    path = root / f"session_{session_id}" / "message-metadata.json"
    path.parent.mkdir(parents=True)
    path.write_text(content, encoding="utf-8")


@pytest.mark.parametrize("content", ["{", "[]x", '{"1": 7}', "null"])
async def test_f_smc_62_a_file_that_cannot_be_read(
    aws: Aws, configure: Configure, tmp_path: Path, user: str, content: str
) -> None:
    configure(**FILES, SESSIONS_DIR=str(tmp_path))
    _costs(tmp_path, "s1", content)
    assert (await get_cost_summaries().read(user, "2061-05")).failure().code is ErrorCode.INTERNAL_ERROR


async def test_records_of_nobody_and_records_that_do_not_fit(
    aws: Aws, configure: Configure, tmp_path: Path, user: str
) -> None:
    configure(**FILES, SESSIONS_DIR=str(tmp_path))
    nobody: dict[str, Any] = {"1": {}, "3": {"attribution": None}, "5": {"attribution": {"timestamp": "2061-05-01"}}}
    _costs(tmp_path, "s1", json.dumps(nobody))
    assert await read(user) == UserCostSummary()
    unfit = {"1": {"cost": "much", "attribution": {"userId": user, "timestamp": "2061-05-01"}}}
    _costs(tmp_path, "s2", json.dumps(unfit))
    assert (await get_cost_summaries().read(user, "2061-05")).failure().code is ErrorCode.INTERNAL_ERROR


async def test_without_a_folder_there_is_nothing(aws: Aws, configure: Configure, tmp_path: Path, user: str) -> None:
    configure(**FILES, SESSIONS_DIR=str(tmp_path / "absent"))
    assert await read(user) == UserCostSummary()
