"""Which tools a user may use, by every name that asks: all of them give one answer."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from apis.shared.auth.models import User
from apis.shared.errors import ErrorDetail, service_unavailable
from apis.shared.rbac.cache import AppRoleCache
from apis.shared.rbac.models import UserEffectivePermissions
from apis.shared.rbac.repository import AppRoleRepository
from apis.shared.rbac.service import AppRoleService
from apis.shared.result import Failure, Result, Success
from apis.shared.settings import AppRoleCacheSettings
from apis.shared.tools.access import FilteredTools, ToolAccess
from apis.shared.tools.catalogue import CODE_CATALOGUE
from apis.shared.tools.models import ToolRecord
from apis.shared.tools.preferences import ToolPreferenceRepository
from apis.shared.tools.repository import ToolRepository

ADA = User("", "1", "", [])
PUBLIC = ["ddg_web_search", "get_current_weather", "calculator"]


class Roles(AppRoleService):
    def __init__(self, tools: Sequence[str] | None) -> None:
        super().__init__(AppRoleRepository(None), AppRoleCache(AppRoleCacheSettings()))
        self._granted = tools

    async def resolve_user_permissions(self, user: User) -> Result[UserEffectivePermissions, ErrorDetail]:
        if self._granted is None:
            return Failure(service_unavailable())
        return Success(UserEffectivePermissions(user.user_id, ["r"], self._granted, (), None, datetime.now(UTC)))


class Stored(ToolRepository):
    def __init__(self, *tools: ToolRecord) -> None:
        super().__init__(None)
        self._stored = {tool.tool_id: tool for tool in tools}

    async def read_all(self) -> Result[dict[str, ToolRecord], ErrorDetail]:
        return Success(self._stored)


def tool(tool_id: str, **members: Any) -> ToolRecord:
    return ToolRecord.model_validate({"toolId": tool_id, **members})


CATALOGUE = (
    tool("open", isPublic=True),
    tool("gone", isPublic=True, status="disabled"),
    tool("soon", isPublic=True, status="coming_soon"),
    tool("old", status="deprecated"),
    tool("mcp", protocol="mcp_external"),
)


def access(*stored: ToolRecord, granted: Sequence[str] | None = ()) -> ToolAccess:
    return ToolAccess(Roles(granted), Stored(*stored), ToolPreferenceRepository(None))


@pytest.mark.parametrize(
    ("stored", "granted", "allowed"),
    [
        ((), (), PUBLIC),
        (CATALOGUE, (), ["open"]),
        (CATALOGUE, ("old", "gone", "gateway_x", "mcp"), ["open", "old", "mcp", "gateway_x"]),
        (CATALOGUE, ("*",), ["open", "old", "mcp", "gateway_x", *CODE_CATALOGUE]),
    ],
    ids=["nothing stored", "public", "granted", "wildcard"],
)
async def test_what_is_stored_known_and_granted_decides(
    stored: Sequence[ToolRecord], granted: Sequence[str], allowed: list[str]
) -> None:
    everything = [*CODE_CATALOGUE, *(one.tool_id for one in CATALOGUE), "gateway_x", "invented", "*"]
    filtered = (await access(*stored, granted=granted).filter(ADA, everything)).unwrap()
    assert set(filtered.allowed) == set(allowed)
    assert set(filtered.denied) == set(everything) - set(allowed)
    assert set(filtered.external) == {"mcp"} & set(allowed)


async def test_without_a_request_the_tools_of_the_code_that_are_allowed() -> None:
    assert (await access().filter(ADA, None)).unwrap() == FilteredTools(PUBLIC, [])
    wildcard = access(*CATALOGUE, granted=("*",))
    assert (await wildcard.filter(ADA, None)).unwrap() == FilteredTools(list(CODE_CATALOGUE), [])
    assert (await wildcard.filter(ADA, [])).unwrap() == FilteredTools([], [])


async def test_d_02_whoever_requires_tools_is_told_which_are_denied() -> None:
    asked = access(*CATALOGUE)
    assert (await asked.require(ADA, ["open", "open"])).unwrap() == FilteredTools(["open"], [])
    refused = (await asked.require(ADA, ["open", "mcp", "gone"])).failure()
    assert (refused.code.value, refused.detail) == ("forbidden", "You do not have access to these tools: mcp, gone")


async def test_f_qtm_40_permissions_that_cannot_be_read_allow_nothing_and_deny_nothing() -> None:
    asked = access(*CATALOGUE, granted=None)
    for result in (
        await asked.filter(ADA, None),
        await asked.filter(ADA, ["open"]),
        await asked.require(ADA, ["open"]),
    ):
        assert isinstance(result, Failure)
        assert result.failure().code.value == "service_unavailable"
