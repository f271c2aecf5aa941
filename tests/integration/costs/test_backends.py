"""Which variables send usage where, and what the local files hold."""

import json
import logging
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from apis.shared.costs.models import UserCostSummary
from apis.shared.costs.service import (
    UsageRecorder,
    get_cost_reports,
    get_cost_summaries,
    get_system_rollups,
    get_usage_recorder,
    get_user_ranking,
    warn_unaccounted,
)
from apis.shared.costs.tally import Span
from apis.shared.errors import ErrorCode
from apis.shared.quota.service import report_unenforceable
from apis.shared.result import Failure, Success
from tests.integration.conftest import Aws, Configure
from tests.integration.costs.test_usage import ROLLUPS, SESSIONS, SUMMARIES, message

MOMENT = datetime(2060, 5, 15, 10, 30, 45, 123456, UTC)
NO_TABLES: dict[str, Any] = {SESSIONS: None, SUMMARIES: None, ROLLUPS: None}


@pytest.fixture
def user() -> str:
    return uuid.uuid4().hex[:9]


def stored(root: Path, session_id: str) -> Any:
    return json.loads((root / f"session_{session_id}" / "message-metadata.json").read_text(encoding="utf-8"))


def files_below(root: Path) -> list[Path]:
    return list(root.rglob("*"))


async def written(aws: Aws, user: str) -> set[str]:
    """The tables that one turn writes."""
    with aws.proxy.recording() as recording:
        assert await get_usage_recorder().record(user, "s", [message(MOMENT)]) == Success(None)
    return {str(call.target.table).removeprefix("shared-") for call in recording.calls}


ALL = {"sessions-metadata", "user-cost-summary", "system-cost-rollup"}


@pytest.mark.parametrize(
    ("unset", "memory", "tables", "files"),
    [
        ([], "dynamodb", ALL, False),
        ([], "DynamoDB", ALL, False),
        ([], "file", {"sessions-metadata", "system-cost-rollup"}, False),
        ([SESSIONS], "dynamodb", {"user-cost-summary", "system-cost-rollup"}, True),
        ([ROLLUPS], "dynamodb", {"sessions-metadata", "user-cost-summary"}, False),
        ([SESSIONS, SUMMARIES], "dynamodb", {"system-cost-rollup"}, True),
        ([SESSIONS, SUMMARIES, ROLLUPS], "dynamodb", set(), True),
        ([SESSIONS, SUMMARIES, ROLLUPS], "file", set(), True),
        ([SESSIONS, SUMMARIES, ROLLUPS], None, set(), True),
    ],
)
async def test_the_variables_decide(
    aws: Aws,
    configure: Configure,
    tmp_path: Path,
    user: str,
    unset: list[str],
    memory: str | None,
    tables: set[str],
    files: bool,
) -> None:
    configure(**dict.fromkeys(unset), AGENTCORE_MEMORY_TYPE=memory, SESSIONS_DIR=str(tmp_path))
    assert await written(aws, user) == tables
    assert (tmp_path / "session_s" / "message-metadata.json").exists() is files


async def test_an_empty_variable_is_an_unset_one(aws: Aws, configure: Configure, tmp_path: Path, user: str) -> None:
    configure(**dict.fromkeys(NO_TABLES, ""), SESSIONS_DIR=str(tmp_path))
    assert await written(aws, user) == set()


async def test_the_summary_table_has_a_default_name(aws: Aws, configure: Configure, user: str) -> None:
    configure(**{SUMMARIES: None})
    with aws.proxy.recording() as recording:
        outcome = await get_usage_recorder().record(user, "s", [message(MOMENT)])
    assert "UserCostSummary" in {call.target.table for call in recording.calls}
    # The embedded endpoint has no table of that name, and that is not hidden.
    assert outcome.failure().code is ErrorCode.INTERNAL_ERROR


@pytest.fixture
def local(configure: Configure, tmp_path: Path) -> UsageRecorder:
    configure(**NO_TABLES, AGENTCORE_MEMORY_TYPE=None, SESSIONS_DIR=str(tmp_path))
    return get_usage_recorder()


async def test_a_local_record_is_the_body_under_its_index(local: UsageRecorder, tmp_path: Path) -> None:
    assert await local.record("u1", "abc", [message(MOMENT, 1), message(MOMENT, 3, pricing=None)]) == Success(None)
    assert await local.record("u1", "abc", [message(MOMENT, 5)]) == Success(None)
    document = stored(tmp_path, "abc")
    assert sorted(document) == ["1", "3", "5"]
    assert document["1"] == message(MOMENT).to_record("u1", "abc").stored()
    assert document["1"]["cost"] == 0.010935
    assert "cost" not in document["3"]


async def test_local_records_of_two_sessions_are_apart(local: UsageRecorder, tmp_path: Path) -> None:
    for session_id in ("a", "b"):
        assert await local.record("u1", session_id, [message(MOMENT)]) == Success(None)
    assert stored(tmp_path, "a")["1"]["attribution"]["sessionId"] == "a"
    assert stored(tmp_path, "b")["1"]["attribution"]["sessionId"] == "b"


@pytest.mark.parametrize("session_id", ["../up", "a/b", "", ".", "a" * 101])
async def test_a_session_id_never_leaves_the_folder(local: UsageRecorder, tmp_path: Path, session_id: str) -> None:
    outcome = await local.record("u1", session_id, [message(MOMENT)])
    assert outcome.failure().code is ErrorCode.VALIDATION_ERROR
    assert files_below(tmp_path) == []


async def test_a_corrupt_local_file_is_kept(local: UsageRecorder, tmp_path: Path) -> None:
    """F-SMC-41: a file that cannot be read is never written over."""
    path = tmp_path / "session_abc" / "message-metadata.json"
    path.parent.mkdir()
    path.write_text('{"1": {"cost"', encoding="utf-8")
    outcome = await local.record("u1", "abc", [message(MOMENT, 3)])
    assert (outcome.failure().code, outcome.failure().context["step"]) == (ErrorCode.INTERNAL_ERROR, "cost record")
    assert path.read_text(encoding="utf-8") == '{"1": {"cost"'


async def test_a_folder_that_cannot_be_written(local: UsageRecorder, tmp_path: Path) -> None:
    (tmp_path / "session_abc").write_text("a file in its place", encoding="utf-8")
    outcome = await local.record("u1", "abc", [message(MOMENT)])
    assert isinstance(outcome, Failure)
    assert outcome.failure().code is ErrorCode.SERVICE_UNAVAILABLE


@pytest.mark.parametrize("unset", [[SESSIONS], [SUMMARIES], [ROLLUPS], [SESSIONS, SUMMARIES, ROLLUPS]])
def test_usage_that_is_not_accounted_is_said_once_at_start(
    aws: Aws, configure: Configure, caplog: pytest.LogCaptureFixture, unset: list[str]
) -> None:
    configure(**dict.fromkeys(unset))
    warn_unaccounted()
    (record,) = caplog.records
    assert (record.levelno, record.__dict__["variables"]) == (logging.WARNING, unset)


@pytest.mark.parametrize("changes", [{}, {**NO_TABLES, "AGENTCORE_MEMORY_TYPE": "file"}])
def test_nothing_is_said_when_all_is_well(
    aws: Aws, configure: Configure, caplog: pytest.LogCaptureFixture, changes: dict[str, Any]
) -> None:
    configure(**changes)
    warn_unaccounted()
    assert caplog.records == []


READ_ELSEWHERE: list[dict[str, Any]] = [
    {"AGENTCORE_MEMORY_TYPE": "file"},
    {"AGENTCORE_MEMORY_TYPE": None},
    {SESSIONS: None},
]


@pytest.mark.parametrize("changes", READ_ELSEWHERE, ids=str)
def test_quotas_on_what_nobody_records_are_an_error_at_start(
    aws: Aws, configure: Configure, caplog: pytest.LogCaptureFixture, changes: dict[str, Any]
) -> None:
    configure(**changes, ENABLE_QUOTA_ENFORCEMENT="true")
    report_unenforceable()
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "AGENTCORE_MEMORY_TYPE" in record.__dict__["variables"]


@pytest.mark.parametrize(
    "changes",
    [
        {"ENABLE_QUOTA_ENFORCEMENT": "true"},
        {**NO_TABLES, "AGENTCORE_MEMORY_TYPE": "file", "ENABLE_QUOTA_ENFORCEMENT": "true"},
        {"AGENTCORE_MEMORY_TYPE": "file", "ENABLE_QUOTA_ENFORCEMENT": "false"},
    ],
    ids=["tables", "files", "not enforced"],
)
def test_quotas_that_can_be_relied_on(
    aws: Aws, configure: Configure, caplog: pytest.LogCaptureFixture, changes: dict[str, Any]
) -> None:
    configure(**changes)
    report_unenforceable()
    assert caplog.records == []


READ = {
    (): ("shared-user-cost-summary", "shared-sessions-metadata"),
    (SUMMARIES,): ("UserCostSummary", "shared-sessions-metadata"),
    (SESSIONS,): ("shared-user-cost-summary", "SessionsMetadata"),
    (ROLLUPS,): ("shared-user-cost-summary", "shared-sessions-metadata"),
    (SESSIONS, SUMMARIES): None,
    (SESSIONS, SUMMARIES, ROLLUPS): None,
}


@pytest.mark.parametrize("memory", ["dynamodb", "file", None])
@pytest.mark.parametrize("unset", READ)
async def test_where_what_a_user_spent_is_read(
    aws: Aws, configure: Configure, tmp_path: Path, user: str, unset: tuple[str, ...], memory: str | None
) -> None:
    """A table that does not exist is no empty answer."""
    configure(**dict.fromkeys(unset), AGENTCORE_MEMORY_TYPE=memory, SESSIONS_DIR=str(tmp_path))
    expected = READ[unset] if memory == "dynamodb" else None
    with aws.proxy.recording() as recording:
        summary = await get_cost_summaries().read(user, "2060-01")
        report = await get_cost_reports().report(user, Span.of_month("2060-01"))
    assert [str(call.target.table) for call in recording.calls] == list(expected or ())
    for outcome, table in zip((summary, report), expected or ("local", "local"), strict=True):
        if table in {"UserCostSummary", "SessionsMetadata"}:
            assert outcome.failure().code is ErrorCode.INTERNAL_ERROR
        else:
            assert outcome == Success(UserCostSummary())


async def test_administrators_always_read_tables(aws: Aws, configure: Configure) -> None:
    """By default those of the literal names, which do not exist here."""
    configure(**NO_TABLES, AGENTCORE_MEMORY_TYPE=None)
    with aws.proxy.recording() as recording:
        outcomes = [await get_user_ranking().top("2060-01", 5), await get_system_rollups().of_month("2060-01")]
    assert [call.target.table for call in recording.calls] == ["UserCostSummary", "SystemCostRollup"]
    assert [outcome.failure().code for outcome in outcomes] == [ErrorCode.INTERNAL_ERROR] * 2


async def test_what_was_recorded_locally_is_what_is_read(local: UsageRecorder) -> None:
    assert await local.record("u1", "abc", [message(MOMENT, 1), message(MOMENT, 3, pricing=None)]) == Success(None)
    assert await local.record("u2", "abd", [message(MOMENT)]) == Success(None)
    summary = (await get_cost_summaries().read("u1", "2060-05")).unwrap()
    assert (str(summary.total_cost), str(summary.cache_savings)) == ("0.010935", "0.00054")
    assert (summary.total_requests, summary.total_input_tokens) == (2, 2000)
    assert await get_cost_summaries().read("u1", "2060-06") == Success(UserCostSummary())
