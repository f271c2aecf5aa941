"""Which quota counts for somebody, and why."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.integration.quota.conftest import QuotaEditor, refusal
from tests.support import stored
from tests.support.fault_proxy import Fault, FaultKind


def ago(**spans: float) -> str:
    return (datetime.now(UTC) - timedelta(**spans)).isoformat().replace("+00:00", "Z")


async def test_nobody_needs_to_be_known(quota: QuotaEditor, user_id: str) -> None:
    expected: dict[str, Any] = {
        "userId": user_id,
        "email": "",
        "roles": [],
        **dict.fromkeys(("tier", "assignment", "override", "matchedBy", "quotaLimit", "remaining", "lastBlockTime")),
        "currentPeriod": f"{datetime.now(UTC):%Y-%m}",
        "currentUsage": 0.0,
        "percentageUsed": 0.0,
        "recentBlocks": 0,
    }
    quota.platform.store(stored.spent(user_id, Decimal("12.5")))
    assert await quota.look(user_id) == {**expected, "currentUsage": 12.5}
    longer = "9" * 2_100
    assert await quota.look(longer) == {**expected, "userId": longer}


@pytest.mark.parametrize(
    ("spent", "limit", "used", "remaining"),
    [
        ("79.99", 100, 79.99, 20.01),
        ("95.123456", 100, 95.123456, 4.876544),
        ("250.5", 100, 250.5, 0.0),
        ("8.1", 9, 90.0, 0.9),
        ("1", 0, 100.0, 0.0),
    ],
)
async def test_m4_d15_the_month(
    quota: QuotaEditor, user_id: str, spent: str, limit: int, used: float, remaining: float
) -> None:
    quota.platform.store(
        stored.spent(user_id, Decimal(spent)),
        stored.quota_tier(user_id, limit),
        stored.quota_assignment("direct_user", user_id, user_id, assignmentId=user_id),
    )
    shown = await quota.look(user_id)
    assert (shown["matchedBy"], shown["tier"]["tierId"]) == ("direct_user", user_id)
    assert shown["assignment"]["assignmentId"] == user_id
    assert (shown["currentUsage"], shown["quotaLimit"]) == (float(spent), limit)
    assert (shown["percentageUsed"], shown["remaining"]) == (pytest.approx(used), pytest.approx(remaining))


async def test_d15_the_day(quota: QuotaEditor, user_id: str) -> None:
    now = datetime.now(UTC)
    yesterday = (now - timedelta(days=1)).isoformat()
    costs = [(now.isoformat(), "0.7"), *((now.isoformat(), "0.1") for _ in range(3)), (yesterday, "5")]
    quota.platform.store(
        stored.quota_tier(user_id, 100, dailyCostLimit=1, periodType="daily"),
        stored.quota_assignment("direct_user", user_id, user_id),
        *(
            stored.cost_record(
                user_id, "s", 1, cost=Decimal(cost), attribution={"userId": user_id, "sessionId": "s", "timestamp": at}
            )
            for at, cost in costs
        ),
    )
    shown = await quota.look(user_id)
    assert shown["currentPeriod"] == f"{now:%Y-%m-%d}"
    assert (shown["currentUsage"], shown["quotaLimit"], shown["percentageUsed"]) == (1.0, 1.0, 100.0)


async def test_d15_blocks_of_a_day(quota: QuotaEditor, user_id: str) -> None:
    last = ago(hours=2)
    quota.platform.store(
        stored.quota_event(user_id, ago(hours=25), kind="block"),
        stored.quota_event(user_id, ago(hours=23), kind="block"),
        stored.quota_event(user_id, last, kind="block"),
        stored.quota_event(user_id, ago(hours=1), kind="warning"),
    )
    shown = await quota.look(user_id)
    assert (shown["recentBlocks"], shown["lastBlockTime"]) == (2, last)


async def test_e_mail_and_roles_as_given_or_as_stored(quota: QuotaEditor, user_id: str) -> None:
    domain, role = f"d{user_id}.test", f"R{user_id}"
    quota.platform.store(
        stored.quota_tier(user_id),
        stored.quota_assignment("email_domain", f"*.{domain}", user_id),
        stored.quota_assignment("jwt_role", role, user_id),
        stored.person(user_id, f"a@{domain}", roles=[role, "Staff"]),
    )
    await quota.platform.app_api.steer("forget")
    shown = await quota.look(user_id)
    assert (shown["matchedBy"], shown["email"]) == (f"jwt_role:{role}", f"a@{domain}")
    assert shown["roles"] == [role, "Staff"]
    shown = await quota.look(user_id, f"?email=b@cs.{domain}&roles= X ,,Y")
    assert (shown["matchedBy"], shown["email"]) == (f"email_domain:*.{domain}", f"b@cs.{domain}")
    assert shown["roles"] == ["X", "Y"]


@pytest.mark.parametrize("variable", [stored.QUOTAS, stored.QUOTA_EVENTS, stored.SUMMARIES, stored.USERS, stored.ROLES])
async def test_e13_f_qtm_16_f_qtm_27_f_qtm_41_what_cannot_be_read(
    quota: QuotaEditor, user_id: str, variable: str
) -> None:
    quota.platform.store(stored.person(user_id, "x", roles=[f"R{user_id}"]))
    fault = Fault(FaultKind.THROTTLED, table=quota.platform.variables[variable], containing=user_id)
    with quota.platform.proxy.injecting(fault) as injection:
        answer = await quota("GET", f"users/{user_id}")
    assert injection.hits
    assert refusal(answer) == (503, "service_unavailable", None)
    assert (await quota.look(user_id))["tier"] is None


async def test_round_trips(quota: QuotaEditor, user_id: str) -> None:
    quota.platform.store(stored.quota_override(user_id))
    with quota.platform.proxy.recording(containing=user_id) as recording:
        await quota.look(user_id)
    names = {value: name for name, value in quota.platform.variables.items()}
    assert Counter(names[str(call.target.table)] for call in recording.calls) == {
        stored.USERS: 1,
        stored.QUOTAS: 2,
        stored.QUOTA_EVENTS: 1,
        stored.SUMMARIES: 1,
    }
