"""What administrators see of past checks."""

from typing import Any

import pytest

from tests.integration.quota.conftest import QuotaEditor, refusal
from tests.support import stored


def events(user_id: str, *kinds: str) -> list[stored.Row]:
    """A minute apart, the first one the oldest; by turns of the tiers `<user id>0` and `<user id>1`."""
    return [
        stored.quota_event(
            user_id,
            f"2025-01-01T10:{number:02}:00Z",
            kind=kind,
            eventId=f"e{number}",
            tierId=f"{user_id}{number % 2}",
            GSI5PK=f"TIER#{user_id}{number % 2}",
        )
        for number, kind in enumerate(kinds)
    ]


async def test_e14_without_a_filter_there_are_none(quota: QuotaEditor) -> None:
    for query in ("", "?limit=50", "?user_id=&tier_id=", "?event_type=block", "?user_id=nope", "?tier_id=nope"):
        assert await quota.done("GET", f"events{query}") == []


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "x", "1" * 200])
async def test_e14_f_qtm_44_how_many(quota: QuotaEditor, limit: str) -> None:
    assert refusal(await quota("GET", f"events?limit={limit}")) == (422, "validation_error", "query.limit")


async def test_one_event(quota: QuotaEditor, user_id: str) -> None:
    quota.platform.store(*events(user_id, "warning"))
    (shown,) = await quota.done("GET", f"events?user_id={user_id}")
    assert shown == {
        "eventId": "e0",
        "userId": user_id,
        "tierId": f"{user_id}0",
        "eventType": "warning",
        "currentUsage": "40.75",
        "quotaLimit": "50",
        "percentageUsed": "81.5",
        "timestamp": "2025-01-01T10:00:00Z",
        "metadata": {"threshold": "80%", "tier_name": "T", "session_id": None, "user_roles": ["Staff"]},
    }


async def test_filters_and_order(quota: QuotaEditor, user_id: str) -> None:
    quota.platform.store(*events(user_id, "block", "block", *["warning"] * 20, "reset", "override_applied"))

    async def ids(query: str) -> list[Any]:
        return [event["eventId"] for event in await quota.done("GET", f"events?{query}")]

    assert await ids(f"user_id={user_id}&limit=3") == ["e23", "e22", "e21"]
    assert len(await ids(f"user_id={user_id}")) == 24
    assert await ids(f"user_id={user_id}&event_type=block&limit=1") == ["e1"], "matches behind the first page count"
    assert await ids(f"user_id={user_id}&event_type=party") == []
    assert await ids(f"user_id={user_id}&tier_id={user_id}1&limit=2") == ["e23", "e21"]
    assert await ids(f"tier_id={user_id}0&limit=2") == ["e22", "e20"]
    assert await ids(f"tier_id={user_id}0&event_type=block") == ["e0"]


@pytest.mark.parametrize("name", ["user_id", "tier_id"])
async def test_f_qtm_25_one_that_does_not_fit(quota: QuotaEditor, user_id: str, name: str) -> None:
    quota.platform.store(
        stored.quota_event(user_id, "2025-01-01T10:00:00Z", kind="party", GSI5PK=f"TIER#{user_id}"),
    )
    assert refusal(await quota("GET", f"events?{name}={user_id}")) == (500, "internal_error", None)
