"""Every AWS call of every request, failed in every way: no failure stays unseen.

The calls are those that the request makes without a fault, counted at run time. An operation that makes another call
tomorrow is tested with it, without a change here.
"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tests.faults.outcomes import OUTCOMES, Outcome
from tests.faults.platform import LogReader, Platform
from tests.faults.scenarios import HARMLESS, MESSAGE, SCENARIOS, Observed, Scenario
from tests.support.aws_wire import Target
from tests.support.fault_proxy import Call, Fault, FaultKind, Recording

SETTLE_SECONDS = 0.15
LOG_SECONDS = 3.0
HANGING_AT_ONCE = 12

EXPECTED_CODES: dict[FaultKind, frozenset[str]] = {
    FaultKind.ACCESS_DENIED: frozenset({"internal_error"}),
    FaultKind.THROTTLED: frozenset({"service_unavailable"}),
    FaultKind.SERVER_ERROR: frozenset({"service_unavailable"}),
    FaultKind.TIMEOUT: frozenset({"timeout"}),
    FaultKind.RESET: frozenset({"service_unavailable"}),
    FaultKind.CORRUPT_ITEM: frozenset({"internal_error"}),
    FaultKind.GARBAGE: frozenset({"internal_error", "service_unavailable"}),
}
STATUS_OF = {"internal_error": 500, "service_unavailable": 503, "timeout": 504}

_numbers = itertools.count(1)
_known_calls: dict[str, list["Place"]] = {}


@dataclass(frozen=True, slots=True)
class Place:
    """The n-th call of an operation on a table; `is_own`: only this session's requests make it."""

    target: Target
    nth: int
    is_own: bool

    def __str__(self) -> str:
        return f"{self.target} #{self.nth}"


def _new_session(scenario: Scenario) -> str:
    return f"{scenario.name.replace(' ', '-')}-{next(_numbers)}"


async def places_of(platform: Platform, scenario: Scenario) -> list[Place]:
    """The calls of an undisturbed request; of the second one, because the first also loads what is loaded once."""
    if scenario.name not in _known_calls:
        await _undisturbed(platform, scenario)
        _known_calls[scenario.name] = await _undisturbed(platform, scenario)
    return _known_calls[scenario.name]


async def _undisturbed(platform: Platform, scenario: Scenario) -> list[Place]:
    session_id = _new_session(scenario)
    await scenario.arrange(platform, session_id)
    with platform.proxy.recording() as recording:
        observed = await scenario.act(platform, session_id)
        await _settled(scenario, recording)
    _assert_undisturbed(scenario, observed)
    await scenario.verify(platform, session_id)
    return _places(recording.calls, session_id)


def _places(calls: Sequence[Call], session_id: str) -> list[Place]:
    counts: Counter[Target] = Counter()
    own = {call.target: True for call in calls}
    for call in calls:
        own[call.target] &= session_id in call.text
    places: list[Place] = []
    for call in calls:
        counts[call.target] += 1
        places.append(Place(call.target, counts[call.target], own[call.target]))
    return places


async def _settled(scenario: Scenario, recording: Recording) -> None:
    """Wait until the work in the background makes no further call."""
    seen = -1
    while scenario.background and seen != len(recording.attempts):
        seen = len(recording.attempts)
        await asyncio.sleep(SETTLE_SECONDS)


def _assert_undisturbed(scenario: Scenario, observed: Observed) -> None:
    code = observed.error["code"] if observed.error is not None else None
    assert code == scenario.own_error, observed.visible
    assert not observed.partial


async def failed_at(platform: Platform, scenario: Scenario, kind: FaultKind, place: Place) -> None:
    """One case: the request with this fault at this call, and everything that must hold then and afterwards."""
    session_id = _new_session(scenario)
    await scenario.arrange(platform, session_id)
    logs = LogReader(platform.app), LogReader(platform.inference)
    for log in logs:
        log.records()
    suppressed = await platform.suppressed_failures()
    fault = Fault(
        kind,
        place.target.service,
        place.target.operation,
        place.target.table,
        nth=place.nth,
        containing=session_id if place.is_own else None,
    )
    with platform.proxy.recording() as recording, platform.proxy.injecting(fault) as injection:
        observed = await scenario.act(platform, session_id)
        await _settled(scenario, recording)
    if injection.hits == 0:
        # The content of this answer cannot be corrupted, or a race made one call less.
        if observed.error is not None:
            print([r for r in await _request_records(logs, observed, wanted=1)])
        _assert_undisturbed(scenario, observed)
        assert injection.without_content or kind is FaultKind.CORRUPT_ITEM or place.nth > 1, "the call was not made"
        await scenario.verify(platform, session_id)
        return
    _assert_clean(platform, observed)
    records = await _request_records(logs, observed, wanted=1 if observed.error is not None else 0)
    grew = await platform.suppressed_failures() > suppressed
    outcome = _outcome(scenario, kind, place, observed, grew=grew)
    OUTCOMES.add(scenario.name, kind, outcome)
    assert outcome is not Outcome.UNSEEN, f"the client was told nothing: {observed.visible[:300]}"
    if observed.error is not None:
        _assert_error(scenario, kind, observed, records)
    await scenario.verify(platform, session_id)


def _outcome(scenario: Scenario, kind: FaultKind, place: Place, observed: Observed, *, grew: bool) -> Outcome:
    if observed.turn is not None and observed.status == 200 and observed.error is not None:
        persisted = observed.error.get("metadata", {}).get("persisted", True)
        if observed.error["code"] != scenario.own_error or kind in _CARRIED_BY[observed.error["code"]] or not persisted:
            return Outcome.STREAM_ERROR
    elif observed.status >= 400:
        return Outcome.HTTP_ERROR
    if observed.partial:
        return Outcome.PER_ITEM
    if grew:
        return Outcome.SUPPRESSED
    return Outcome.HARMLESS if (scenario.name, str(place.target), kind) in HARMLESS else Outcome.UNSEEN


_CARRIED_BY: dict[str, frozenset[FaultKind]] = {
    code: frozenset(kind for kind, codes in EXPECTED_CODES.items() if code in codes)
    for code in ("internal_error", "service_unavailable", "timeout", "model_error")
}


def _assert_clean(platform: Platform, observed: Observed) -> None:
    leaked = [word for word in platform.internals if word in observed.visible]
    assert not leaked, f"{leaked} reached the client: {observed.visible}"
    if observed.turn is not None and observed.status == 200:
        names = observed.turn.names
        assert names.count("done") == 1, names
        assert names[-1] == "done", names
        if "stream_error" in names:
            assert names[-2] == "stream_error", names


def _assert_error(scenario: Scenario, kind: FaultKind, observed: Observed, records: Sequence[dict[str, Any]]) -> None:
    assert observed.error is not None
    code = observed.error["code"]
    allowed = EXPECTED_CODES[kind] | ({scenario.own_error} if scenario.own_error else set())
    assert code in allowed, f"code {code} instead of {sorted(allowed)}"
    if observed.status != 200:
        assert observed.status == STATUS_OF[code]
        assert observed.error["metadata"]["request_id"] == observed.request_id
    assert [record["code"] for record in records] == [code], f"log records of the request: {records}"


async def _request_records(
    logs: tuple[LogReader, LogReader], observed: Observed, *, wanted: int
) -> list[dict[str, Any]]:
    """The records `request failed` of this request; waits a little for the first."""
    found: list[dict[str, Any]] = []
    deadline = time.monotonic() + LOG_SECONDS
    while True:
        for log in logs:
            for record in log.records():
                assert MESSAGE not in str(record), "the log holds what the user wrote"
                if record.get("message") == "request failed" and record.get("request_id") == observed.request_id:
                    found.append(record)
        if len(found) >= wanted or time.monotonic() > deadline:
            return found
        await asyncio.sleep(0.01)


async def _problem(platform: Platform, scenario: Scenario, kind: FaultKind, place: Place) -> str | None:
    try:
        await failed_at(platform, scenario, kind, place)
    except AssertionError as problem:
        import traceback; traceback.print_exc()
        return f"{place}: {problem}"
    return None


QUICK = [kind for kind in FaultKind if kind is not FaultKind.TIMEOUT]


@pytest.mark.parametrize("kind", QUICK)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
async def test_no_failure_stays_unseen(platform: Platform, scenario: Scenario, kind: FaultKind) -> None:
    problems = [await _problem(platform, scenario, kind, place) for place in await places_of(platform, scenario)]
    found = [problem for problem in problems if problem is not None]
    assert not found, "\n" + "\n".join(found)


async def test_no_time_out_stays_unseen(platform: Platform) -> None:
    """Each call waits out the read time-out, so those that cannot disturb each other hang together."""
    cases = [(scenario, place) for scenario in SCENARIOS for place in await places_of(platform, scenario)]
    together = [case for case in cases if case[1].is_own and not case[0].background]
    limit = asyncio.Semaphore(HANGING_AT_ONCE)

    async def one(scenario: Scenario, place: Place) -> str | None:
        async with limit:
            return await _problem(platform, scenario, FaultKind.TIMEOUT, place)

    problems = await asyncio.gather(*(one(*case) for case in together))
    found = [f"{case[0].name}: {problem}" for case, problem in zip(together, problems, strict=True) if problem]
    assert not found, "\n" + "\n".join(found)
