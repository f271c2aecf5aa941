"""Every AWS call of every request, failed in every way: no failure stays unseen.

The calls are those that the request makes without a fault, counted at run time: in a process that has just started,
and in one that has done the same before. An operation that makes another call tomorrow is tested with it, without a
change here.
"""

import asyncio
import zlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.contract.openapi import SERVICES, operations_of
from tests.faults.outcomes import OUTCOMES, Outcome
from tests.faults.scenario import MESSAGE, Case, Observed, Scenario, new_case, say
from tests.faults.scenarios import CALLS_NOTHING, SCENARIOS
from tests.support import stored
from tests.support.aws_wire import Target
from tests.support.fault_proxy import Call, Fault, FaultKind
from tests.support.platform import Platform
from tests.support.service_log import FAILED, SUPPRESSED, Record
from tests.suppressions import suppression_sites

AT_ONCE = 6
HANGING_AT_ONCE = {"dynamodb": 16}
HANGING_AT_ONCE_ELSEWHERE = 5
"""A hanging call may hold a thread of the service, and the cases beside it need some too."""

SCANNED = (stored.MODELS, stored.ROLES, stored.QUOTAS, stored.USERS, stored.OAUTH_PROVIDERS, stored.ASSISTANTS)
"""Tables that requests read whole: each case would make every later one slower."""

EXPECTED_CODES: dict[FaultKind, frozenset[str]] = {
    FaultKind.ACCESS_DENIED: frozenset({"internal_error"}),
    FaultKind.THROTTLED: frozenset({"service_unavailable"}),
    FaultKind.SERVER_ERROR: frozenset({"service_unavailable"}),
    FaultKind.TIMEOUT: frozenset({"timeout"}),
    FaultKind.RESET: frozenset({"service_unavailable"}),
    FaultKind.CORRUPT_ITEM: frozenset({"internal_error"}),
    FaultKind.GARBAGE: frozenset({"internal_error", "service_unavailable"}),
}
OTHER_CODES: dict[tuple[str, FaultKind], frozenset[str]] = {
    # A model, which is not configured by roles of ours alone.
    ("bedrock-runtime", FaultKind.ACCESS_DENIED): frozenset({"model_error"}),
    ("bedrock-runtime", FaultKind.THROTTLED): frozenset({"model_error"}),
    # Vectors have no record of ours: this is an answer out of shape.
    ("s3vectors", FaultKind.CORRUPT_ITEM): frozenset({"service_unavailable"}),
    # A server that an administrator has named.
    ("unsigned", FaultKind.ACCESS_DENIED): frozenset({"tool_error"}),
}
"""By the service that is called."""
HOLD_EVERYBODYS = frozenset({"secretsmanager"})
"""Services whose requests hold the markers of other cases too."""
STATUS_OF = {
    "bad_request": 400,
    "not_found": 404,
    "quota_exceeded": 429,
    "internal_error": 500,
    "model_error": 503,
    "service_unavailable": 503,
    "timeout": 504,
}
REFUSED = (FaultKind.ACCESS_DENIED, FaultKind.THROTTLED, FaultKind.SERVER_ERROR)
IN_VAIN = (FaultKind.RESET, FaultKind.CORRUPT_ITEM, FaultKind.GARBAGE)
QUICK = (*REFUSED, *IN_VAIN)
SITES = {f"{site.module}:{site.function}" for site in suppression_sites(Path(__file__).resolve().parents[2])}


@dataclass(frozen=True, slots=True)
class Place:
    """The n-th call of an operation on a table. `is_own`: all such calls name the case that they are made for.
    `is_cold`: only a process that has just started makes it."""

    target: Target
    nth: int
    is_own: bool
    is_cold: bool = False

    def __str__(self) -> str:
        return f"{self.target} #{self.nth}{' (cold)' if self.is_cold else ''}"

    @property
    def is_alone(self) -> bool:
        """Its case cannot run beside others: it would meet their calls, or they would find a cold process."""
        return self.is_cold or not self.is_own


type Injected = tuple[Scenario, FaultKind, Place]
type Limits = defaultdict[str, asyncio.Semaphore]

_known_places: dict[str, list[Place]] = {}
_cold_targets: dict[Target, str] = {}


async def places_of(platform: Platform, scenario: Scenario) -> list[Place]:
    """The calls of an undisturbed request. What only a cold process calls is failed in the first scenario that does,
    and in those that call nothing else."""
    if scenario.name not in _known_places:
        await platform.forget()
        cold = await _undisturbed(platform, scenario)
        every = await _undisturbed(platform, scenario)
        again = {place.target for place in every}
        warm = [place for place in every if _is_failed(platform, scenario, place)]
        once = [place for place in cold if place.target not in again and _is_failed(platform, scenario, place)]
        mine = [
            place
            for place in once
            if _cold_targets.setdefault(place.target, scenario.name) == scenario.name or not warm
        ]
        _known_places[scenario.name] = [
            *warm,
            *(Place(place.target, place.nth, place.is_own, is_cold=True) for place in mine),
        ]
    return _known_places[scenario.name]


def _is_failed(platform: Platform, scenario: Scenario, place: Place) -> bool:
    return not scenario.calls or any(name in scenario.calls for name in _names(platform, place))


async def _undisturbed(platform: Platform, scenario: Scenario) -> list[Place]:
    case = new_case(platform)
    await scenario.prepare(platform, case)
    with platform.proxy.recording() as recording:
        observed = await scenario.act(platform, case)
        await platform.settled(observed.request_id)
    _assert_undisturbed(scenario, observed)
    assert platform.written(observed.request_id, SUPPRESSED) == []
    await scenario.afterwards(platform, case, False)
    return _places(recording.calls, case)


def _places(calls: Sequence[Call], case: Case) -> list[Place]:
    shared = {call.target for call in calls if case.marker not in call.text or call.target.service in HOLD_EVERYBODYS}
    counts: Counter[Target] = Counter()
    places: list[Place] = []
    for call in calls:
        counts[call.target] += 1
        places.append(Place(call.target, counts[call.target], call.target not in shared))
    return places


def _assert_undisturbed(scenario: Scenario, observed: Observed) -> None:
    code = observed.error["code"] if observed.error is not None else None
    assert code == scenario.own_error, f"failed without a fault: {observed.error}"
    assert not observed.partial
    assert not observed.redirected, observed.visible
    assert not observed.has_failing_tool, observed.visible


async def failed_at(platform: Platform, scenario: Scenario, kind: FaultKind, place: Place) -> Outcome | None:
    """One case. A cold process is cold again afterwards: it may have kept what the fault made it believe."""
    if not place.is_cold:
        return await _failed_at(platform, scenario, kind, place)
    await platform.forget()
    outcome = await _failed_at(platform, scenario, kind, place)
    await platform.forget()
    return outcome


async def _failed_at(platform: Platform, scenario: Scenario, kind: FaultKind, place: Place) -> Outcome | None:
    """One case: the request with this fault at this call, and everything that must hold then and afterwards.

    None when the fault found nothing to do.
    """
    case = new_case(platform)
    await scenario.prepare(platform, case)
    target = place.target
    marker = case.marker if place.is_own else None
    fault = Fault(kind, target.service, target.operation, target.table, nth=place.nth, containing=marker)
    with platform.proxy.injecting(fault) as injection:
        observed = await scenario.act(platform, case)
        await platform.settled(observed.request_id)
    if injection.hits == 0:
        # The content of this answer cannot be corrupted, or a race between two writes made one call less.
        assert injection.without_content or place.nth > 1, "the call was not made"
        _assert_undisturbed(scenario, observed)
        await scenario.afterwards(platform, case, False)
        return None
    _assert_clean(platform, observed)
    suppressed = platform.written(observed.request_id, SUPPRESSED)
    outcome = _outcome(platform, scenario, kind, place, observed, suppressed)
    assert outcome is not Outcome.UNSEEN, f"the client was told nothing: {observed.visible[-300:]}"
    if _numbered(platform, place) in scenario.of_tool:
        assert observed.error is None, f"the turn failed with its tool: {observed.error}"
    _assert_logged(platform, observed, suppressed, kind)
    if observed.error is not None:
        _assert_error(scenario, kind, place, observed)
    await scenario.afterwards(platform, case, observed.is_unstored)
    return outcome


def _outcome(
    platform: Platform,
    scenario: Scenario,
    kind: FaultKind,
    place: Place,
    observed: Observed,
    suppressed: Sequence[Record],
) -> Outcome:
    told = _told(scenario, kind, observed)
    if told is not None:
        return told
    if observed.has_failing_tool:
        return Outcome.OF_TOOL if _numbered(platform, place) in scenario.of_tool else Outcome.UNSEEN
    if suppressed:
        return Outcome.SUPPRESSED
    is_harmless = any((name, kind) in scenario.harmless for name in _names(platform, place))
    return Outcome.HARMLESS if is_harmless else Outcome.UNSEEN


def _told(scenario: Scenario, kind: FaultKind, observed: Observed) -> Outcome | None:
    """As what the client was told of the failure."""
    if observed.status >= 400:
        return Outcome.HTTP_ERROR
    if observed.error is not None:
        code = observed.error["code"]
        if code != scenario.own_error or code in EXPECTED_CODES[kind] or observed.is_unstored:
            return Outcome.STREAM_ERROR
    if observed.redirected:
        return Outcome.REDIRECT
    return Outcome.PER_ITEM if observed.partial else None


def _named(platform: Platform, target: Target) -> str:
    """The target with the variable that names its table or bucket."""
    variables = {value: name for name, value in platform.variables.items()}
    return str(Target(target.service, target.operation, variables.get(str(target.table))))


def _names(platform: Platform, place: Place) -> tuple[str, str]:
    return _named(platform, place.target), _numbered(platform, place)


def _numbered(platform: Platform, place: Place) -> str:
    return f"{_named(platform, place.target)} #{place.nth}"


def _assert_clean(platform: Platform, observed: Observed) -> None:
    # The operations of the memory name it where they succeed.
    is_shown = observed.error is None and observed.turn is None
    leaked = [] if is_shown else [word for word in platform.internals if word in observed.visible]
    assert not leaked, f"{leaked} reached the client: {observed.visible}"
    if observed.turn is not None and observed.status == 200:
        names = observed.turn.names
        assert names.count("done") == 1, names
        assert names[-1] == "done", names
        if "stream_error" in names:
            assert names[-2] == "stream_error", names


def _assert_logged(platform: Platform, observed: Observed, suppressed: Sequence[Record], kind: FaultKind) -> None:
    """One record when the request failed, every suppressed failure at a known place, and nothing of the user."""
    failed = [record["code"] for record in platform.written(observed.request_id, FAILED)]
    if observed.redirected:
        # The browser is told a name of the flow, and no code.
        assert len(failed) == 1, f"log of the request: {failed}"
        assert EXPECTED_CODES[kind].issuperset(failed)
    else:
        assert failed == ([] if observed.error is None else [observed.error["code"]]), f"log of the request: {failed}"
    unknown = {record["site"] for record in suppressed} - SITES
    assert not unknown, f"suppressed where docs/suppressions.md names no place: {unknown}"
    for service in (platform.app_api, platform.inference_api):
        assert not service.log.has_written(MESSAGE), "the log holds what the user wrote"


def _assert_error(scenario: Scenario, kind: FaultKind, place: Place, observed: Observed) -> None:
    assert observed.error is not None
    code = observed.error["code"]
    expected = OTHER_CODES.get((place.target.service, kind), EXPECTED_CODES[kind])
    allowed = expected | ({scenario.own_error} if scenario.own_error else set())
    assert code in allowed, f"code {code} instead of {sorted(allowed)}"
    if observed.status != 200:
        assert observed.status == STATUS_OF[code]
        assert observed.error["metadata"]["request_id"] == observed.request_id


def ways_to_fail(name: str, number: int) -> tuple[FaultKind, FaultKind]:
    """Two ways in which the call of this number fails, which differ from call to call: what a kind of failure becomes
    is decided where AWS is called, the same for all callers."""
    turn = zlib.crc32(name.encode()) + number
    return REFUSED[turn % len(REFUSED)], IN_VAIN[turn % len(IN_VAIN)]


async def problems_of(platform: Platform, cases: Sequence[Injected], limits: Limits) -> list[str]:
    """Cases that are told apart by their marker run side by side, the others one after the other."""
    alone = [case for case in cases if case[0].is_alone or case[2].is_alone]
    beside = [case for case in cases if case not in alone]
    with platform.leaving_as_found(*SCANNED):
        found = await asyncio.gather(*(_problem(platform, case, limits) for case in beside))
        found += [await _problem(platform, case, limits) for case in alone]
    return [problem for problem in found if problem is not None]


async def _problem(platform: Platform, case: Injected, limits: Limits) -> str | None:
    """What is wrong with one case."""
    scenario, kind, place = case
    try:
        async with limits[place.target.service]:
            outcome = await failed_at(platform, scenario, kind, place)
    except AssertionError as problem:
        return f"{scenario.name}, {place}: {problem}"
    if outcome is not None:
        OUTCOMES.add(scenario.name, kind, outcome)
    return None


@pytest.mark.timeout(300)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
async def test_no_failure_stays_unseen(tables: Platform, scenario: Scenario, request: pytest.FixtureRequest) -> None:
    """Each call once refused and once carried out in vain; with `--every-fault` in all ways that there are."""
    every = request.config.getoption("--every-fault")
    cases = [
        (scenario, kind, place)
        for number, place in enumerate(await places_of(tables, scenario))
        for kind in (QUICK if every else ways_to_fail(scenario.name, number))
    ]
    assert cases, "none of its calls is failed"
    together = asyncio.Semaphore(AT_ONCE)
    problems = await problems_of(tables, cases, defaultdict(lambda: together))
    assert not problems, "\n" + "\n".join(problems)


@pytest.mark.timeout(300)
async def test_no_time_out_stays_unseen(tables: Platform) -> None:
    """Each of these waits out the read time-out, so many hang together; a call that cannot, hangs in one scenario."""
    every = [
        (scenario, FaultKind.TIMEOUT, place) for scenario in SCENARIOS for place in await places_of(tables, scenario)
    ]
    alone = {str(case[2]): case for case in every if case[2].is_alone}
    limits: Limits = defaultdict(lambda: asyncio.Semaphore(HANGING_AT_ONCE_ELSEWHERE))
    limits |= {service: asyncio.Semaphore(number) for service, number in HANGING_AT_ONCE.items()}
    problems = await problems_of(
        tables, [case for case in every if not case[2].is_alone] + list(alone.values()), limits
    )
    assert not problems, "\n" + "\n".join(problems)


async def test_a_suppressed_failure_is_counted(tables: Platform) -> None:
    case, inference = new_case(tables), tables.inference_api
    before = await inference.suppressed_failures("/ping")
    with tables.proxy.injecting(Fault(FaultKind.THROTTLED, operation="RetrieveMemoryRecords", containing=case.marker)):
        turn = await say(tables, case, MESSAGE)
    assert turn.failure is None
    assert await inference.suppressed_failures("/ping") == before + 1
    (record,) = tables.records(turn.request_id, SUPPRESSED)
    assert (record["level"], record["code"]) == ("WARNING", "service_unavailable")


def test_every_operation_has_a_scenario() -> None:
    """Or stands, with its reason, among those that call nothing."""
    published = {operation for service in SERVICES for operation in operations_of(service)}
    under_fault = {scenario.act.operation for scenario in SCENARIOS}
    assert under_fault | CALLS_NOTHING.keys() == published
    assert under_fault.isdisjoint(CALLS_NOTHING)
    assert all(CALLS_NOTHING.values())


async def test_what_calls_nothing_calls_nothing(tables: Platform) -> None:
    # The first healthy answer of a process is followed by work of its own.
    await tables.app_api.http.get("/health")
    await tables.app_api.steer("rest")
    admin = tables.sign_in("100000000", "DotNetDevelopers")
    bodies = {
        "POST /auth/refresh": {"refresh_token": "r"},
        "POST /chat/multimodal": {"session_id": "s1", "message": "hi"},
    }
    with tables.proxy.recording() as recording:
        for operation in CALLS_NOTHING:
            method, path = operation.split(" ")
            service = tables.inference_api if path == "/ping" else tables.app_api
            answer = await service.http.request(method, path, headers=admin.headers, json=bodies.get(operation))
            assert answer.status_code in {200, 204}, operation
    assert recording.calls == []
