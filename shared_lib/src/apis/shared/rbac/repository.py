"""AppRoles in the roles table, which the tool catalogue and the preferences of users share.

A role is a partition: its definition, and an item for each role of the token that maps to it and for each tool and
model that it grants directly. Those items copy the name and the state of the role; indexes find them.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import batched

from apis.shared.aws.dynamodb import (
    PARTITION_KEY_BYTES,
    PK_ABSENT,
    PK_EXISTS,
    SORT_KEY_BYTES,
    Condition,
    ConditionCheck,
    Delete,
    F,
    HashKey,
    Item,
    Operation,
    Put,
    Query,
    Table,
    is_key,
    is_lost_condition,
    parse_as,
    transact,
)
from apis.shared.errors import ErrorDetail, conflict, not_found
from apis.shared.rbac.models import SYSTEM_ROLES, AppRole, RoleGrant, RoleMapping, RoleStanding
from apis.shared.result import Failure, Result, Success, collect, error_of, railway, require

_DEFINITION, _JWT_MAPPING, _TOOL_GRANT, _MODEL_GRANT = "DEFINITION", "JWT_MAPPING#", "TOOL_GRANT#", "MODEL_GRANT#"
_ITEMS = (_JWT_MAPPING, _TOOL_GRANT, _MODEL_GRANT)

MOST_ACTIONS = 100
"""Of one transaction."""

ROLE_CHANGED = conflict("The role was changed by another request. Please reload it and try again.")


def role_not_found(role_id: str) -> ErrorDetail:
    """Names the id, unless it is longer than any id can be."""
    return not_found(f"Role '{role_id}' not found" if len(role_id) <= PARTITION_KEY_BYTES else "Role not found")


class AppRoleRepository:
    """Reads only: the Inference API may not write this table. Without a table there are no roles.

    What cannot be stored is not looked for: a name that fits no key, half a surrogate pair.
    """

    def __init__(self, table: Table | None) -> None:
        self._table = table

    @railway
    async def get_role(self, role_id: str) -> Result[AppRole | None, ErrorDetail]:
        """As the last write left it."""
        key = _keys(role_id, _DEFINITION)
        if self._table is None or not is_key(key["PK"]):
            return Success(None)
        item = (await self._table.get(key, consistent=True)).unwrap()
        return Success(None) if item is None else _parse(role_id, item)

    async def get_roles(self, role_ids: Sequence[str]) -> Result[list[AppRole | None], ErrorDetail]:
        """In the order of `role_ids`; all are read at once."""
        return collect(await asyncio.gather(*(self.get_role(role_id) for role_id in role_ids)))

    async def role_exists(self, role_id: str) -> Result[bool, ErrorDetail]:
        return (await self.get_role(role_id)).map(lambda role: role is not None)

    @railway
    async def list_roles(self) -> Result[list[AppRole], ErrorDetail]:
        """All, in no order, as the last write left them. Reads the whole table, for administrators; fails when one of
        the roles cannot be read."""
        if self._table is None:
            return Success([])
        items = (await self._table.scan_all("ROLE#", only=F("SK").equals(_DEFINITION), consistent=True)).unwrap()
        return collect(_parse(str(item["PK"]).removeprefix("ROLE#"), item) for item in items)

    @railway
    async def get_roles_for_jwt_role(self, jwt_role: str) -> Result[list[str], ErrorDetail]:
        """The ids of the roles that an enabled mapping names, sorted. The index lags behind the definitions."""
        if not is_key(_JWT_MAPPING + jwt_role, SORT_KEY_BYTES):
            return Success([])
        items = (await self._indexed("JwtRoleMappingIndex", "GSI1PK", f"JWT_ROLE#{jwt_role}")).unwrap()
        mappings = collect(parse_as(RoleMapping, item) for item in items).unwrap()
        return Success(sorted({mapping.role_id for mapping in mappings if mapping.enabled}))

    async def get_roles_for_tool(self, tool_id: str) -> Result[list[RoleGrant], ErrorDetail]:
        """The roles that grant the tool by its id, enabled or not, by id. The index lags behind the definitions."""
        return await self._granting(_TOOL_GRANT + tool_id, "ToolRoleMappingIndex", "GSI2PK", f"TOOL#{tool_id}")

    async def get_roles_for_model(self, model_id: str) -> Result[list[RoleGrant], ErrorDetail]:
        """As `get_roles_for_tool`, for the provider's id of a model."""
        return await self._granting(_MODEL_GRANT + model_id, "ModelRoleMappingIndex", "GSI3PK", f"MODEL#{model_id}")

    @railway
    async def _granting(
        self, sort_key: str, index: str, attribute: str, key: str
    ) -> Result[list[RoleGrant], ErrorDetail]:
        if not is_key(sort_key, SORT_KEY_BYTES):
            return Success([])
        items = (await self._indexed(index, attribute, key)).unwrap()
        grants = collect(parse_as(RoleGrant, item) for item in items).unwrap()
        return Success(sorted(grants, key=lambda grant: grant.role_id))

    async def _indexed(self, index: str, attribute: str, key: str) -> Result[list[Item], ErrorDetail]:
        if self._table is None:
            return Success([])
        return await self._table.query_all(Query(HashKey(attribute, key), index=index))


@dataclass(frozen=True, slots=True)
class RolePartition:
    """A role with all its items, as it was read in order to be changed: a write on it is refused when it has changed
    since. Items without a definition are what a deletion that failed half-way left."""

    role_id: str
    definition: Item | None = None
    items: Mapping[str, Item] = field(default_factory=dict)
    """By sort key."""

    def role(self) -> Result[AppRole, ErrorDetail]:
        """Fails with `not_found`, and with `internal_error` for a definition that cannot be read."""
        return require(self.definition, role_not_found(self.role_id)).bind(lambda item: _parse(self.role_id, item))

    def is_system_role(self) -> Result[bool, ErrorDetail]:
        """Also of a definition that cannot be read otherwise: such a role can still be deleted, unless its id tells."""
        if self.definition is None:
            return Success(False)
        standing = parse_as(RoleStanding, self.definition)
        return standing.map(lambda known: known.is_system_role or self.role_id in SYSTEM_ROLES)

    @property
    def unchanged(self) -> Condition:
        if self.definition is None:
            return PK_ABSENT
        if "updatedAt" in self.definition:
            return F("updatedAt").equals(self.definition["updatedAt"])
        return PK_EXISTS & F("updatedAt").does_not_exist()

    @property
    def jwt_roles(self) -> set[str]:
        """All that may resolve to the role."""
        # A definition that cannot be read lists nothing that counts.
        listed = self.role().map(lambda role: role.jwt_role_mappings).value_or([])
        return {*listed, *(key.removeprefix(_JWT_MAPPING) for key in self.items if key.startswith(_JWT_MAPPING))}


class AppRoleWriter:
    """Changes roles as wholes. A role has at most 99 mappings, tools and models together, so that it can be created in
    one transaction."""

    def __init__(self, table: Table) -> None:
        self._table = table

    @railway
    async def find(self, role_id: str) -> Result[RolePartition, ErrorDetail]:
        """What there is of the role, in one consistent read."""
        key = f"ROLE#{role_id}"
        if not is_key(key):
            return Success(RolePartition(role_id))
        found = (await self._table.query_all(Query(HashKey("PK", key), consistent=True))).unwrap()
        by_key = {str(item["SK"]): item for item in found}
        items = {key: item for key, item in by_key.items() if key.startswith(_ITEMS)}
        return Success(RolePartition(role_id, by_key.get(_DEFINITION), items))

    async def create(self, role: AppRole) -> Result[bool, ErrorDetail]:
        """False when there is a role with this id."""
        operations = [self._put(_definition(role), PK_ABSENT), *(self._put(item) for item in _items(role))]
        created: Result[bool, ErrorDetail] = (await self._transact(operations)).map(lambda _: True)
        return created.lash(lambda error: Success(False) if is_lost_condition(error) else Failure(error))

    @railway
    async def replace(self, before: RolePartition, role: AppRole) -> Result[None, ErrorDetail]:
        """Fails with `not_found` or `conflict` when the role is not any more what was read.

        What does not fit one transaction is done in several, in an order in which each definition that is ever stored
        has all its items: new items, definition and kept items, obsolete items. A failure in between leaves items that
        no definition lists; they give nobody anything, and the next replacement removes them.
        """
        puts = {str(item["SK"]): self._put({**before.items.get(str(item["SK"]), {}), **item}) for item in _items(role)}
        deletes = [self._delete(role.role_id, key) for key in sorted(before.items.keys() - puts.keys())]
        definition = self._put({**(before.definition or {}), **_definition(role)}, before.unchanged)
        if 1 + len(puts) + len(deletes) <= MOST_ACTIONS:
            return await self._write(role.role_id, [definition, *puts.values(), *deletes])
        added = [put for key, put in puts.items() if key not in before.items]
        kept = [put for key, put in puts.items() if key in before.items]
        (await self._write_while(before.unchanged, role.role_id, added)).unwrap()
        (await self._write(role.role_id, [definition, *kept])).unwrap()
        return await self._write_while(F("updatedAt").equals(role.updated_at), role.role_id, deletes)

    @railway
    async def delete(self, before: RolePartition) -> Result[None, ErrorDetail]:
        """As `replace`. The definition goes first, and with it all that the role gives; deleting what is left without
        a definition completes a deletion that failed half-way."""
        deletes = [self._delete(before.role_id, key) for key in sorted(before.items)]
        if before.definition is not None:
            definition = self._delete(before.role_id, _DEFINITION, before.unchanged)
            (await self._write(before.role_id, [definition, *deletes[: MOST_ACTIONS - 1]])).unwrap()
            deletes = deletes[MOST_ACTIONS - 1 :]
        return await self._write_while(PK_ABSENT, before.role_id, deletes)

    @railway
    async def _write_while(
        self, condition: Condition, role_id: str, operations: Iterable[Operation]
    ) -> Result[None, ErrorDetail]:
        """As many transactions as it takes, each of which demands `condition` of the definition."""
        check = ConditionCheck(self._table.name, _keys(role_id, _DEFINITION), condition)
        for some in batched(operations, MOST_ACTIONS - 1, strict=False):
            (await self._write(role_id, [check, *some])).unwrap()
        return Success(None)

    @railway
    async def _write(self, role_id: str, operations: Sequence[Operation]) -> Result[None, ErrorDetail]:
        written = await self._transact(operations)
        error = error_of(written)
        if error is not None and is_lost_condition(error):
            is_gone = (await self._table.get(_keys(role_id, _DEFINITION), consistent=True)).unwrap() is None
            return Failure(role_not_found(role_id)) if is_gone else written
        return written

    async def _transact(self, operations: Sequence[Operation]) -> Result[None, ErrorDetail]:
        return await transact(operations, lost=ROLE_CHANGED, client=self._table.client)

    def _put(self, item: Item, condition: Condition | None = None) -> Put:
        return Put(self._table.name, item, condition)

    def _delete(self, role_id: str, sort_key: str, condition: Condition | None = None) -> Delete:
        return Delete(self._table.name, _keys(role_id, sort_key), condition)


def _keys(role_id: str, sort_key: str) -> dict[str, str]:
    return {"PK": f"ROLE#{role_id}", "SK": sort_key}


def _parse(role_id: str, definition: Item) -> Result[AppRole, ErrorDetail]:
    return parse_as(AppRole, {"roleId": role_id, **definition})


def _definition(role: AppRole) -> Item:
    return {**_keys(role.role_id, _DEFINITION), **role.model_dump(by_alias=True)}


def _items(role: AppRole) -> Iterator[Item]:
    """One for each mapping and each direct grant."""
    copied: Item = {"roleId": role.role_id, "displayName": role.display_name, "enabled": role.enabled}
    for jwt_role in role.jwt_role_mappings:
        keys = _keys(role.role_id, _JWT_MAPPING + jwt_role)
        index = {"GSI1PK": f"JWT_ROLE#{jwt_role}", "GSI1SK": keys["PK"]}
        yield {**keys, **index, "roleId": role.role_id, "enabled": role.enabled}
    for tool_id in role.granted_tools:
        keys = _keys(role.role_id, _TOOL_GRANT + tool_id)
        yield {**keys, "GSI2PK": f"TOOL#{tool_id}", "GSI2SK": keys["PK"], **copied}
    for model_id in role.granted_models:
        keys = _keys(role.role_id, _MODEL_GRANT + model_id)
        yield {**keys, "GSI3PK": f"MODEL#{model_id}", "GSI3SK": keys["PK"], **copied}
