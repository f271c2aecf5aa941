"""Stopping, outages and hanging dependencies of whole processes."""

import asyncio
import time

import pytest

from tests.faults.scenario import new_case, say
from tests.support import stored
from tests.support.fault_proxy import Fault, FaultKind
from tests.support.platform import Platform, separate_platform

ANSWERED_WITHIN = 20.0


async def test_a_stopped_service_ends_its_streams_first() -> None:
    async with separate_platform() as platform:
        case = new_case(platform)
        streaming = asyncio.create_task(say(platform, case, "[slow] tell me"))
        await platform.asked("[slow] tell me")
        await asyncio.sleep(0.2)
        begun = time.monotonic()
        platform.inference_api.process.terminate()
        turn = await streaming
        assert turn.names[-2:] == ["stream_error", "done"]
        assert turn.failure is not None
        assert turn.error["code"] == "service_unavailable"
        await asyncio.to_thread(platform.inference_api.process.wait)
        assert time.monotonic() - begun < 6


async def test_an_outage_in_the_middle_of_a_turn() -> None:
    async with separate_platform() as platform:
        case = new_case(platform)
        assert (await say(platform, case, "hello")).failure is None
        streaming = asyncio.create_task(say(platform, case, "[pause] tell me"))
        await platform.asked("[pause] tell me")
        platform.surroundings.endpoint.kill()
        refused = await platform.ask(case.user, "GET", "/sessions")
        assert (refused.status_code, refused.json()["code"]) == (503, "service_unavailable")
        turn = await streaming
        assert turn.names[-2:] == ["stream_error", "done"]
        assert turn.failure is not None
        assert turn.error["code"] == "service_unavailable"


@pytest.mark.parametrize(
    ("operation", "table"),
    [("ListEvents", None), ("PutItem", stored.SESSIONS), ("TransactWriteItems", stored.SESSIONS)],
    ids=["history read", "cost write", "session write"],
)
async def test_a_turn_with_a_hanging_dependency_is_answered(
    tables: Platform, operation: str, table: str | None
) -> None:
    case = new_case(tables)
    begun = time.monotonic()
    fault = Fault(
        FaultKind.TIMEOUT, operation=operation, table=tables.variables.get(str(table)), containing=case.marker
    )
    with tables.proxy.injecting(fault):
        turn = await say(tables, case, "hello")
    assert turn.failure is not None
    assert turn.error["code"] == "timeout"
    assert time.monotonic() - begun < ANSWERED_WITHIN


async def test_a_list_with_a_hanging_dependency_is_answered(tables: Platform) -> None:
    case = new_case(tables)
    begun = time.monotonic()
    with tables.proxy.injecting(Fault(FaultKind.TIMEOUT, containing=case.marker)):
        answer = await tables.ask(case.user, "GET", "/sessions")
    assert (answer.status_code, answer.json()["code"]) == (504, "timeout")
    assert time.monotonic() - begun < ANSWERED_WITHIN
