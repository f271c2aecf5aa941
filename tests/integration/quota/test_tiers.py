"""Tiers, as administrators make and change them."""

import asyncio
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from tests.integration.quota.conftest import QuotaEditor, refusal
from tests.support import stored


def body(tier_id: str, **members: Any) -> dict[str, Any]:
    return {"tierId": tier_id, "tierName": "Basic", "monthlyCostLimit": 100, **members}


async def test_e1_e2_a_new_tier_and_the_same_again(quota: QuotaEditor, user_id: str) -> None:
    answer = await quota("POST", "tiers", body(user_id))
    shown = answer.json()
    assert answer.status_code == 201
    assert shown == {
        "tierId": user_id,
        "tierName": "Basic",
        "description": None,
        "monthlyCostLimit": shown["monthlyCostLimit"],
        "dailyCostLimit": None,
        "periodType": "monthly",
        "softLimitPercentage": "80.0",
        "actionOnLimit": "block",
        "enabled": True,
        "createdAt": shown["createdAt"],
        "updatedAt": shown["createdAt"],
        "createdBy": "111111111",
    }
    assert Decimal(shown["monthlyCostLimit"]) == 100
    assert shown["createdAt"].endswith("Z")
    assert quota.item(f"QUOTA_TIER#{user_id}") == {
        "PK": f"QUOTA_TIER#{user_id}",
        "SK": "METADATA",
        "tierId": user_id,
        "tierName": "Basic",
        "monthlyCostLimit": 100,
        "periodType": "monthly",
        "softLimitPercentage": 80,
        "actionOnLimit": "block",
        "enabled": True,
        "createdAt": shown["createdAt"],
        "updatedAt": shown["createdAt"],
        "createdBy": "111111111",
    }
    again = await quota("POST", "tiers", body(user_id))
    assert refusal(again) == (400, "bad_request", None)
    assert user_id in again.json()["detail"]
    read = await quota.done("GET", f"tiers/{user_id}")
    amounts = ("monthlyCostLimit", "softLimitPercentage")
    assert [Decimal(read.pop(name)) for name in amounts] == [Decimal(shown.pop(name)) for name in amounts]
    assert read == shown


async def test_snake_case_numbers_in_texts_and_unknown_members(quota: QuotaEditor, user_id: str) -> None:
    sent = {
        "tier_id": user_id,
        "tier_name": "T",
        "monthly_cost_limit": "100.50",
        "daily_cost_limit": 5.25,
        "period_type": "daily",
        "soft_limit_percentage": "75",
        "action_on_limit": "warn",
        "colour": "red",
    }
    shown = await quota.done("POST", "tiers", sent)
    amounts = [Decimal(shown[name]) for name in ("monthlyCostLimit", "dailyCostLimit", "softLimitPercentage")]
    assert amounts == [Decimal("100.5"), Decimal("5.25"), 75]
    assert (shown["periodType"], shown["actionOnLimit"]) == ("daily", "warn")


@pytest.mark.parametrize("name", ["monthlyCostLimit", "dailyCostLimit", "softLimitPercentage"])
@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "1E+200", -1, "", "x", f"0.{'1' * 45}"], ids=lambda value: str(value)[:10] or "empty"
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_m5_d14_amounts_that_are_none(quota: QuotaEditor, name: str, value: Any, method: str) -> None:
    path = "tiers" if method == "POST" else "tiers/nope"
    answer = await quota(method, path, {**body("nope"), name: value})
    assert refusal(answer) == (422, "validation_error", f"body.{name}")


@pytest.mark.parametrize(
    "change", [{"monthlyCostLimit": 0}, {"dailyCostLimit": 0}, {"softLimitPercentage": 100.1}, {"tierId": ""}], ids=str
)
async def test_m5_amounts_and_ids_out_of_range(quota: QuotaEditor, change: dict[str, Any]) -> None:
    (name,) = change
    assert refusal(await quota("POST", "tiers", {**body("nope"), **change})) == (
        422,
        "validation_error",
        f"body.{name}",
    )


async def test_m5_a_number_that_is_none(quota: QuotaEditor) -> None:
    headers = {**quota.admin.headers, "Content-Type": "application/json"}
    content = '{"tierId":"nope","tierName":"n","monthlyCostLimit":1e400}'
    answer = await quota.platform.app_api.http.post("/admin/quota/tiers", content=content, headers=headers)
    assert refusal(answer) == (422, "validation_error", "body.monthlyCostLimit")


async def test_e3_d03_edited_as_the_client_does(quota: QuotaEditor, user_id: str) -> None:
    await quota.tier(user_id, description="d", dailyCostLimit=5)
    before = quota.item(f"QUOTA_TIER#{user_id}")
    change = {
        "tierName": "Basic",
        "monthlyCostLimit": "100.0",
        "periodType": "monthly",
        "softLimitPercentage": "70",
        "actionOnLimit": "warn",
        "enabled": True,
    }
    shown = await quota.done("PATCH", f"tiers/{user_id}", change)
    assert (float(shown["softLimitPercentage"]), shown["actionOnLimit"]) == (70.0, "warn")
    assert (shown["description"], float(shown["dailyCostLimit"])) == ("d", 5.0)
    assert shown["createdAt"] == before["createdAt"]
    assert shown["updatedAt"] > before["updatedAt"]


async def test_null_removes_what_may_be_absent(quota: QuotaEditor, user_id: str) -> None:
    await quota.tier(user_id, description="d", dailyCostLimit=5)
    nothing = dict.fromkeys(
        ("tierName", "description", "monthlyCostLimit", "dailyCostLimit", "periodType", "enabled", "actionOnLimit")
    )
    shown = await quota.done("PATCH", f"tiers/{user_id}", nothing)
    assert (shown["description"], shown["dailyCostLimit"], shown["tierName"]) == (None, None, user_id)
    assert quota.item(f"QUOTA_TIER#{user_id}").keys().isdisjoint({"description", "dailyCostLimit"})
    later = await quota.done("PATCH", f"tiers/{user_id}", {})
    assert later["updatedAt"] > shown["updatedAt"]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("tier_id", ["nope", "x" * 2_100], ids=["unknown", "longer than a key"])
async def test_e4_q9_f_qtm_42_a_tier_that_is_not_there(quota: QuotaEditor, method: str, tier_id: str) -> None:
    answer = await quota(method, f"tiers/{tier_id}", {"tierName": "x"} if method == "PATCH" else None)
    assert refusal(answer) == (404, "not_found", None)
    assert quota.item("QUOTA_TIER#nope") == {}, "an update makes no tier"


@pytest.mark.parametrize("kind", ["direct_user", "app_role", "jwt_role", "email_domain", "default_tier"])
async def test_e6_a_tier_in_use_stays(quota: QuotaEditor, user_id: str, kind: str) -> None:
    await quota.tier(user_id)
    criteria = {"userId": user_id, "appRoleId": user_id, "jwtRole": user_id, "emailDomain": f"{user_id}.test"}
    assignment_id = await quota.assign(kind, user_id, enabled=False, **criteria)
    try:
        refused = await quota("DELETE", f"tiers/{user_id}")
        assert refusal(refused) == (400, "bad_request", None)
        assert "by 1 assignment" in refused.json()["detail"]
    finally:
        await quota.done("DELETE", f"assignments/{assignment_id}")
    answer = await quota("DELETE", f"tiers/{user_id}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert quota.item(f"QUOTA_TIER#{user_id}") == {}


async def test_the_list_is_sorted_and_filtered(quota: QuotaEditor, user_id: str) -> None:
    for name, enabled in (("b", True), ("c", False), ("a", True)):
        await quota.tier(f"{user_id}{name}", enabled=enabled)
    for query, expected in (("", "abc"), ("?enabled_only=true", "ab"), ("?enabled_only=false", "abc")):
        ids = [tier["tierId"] for tier in await quota.done("GET", f"tiers{query}")]
        assert ids == sorted(ids)
        assert [one for one in ids if one.startswith(user_id)] == [f"{user_id}{name}" for name in expected]


async def test_f_qtm_25_one_that_does_not_fit(quota: QuotaEditor, user_id: str) -> None:
    """It can still be deleted."""
    quota.platform.store(stored.quota_tier(user_id, "much"))
    for path in ("tiers", f"tiers/{user_id}"):
        answer = await quota("GET", path)
        assert refusal(answer) == (500, "internal_error", None)
        await quota.platform.settled(answer.headers["x-request-id"])
        (record,) = quota.platform.records(answer.headers["x-request-id"], "request failed")
        assert (record["entity"], record["key"]) == ("QuotaTier", f"QUOTA_TIER#{user_id} / METADATA")
    assert (await quota("DELETE", f"tiers/{user_id}")).status_code == 204


async def test_l6_two_tiers_of_one_id_at_once(quota: QuotaEditor, user_id: str) -> None:
    answers = await asyncio.gather(*(quota("POST", "tiers", body(user_id)) for _ in range(5)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 400: 4}


async def test_q9_ids_longer_than_a_key(quota: QuotaEditor) -> None:
    answer = await quota("POST", "tiers", body("\u20ac" * 1_000))
    assert refusal(answer) == (422, "validation_error", "body.tierId")


async def test_who_may(quota: QuotaEditor) -> None:
    staff = quota.platform.sign_in("222222222", "Staff")
    assert (await quota.platform.ask(staff, "GET", "/admin/quota/tiers")).status_code == 403


async def test_the_other_spelling(quota: QuotaEditor) -> None:
    answer = await quota("GET", "tiers/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/admin/quota/tiers")
