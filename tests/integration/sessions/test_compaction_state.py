"""Where the state of a compacted conversation is written, and where not."""

from typing import Any
from uuid import uuid4

import pytest

from apis.shared.aws.dynamodb import Table
from apis.shared.result import Success
from apis.shared.sessions.dynamodb import DynamoSessions
from apis.shared.sessions.metadata import SessionService
from apis.shared.sessions.models import CompactionState
from tests.integration.conftest import Aws
from tests.support import stored

USER = "500000001"


@pytest.mark.parametrize(
    ("known", "is_written"),
    [
        (stored.LEFT_OUT, True),
        (None, True),
        ({}, True),
        ({"checkpoint": 0, "summary": None}, True),
        ({"checkpoint": 4}, True),
        ({"checkpoint": 8}, True),
        ({"checkpoint": 12}, False),
    ],
    ids=str,
)
async def test_k7_a_checkpoint_never_goes_back(aws: Aws, known: Any, is_written: bool) -> None:
    row = stored.session(USER, session_id := str(uuid4()), compaction=known)
    aws.store(row)
    sessions = SessionService(DynamoSessions(Table(aws.variables[stored.SESSIONS])))
    kept = await sessions.keep_compaction(USER, row.item["SK"], CompactionState(8, "s"), last_input_tokens=120_000)
    assert kept == Success(is_written)
    (record,) = aws.of_session(USER, session_id)
    if is_written:
        written = record["compaction"]
        assert written == {
            "checkpoint": 8,
            "summary": "s",
            "lastInputTokens": 120_000,
            "updatedAt": written["updatedAt"],
        }
    else:
        assert record["compaction"] == known


async def test_k7_a_record_that_has_gone_does_not_come_back(aws: Aws) -> None:
    sessions = SessionService(DynamoSessions(Table(aws.variables[stored.SESSIONS])))
    gone = f"S#ACTIVE#{stored.MOMENT}#{uuid4()}"
    assert await sessions.keep_compaction(USER, gone, CompactionState(8), last_input_tokens=1) == Success(False)
    assert aws.item(stored.SESSIONS, f"USER#{USER}", gone) == {}
