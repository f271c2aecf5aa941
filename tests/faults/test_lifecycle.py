"""Stopping, outages and hanging dependencies of whole processes."""

import asyncio
import time

import pytest

from tests.faults.platform import Platform, running_platform
from tests.support.fault_proxy import Fault, FaultKind

ANSWERED_WITHIN = 20.0


async def test_a_stopped_service_ends_its_streams_first() -> None:
    async with running_platform() as platform:
        case = platform.new_case()
        streaming = asyncio.create_task(platform.turn(case, "[slow] tell me"))
        await asyncio.sleep(3)
        begun = time.monotonic()
        platform.inference.terminate()
        turn = await streaming
        assert turn.names[-2:] == ["stream_error", "done"]
        assert turn.error is not None
        assert turn.error["code"] == "service_unavailable"
        await asyncio.to_thread(platform.inference.wait)
        assert time.monotonic() - begun < 4.5


async def test_an_outage_in_the_middle_of_a_turn() -> None:
    async with running_platform() as platform:
        case = platform.new_case()
        assert (await platform.turn(case, "hello")).error is None
        streaming = asyncio.create_task(platform.turn(case, "[pause] tell me"))
        await asyncio.sleep(1)
        platform.aws.kill()
        refused = await platform.ask(case, "GET", "/sessions")
        assert (refused.status_code, refused.json()["code"]) == (503, "service_unavailable")
        turn = await streaming
        assert turn.names[-2:] == ["stream_error", "done"]
        assert turn.error is not None
        assert turn.error["code"] == "service_unavailable"


@pytest.mark.parametrize(
    ("operation", "table"),
    [("ListEvents", None), ("PutItem", "faults-sessions-metadata"), ("TransactWriteItems", "faults-sessions-metadata")],
    ids=["history read", "cost write", "session write"],
)
async def test_a_turn_with_a_hanging_dependency_is_answered(
    platform: Platform, operation: str, table: str | None
) -> None:
    case = platform.new_case()
    begun = time.monotonic()
    fault = Fault(FaultKind.TIMEOUT, operation=operation, table=table, containing=case.marker)
    with platform.proxy.injecting(fault):
        turn = await platform.turn(case, "hello")
    assert turn.error is not None
    assert turn.error["code"] == "timeout"
    assert time.monotonic() - begun < ANSWERED_WITHIN


async def test_a_list_with_a_hanging_dependency_is_answered(platform: Platform) -> None:
    case = platform.new_case()
    begun = time.monotonic()
    with platform.proxy.injecting(Fault(FaultKind.TIMEOUT, containing=case.marker)):
        answer = await platform.ask(case, "GET", "/sessions")
    assert (answer.status_code, answer.json()["code"]) == (504, "timeout")
    assert time.monotonic() - begun < ANSWERED_WITHIN
