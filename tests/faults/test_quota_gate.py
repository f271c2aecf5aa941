"""Every AWS call of the gate, and of a turn that it stops, failed in every way, as in `test_matrix`."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.faults.scenario import MESSAGE, Case, Scenario
from tests.faults.scenarios.chat import a_priced_model, turn
from tests.faults.test_matrix import AT_ONCE, HANGING_AT_ONCE, Place, places_of, problems_of, ways_to_fail
from tests.support import stored
from tests.support.aws_wire import Target
from tests.support.fault_proxy import FaultKind
from tests.support.platform import Platform
from tests.support.stored import Thing

GATE_TABLES = (stored.QUOTAS, stored.QUOTA_EVENTS, stored.SUMMARIES)


def spent(platform: Platform, case: Case, cost: float) -> Iterator[Thing]:
    """Of a limit of 10."""
    yield from a_priced_model(platform, case)
    yield stored.spent(case.user_id, cost)
    yield stored.quota_tier(f"tier-{case.marker}", 10)
    yield stored.quota_assignment("direct_user", case.user_id, f"tier-{case.marker}")


def spent_today(platform: Platform, case: Case) -> Iterator[Thing]:
    yield from a_priced_model(platform, case)
    attribution = {"userId": case.user_id, "sessionId": "s", "timestamp": datetime.now(UTC).isoformat()}
    yield stored.cost_record(case.user_id, "s", 1, cost=8.5, attribution=attribution)
    yield stored.quota_tier(f"tier-{case.marker}", 1000, periodType="daily", dailyCostLimit=10)
    yield stored.quota_assignment("direct_user", case.user_id, f"tier-{case.marker}")


def limited_by_a_role(platform: Platform, case: Case) -> Iterator[Thing]:
    yield from a_priced_model(platform, case)
    yield stored.spent(case.user_id, 8.5)
    yield stored.quota_tier(f"tier-{case.marker}", 10)
    yield stored.quota_assignment("jwt_role", case.role, f"tier-{case.marker}")


async def is_alternating(platform: Platform, case: Case, unstored: bool) -> None:
    """And the session is free; the next turn is stopped again."""
    if not unstored:
        roles = [message["role"] for message in await platform.messages(case.session_id, user=case.user)]
        assert roles == ["user", "assistant"]
    answer = await platform.chat(case.session_id, user=case.user, model_id=case.model_id)
    assert "quota_exceeded" in answer.names
    # What it records would be taken for a call of the next case.
    await platform.settled(answer.request_id)


def gate(name: str, cost: float, **options: Any) -> Scenario:
    return turn(name, MESSAGE, arrange=lambda platform, case: spent(platform, case, cost), **options)


NOT_NEEDED = {
    (call, kind): "It is read beside the gate for a turn that then does not run; the ending reads the history again."
    for call in (
        f"dynamodb.Query {stored.MODELS}",
        f"dynamodb.Query {stored.ROLES}",
        f"dynamodb.GetItem {stored.ROLES}",
        "bedrock-agentcore.ListEvents",
    )
    for kind in FaultKind
}
BLOCKED = Scenario(
    "blocked turn",
    gate("", 12).act,
    lambda platform, case: spent(platform, case, 12),
    verify=is_alternating,
    repeats=False,
    harmless=NOT_NEEDED,
)
DAILY = turn("turn with a quota of the day", MESSAGE, arrange=spent_today)
BY_ROLE = turn("turn with a quota of a role", MESSAGE, arrange=limited_by_a_role)
SCENARIOS = [gate("turn with a quota", 1), gate("turn that is warned", 8.5), BLOCKED, DAILY, BY_ROLE]


async def places_in(platform: Platform, scenario: Scenario, kind: FaultKind) -> list[Place]:
    quotas, sessions = (platform.variables[name] for name in (stored.QUOTAS, stored.SESSIONS))
    if scenario is BY_ROLE:
        # Behind the two queries for the user: the rules of groups, which a process keeps.
        of_groups = range(3, 4) if kind is FaultKind.TIMEOUT else range(3, 7)
        query = Target("dynamodb", "Query", quotas)
        return [Place(query, nth, is_own=False, is_cold=True) for nth in of_groups]
    places = await places_of(platform, scenario)
    if scenario is BLOCKED:
        return places
    if scenario is DAILY:
        return [place for place in places if (place.target.operation, place.target.table) == ("Query", sessions)]
    of_gate = {platform.variables[name] for name in GATE_TABLES}
    return [place for place in places if place.target.table in of_gate]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("scenario", "kind"),
    [
        pytest.param(scenario, kind, id=f"{scenario.name}-{kind}")
        for scenario in SCENARIOS
        for kind in (*ways_to_fail(scenario.name, 0), FaultKind.TIMEOUT)
    ],
)
async def test_no_failure_stays_unseen(gated: Platform, scenario: Scenario, kind: FaultKind) -> None:
    places = await places_in(gated, scenario, kind)
    assert places
    together = asyncio.Semaphore(HANGING_AT_ONCE["dynamodb"] if kind is FaultKind.TIMEOUT else AT_ONCE)
    problems = await problems_of(gated, [(scenario, kind, place) for place in places], defaultdict(lambda: together))
    assert not problems, "\n" + "\n".join(problems)
