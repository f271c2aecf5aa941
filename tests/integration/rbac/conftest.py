"""Administrators at the App API, and roles that no other test knows."""

import itertools
from typing import Any

import httpx
import pytest

from tests.support import stored
from tests.support.platform import Platform

_numbers = itertools.count(1)


@pytest.fixture
def role_id() -> str:
    return f"role_{next(_numbers):04}"


class RoleEditor:
    """What administrators do with roles, and what is stored then."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.system_admin = platform.sign_in("111111111", "DotNetDevelopers")

    async def __call__(self, method: str, path: str, body: Any = None) -> httpx.Response:
        return await self.platform.ask(self.system_admin, method, f"/admin/roles/{path}", body)

    async def create(self, role_id: str, **members: Any) -> dict[str, Any]:
        answer = await self("POST", "", {"roleId": role_id, "displayName": role_id, **members})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def change(self, role_id: str, **members: Any) -> dict[str, Any]:
        answer = await self("PATCH", role_id, members)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def get(self, role_id: str) -> dict[str, Any]:
        answer = await self("GET", role_id)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def items(self, role_id: str) -> dict[str, dict[str, Any]]:
        """By sort key."""
        return {str(item["SK"]): item for item in self.platform.items(stored.ROLES, f"ROLE#{role_id}")}

    def listed(self, role_id: str) -> set[str]:
        """The sort keys that the items of the definition must have; nothing without a definition."""
        return listed(self.items(role_id).get("DEFINITION", {}))


def listed(definition: dict[str, Any]) -> set[str]:
    kinds = {"jwtRoleMappings": "JWT_MAPPING", "grantedTools": "TOOL_GRANT", "grantedModels": "MODEL_GRANT"}
    return {f"{kind}#{name}" for member, kind in kinds.items() for name in definition.get(member, ())}


@pytest.fixture
def roles(tables: Platform) -> RoleEditor:
    return RoleEditor(tables)
