"""No usage is lost without a Failure that says which step lost it, and nothing that was written is undone."""

import logging
import socket
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apis.shared.costs.service import UsageRecorder, get_usage_recorder
from apis.shared.errors import ErrorCode, ErrorDetail
from apis.shared.result import Failure, Success
from tests.integration.conftest import Aws, Configure
from tests.integration.costs.test_usage import KEY, ROLLUPS, SESSIONS, SUMMARIES, message, summary
from tests.support.fault_proxy import Fault, FaultKind

# Years apart from those of the other tests: rollups are of all users.
MOMENT = datetime(2050, 3, 15, 10, 30, 45, 123456, UTC)


@pytest.fixture
def recorder(aws: Aws) -> UsageRecorder:
    return get_usage_recorder()


@pytest.fixture
def user() -> str:
    return uuid.uuid4().hex[:9]


def failure(outcome: Any) -> ErrorDetail:
    assert isinstance(outcome, Failure), outcome
    error: ErrorDetail = outcome.failure()
    return error


STEPS = {
    "F-SMC-40 cost record": ("PutItem", SESSIONS, "C#", "cost record"),
    "F-SMC-42 and 48 increment": ("UpdateItem", SUMMARIES, "ADD", "summary"),
    "F-SMC-46 first summary of the month": ("PutItem", SUMMARIES, None, "summary"),
    "F-SMC-50 daily user": ("PutItem", ROLLUPS, "ACTIVE#DAILY", "rollups"),
    "F-SMC-50 monthly user": ("PutItem", ROLLUPS, "ACTIVE#MONTHLY", "rollups"),
    "F-SMC-51 user of the model": ("PutItem", ROLLUPS, "ACTIVE#MODEL", "rollups"),
    "F-SMC-52 daily rollup": ("UpdateItem", ROLLUPS, "ROLLUP#DAILY", "rollups"),
    "F-SMC-53 monthly rollup": ("UpdateItem", ROLLUPS, "ROLLUP#MONTHLY", "rollups"),
    "F-SMC-54 model rollup": ("UpdateItem", ROLLUPS, "ROLLUP#MODEL", "rollups"),
}
CODES = {
    FaultKind.THROTTLED: ErrorCode.SERVICE_UNAVAILABLE,
    FaultKind.SERVER_ERROR: ErrorCode.SERVICE_UNAVAILABLE,
    FaultKind.RESET: ErrorCode.SERVICE_UNAVAILABLE,
    FaultKind.ACCESS_DENIED: ErrorCode.INTERNAL_ERROR,
}


@pytest.mark.parametrize("kind", CODES)
@pytest.mark.parametrize("step", STEPS)
async def test_a_failing_step_is_named(
    aws: Aws, recorder: UsageRecorder, user: str, step: str, kind: FaultKind
) -> None:
    operation, table, containing, name = STEPS[step]
    fault = Fault(kind, operation=operation, table=aws.environment[table], containing=containing)
    with aws.proxy.injecting(fault) as injection:
        error = failure(await recorder.record(user, "s", [message(MOMENT)]))
    assert injection.hits == 1, "an increment is never repeated"
    assert (error.code, error.context["step"]) == (CODES[kind], name)
    assert aws.environment[table] not in error.model_dump_json()


@pytest.mark.parametrize("kind", [FaultKind.THROTTLED, FaultKind.ACCESS_DENIED])
async def test_the_rank_of_a_user_is_not_lost_silently(
    aws: Aws, recorder: UsageRecorder, user: str, kind: FaultKind
) -> None:
    """F-SMC-45. What was counted stays, and the next turn repairs the rank."""
    assert await recorder.record(user, "s", [message(MOMENT)]) == Success(None)
    with aws.proxy.injecting(Fault(kind, operation="UpdateItem", containing="COST#")) as injection:
        error = failure(await recorder.record(user, "s", [message(MOMENT, 3)]))
    assert (injection.hits, error.code, error.context["step"]) == (1, CODES[kind], "summary")
    assert summary(aws, user, MOMENT)["totalRequests"] == 2
    assert await recorder.record(user, "s", [message(MOMENT, 5)]) == Success(None)
    assert summary(aws, user, MOMENT)["GSI2SK"] == "COST#000000000000003"


@pytest.mark.parametrize("containing", ["SET #n0.#n1 = if_not_exists(", "gpt_new"])
async def test_f_smc_47_a_breakdown_that_cannot_be_made(
    aws: Aws, recorder: UsageRecorder, user: str, containing: str
) -> None:
    assert await recorder.record(user, "s", [message(MOMENT)]) == Success(None)
    with aws.proxy.injecting(Fault(FaultKind.THROTTLED, operation="UpdateItem", containing=containing)):
        error = failure(await recorder.record(user, "s", [message(MOMENT, 3, model_id="gpt-new")]))
    assert (error.code, error.context["step"]) == (ErrorCode.SERVICE_UNAVAILABLE, "summary")
    assert summary(aws, user, MOMENT)["totalRequests"] == 1


async def test_e14_what_came_before_the_failing_step_stays(aws: Aws, recorder: UsageRecorder, user: str) -> None:
    with aws.proxy.injecting(Fault(FaultKind.THROTTLED, table=aws.environment[SUMMARIES])):
        error = failure(await recorder.record(user, "s", [message(MOMENT)]))
    assert error.code is ErrorCode.SERVICE_UNAVAILABLE
    assert len(aws.items(SESSIONS, f"USER#{user}")) == 1
    assert summary(aws, user, MOMENT) == {}
    assert [item for item in aws.items(ROLLUPS, f"ACTIVE#DAILY#{MOMENT:%Y-%m-%d}") if item["SK"] == user] == []


async def test_one_failing_rollup_does_not_stop_the_others(aws: Aws, recorder: UsageRecorder, user: str) -> None:
    moment = MOMENT.replace(year=2051)
    with aws.proxy.injecting(Fault(FaultKind.THROTTLED, containing="ROLLUP#MONTHLY")):
        error = failure(await recorder.record(user, "s", [message(moment)]))
    assert error.context["rollup"] == "monthly"
    assert aws.item(ROLLUPS, "ROLLUP#DAILY", f"{moment:%Y-%m-%d}")["totalRequests"] == 1
    assert aws.item(ROLLUPS, "ROLLUP#MODEL", f"{moment:%Y-%m}#{KEY}")["uniqueUsers"] == 1


async def test_one_failing_message_does_not_stop_the_others(
    aws: Aws, recorder: UsageRecorder, user: str, caplog: pytest.LogCaptureFixture
) -> None:
    """F-SMC-60: all are attempted, the first failure is returned, the others are in the log."""
    turn = [message(MOMENT + timedelta(seconds=number), 2 * number + 1) for number in range(3)]
    lost = [turn[0].timestamp.isoformat(), turn[2].timestamp.isoformat()]
    with (
        caplog.at_level(logging.ERROR),
        aws.proxy.injecting(Fault(FaultKind.ACCESS_DENIED, operation="PutItem", containing=f"C#{lost[0]}")),
        aws.proxy.injecting(Fault(FaultKind.THROTTLED, operation="PutItem", containing=f"C#{lost[1]}")),
    ):
        error = failure(await recorder.record(user, "s", turn))
    assert error.code is ErrorCode.INTERNAL_ERROR
    (logged,) = [record.__dict__ for record in caplog.records if record.message == "a further write failed"]
    assert logged["what"] == "usage of an assistant message"
    assert (logged["code"], logged["context"]["step"]) == ("service_unavailable", "cost record")
    assert [record["messageId"] for record in aws.items(SESSIONS, f"USER#{user}")] == [3]
    assert summary(aws, user, MOMENT)["totalRequests"] == 1


@pytest.mark.parametrize("total", ["much", None, {"S": "x"}])
async def test_a_corrupt_total_is_not_ranked(aws: Aws, recorder: UsageRecorder, user: str, total: Any) -> None:
    aws.put(SUMMARIES, {"PK": f"USER#{user}", "SK": f"PERIOD#{MOMENT:%Y-%m}", "totalCost": total, "modelBreakdown": {}})
    error = failure(await recorder.record(user, "s", [message(MOMENT)]))
    assert (error.code, error.context["step"]) == (ErrorCode.INTERNAL_ERROR, "summary")
    assert "GSI2SK" not in summary(aws, user, MOMENT)


async def test_a_table_that_does_not_exist(aws: Aws, configure: Configure, user: str) -> None:
    configure(**{SUMMARIES: "no-such-table"})
    error = failure(await get_usage_recorder().record(user, "s", [message(MOMENT)]))
    assert (error.code, error.context["step"]) == (ErrorCode.INTERNAL_ERROR, "summary")
    assert "no-such-table" not in error.model_dump_json()


async def test_an_endpoint_that_is_gone(aws: Aws, configure: Configure, user: str) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        configure(AWS_ENDPOINT_URL=f"http://127.0.0.1:{nobody.getsockname()[1]}")
        error = failure(await get_usage_recorder().record(user, "s", [message(MOMENT)]))
    assert (error.code, error.context["step"]) == (ErrorCode.SERVICE_UNAVAILABLE, "cost record")


async def test_a_hanging_table_is_answered_in_time(aws: Aws, recorder: UsageRecorder, user: str) -> None:
    """However many messages the turn has."""
    turn = [message(MOMENT + timedelta(seconds=number), 2 * number + 1) for number in range(5)]
    started = time.monotonic()
    with aws.proxy.injecting(Fault(FaultKind.TIMEOUT, table=aws.environment[SUMMARIES])):
        error = failure(await recorder.record(user, "s", turn))
    assert (error.code, error.context["step"]) == (ErrorCode.TIMEOUT, "summary")
    assert time.monotonic() - started < 10
    assert len(aws.items(SESSIONS, f"USER#{user}")) == 5
