import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from returns.primitives.exceptions import UnwrapFailedError

from apis.shared.errors import ErrorDetail, not_found
from apis.shared.result import (
    ErrorTable,
    Failure,
    Result,
    Success,
    attempt,
    attempt_async,
    attempt_stream,
    best_effort,
    collect,
    fold,
    railway,
    require,
    suppression_counts,
)

GONE = not_found("Gone")
TABLE = ErrorTable.of((KeyError, lambda _: GONE), (ValueError, lambda e: GONE if "listed" in str(e) else None))


def fail(error: Exception) -> int:
    raise error


async def fail_later(error: Exception) -> int:
    await asyncio.sleep(0)
    raise error


def test_a_listed_exception_becomes_its_failure_with_the_cause_for_the_log() -> None:
    cause = KeyError("k")
    error = attempt(fail, cause, errors=TABLE).failure()
    assert error == GONE
    assert error.cause is cause


@pytest.mark.parametrize("bug", [TypeError("bug"), ValueError("other")])
async def test_an_unlisted_exception_stays_a_bug(bug: Exception) -> None:
    with pytest.raises(type(bug)):
        attempt(fail, bug, errors=TABLE)
    with pytest.raises(type(bug)):
        await attempt_async(fail_later, bug, errors=TABLE)


async def test_awaited_calls() -> None:
    assert (await attempt_async(fail_later, ValueError("listed"), errors=TABLE)).failure() == GONE
    assert await attempt_async(asyncio.sleep, 0, "slept", errors=TABLE) == Success("slept")


async def test_cancellation_is_never_a_failure() -> None:
    task = asyncio.create_task(attempt_async(asyncio.sleep, 60, errors=ErrorTable.of((Exception, lambda _: GONE))))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_stream_ends_with_its_failure_and_is_closed_when_left_early() -> None:
    closed: list[str] = []

    async def numbers(*, broken: bool) -> AsyncIterator[int]:
        try:
            yield 1
            if broken:
                raise KeyError
            yield 2
        finally:
            closed.append("closed")

    assert [item async for item in attempt_stream(numbers, broken=True, errors=TABLE)] == [Success(1), Failure(GONE)]
    stream = attempt_stream(numbers, broken=False, errors=TABLE)
    assert await anext(stream) == Success(1)
    await stream.aclose()
    assert closed == ["closed", "closed"]


@railway
def doubled(number: Result[int, ErrorDetail]) -> Result[int, ErrorDetail]:
    return Success(number.unwrap() * 2)


@railway
async def doubled_later(number: Result[int, ErrorDetail]) -> Result[int, ErrorDetail]:
    await asyncio.sleep(0)
    return doubled(number)


async def test_a_railway_returns_the_failure_to_its_caller() -> None:
    assert doubled(Success(2)) == Success(4)
    assert doubled(Failure(GONE)) == Failure(GONE)
    assert await doubled_later(Success(2)) == Success(4)
    assert await doubled_later(Failure(GONE)) == Failure(GONE)


def test_asking_a_success_for_its_failure_in_a_railway_is_a_bug() -> None:
    @railway
    def confused() -> Result[int, ErrorDetail]:
        return Failure(Success(1).failure())

    with pytest.raises(UnwrapFailedError):
        confused()


def test_require_collect_and_fold() -> None:
    assert require(0, GONE) == Success(0)
    assert require(None, GONE) == Failure(GONE)
    assert collect([Success(1), Success(2)]) == Success([1, 2])
    assert collect([Success(1), Failure(GONE), Failure(not_found("later"))]) == Failure(GONE)
    assert fold(Success(1), success=str, failure=lambda e: e.message) == "1"
    assert fold(doubled(Failure(GONE)), success=str, failure=lambda e: e.message) == "Gone"


async def test_best_effort_goes_on_and_leaves_a_trace(caplog: pytest.LogCaptureFixture) -> None:
    async def failing() -> Result[int, ErrorDetail]:
        return Failure(GONE.caused_by(KeyError("k"), entity="Session"))

    before = sum(suppression_counts().values())
    with caplog.at_level(logging.WARNING):
        assert await best_effort(failing(), reason="The answer is correct without it.", default=0) == 0
    assert best_effort(Success(1), reason="The answer is correct without it.", default=0) == 1
    assert sum(suppression_counts().values()) == before + 1
    (record,) = caplog.records
    assert record.__dict__["code"] == "not_found"
    assert record.__dict__["reason"] == "The answer is correct without it."
    assert record.__dict__["site"].endswith("test_best_effort_goes_on_and_leaves_a_trace")


async def test_best_effort_does_not_hide_bugs() -> None:
    async def bug() -> Result[int, ErrorDetail]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await best_effort(bug(), reason="The answer is correct without it.", default=0)
