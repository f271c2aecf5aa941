"""Managed models in their table."""

from apis.shared.aws.dynamodb import HashKey, Query, Table
from apis.shared.errors import ErrorDetail
from apis.shared.models.models import ManagedModel, read_model
from apis.shared.result import Result, Success, collect, railway


class DynamoManagedModels:
    def __init__(self, table: Table) -> None:
        self._table = table

    @railway
    async def find(self, model_id: str) -> Result[ManagedModel | None, ErrorDetail]:
        page = await self._table.query_page(
            Query(HashKey("GSI1PK", f"MODEL#{model_id}"), index="ModelIdIndex", limit=1)
        )
        items = page.unwrap().items
        return read_model(items[0], key=str(items[0]["PK"])) if items else Success(None)

    @railway
    async def list_all(self) -> Result[list[ManagedModel], ErrorDetail]:
        items = (await self._table.scan_all("MODEL#")).unwrap()
        return collect(read_model(item, key=str(item["PK"])) for item in items)
