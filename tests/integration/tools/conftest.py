"""The tool catalogue at the App API, in a table that no other test fills: whether it is empty decides much."""

import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from devstack.aws import create_resources
from tests.support import stored
from tests.support.platform import Platform, Surroundings, User, running_platform

# Who may sign in at all; nothing is mapped from it.
MEMBER = "PSSTUCURTERM"
_numbers = itertools.count(1)


class Tools:
    """What administrators and users do with tools, and what is stored then."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.admin = platform.sign_in("111111111", "Staff", "Admin")
        self.user = platform.sign_in(f"7{next(_numbers):08}", MEMBER)

    async def __call__(self, method: str, path: str = "", body: Any = None) -> httpx.Response:
        """As an administrator."""
        return await self.platform.ask(self.admin, method, f"/admin/tools/{path}", body)

    async def create(self, tool_id: str, **members: Any) -> dict[str, Any]:
        answer = await self("POST", body={"toolId": tool_id, "displayName": tool_id, "description": "", **members})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def seen(self, user: User | None = None) -> dict[str, Any]:
        """`GET /tools/` as a user, who by default has no roles."""
        answer = await self.platform.ask(user or self.user, "GET", "/tools/")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def seen_ids(self, user: User | None = None) -> list[str]:
        return [tool["toolId"] for tool in (await self.seen(user))["tools"]]

    async def seen_tool(self, tool_id: str, user: User | None = None) -> dict[str, Any]:
        (tool,) = [tool for tool in (await self.seen(user))["tools"] if tool["toolId"] == tool_id]
        return dict(tool)

    async def prefer(self, preferences: Any, user: User | None = None) -> httpx.Response:
        return await self.platform.ask(user or self.user, "PUT", "/tools/preferences", {"preferences": preferences})

    async def store(self, *things: stored.Thing) -> None:
        """As if another process had, long ago."""
        self.platform.store(*things)
        await self.platform.app_api.steer("forget")

    async def holding(self, *tools: str, role_id: str = "", **definition: Any) -> User:
        """A user with a role that grants these."""
        number = next(_numbers)
        role_id, jwt_role = role_id or f"role_{number:04}", f"Role-{number}"
        await self.store(
            *stored.whole_role(role_id, jwtRoleMappings=[jwt_role], grantedTools=list(tools), **definition)
        )
        return self.platform.sign_in(f"8{number:08}", MEMBER, jwt_role)

    def item(self, tool_id: str) -> dict[str, Any]:
        return self.platform.item(stored.TOOLS, f"TOOL#{tool_id}", "METADATA")

    def granted(self, role_id: str) -> list[str]:
        """What the role's definition grants directly."""
        return list(self.platform.item(stored.ROLES, f"ROLE#{role_id}", "DEFINITION")["grantedTools"])


@pytest.fixture(scope="session")
async def own_table(around: Surroundings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    variables = {**create_resources(around.endpoint.endpoint, prefix="tools"), "AWS_ENDPOINT_URL": around.proxy.url}
    folder = tmp_path_factory.mktemp("unused")
    async with running_platform(replace(around, variables=variables), folder, in_tables=True) as running:
        yield running


@pytest.fixture
async def tools(own_table: Platform) -> Tools:
    """With nothing stored and nothing kept, not even the roles that a service makes when it starts."""
    assert own_table.app_api
    own_table.clear(stored.ROLES)
    await own_table.app_api.steer("forget")
    return Tools(own_table)
