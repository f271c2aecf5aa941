"""The stored tool catalogue. Listing it scans a shared table, so what was read is kept for a minute."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from apis.shared.aws.dynamodb import (
    PARTITION_KEY_BYTES,
    PK_EXISTS,
    F,
    Item,
    Key,
    Table,
    UpdateExpression,
    assigned,
    is_key,
    parse_as,
)
from apis.shared.errors import ErrorDetail, not_found
from apis.shared.result import Failure, Result, Success, collect, railway
from apis.shared.settings import StorageSettings, settings
from apis.shared.tools.models import CONFIGS, ToolRecord
from apis.shared.ttl_cache import TtlCache
from apis.shared.wiring import once

CATALOGUE_TTL_SECONDS = 60.0
_DEFINITION = "METADATA"

type Catalogue = Mapping[str, ToolRecord]

type ToolChange = Mapping[str, Any]
"""New values of members of a `ToolRecord`, by their names; None clears one. Any: each member has its own type."""


def tool_not_found(tool_id: str) -> ErrorDetail:
    """Names the id, unless it is longer than any id can be."""
    return not_found(f"Tool '{tool_id}' not found" if len(tool_id) <= PARTITION_KEY_BYTES else "Tool not found")


class ToolRepository:
    """Reads only. Without a table nothing is stored."""

    def __init__(self, table: Table | None, *, ttl_seconds: float = CATALOGUE_TTL_SECONDS) -> None:
        self._table = table
        self._kept: TtlCache[None, Catalogue] = TtlCache(ttl_seconds)

    async def catalogue(self) -> Result[Catalogue, ErrorDetail]:
        """All stored tools by id; a failed read is not kept. Fails with `internal_error`, naming the tool, when one of
        them cannot be read."""
        return await self._kept.get_or_read(None, self.read_all)

    @railway
    async def read_all(self) -> Result[Catalogue, ErrorDetail]:
        """`catalogue`, as other processes have left it: for administrators."""
        if self._table is None:
            return Success({})
        # Consistent: what is read right after a write of this process is kept for a minute.
        only = F("SK").equals(_DEFINITION)
        items = (await self._table.scan_all("TOOL#", only=only, consistent=True)).unwrap()
        records = collect(_parse(item) for item in items).unwrap()
        return Success({record.tool_id: record for record in records})

    @railway
    async def get(self, tool_id: str) -> Result[ToolRecord | None, ErrorDetail]:
        """As the last write left it."""
        key = _key(tool_id)
        if self._table is None or not is_key(key["PK"]):
            return Success(None)
        item = (await self._table.get(key, consistent=True)).unwrap()
        return Success(None) if item is None else _parse(item)

    async def exists(self, tool_id: str) -> Result[bool, ErrorDetail]:
        """Also a tool that cannot be read."""
        key = _key(tool_id)
        if self._table is None or not is_key(key["PK"]):
            return Success(False)
        return (await self._table.get(key, consistent=True)).map(lambda item: item is not None)

    def forget(self) -> None:
        """The catalogue was changed."""
        self._kept.invalidate()


class ToolWriter:
    """Changes the catalogue; what this process has kept of it is forgotten. Only the App API may."""

    def __init__(self, table: Table, readers: ToolRepository) -> None:
        self._table = table
        self._readers = readers

    async def create(self, tool: ToolRecord) -> Result[bool, ErrorDetail]:
        """False when there is a tool with this id."""
        item = _stored({name: getattr(tool, name) for name in ToolRecord.model_fields})
        with self._forgetting():
            return await self._table.put_if_absent(
                {**item, **_key(tool.tool_id), **_index(tool.tool_id, tool.category)}
            )

    @railway
    async def change(self, tool_id: str, change: ToolChange) -> Result[ToolRecord, ErrorDetail]:
        """The tool as it is then. Fails with `not_found`."""
        if not is_key(_key(tool_id)["PK"]):
            return Failure(tool_not_found(tool_id))
        values = dict(_stored(change))
        if "category" in change:
            values |= _index(tool_id, change["category"])
        removed = UpdateExpression(remove={F(_alias(name)) for name in CONFIGS if name in change and not change[name]})
        with self._forgetting():
            item = (
                await self._table.update_and_get(
                    _key(tool_id), assigned(values) & removed, condition=PK_EXISTS, lost=tool_not_found(tool_id)
                )
            ).unwrap()
            tool = _parse(item).unwrap()
            if item.get("GSI1PK") != _index(tool_id, tool.category)["GSI1PK"]:
                # An earlier version wrote the name of a class into the key.
                (
                    await self._table.update_if(
                        _key(tool_id),
                        assigned(_index(tool_id, tool.category)),
                        condition=F("category").equals(tool.category),
                    )
                ).unwrap()
        return Success(tool)

    async def deprecate(self, tool_id: str, change: ToolChange) -> Result[bool, ErrorDetail]:
        """Unless somebody has changed its status meanwhile: False."""
        with self._forgetting():
            return await self._table.update_if(
                _key(tool_id), assigned(_stored({**change, "status": "deprecated"})), condition=_IS_ACTIVE
            )

    async def delete(self, tool_id: str) -> Result[None, ErrorDetail]:
        """Fails with `not_found`."""
        with self._forgetting():
            gone = await self._table.delete(_key(tool_id), condition=PK_EXISTS, lost=tool_not_found(tool_id))
            return gone.map(lambda _: None)

    @contextmanager
    def _forgetting(self) -> Iterator[None]:
        try:
            yield
        finally:
            # Also after a failure: a write whose answer was lost may have been done.
            self._readers.forget()


_IS_ACTIVE = PK_EXISTS & F("status").equals("active")


def _key(tool_id: str) -> Key:
    return {"PK": f"TOOL#{tool_id}", "SK": _DEFINITION}


def _index(tool_id: str, category: str) -> dict[str, str]:
    return {"GSI1PK": f"CATEGORY#{category}", "GSI1SK": f"TOOL#{tool_id}"}


def _alias(name: str) -> str:
    return str(ToolRecord.model_fields[name].alias)


def _stored(change: ToolChange) -> dict[str, Any]:  # Any: as in ToolChange
    """By the names of the stored attributes, without the parts that are left out."""
    given = {name: value for name, value in change.items() if not (name in CONFIGS and value is None)}
    return {
        _alias(name): value.model_dump(by_alias=True) if name in CONFIGS else value for name, value in given.items()
    }


def _parse(item: Item) -> Result[ToolRecord, ErrorDetail]:
    tool_id = str(item["PK"]).removeprefix("TOOL#")
    return parse_as(ToolRecord, item).alt(lambda error: error.model_copy(update={"metadata": {"toolId": tool_id}}))


@once
def get_tool_repository() -> ToolRepository:
    name = settings(StorageSettings).dynamodb_app_roles_table_name
    return ToolRepository(Table(name) if name else None)


@once
def get_tool_writer() -> ToolWriter | None:
    """None where no table is configured."""
    name = settings(StorageSettings).dynamodb_app_roles_table_name
    return ToolWriter(Table(name), get_tool_repository()) if name else None
