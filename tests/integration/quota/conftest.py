"""Administrators at the App API, and users that no other test knows."""

import uuid
from typing import Any

import httpx
import pytest

from tests.support import stored
from tests.support.platform import Platform


@pytest.fixture
def user_id() -> str:
    return str(uuid.uuid4().int)[:9]


class QuotaEditor:
    """What an administrator does with quota, and what is stored then."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.admin = platform.sign_in("111111111", "Staff", "Admin", email="admin@x.edu")

    async def __call__(self, method: str, path: str, body: Any = None) -> httpx.Response:
        return await self.platform.ask(self.admin, method, f"/admin/quota/{path}", body)

    async def done(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self(method, path, body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def tier(self, tier_id: str, limit: Any = 100, **members: Any) -> str:
        await self.done("POST", "tiers", {"tierId": tier_id, "tierName": tier_id, "monthlyCostLimit": limit, **members})
        return tier_id

    async def assign(self, kind: str, tier_id: str, **members: Any) -> str:
        created = await self.done("POST", "assignments", {"tierId": tier_id, "assignmentType": kind, **members})
        return str(created["assignmentId"])

    async def override(self, user_id: str, **members: Any) -> dict[str, Any]:
        return dict(await self.done("POST", "overrides", an_override(user_id, **members)))

    async def look(self, user_id: str, query: str = "") -> dict[str, Any]:
        return dict(await self.done("GET", f"users/{user_id}{query}"))

    def item(self, key: str) -> dict[str, Any]:
        return self.platform.item(stored.QUOTAS, key, "METADATA")


def an_override(user_id: str, **members: Any) -> dict[str, Any]:
    return {
        "userId": user_id,
        "overrideType": "unlimited",
        "validFrom": "2020-01-01T00:00:00.000Z",
        "validUntil": "2099-01-01T00:00:00.000Z",
        "reason": "r",
        **members,
    }


def refusal(answer: httpx.Response) -> tuple[int, str, str | None]:
    """Status, code and field."""
    body = answer.json()
    assert isinstance(body["detail"], str)
    return answer.status_code, body["code"], body.get("field")


@pytest.fixture
def quota(tables: Platform) -> QuotaEditor:
    return QuotaEditor(tables)
