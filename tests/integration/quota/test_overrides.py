"""Another limit for one person, for a time."""

from typing import Any

import pytest

from tests.integration.quota.conftest import QuotaEditor, an_override, refusal
from tests.support import stored


async def test_e8_no_limit(quota: QuotaEditor, user_id: str) -> None:
    answer = await quota("POST", "overrides", an_override(user_id))
    shown = answer.json()
    assert answer.status_code == 201
    assert shown == {
        **an_override(user_id),
        "overrideId": shown["overrideId"],
        "monthlyCostLimit": None,
        "dailyCostLimit": None,
        "createdBy": "admin@x.edu",
        "createdAt": shown["createdAt"],
        "enabled": True,
    }
    assert quota.item(f"OVERRIDE#{shown['overrideId']}") == {
        "PK": f"OVERRIDE#{shown['overrideId']}",
        "SK": "METADATA",
        "GSI4PK": f"USER#{user_id}",
        "GSI4SK": "VALID_UNTIL#2099-01-01T00:00:00.000Z",
        **{name: value for name, value in shown.items() if value is not None},
    }
    seen = await quota.look(user_id)
    assert (seen["matchedBy"], seen["tier"]["tierName"]) == ("override", "Unlimited Override")
    assert (seen["assignment"], seen["override"]) == (None, shown)


async def test_a_custom_limit_needs_one(quota: QuotaEditor, user_id: str) -> None:
    answer = await quota("POST", "overrides", an_override(user_id, overrideType="custom_limit"))
    assert refusal(answer) == (400, "bad_request", "monthlyCostLimit")
    for value in (0, "NaN", 1e300):
        answer = await quota("POST", "overrides", an_override(user_id, monthlyCostLimit=value))
        assert refusal(answer) == (422, "validation_error", "body.monthlyCostLimit")


@pytest.mark.parametrize(
    ("name", "sent", "kept"),
    [
        ("validFrom", "2025-03-01T00:00:00+02:00", "2025-02-28T22:00:00Z"),
        ("validFrom", "2025-03-01", "2025-03-01T00:00:00Z"),
        ("validFrom", "2025-03-01T10:00:00", "2025-03-01T10:00:00Z"),
        ("validFrom", "2025-03-01T10:00:00.500Z", "2025-03-01T10:00:00.500Z"),
        ("validUntil", "2085-06-30", "2085-06-30T23:59:59.999999Z"),
        ("validUntil", "20850630T120000Z", "2085-06-30T12:00:00Z"),
        ("validUntil", "2085-06-30T12:00:00Z", "2085-06-30T12:00:00Z"),
    ],
)
async def test_t3_t5_times_as_they_are_kept(quota: QuotaEditor, user_id: str, name: str, sent: str, kept: str) -> None:
    assert (await quota.override(user_id, **{name: sent}))[name] == kept


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize(
    "until",
    [
        "2025-13-01",
        "",
        "soon",
        "9999-12-31T23:59:59-05:00",
        "0001-01-01T00:00:00+14:00",
        "\uff12\uff10\uff12\uff15-01-01",
        None,
    ],
    ids=str,
)
async def test_t5_f_qtm_45_times_that_are_none(
    quota: QuotaEditor, user_id: str, method: str, until: str | None
) -> None:
    path = "overrides"
    if method == "PATCH":
        path = f"overrides/{(await quota.override(user_id))['overrideId']}"
    answer = await quota(method, path, {**an_override(user_id), "validUntil": until})
    assert refusal(answer) == (422, "validation_error", "body.validUntil")
    if method == "PATCH":
        assert (await quota.done("GET", path))["validUntil"] == "2099-01-01T00:00:00.000Z"


@pytest.mark.parametrize("name", ["enabled", "reason", "valid_until"])
async def test_f_qtm_45_null_changes_nothing_stored(quota: QuotaEditor, user_id: str, name: str) -> None:
    override_id = (await quota.override(user_id))["overrideId"]
    answer = await quota("PATCH", f"overrides/{override_id}", {name: None})
    assert refusal(answer)[:2] == (422, "validation_error")
    await quota.done("GET", "overrides")


async def test_one_that_ends_before_it_begins(quota: QuotaEditor, user_id: str) -> None:
    answer = await quota("POST", "overrides", an_override(user_id, validUntil="2019-12-31"))
    assert refusal(answer) == (422, "validation_error", "body.validUntil")
    override_id = (await quota.override(user_id))["overrideId"]
    answer = await quota("PATCH", f"overrides/{override_id}", {"validUntil": "2019-12-31T23:59:59Z"})
    assert refusal(answer) == (422, "validation_error", "body.validUntil")
    same = await quota.override(user_id, validFrom="2025-01-01T00:00:00Z", validUntil="2025-01-01T00:00:00Z")
    assert same["validFrom"] == same["validUntil"]


async def test_e9_d08_an_expired_one_is_extended(quota: QuotaEditor, user_id: str) -> None:
    override_id = (await quota.override(user_id, validUntil="2021-01-01T00:00:00.000Z"))["overrideId"]
    assert (await quota.look(user_id))["matchedBy"] is None
    longer = {"validUntil": "2099-01-01T00:00:00.000Z"}
    shown = await quota.done("PATCH", f"overrides/{override_id}", longer)
    assert shown["validUntil"] == longer["validUntil"]
    assert quota.item(f"OVERRIDE#{override_id}")["GSI4SK"] == "VALID_UNTIL#2099-01-01T00:00:00.000Z"
    assert (await quota.look(user_id))["matchedBy"] == "override"


async def test_no_change_writes_nothing(quota: QuotaEditor, user_id: str) -> None:
    shown = await quota.override(user_id)
    with quota.platform.proxy.recording(containing=quota.platform.variables[stored.QUOTAS]) as recording:
        assert await quota.done("PATCH", f"overrides/{shown['overrideId']}", {}) == shown
    assert [call.target.operation for call in recording.calls] == ["GetItem"]


async def test_the_list(quota: QuotaEditor, user_id: str) -> None:
    for until, more in (
        ("2021-01-01T00:00:00Z", {}),
        ("2098-01-01T00:00:00Z", {"validFrom": "2097-01-01T00:00:00Z"}),
        ("2096-01-01T00:00:00.5Z", {}),
        ("2096-01-01T00:00:00Z", {}),
    ):
        await quota.override(user_id, validUntil=until, **more)
    expected = ["2098-01-01T00:00:00Z", "2096-01-01T00:00:00.5Z", "2096-01-01T00:00:00Z", "2021-01-01T00:00:00Z"]
    for query, mine in (("", expected), ("&active_only=true", expected[1:3])):
        for listed in (f"overrides?user_id={user_id}{query}", f"overrides?{query}"):
            overrides = await quota.done("GET", listed)
            assert [one["validUntil"] for one in overrides if one["userId"] == user_id] == mine
    assert await quota.done("GET", "overrides?user_id=nope") == []


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("sent", [{"enabled": True}, {"validUntil": "2099-01-01"}, {}], ids=str)
async def test_one_that_is_not_there(quota: QuotaEditor, method: str, sent: dict[str, Any]) -> None:
    answer = await quota(method, "overrides/nope", sent if method == "PATCH" else None)
    assert refusal(answer) == (404, "not_found", None)
    assert quota.item("OVERRIDE#nope") == {}


async def test_f_qtm_25_one_that_does_not_fit(quota: QuotaEditor, user_id: str) -> None:
    """Such as one whose end an earlier version has set to null."""
    quota.platform.store(stored.quota_override(user_id, overrideId=user_id, validUntil=None))
    for path in ("overrides", f"overrides?user_id={user_id}", f"overrides/{user_id}", f"users/{user_id}"):
        assert refusal(await quota("GET", path)) == (500, "internal_error", None)
    assert (await quota("DELETE", f"overrides/{user_id}")).status_code == 204
