"""One person with costs, quota and events, as administrators see them."""

import time
import uuid
from collections import Counter
from dataclasses import replace
from typing import Any

import httpx
import pytest

from apis.app_api.users.service import get_user_administration
from apis.shared.auth.models import User as SomeUser
from apis.shared.rbac.service import get_app_role_service
from apis.shared.result import Success
from tests.integration.conftest import Aws, Configure
from tests.support import stored
from tests.support.fault_proxy import Fault, FaultKind
from tests.support.platform import Platform, User, running_platform

NO_QUOTA = {
    "tierId": None,
    "tierName": None,
    "matchedBy": None,
    "monthlyLimit": None,
    "currentUsage": 0.0,
    "usagePercentage": 0.0,
    "remaining": None,
    "hasActiveOverride": False,
    "overrideReason": None,
}


@pytest.fixture
def user_id() -> str:
    return str(uuid.uuid4().int)[:9]


async def look(platform: Platform, admin: User, user_id: str) -> httpx.Response:
    return await platform.ask(admin, "GET", f"/admin/users/{user_id}")


async def detail(platform: Platform, admin: User, user_id: str) -> dict[str, Any]:
    answer = await look(platform, admin, user_id)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_everything_of_somebody(tables: Platform, admin: User, user_id: str) -> None:
    breakdown = {
        "a_b": {"modelName": "A", "provider": "p", "cost": 10, "requests": 3},
        "c_d": {"modelName": "C", "provider": "p", "cost": 2.5, "requests": 5},
    }
    tokens = {"totalInputTokens": 1000, "totalOutputTokens": 500}
    tables.store(
        stored.person(
            user_id, "ada@cs.edu", name="Ada", picture="p.png", roles=["Staff", "X"], seen="2025-02-01T00:00:00Z"
        ),
        stored.spent(user_id, 12.5, totalRequests=8, cacheSavings=0.25, modelBreakdown=breakdown, **tokens),
        stored.quota_tier(f"t-{user_id}"),
        stored.quota_assignment("direct_user", user_id, f"t-{user_id}"),
        *(stored.quota_event(user_id, f"2025-01-0{n}T10:00:00Z", used=80 + n, eventId=f"e{n}") for n in range(1, 8)),
    )
    assert await detail(tables, admin, user_id) == {
        "profile": {
            "userId": user_id,
            "email": "ada@cs.edu",
            "name": "Ada",
            "roles": ["Staff", "X"],
            "picture": "p.png",
            "emailDomain": "cs.edu",
            "createdAt": "2024-08-01T08:00:00Z",
            "lastLoginAt": "2025-02-01T00:00:00Z",
            "status": "active",
        },
        "costSummary": {
            "totalCost": 12.5,
            "totalRequests": 8,
            "totalInputTokens": 1000,
            "totalOutputTokens": 500,
            "cacheSavings": 0.25,
            "primaryModel": "C",
        },
        "quotaStatus": {
            "tierId": f"t-{user_id}",
            "tierName": f"Tier t-{user_id}",
            "matchedBy": "direct_user",
            "monthlyLimit": 50.0,
            "currentUsage": 12.5,
            "usagePercentage": 25.0,
            "remaining": 37.5,
            "hasActiveOverride": False,
            "overrideReason": None,
        },
        "recentEvents": [
            {
                "eventId": f"e{n}",
                "eventType": "warning",
                "timestamp": f"2025-01-0{n}T10:00:00Z",
                "percentageUsed": 80.0 + n,
            }
            for n in (7, 6, 5, 4, 3)
        ],
    }


async def test_nothing_but_a_profile(tables: Platform, admin: User, user_id: str) -> None:
    tables.store(stored.person(user_id, "x", roles=[]))
    answer = await look(tables, admin, user_id)
    body = answer.json()
    assert body["profile"]["picture"] is None
    assert body["costSummary"] == {
        "totalCost": 0.0,
        "totalRequests": 0,
        "totalInputTokens": 0,
        "totalOutputTokens": 0,
        "cacheSavings": 0.0,
        "primaryModel": None,
    }
    assert body["quotaStatus"] == NO_QUOTA
    assert body["recentEvents"] == []
    assert '"totalCost":0.0' in answer.text, "a number, which the client rounds"


async def test_without_a_quota_no_usage_is_shown(tables: Platform, admin: User, user_id: str) -> None:
    tables.store(stored.person(user_id, "x", roles=[]), stored.spent(user_id, 3))
    body = await detail(tables, admin, user_id)
    assert (body["costSummary"]["totalCost"], body["quotaStatus"]) == (3.0, NO_QUOTA)


@pytest.mark.parametrize(
    ("cost", "limit", "shown"),
    [
        (60, 50, (50.0, 60.0, 120.0, 0.0)),
        (0, 50, (50.0, 0.0, 0.0, 50.0)),
        (250.5, 100, (100.0, 250.5, 250.5, 0.0)),
        (8.1, 9, (9.0, 8.1, 90.0, 0.9)),
        (1, 0, (0.0, 1.0, 100.0, 0.0)),
        (0, 0, (0.0, 0.0, 100.0, 0.0)),
        (1, -5, (-5.0, 1.0, 100.0, 0.0)),
        (5, 999_998.99, (999_998.99, 5.0, 0.0, 999_993.99)),
        (5, 999_999, (None, 5.0, 0.0, None)),
    ],
)
async def test_e19_m4_usage_of_a_limit(
    tables: Platform, admin: User, user_id: str, cost: float, limit: float, shown: tuple[Any, ...]
) -> None:
    tables.store(
        stored.person(user_id, "x", roles=[]),
        stored.spent(user_id, cost),
        stored.quota_tier(f"t-{user_id}", limit),
        stored.quota_assignment("direct_user", user_id, f"t-{user_id}"),
    )
    status = (await detail(tables, admin, user_id))["quotaStatus"]
    assert tuple(status[name] for name in ("monthlyLimit", "currentUsage", "usagePercentage", "remaining")) == shown


@pytest.mark.parametrize(
    ("override", "name", "limit"),
    [
        ({"limit": 75}, "Custom Override", 75.0),
        ({"overrideType": "unlimited", "limit": None}, "Unlimited Override", None),
    ],
    ids=["another limit", "no limit"],
)
async def test_an_override(
    tables: Platform, admin: User, user_id: str, override: dict[str, Any], name: str, limit: float | None
) -> None:
    tables.store(
        stored.person(user_id, "x", roles=[]),
        stored.spent(user_id, 15),
        stored.quota_override(user_id, overrideId=f"o-{user_id}", **override),
    )
    assert (await detail(tables, admin, user_id))["quotaStatus"] == {
        "tierId": f"override_o-{user_id}",
        "tierName": name,
        "matchedBy": "override",
        "monthlyLimit": limit,
        "currentUsage": 15.0,
        "usagePercentage": 20.0 if limit else 0.0,
        "remaining": 60.0 if limit else None,
        "hasActiveOverride": True,
        "overrideReason": "A thesis",
    }


async def test_the_stored_roles_and_e_mail_decide(tables: Platform, admin: User, user_id: str) -> None:
    """Each step that goes by them, the later one first."""
    role, domain = f"Role-{user_id}", f"d{user_id}.edu"
    app_role = f"r_{user_id}"
    tables.store(
        stored.person(user_id, f"a@{domain}", roles=[role]),
        stored.quota_tier(f"t-{user_id}"),
        *stored.role(app_role, role, enabled=True),
    )
    for kind, criterion, matched_by in (
        ("email_domain", f"*.{domain}", f"email_domain:*.{domain}"),
        ("jwt_role", role, f"jwt_role:{role}"),
        ("app_role", app_role, f"app_role:{app_role}"),
    ):
        tables.store(stored.quota_assignment(kind, criterion, f"t-{user_id}"))
        await tables.app_api.steer("forget")
        assert (await detail(tables, admin, user_id))["quotaStatus"]["matchedBy"] == matched_by


async def test_r_13_looking_changes_nobodys_permissions(aws: Aws, user_id: str) -> None:
    """D-06: the stored roles give other AppRoles than the token, and neither is found under the other's key."""
    role, model = f"Role-{user_id}", f"m-{user_id}"
    aws.store(
        stored.person(user_id, "a@b.test", roles=[role]),
        *stored.role(f"r_{user_id}", role, enabled=True, **stored.granting(models=[model])),
    )
    person = SomeUser("a@b.test", user_id, "A", ["Staff"])
    for _ in range(2):
        assert isinstance(await get_user_administration().detail(user_id), Success)
        permissions = (await get_app_role_service().resolve_user_permissions(person)).unwrap()
        assert not permissions.allows_model(model)


async def test_f_users_11_the_second_variable_of_the_events(aws: Aws, configure: Configure, user_id: str) -> None:
    aws.store(stored.person(user_id, "x", roles=[]), stored.quota_event(user_id, "2025-01-01T00:00:00Z"))
    configure(DYNAMODB_QUOTA_EVENTS_TABLE=None, DYNAMODB_EVENTS_TABLE=aws.environment[stored.QUOTA_EVENTS])
    assert len((await get_user_administration().detail(user_id)).unwrap().recent_events) == 1


async def test_round_trips(tables: Platform, admin: User, user_id: str) -> None:
    """The profile, then costs, quota and events at once; of the quota the rules of the user are read first."""
    for somebody in (f"{user_id}0", user_id):
        tables.store(stored.person(somebody, "x", roles=[]), stored.quota_override(somebody))
    await detail(tables, admin, f"{user_id}0")
    tables.proxy.delay_seconds = 0.3
    try:
        with tables.proxy.recording() as recording:
            begun = time.monotonic()
            await detail(tables, admin, user_id)
            seconds = time.monotonic() - begun
    finally:
        tables.proxy.delay_seconds = 0.0
    variables = {value: name for name, value in tables.variables.items()}
    tables_read = [variables[str(call.target.table)] for call in recording.calls]
    assert tables_read[0] == stored.USERS
    assert Counter(tables_read) == {stored.USERS: 1, stored.SUMMARIES: 1, stored.QUOTAS: 2, stored.QUOTA_EVENTS: 1}
    assert seconds < 0.9, "more than two steps"


@pytest.mark.parametrize(
    ("variable", "row"),
    [
        (stored.SUMMARIES, "F-USERS-10"),
        (stored.QUOTA_EVENTS, "F-USERS-11"),
        (stored.QUOTAS, "F-USERS-12"),
        (stored.USERS, "F-USERS-01"),
    ],
)
@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [(FaultKind.THROTTLED, 503, "service_unavailable"), (FaultKind.ACCESS_DENIED, 500, "internal_error")],
)
async def test_e19_what_cannot_be_read_is_not_shown_as_nothing(
    tables: Platform, admin: User, user_id: str, variable: str, row: str, kind: FaultKind, status: int, code: str
) -> None:
    tables.store(stored.person(user_id, "x", roles=[]))
    fault = Fault(kind, table=tables.variables[variable], containing=user_id)
    with tables.proxy.injecting(fault) as injection:
        answer = await look(tables, admin, user_id)
    assert injection.hits
    assert (answer.status_code, answer.json()["code"]) == (status, code), row
    assert (await look(tables, admin, user_id)).status_code == 200, "the failure was kept"


async def test_f_qtm_27_roles_that_cannot_be_read(tables: Platform, admin: User, user_id: str) -> None:
    """R12 for the page of another user."""
    tables.store(stored.person(user_id, "x", roles=[f"Role-{user_id}"]))
    fault = Fault(FaultKind.THROTTLED, table=tables.variables[stored.ROLES], containing=user_id)
    with tables.proxy.injecting(fault):
        answer = await look(tables, admin, user_id)
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    assert (await detail(tables, admin, user_id))["quotaStatus"] == NO_QUOTA


@pytest.mark.parametrize(
    "corrupt",
    [
        lambda user_id: stored.spent(user_id, "much", cents=0),
        lambda user_id: stored.quota_event(user_id, "2025-01-01T00:00:00Z", kind="party"),
        lambda user_id: stored.quota_override(user_id, until="soon"),
        lambda user_id: stored.quota_assignment("direct_user", user_id, "t", enabled="x"),
    ],
    ids=["costs", "event", "override", "assignment"],
)
async def test_a_record_that_does_not_fit(tables: Platform, admin: User, user_id: str, corrupt: Any) -> None:
    tables.store(stored.person(user_id, "x", roles=[]), corrupt(user_id))
    answer = await look(tables, admin, user_id)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")


async def test_f_users_15_without_a_users_table(tables: Platform, admin: User, staff: User) -> None:
    around = replace(tables.surroundings, chosen={stored.USERS: ""})
    async with running_platform(around, tables.root, in_tables=True) as without:
        nobody: dict[str, Any] = {"users": [], "nextCursor": None, "totalCount": None}
        for path in ("/admin/users", "/admin/users?domain=a.b", "/admin/users/search?email=a@b.c"):
            assert (await without.ask(admin, "GET", path)).json() == nobody
        assert (await without.ask(staff, "GET", "/users/search?q=ab")).json() == {"users": []}
        answer = await look(without, admin, "1")
        assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
        signed_in = without.sign_in("900000009", "Staff", email="a@b.test")
        assert (await without.ask(signed_in, "GET", "/sessions")).status_code == 200


@pytest.mark.parametrize("kind", ["app_role", "email_domain", "default_tier"])
async def test_f_qtm_08_10_rules_of_groups_that_cannot_be_read(
    tables: Platform, admin: User, user_id: str, kind: str
) -> None:
    """They are kept for all users, so a process that has just started reads them."""
    tables.store(stored.person(user_id, "x", roles=[]))
    await tables.app_api.steer("forget")
    with tables.proxy.injecting(Fault(FaultKind.THROTTLED, containing=f"ASSIGNMENT_TYPE#{kind}")) as injection:
        answer = await look(tables, admin, user_id)
    assert injection.hits == 1
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    assert (await detail(tables, admin, user_id))["quotaStatus"] == NO_QUOTA
