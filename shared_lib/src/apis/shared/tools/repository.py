"""The stored tool catalogue. Listing it scans a shared table, so what was read is kept for a minute."""

from collections.abc import Mapping

from apis.shared.aws.dynamodb import Item, Table, parse_as
from apis.shared.errors import ErrorDetail
from apis.shared.result import Result, Success, collect, railway
from apis.shared.settings import StorageSettings, settings
from apis.shared.tools.models import ToolRecord
from apis.shared.ttl_cache import TtlCache
from apis.shared.wiring import once

CATALOGUE_TTL_SECONDS = 60.0

type Catalogue = Mapping[str, ToolRecord]


class ToolRepository:
    """Without a table nothing is stored."""

    def __init__(self, table: Table | None, *, ttl_seconds: float = CATALOGUE_TTL_SECONDS) -> None:
        self._table = table
        self._kept: TtlCache[None, Catalogue] = TtlCache(ttl_seconds)

    async def catalogue(self) -> Result[Catalogue, ErrorDetail]:
        """All stored tools by id; a failed read is not kept. Fails with `internal_error`, naming the tool, when one of
        them cannot be read."""
        table = self._table
        if table is None:
            return Success({})
        return await self._kept.get_or_read(None, lambda: _read(table))


@railway
async def _read(table: Table) -> Result[Catalogue, ErrorDetail]:
    items = (await table.scan_all("TOOL#")).unwrap()
    records = collect(_parse(item) for item in items if item.get("SK") == "METADATA").unwrap()
    return Success({record.tool_id: record for record in records})


def _parse(item: Item) -> Result[ToolRecord, ErrorDetail]:
    tool_id = str(item["PK"]).removeprefix("TOOL#")
    return parse_as(ToolRecord, item).alt(lambda error: error.model_copy(update={"metadata": {"toolId": tool_id}}))


@once
def get_tool_repository() -> ToolRepository:
    name = settings(StorageSettings).dynamodb_app_roles_table_name
    return ToolRepository(Table(name) if name else None)
