"""What administrators do with the tool catalogue and with the roles that grant a tool."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from apis.shared.auth import User
from apis.shared.errors import ErrorDetail, bad_request
from apis.shared.moments import zulu_form
from apis.shared.rbac.admin_service import (
    ROLES_NOT_CONFIGURED,
    TOO_MANY_ITEMS,
    AppRoleAdminService,
    get_app_role_admin_service,
    is_full,
    protected_fields,
)
from apis.shared.rbac.models import SYSTEM_ADMIN_ROLE, ToolRole
from apis.shared.result import Failure, Result, Success, all_done, error_of, railway, require
from apis.shared.tools.catalogue import CODE_CATALOGUE, as_record, code_records
from apis.shared.tools.models import ToolRecord
from apis.shared.tools.repository import (
    Catalogue,
    ToolChange,
    ToolRepository,
    ToolWriter,
    get_tool_repository,
    get_tool_writer,
    tool_not_found,
)
from apis.shared.wiring import once

logger = logging.getLogger(__name__)

PROTECTED = protected_fields(["grantedTools"])
# Whose tools the code of the platform brings: only of these can the code say that they are gone.
_OF_THE_CODE = frozenset({"local", "aws_sdk"})


def tool_id_taken(tool_id: str) -> ErrorDetail:
    return bad_request(f"Tool '{tool_id}' already exists")


def unknown_roles(role_ids: Sequence[str]) -> ErrorDetail:
    return bad_request(f"Unknown roles: {', '.join(role_ids)}", field="body.appRoleIds")


@dataclass(frozen=True, slots=True)
class AdminTool:
    """`granting` are the ids of the roles that grant it directly."""

    record: ToolRecord
    granting: Sequence[str]


@dataclass(frozen=True, slots=True)
class Difference:
    """Between the code and the stored catalogue: what the code alone has, what it does not have any more, the rest."""

    discovered: Sequence[ToolRecord]
    orphaned: Sequence[str]
    unchanged: Sequence[str]


class ToolsAdmin:
    """`writer` and `roles` are None where no table is configured: the catalogue is then that of the code, and nothing
    can be changed."""

    def __init__(self, tools: ToolRepository, writer: ToolWriter | None, roles: AppRoleAdminService | None) -> None:
        self._tools = tools
        self._maybe_writer = writer
        self._maybe_roles = roles

    @railway
    async def list_all(self) -> Result[list[AdminTool], ErrorDetail]:
        """By category and name."""
        read, granted = await asyncio.gather(self._tools.read_all(), self._granted())
        by_tool = granted.unwrap()
        records = sorted((read.unwrap() or code_records()).values(), key=lambda record: record.order)
        return Success([AdminTool(record, by_tool.get(record.tool_id, ())) for record in records])

    @railway
    async def get(self, tool_id: str) -> Result[AdminTool, ErrorDetail]:
        """Also a tool of the code. Fails with `not_found`."""
        found, granting = await asyncio.gather(self._known(tool_id), self._granting(tool_id))
        return Success(AdminTool(found.unwrap(), _ids(granting.unwrap())))

    @railway
    async def create(self, tool: ToolRecord, admin: User) -> Result[AdminTool, ErrorDetail]:
        """Fails with `bad_request` when the id is taken."""
        writer = self._writer().unwrap()
        granting = (await self._granting(tool.tool_id)).unwrap()
        created = _made_by(admin, tool)
        if not (await writer.create(created)).unwrap():
            return Failure(tool_id_taken(tool.tool_id))
        _audit("tool_created", tool.tool_id, admin)
        return Success(AdminTool(created, _ids(granting)))

    @railway
    async def change(self, tool_id: str, change: ToolChange, admin: User) -> Result[AdminTool, ErrorDetail]:
        """Of a stored tool. Fails with `not_found`."""
        writer = self._writer().unwrap()
        # Before the write: what fails after it would tell of a change that was not made.
        granting = (await self._granting(tool_id)).unwrap()
        changed = (await writer.change(tool_id, _noted(change, admin))).unwrap()
        _audit("tool_updated", tool_id, admin)
        return Success(AdminTool(changed, _ids(granting)))

    @railway
    async def disable(self, tool_id: str, admin: User) -> Result[None, ErrorDetail]:
        """Fails with `not_found`."""
        writer = self._writer().unwrap()
        (await writer.change(tool_id, _noted({"status": "disabled"}, admin))).unwrap()
        _audit("tool_disabled", tool_id, admin)
        return Success(None)

    @railway
    async def delete(self, tool_id: str, admin: User) -> Result[None, ErrorDetail]:
        """With what roles grant of it; also a tool that cannot be read: nothing else would end that. Fails as
        `set_roles`."""
        writer = self._writer().unwrap()
        found, held = await asyncio.gather(self._tools.exists(tool_id), self._holding(tool_id))
        if not found.unwrap():
            return Failure(tool_not_found(tool_id))
        # The grants first: a deletion that fails half-way can be repeated while there is a tool. What `system_admin`
        # grants is protected, and it grants everything anyway.
        holding = [role_id for role_id in held.unwrap() if role_id != SYSTEM_ADMIN_ROLE]
        (await self._write_roles(tool_id, added=(), removed=holding, admin=admin)).unwrap()
        (await writer.delete(tool_id)).unwrap()
        _audit("tool_deleted", tool_id, admin)
        return Success(None)

    @railway
    async def roles_of(self, tool_id: str) -> Result[list[ToolRole], ErrorDetail]:
        """Of any tool that there is, by role id. Fails with `not_found`."""
        found, granting = await asyncio.gather(self._known(tool_id), self._granting(tool_id))
        found.unwrap()
        return granting

    @railway
    async def set_roles(self, tool_id: str, role_ids: Sequence[str], admin: User) -> Result[None, ErrorDetail]:
        """These roles grant the tool, and no others do. Nothing is written unless all of them may be changed.

        Fails with `not_found` for the tool, and with `bad_request` for a role. A write that fails names the roles that
        were changed, and those that were not.
        """
        roles = self._roles().unwrap()
        known, checked, holding = await asyncio.gather(
            self._known(tool_id), self._changeable(roles, role_ids, granting=tool_id), self._holding(tool_id)
        )
        known.unwrap()
        checked.unwrap()
        held = holding.unwrap()
        removed = [role_id for role_id in held if role_id not in role_ids]
        if SYSTEM_ADMIN_ROLE in removed:
            return Failure(PROTECTED)
        added = [role_id for role_id in role_ids if role_id not in held]
        return await self._write_roles(tool_id, added=added, removed=removed, admin=admin)

    @railway
    async def add_roles(self, tool_id: str, role_ids: Sequence[str], admin: User) -> Result[None, ErrorDetail]:
        """These roles grant the tool, too. Fails as `set_roles`."""
        roles = self._roles().unwrap()
        known, checked = await asyncio.gather(self._known(tool_id), self._changeable(roles, role_ids, granting=tool_id))
        known.unwrap()
        checked.unwrap()
        return await self._write_roles(tool_id, added=role_ids, removed=(), admin=admin)

    @railway
    async def remove_roles(self, tool_id: str, role_ids: Sequence[str], admin: User) -> Result[None, ErrorDetail]:
        """These roles do not grant the tool any more, whether there is such a tool or not. Fails as `set_roles`."""
        (await self._changeable(self._roles().unwrap(), role_ids)).unwrap()
        return await self._write_roles(tool_id, added=(), removed=role_ids, admin=admin)

    async def compare(self) -> Result[Difference, ErrorDetail]:
        """The code with the stored catalogue."""
        return (await self._tools.read_all()).map(_difference)

    @railway
    async def sync(self, admin: User) -> Result[Difference, ErrorDetail]:
        """Store what the code alone has, and deprecate what it has no more. A write that fails names what was done;
        doing it again completes it."""
        writer = self._writer().unwrap()
        difference = (await self.compare()).unwrap()
        new = [_made_by(admin, record) for record in difference.discovered]
        created, deprecated = await asyncio.gather(
            asyncio.gather(*(writer.create(record) for record in new)),
            asyncio.gather(*(writer.deprecate(tool_id, _noted({}, admin)) for tool_id in difference.orphaned)),
        )
        done = {
            "created": [record.tool_id for record, one in zip(new, created, strict=True) if one == Success(True)],
            "deprecated": [
                tool_id for tool_id, one in zip(difference.orphaned, deprecated, strict=True) if one == Success(True)
            ],
        }
        written = all_done([*created, *deprecated], what="the tool catalogue")
        written.alt(lambda error: error.model_copy(update={"metadata": {**(error.metadata or {}), **done}})).unwrap()
        told = {f"{what}_tools": tool_ids for what, tool_ids in done.items()}
        logger.info("tools synced", extra={"event": "tools_synced", "admin_user_id": admin.user_id, **told})
        return Success(difference)

    @railway
    async def _write_roles(
        self, tool_id: str, *, added: Sequence[str], removed: Sequence[str], admin: User
    ) -> Result[None, ErrorDetail]:
        """Each role is a whole of its own: all are tried, so that as few as possible are left to do."""
        role_ids = [*added, *removed]
        if not role_ids:
            return Success(None)
        roles = self._roles().unwrap()
        results = await asyncio.gather(
            *(roles.add_tool_to_role(role_id, tool_id, admin) for role_id in added),
            *(roles.remove_tool_from_role(role_id, tool_id, admin) for role_id in removed),
        )
        failed = [role_id for role_id, one in zip(role_ids, results, strict=True) if error_of(one) is not None]
        told = {"applied": [role_id for role_id in role_ids if role_id not in failed], "pending": failed}
        return all_done(results, what="the roles of a tool").alt(
            lambda error: error.model_copy(update={"metadata": {**(error.metadata or {}), **told}})
        )

    @railway
    async def _changeable(
        self, roles: AppRoleAdminService, role_ids: Sequence[str], *, granting: str | None = None
    ) -> Result[None, ErrorDetail]:
        """`granting`: a tool that each of them is to grant."""
        if SYSTEM_ADMIN_ROLE in role_ids:
            return Failure(PROTECTED)
        found = (await roles.find_roles(role_ids)).unwrap()
        unknown = sorted(role_id for role_id, role in zip(role_ids, found, strict=True) if role is None)
        if unknown:
            return Failure(unknown_roles(unknown))
        if granting is not None and any(
            role is not None and granting not in role.granted_tools and is_full(role) for role in found
        ):
            return Failure(TOO_MANY_ITEMS)
        return Success(None)

    async def _known(self, tool_id: str) -> Result[ToolRecord, ErrorDetail]:
        """Stored, or in the code."""
        of_code = CODE_CATALOGUE.get(tool_id)
        fallback = None if of_code is None else as_record(of_code)
        return (await self._tools.get(tool_id)).bind(
            lambda record: require(record or fallback, tool_not_found(tool_id))
        )

    async def _granting(self, tool_id: str) -> Result[list[ToolRole], ErrorDetail]:
        return Success([]) if self._maybe_roles is None else await self._maybe_roles.get_roles_granting_tool(tool_id)

    async def _holding(self, tool_id: str) -> Result[list[str], ErrorDetail]:
        """The roles that grant the tool by their definitions: an index may lag behind these."""
        return (await self._granted()).map(lambda by_tool: by_tool.get(tool_id, []))

    @railway
    async def _granted(self) -> Result[dict[str, list[str]], ErrorDetail]:
        """Which roles grant each tool, from one list of all roles."""
        by_tool: dict[str, list[str]] = {}
        if self._maybe_roles is not None:
            for role in sorted((await self._maybe_roles.list_roles()).unwrap(), key=lambda role: role.role_id):
                for tool_id in role.granted_tools:
                    by_tool.setdefault(tool_id, []).append(role.role_id)
        return Success(by_tool)

    def _writer(self) -> Result[ToolWriter, ErrorDetail]:
        return require(self._maybe_writer, ROLES_NOT_CONFIGURED)

    def _roles(self) -> Result[AppRoleAdminService, ErrorDetail]:
        return require(self._maybe_roles, ROLES_NOT_CONFIGURED)


def _difference(stored: Catalogue) -> Difference:
    orphaned = sorted(
        record.tool_id
        for record in stored.values()
        if record.protocol in _OF_THE_CODE and record.status == "active" and record.tool_id not in CODE_CATALOGUE
    )
    return Difference(
        discovered=[as_record(tool) for tool in CODE_CATALOGUE.values() if tool.tool_id not in stored],
        orphaned=orphaned,
        unchanged=sorted(stored.keys() - set(orphaned)),
    )


def _made_by(admin: User, tool: ToolRecord) -> ToolRecord:
    now, by = zulu_form(), admin.user_id
    return tool.model_copy(update={"created_at": now, "updated_at": now, "created_by": by, "updated_by": by})


def _noted(change: ToolChange, admin: User) -> ToolChange:
    return {**change, "updated_at": zulu_form(), "updated_by": admin.user_id}


def _ids(roles: Sequence[ToolRole]) -> list[str]:
    return [role.role_id for role in roles]


def _audit(event: str, tool_id: str, admin: User) -> None:
    logger.info(event.replace("_", " "), extra={"event": event, "tool_id": tool_id, "admin_user_id": admin.user_id})


@once
def get_tools_admin() -> ToolsAdmin:
    return ToolsAdmin(get_tool_repository(), get_tool_writer(), get_app_role_admin_service())
