"""Every AWS call of every request, failed in every way: no failure stays unseen.

The calls are those that the request makes without a fault, counted at run time. An operation that makes another call
tomorrow is tested with it, without a change here.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tests.faults.outcomes import OUTCOMES, Outcome
from tests.faults.platform import Case, LogReader, Platform
from tests.faults.scenarios import HARMLESS, MESSAGE, SCENARIOS, Observed, Scenario
from tests.support.aws_wire import Target
from tests.support.fault_proxy import Call, Fault, FaultKind, Recording

SETTLE_SECONDS = 0.15
TIMED_OUT_SECONDS = 4.5
"""More than the read time-out of an AWS call."""
LOG_SECONDS = 3.0
AT_ONCE = 4
HANGING_AT_ONCE = 16

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


@dataclass(frozen=True, slots=True)
class Place:
    """The n-th call of an operation on a table. `is_own`: all such calls name the case that they are made for."""

    target: Target
    nth: int
    is_own: bool

    def __str__(self) -> str:
        return f"{self.target} #{self.nth}"


_known_places: dict[str, list[Place]] = {}


async def places_of(platform: Platform, scenario: Scenario) -> list[Place]:
    """The calls of an undisturbed request; of the second one, because the first also loads what is loaded once."""
    if scenario.name not in _known_places:
        await _undisturbed(platform, scenario)
        _known_places[scenario.name] = await _undisturbed(platform, scenario)
    return _known_places[scenario.name]


async def _undisturbed(platform: Platform, scenario: Scenario) -> list[Place]:
    case = platform.new_case()
    await scenario.arrange(platform, case)
    with platform.proxy.recording() as recording:
        observed = await scenario.act(platform, case)
        await _settled(scenario, recording)
    _assert_undisturbed(scenario, observed)
    await scenario.verify(platform, case, False)
    return _places(recording.calls, case)


def _places(calls: Sequence[Call], case: Case) -> list[Place]:
    shared = {call.target for call in calls if case.marker not in call.text}
    counts: Counter[Target] = Counter()
    places: list[Place] = []
    for call in calls:
        counts[call.target] += 1
        places.append(Place(call.target, counts[call.target], call.target not in shared))
    return places


async def _settled(scenario: Scenario, recording: Recording, seconds: float = SETTLE_SECONDS) -> None:
    """Wait until the work in the background has made no further call for so long."""
    seen = -1
    while scenario.background and seen != len(recording.attempts):
        seen = len(recording.attempts)
        await asyncio.sleep(seconds)


def _assert_undisturbed(scenario: Scenario, observed: Observed) -> None:
    code = observed.error["code"] if observed.error is not None else None
    assert code == scenario.own_error, f"failed without a fault: {observed.error}"
    assert not observed.partial


async def failed_at(platform: Platform, scenario: Scenario, kind: FaultKind, place: Place) -> Outcome | None:
    """One case: the request with this fault at this call, and everything that must hold then and afterwards.

    None when the fault found nothing to do.
    """
    case = platform.new_case()
    await scenario.arrange(platform, case)
    logs = LogReader(platform.app), LogReader(platform.inference)
    suppressed = await platform.suppressed_failures()
    target = place.target
    marker = case.marker if place.is_own else None
    fault = Fault(kind, target.service, target.operation, target.table, nth=place.nth, containing=marker)
    with platform.proxy.recording(containing=marker) as recording, platform.proxy.injecting(fault) as injection:
        observed = await scenario.act(platform, case)
        await _settled(scenario, recording, TIMED_OUT_SECONDS if kind is FaultKind.TIMEOUT else SETTLE_SECONDS)
    if injection.hits == 0:
        # The content of this answer cannot be corrupted, or a race between two writes made one call less.
        assert injection.without_content or place.nth > 1, "the call was not made"
        _assert_undisturbed(scenario, observed)
        await scenario.verify(platform, case, False)
        return None
    _assert_clean(platform, observed)
    records = await _request_records(logs, observed, wanted=0 if observed.error is None else 1)
    grew = await platform.suppressed_failures() > suppressed
    outcome = _outcome(scenario, kind, place, observed, grew=grew)
    assert outcome is not Outcome.UNSEEN, f"the client was told nothing: {observed.visible[-300:]}"
    if observed.error is not None:
        _assert_error(scenario, kind, observed, records)
    await scenario.verify(platform, case, observed.is_unstored)
    return outcome


def _outcome(scenario: Scenario, kind: FaultKind, place: Place, observed: Observed, *, grew: bool) -> Outcome:
    if observed.status >= 400:
        return Outcome.HTTP_ERROR
    if observed.error is not None:
        code = observed.error["code"]
        if code != scenario.own_error or code in EXPECTED_CODES[kind] or observed.is_unstored:
            return Outcome.STREAM_ERROR
    if observed.partial:
        return Outcome.PER_ITEM
    if grew:
        return Outcome.SUPPRESSED
    return Outcome.HARMLESS if (scenario.name, str(place.target), kind) in HARMLESS else Outcome.UNSEEN


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


async def _problem(
    platform: Platform, scenario: Scenario, kind: FaultKind, place: Place, limit: asyncio.Semaphore
) -> str | None:
    """What is wrong with one case. `limit` is for cases that run side by side."""
    try:
        async with limit:
            outcome = await failed_at(platform, scenario, kind, place)
    except AssertionError as problem:
        return f"{scenario.name}, {place}: {problem}"
    if outcome is not None:
        OUTCOMES.add(scenario.name, kind, outcome)
    return None


async def problems_of(
    platform: Platform, kind: FaultKind, cases: Sequence[tuple[Scenario, Place]], *, at_once: int
) -> list[str]:
    """Cases that are told apart by their marker run side by side, the others one after the other."""
    own = [case for case in cases if case[1].is_own]
    shared = [case for case in cases if not case[1].is_own]
    limit = asyncio.Semaphore(at_once)
    found = await asyncio.gather(*(_problem(platform, *_spread(kind, case), limit) for case in own))
    found += [await _problem(platform, *_spread(kind, case), limit) for case in shared]
    return [problem for problem in found if problem is not None]


def _spread(kind: FaultKind, case: tuple[Scenario, Place]) -> tuple[Scenario, FaultKind, Place]:
    return case[0], kind, case[1]


QUICK = [kind for kind in FaultKind if kind is not FaultKind.TIMEOUT]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", QUICK)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
async def test_no_failure_stays_unseen(platform: Platform, scenario: Scenario, kind: FaultKind) -> None:
    cases = [(scenario, place) for place in await places_of(platform, scenario)]
    problems = await problems_of(platform, kind, cases, at_once=AT_ONCE)
    assert not problems, "\n" + "\n".join(problems)


@pytest.mark.timeout(300)
async def test_no_time_out_stays_unseen(platform: Platform) -> None:
    """Each of these waits out the read time-out, so many hang together; a call that cannot, hangs in one scenario."""
    every = [(scenario, place) for scenario in SCENARIOS for place in await places_of(platform, scenario)]
    shared = {str(place): (scenario, place) for scenario, place in every if not place.is_own}
    cases = [case for case in every if case[1].is_own] + list(shared.values())
    problems = await problems_of(platform, FaultKind.TIMEOUT, cases, at_once=HANGING_AT_ONCE)
    assert not problems, "\n" + "\n".join(problems)
