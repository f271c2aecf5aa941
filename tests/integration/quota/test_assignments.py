"""Who gets a tier."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from tests.integration.quota.conftest import QuotaEditor, refusal
from tests.support import stored

CRITERIA = {"direct_user": "userId", "app_role": "appRoleId", "jwt_role": "jwtRole", "email_domain": "emailDomain"}


def body(kind: str, tier_id: str, criterion: str | None, **members: Any) -> dict[str, Any]:
    named = {CRITERIA[kind]: criterion} if kind in CRITERIA else {}
    return {"tierId": tier_id, "assignmentType": kind, **named, **members}


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("direct_user", {"GSI2PK": "USER#{0}", "GSI2SK": "ASSIGNMENT#{1}"}),
        ("app_role", {"GSI6PK": "APP_ROLE#{0}", "GSI6SK": "PRIORITY#{2}"}),
        ("jwt_role", {"GSI3PK": "ROLE#{0}", "GSI3SK": "PRIORITY#{2}"}),
        ("email_domain", {}),
        ("default_tier", {}),
    ],
)
async def test_e5_what_is_stored_of_each_type(
    quota: QuotaEditor, user_id: str, kind: str, keys: dict[str, str]
) -> None:
    criterion = f"c{user_id}"
    await quota.tier(user_id)
    await quota.tier(f"{user_id}-vip")
    answer = await quota("POST", "assignments", body(kind, user_id, criterion))
    shown = answer.json()
    assignment_id = shown["assignmentId"]
    try:
        assert answer.status_code == 201
        named = {CRITERIA[kind]: criterion} if kind in CRITERIA else {}
        members = {
            "assignmentId": assignment_id,
            "tierId": user_id,
            "assignmentType": kind,
            **named,
            "priority": 100,
            "enabled": True,
            "createdAt": shown["createdAt"],
            "updatedAt": shown["createdAt"],
            "createdBy": "111111111",
        }
        assert shown == {**dict.fromkeys(CRITERIA.values()), **members}
        assert quota.item(f"ASSIGNMENT#{assignment_id}") == {
            "PK": f"ASSIGNMENT#{assignment_id}",
            "SK": "METADATA",
            "GSI1PK": f"ASSIGNMENT_TYPE#{kind}",
            "GSI1SK": f"PRIORITY#100#{assignment_id}",
            **{name: value.format(criterion, assignment_id, 100) for name, value in keys.items()},
            **members,
        }
        assert await quota.done("GET", f"assignments/{assignment_id}") == shown
        change = {"tierId": f"{user_id}-vip", "priority": 10, "enabled": True}
        changed = await quota.done("PATCH", f"assignments/{assignment_id}", change)
        assert changed == {**shown, **change, "updatedAt": changed["updatedAt"]}
        item = quota.item(f"ASSIGNMENT#{assignment_id}")
        assert item["GSI1SK"] == f"PRIORITY#10#{assignment_id}"
        for name, value in keys.items():
            assert item[name] == value.format(criterion, assignment_id, 10)
    finally:
        assert (await quota("DELETE", f"assignments/{assignment_id}")).status_code == 204
    assert quota.item(f"ASSIGNMENT#{assignment_id}") == {}


async def test_criteria_of_other_types_are_kept(quota: QuotaEditor, user_id: str) -> None:
    await quota.tier(user_id)
    shown = await quota.done(
        "POST", "assignments", body("direct_user", user_id, user_id, jwt_role="R", emailDomain="(")
    )
    assert (shown["userId"], shown["jwtRole"], shown["emailDomain"]) == (user_id, "R", "(")
    assert "GSI3PK" not in quota.item(f"ASSIGNMENT#{shown['assignmentId']}")


async def test_an_unknown_tier(quota: QuotaEditor, user_id: str) -> None:
    answer = await quota("POST", "assignments", body("direct_user", "nope", ""))
    assert refusal(answer) == (400, "bad_request", "tierId")
    await quota.tier(user_id)
    assignment_id = await quota.assign("direct_user", user_id, userId=user_id)
    before = quota.item(f"ASSIGNMENT#{assignment_id}")
    answer = await quota("PATCH", f"assignments/{assignment_id}", {"tierId": "nope", "priority": 1})
    assert refusal(answer) == (400, "bad_request", "tierId")
    assert quota.item(f"ASSIGNMENT#{assignment_id}") == before


@pytest.mark.parametrize("kind", CRITERIA)
@pytest.mark.parametrize("criterion", [None, ""])
async def test_a_missing_criterion(quota: QuotaEditor, user_id: str, kind: str, criterion: str | None) -> None:
    await quota.tier(user_id)
    answer = await quota("POST", "assignments", body(kind, user_id, criterion))
    assert refusal(answer) == (400, "bad_request", CRITERIA[kind])


@pytest.mark.parametrize("pattern", ["regex:(", "regex:", f"regex:{'a' * 201}", ",", "*.", "*", " "])
async def test_q2_f_qtm_28_a_pattern_that_means_nobody(quota: QuotaEditor, user_id: str, pattern: str) -> None:
    await quota.tier(user_id)
    answer = await quota("POST", "assignments", body("email_domain", user_id, pattern))
    assert refusal(answer) == (400, "bad_request", "emailDomain")


@pytest.mark.parametrize("kind", ["direct_user", "app_role"])
async def test_d04_one_assignment_for_a_user_and_for_an_app_role(quota: QuotaEditor, user_id: str, kind: str) -> None:
    await quota.tier(user_id)
    first = await quota.assign(kind, user_id, enabled=False, **{CRITERIA[kind]: f"c{user_id}"})
    answer = await quota("POST", "assignments", body(kind, user_id, f"c{user_id}"))
    assert refusal(answer) == (400, "bad_request", None)
    assert first in answer.json()["detail"]


@pytest.mark.parametrize("kind", ["jwt_role", "email_domain"])
async def test_others_may_repeat(quota: QuotaEditor, user_id: str, kind: str) -> None:
    await quota.tier(user_id)
    for _ in range(2):
        await quota.assign(kind, user_id, **{CRITERIA[kind]: f"c{user_id}"})


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("assignment_id", ["nope", "x" * 2_100], ids=["unknown", "longer than a key"])
async def test_f_qtm_42_one_that_is_not_there(quota: QuotaEditor, method: str, assignment_id: str) -> None:
    answer = await quota(method, f"assignments/{assignment_id}", {"priority": 1} if method == "PATCH" else None)
    assert refusal(answer) == (404, "not_found", None)
    assert quota.item("ASSIGNMENT#nope") == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, "\u20ac" * 1_000) for name in ("userId", "jwtRole", "appRoleId", "tierId")),
        ("emailDomain", "x" * 2_001),
        ("priority", -1),
        ("priority", 10**39 + 1),
        ("assignmentType", "other"),
    ],
    ids=lambda value: str(value)[:12],
)
async def test_q9_bounds(quota: QuotaEditor, name: str, value: Any) -> None:
    answer = await quota("POST", "assignments", {**body("direct_user", "t", "u"), name: value})
    assert refusal(answer) == (422, "validation_error", f"body.{name}")


async def test_the_list(quota: QuotaEditor, user_id: str) -> None:
    await quota.tier(user_id)
    for kind, priority, enabled in (
        ("jwt_role", 9, True),
        ("jwt_role", 100, False),
        ("jwt_role", 90, True),
        ("direct_user", 1, True),
    ):
        await quota.assign(kind, user_id, priority=priority, enabled=enabled, userId=user_id, jwtRole=f"R{user_id}")
    every = [("direct_user", 1), ("jwt_role", 100), ("jwt_role", 90), ("jwt_role", 9)]
    for query, expected in (
        (f"?tier_id={user_id}", every),
        (f"?tier_id={user_id}&enabled_only=true", [every[0], *every[2:]]),
        (f"?tier_id={user_id}&assignment_type=jwt_role", every[1:]),
        (f"?tier_id={user_id}&assignment_type=", every),
        ("?assignment_type=party", []),
        ("?tier_id=nope", []),
    ):
        listed = await quota.done("GET", f"assignments{query}")
        assert [(one["assignmentType"], one["priority"]) for one in listed] == expected, query
    for query in ("", "?tier_id=", "?tier_id=&assignment_type="):
        everybodys = await quota.done("GET", f"assignments{query}")
        assert [(one["assignmentType"], one["priority"]) for one in everybodys if one["tierId"] == user_id] == every


async def test_f_qtm_25_one_that_does_not_fit(quota: QuotaEditor, user_id: str) -> None:
    quota.platform.store(stored.quota_assignment("jwt_role", user_id, "t", assignmentId=user_id, enabled="x"))
    for path in ("assignments", f"assignments/{user_id}"):
        assert refusal(await quota("GET", path)) == (500, "internal_error", None)
    assert (await quota("DELETE", f"assignments/{user_id}")).status_code == 204


async def test_e7_the_default_by_number(quota: QuotaEditor, user_id: str) -> None:
    basic, vip = await quota.tier(f"{user_id}b"), await quota.tier(f"{user_id}v")
    ids = [
        await quota.assign("default_tier", basic, priority=50_000),
        await quota.assign("default_tier", vip, priority=100_000),
        await quota.assign("default_tier", basic, priority=9_000),
    ]
    try:
        shown = await quota.look(user_id)
        assert (shown["matchedBy"], shown["tier"]["tierId"]) == ("default_tier", vip)
    finally:
        for assignment_id in ids:
            await quota.done("DELETE", f"assignments/{assignment_id}")
    assert (await quota.look(user_id))["matchedBy"] is None


async def test_q7_a_change_counts_at_once_in_this_process(quota: QuotaEditor, user_id: str) -> None:
    role, query = f"R{user_id}", f"?roles=R{user_id},Other"

    async def matched() -> Any:
        shown = await quota.look(user_id, query)
        return (shown["matchedBy"], shown["quotaLimit"]) if shown["tier"] else None

    assert await matched() is None
    await quota.tier(user_id, 10)
    of_role = await quota.assign("jwt_role", user_id, jwtRole=role)
    assert await matched() == (f"jwt_role:{role}", 10.0)
    await quota.done("PATCH", f"tiers/{user_id}", {"monthlyCostLimit": 20})
    assert await matched() == (f"jwt_role:{role}", 20.0)
    of_user = await quota.assign("direct_user", user_id, userId=user_id)
    assert await matched() == ("direct_user", 20.0)
    override = await quota.override(user_id, overrideType="custom_limit", monthlyCostLimit=30)
    assert await matched() == ("override", 30.0)
    await quota.done("PATCH", f"overrides/{override['overrideId']}", {"enabled": False})
    assert await matched() == ("direct_user", 20.0)
    await quota.done("PATCH", f"overrides/{override['overrideId']}", {"enabled": True})
    assert await matched() == ("override", 30.0)
    await quota.done("DELETE", f"overrides/{override['overrideId']}")
    await quota.done("PATCH", f"assignments/{of_user}", {"enabled": False})
    assert await matched() == (f"jwt_role:{role}", 20.0)
    await quota.done("DELETE", f"assignments/{of_user}")
    await quota.done("DELETE", f"assignments/{of_role}")
    assert await matched() is None


async def test_q8_a_tier_that_goes_while_it_is_assigned(quota: QuotaEditor, user_id: str) -> None:
    await quota.tier(user_id)
    quota.platform.store(stored.quota_assignment("direct_user", user_id, f"{user_id}-gone"))
    assert (await quota.look(user_id))["matchedBy"] is None
    assert len(await quota.done("GET", f"assignments?tier_id={user_id}-gone")) == 1


async def test_round_trips(quota: QuotaEditor, user_id: str) -> None:
    await quota.tier(user_id)
    assignment_id = await quota.assign("direct_user", user_id, userId=f"{user_id}0")
    override_id = (await quota.override(user_id))["overrideId"]
    new = body("direct_user", user_id, user_id)
    expected: dict[tuple[str, str], tuple[Any, dict[str, int]]] = {
        ("GET", "tiers"): (None, {"Scan": 1}),
        ("PATCH", f"tiers/{user_id}"): ({}, {"UpdateItem": 1}),
        ("DELETE", f"tiers/{user_id}"): (None, {"GetItem": 1, "Query": 5}),
        ("GET", "assignments"): (None, {"Query": 5}),
        ("POST", "assignments"): (new, {"GetItem": 1, "Query": 1, "PutItem": 1}),
        ("PATCH", f"assignments/{assignment_id}"): ({"priority": 1}, {"GetItem": 1, "UpdateItem": 1}),
        ("DELETE", f"assignments/{assignment_id}"): (None, {"DeleteItem": 1}),
        ("GET", "overrides"): (None, {"Scan": 1}),
        ("GET", f"overrides?user_id={user_id}"): (None, {"Query": 1}),
        ("PATCH", f"overrides/{override_id}"): ({"enabled": True}, {"UpdateItem": 1}),
        ("DELETE", f"overrides/{override_id}"): (None, {"DeleteItem": 1}),
    }
    table = quota.platform.variables[stored.QUOTAS]
    for (method, path), (sent, calls) in expected.items():
        with quota.platform.proxy.recording(containing=table) as recording:
            await quota(method, path, sent)
        assert Counter(call.target.operation for call in recording.calls) == calls, f"{method} {path}"


async def test_d09_a_change_of_what_is_deleted_meanwhile(quota: QuotaEditor, user_id: str) -> None:
    """It is not there any more, and no part of it is."""
    await quota.tier(user_id)
    assignment_id = await quota.assign("direct_user", user_id, userId=user_id)
    with quota.platform.proxy.holding("GetItem", containing=f"ASSIGNMENT#{assignment_id}") as read:
        changing = asyncio.create_task(quota("PATCH", f"assignments/{assignment_id}", {"priority": 1}))
        await read.has(1)
        await quota.done("DELETE", f"assignments/{assignment_id}")
    assert refusal(await changing) == (404, "not_found", None)
    assert quota.item(f"ASSIGNMENT#{assignment_id}") == {}
