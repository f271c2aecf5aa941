"""Managed models in their table."""

import asyncio
from typing import Any

from apis.shared.aws.dynamodb import (
    PK_ABSENT,
    PK_EXISTS,
    F,
    HashKey,
    Query,
    Table,
    UpdateExpression,
    assigned,
    is_key,
)
from apis.shared.errors import ErrorDetail
from apis.shared.models.models import (
    CLEARABLE,
    ManagedModel,
    ModelChange,
    as_stored,
    model_id_taken,
    model_not_found,
    read_model,
    that_counts,
)
from apis.shared.result import Failure, Result, Success, collect, railway, require


class DynamoManagedModels:
    def __init__(self, table: Table) -> None:
        self._table = table

    async def find(self, model_id: str) -> Result[ManagedModel | None, ErrorDetail]:
        return (await self._with_model_id(model_id)).map(that_counts)

    @railway
    async def get(self, record_id: str) -> Result[ManagedModel | None, ErrorDetail]:
        item = (await self._table.get(_keys(record_id), consistent=True)).unwrap()
        return Success(None) if item is None else read_model(item, key=str(item["PK"]))

    @railway
    async def list_all(self) -> Result[list[ManagedModel], ErrorDetail]:
        items = (await self._table.scan_all("MODEL#")).unwrap()
        return collect(read_model(item, key=str(item["PK"])) for item in items)

    @railway
    async def add(self, model: ManagedModel) -> Result[None, ErrorDetail]:
        if (await self._with_model_id(model.model_id)).unwrap():
            return Failure(model_id_taken(model.model_id))
        item = {name: value for name, value in model.model_dump(by_alias=True).items() if value is not None}
        keys = _keys(model.id)
        index = {"GSI1PK": _indexed(model.model_id), "GSI1SK": keys["PK"]}
        return await self._table.put({**item, **keys, **index}, condition=PK_ABSENT)

    @railway
    async def change(self, record_id: str, change: ModelChange) -> Result[ManagedModel, ErrorDetail]:
        model_id = change.get("model_id")
        if model_id is not None:
            (await self._refuse_taken(record_id, model_id)).unwrap()
        changed = await self._table.update_and_get(
            _keys(record_id), _update(change), condition=PK_EXISTS, lost=model_not_found(record_id)
        )
        return changed.bind(lambda item: read_model(item, key=_keys(record_id)["PK"]))

    async def remove(self, record_id: str) -> Result[None, ErrorDetail]:
        gone = await self._table.delete(_keys(record_id), condition=PK_EXISTS, lost=model_not_found(record_id))
        return gone.map(lambda _: None)

    @railway
    async def _refuse_taken(self, record_id: str, model_id: str) -> Result[None, ErrorDetail]:
        """Clients send the id with every change: only a new one is looked for among the others."""
        found, others = await asyncio.gather(self.get(record_id), self._with_model_id(model_id))
        known = require(found.unwrap(), model_not_found(record_id)).unwrap()
        if known.model_id != model_id and others.unwrap():
            return Failure(model_id_taken(model_id))
        return Success(None)

    @railway
    async def _with_model_id(self, model_id: str) -> Result[list[ManagedModel], ErrorDetail]:
        key = _indexed(model_id)
        if not is_key(key):
            return Success([])
        items = (await self._table.query_all(Query(HashKey("GSI1PK", key), index="ModelIdIndex"))).unwrap()
        return collect(read_model(item, key=str(item["PK"])) for item in items)


def _keys(record_id: str) -> dict[str, str]:
    return {"PK": f"MODEL#{record_id}", "SK": f"MODEL#{record_id}"}


def _indexed(model_id: str) -> str:
    return f"MODEL#{model_id}"


def _update(change: ModelChange) -> UpdateExpression:
    values: dict[str, Any] = as_stored(change)  # Any: as there
    cleared = {name for name in as_stored(dict.fromkeys(CLEARABLE)) if name in values and values[name] is None}
    kept = {name: value for name, value in values.items() if name not in cleared}
    if "model_id" in change:
        kept["GSI1PK"] = _indexed(str(change["model_id"]))
    return assigned(kept) & UpdateExpression(remove={F(name) for name in cleared})
