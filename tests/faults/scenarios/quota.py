from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.faults.scenario import Arrange, Case, Request, Scenario
from tests.support import stored
from tests.support.fault_proxy import FaultKind
from tests.support.platform import Platform
from tests.support.stored import Thing

ADMIN = ("Admin",)
LATE = "2999-01-01T00:00:00.000Z"

type Fill = Mapping[str, Callable[[Case], str]]


def tier_id(case: Case) -> str:
    return f"tier-{case.marker}"


def record_id(case: Case) -> str:
    return f"record-{case.marker}"


TIER: Fill = {"tier_id": tier_id}
ASSIGNMENT: Fill = {"assignment_id": record_id}
OVERRIDE: Fill = {"override_id": record_id}
USER: Fill = {"user_id": lambda case: case.user_id}


def a_tier(_: Platform, case: Case) -> Iterator[Thing]:
    yield stored.quota_tier(tier_id(case))


def an_assignment(platform: Platform, case: Case) -> Iterator[Thing]:
    yield from a_tier(platform, case)
    yield stored.quota_assignment("direct_user", case.user_id, tier_id(case), assignmentId=record_id(case))


def an_override(_: Platform, case: Case) -> Iterator[Thing]:
    yield stored.quota_override(case.user_id, overrideId=record_id(case))


def events(_: Platform, case: Case) -> Iterator[Thing]:
    yield stored.quota_event(case.user_id, "2025-01-01T00:00:00Z", tierId=tier_id(case), GSI5PK=f"TIER#{tier_id(case)}")


def a_blocked_person(platform: Platform, case: Case) -> Iterator[Thing]:
    """With a daily limit."""
    yield stored.person(case.user_id, "x", roles=[case.role])
    yield stored.quota_tier(tier_id(case), dailyCostLimit=1, periodType="daily")
    yield stored.quota_assignment("direct_user", case.user_id, tier_id(case))
    now = datetime.now(UTC)
    yield stored.quota_event(case.user_id, f"{(now - timedelta(minutes=5)).isoformat()[:-6]}Z", kind="block")
    attribution = {"userId": case.user_id, "sessionId": case.session_id, "timestamp": now.isoformat()}
    yield stored.cost_record(case.user_id, case.session_id, 1, cost=2, attribution=attribution)


def admins(
    name: str,
    operation: str,
    arrange: Arrange = a_tier,
    *,
    body: Any = None,
    fill: Fill | None = None,
    repeats: bool = True,
    **options: Any,
) -> Scenario:
    return Scenario(
        name,
        Request(operation, body, fill or {}, query=options.pop("query", lambda _: {}), roles=ADMIN),
        arrange,
        repeats=repeats,
        **options,
    )


def new_tier(case: Case) -> dict[str, Any]:
    return {"tierId": tier_id(case), "tierName": "New", "monthlyCostLimit": 10}


def new_assignment(case: Case) -> dict[str, Any]:
    return {"tierId": tier_id(case), "assignmentType": "direct_user", "userId": case.user_id}


def new_app_role_assignment(case: Case) -> dict[str, Any]:
    return {"tierId": tier_id(case), "assignmentType": "app_role", "appRoleId": f"r_{case.marker}"}


def new_override(case: Case) -> dict[str, Any]:
    dates = {"validFrom": "2025-01-01T00:00:00.000Z", "validUntil": LATE}
    return {"userId": case.user_id, "overrideType": "unlimited", "reason": "r", **dates}


DELETED = "What a deleted rule was says only whose rules are looked up again: else everybody's are."
GONE = {(f"dynamodb.DeleteItem {stored.QUOTAS}", FaultKind.CORRUPT_ITEM): DELETED}
EXISTS = {
    (f"dynamodb.GetItem {stored.QUOTAS}", FaultKind.CORRUPT_ITEM): "A tier that cannot be read can still be deleted.",
    (f"dynamodb.DeleteItem {stored.QUOTAS}", FaultKind.CORRUPT_ITEM): "Nothing of a deleted tier is needed.",
}

SCENARIOS = [
    admins("create tier", "POST /admin/quota/tiers", body=new_tier, repeats=False, arrange=lambda *_: ()),
    admins("list tiers", "GET /admin/quota/tiers"),
    admins("get tier", "GET /admin/quota/tiers/{tier_id}", fill=TIER),
    admins("change tier", "PATCH /admin/quota/tiers/{tier_id}", fill=TIER, body={"tierName": "N"}),
    admins("delete tier", "DELETE /admin/quota/tiers/{tier_id}", fill=TIER, repeats=False, harmless=EXISTS),
    admins("create assignment", "POST /admin/quota/assignments", body=new_assignment, repeats=False),
    admins("assign to an AppRole", "POST /admin/quota/assignments", body=new_app_role_assignment, repeats=False),
    admins("list assignments", "GET /admin/quota/assignments", an_assignment),
    admins("get assignment", "GET /admin/quota/assignments/{assignment_id}", an_assignment, fill=ASSIGNMENT),
    admins(
        "change assignment",
        "PATCH /admin/quota/assignments/{assignment_id}",
        an_assignment,
        fill=ASSIGNMENT,
        body=lambda case: {"tierId": tier_id(case), "priority": 7},
    ),
    admins(
        "delete assignment",
        "DELETE /admin/quota/assignments/{assignment_id}",
        an_assignment,
        fill=ASSIGNMENT,
        repeats=False,
        harmless=GONE,
    ),
    admins("create override", "POST /admin/quota/overrides", body=new_override, repeats=False),
    admins("list overrides", "GET /admin/quota/overrides", an_override),
    admins(
        "list overrides of a user",
        "GET /admin/quota/overrides",
        an_override,
        query=lambda case: {"user_id": case.user_id},
    ),
    admins("get override", "GET /admin/quota/overrides/{override_id}", an_override, fill=OVERRIDE),
    admins(
        "change override",
        "PATCH /admin/quota/overrides/{override_id}",
        an_override,
        fill=OVERRIDE,
        body={"validUntil": LATE, "reason": "Longer"},
    ),
    admins(
        "change nothing of an override",
        "PATCH /admin/quota/overrides/{override_id}",
        an_override,
        fill=OVERRIDE,
        body={},
    ),
    admins(
        "delete override",
        "DELETE /admin/quota/overrides/{override_id}",
        an_override,
        fill=OVERRIDE,
        repeats=False,
        harmless=GONE,
    ),
    admins("events of a user", "GET /admin/quota/events", events, query=lambda case: {"user_id": case.user_id}),
    admins("events of a tier", "GET /admin/quota/events", events, query=lambda case: {"tier_id": tier_id(case)}),
    admins("look at a quota", "GET /admin/quota/users/{user_id}", a_blocked_person, fill=USER),
]
