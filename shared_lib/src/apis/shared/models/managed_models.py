"""Managed models: which models users may choose, and what their tokens cost."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Protocol

from pydantic import BaseModel, BeforeValidator, ConfigDict, FiniteFloat, ValidationError
from pydantic.alias_generators import to_camel

from apis.shared.auth.models import User
from apis.shared.aws.boto_dynamodb import Condition, Item, Query, Table, parse_as
from apis.shared.costs.models import PricingSnapshot
from apis.shared.errors import ErrorDetail, internal_error
from apis.shared.rbac.models import UserEffectivePermissions
from apis.shared.result import ErrorTable, Result, Success, attempt, collect, railway
from apis.shared.settings import StorageSettings, settings
from apis.shared.storage.json_files import list_folder, read_json
from apis.shared.wiring import once


def _or_empty(value: object) -> object:
    return [] if value is None else value


Texts = Annotated[list[str], BeforeValidator(_or_empty)]


class ManagedModel(BaseModel):
    """One entry of the catalogue. `model_id` is the provider's id, `id` our own. Prices are US dollars per million
    tokens."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore", protected_namespaces=()
    )

    id: str
    model_id: str
    model_name: str
    provider: str
    provider_name: str = ""
    input_modalities: Texts = []
    output_modalities: Texts = []
    max_input_tokens: int = 0
    max_output_tokens: int = 0
    allowed_app_roles: Texts = []
    available_to_roles: Texts = []
    enabled: bool = True
    input_price_per_million_tokens: FiniteFloat
    output_price_per_million_tokens: FiniteFloat
    cache_write_price_per_million_tokens: FiniteFloat | None = None
    cache_read_price_per_million_tokens: FiniteFloat | None = None
    is_reasoning_model: bool = False
    knowledge_cutoff_date: str | None = None
    # An entry written before the flag existed supports caching.
    supports_caching: bool = True
    created_at: str = ""
    updated_at: str = ""


class ManagedModelRepository(Protocol):
    """A model that cannot be read is `internal_error` with its record key in the metadata, never left out."""

    async def find(self, model_id: str) -> Result[ManagedModel | None, ErrorDetail]:
        """The first model with this provider-side id, enabled or not; None for an id that nobody manages."""
        ...

    async def list_all(self) -> Result[list[ManagedModel], ErrorDetail]:
        """Every model. Reads the whole store: for listings, never per message."""
        ...


class DynamoManagedModels:
    def __init__(self, table: Table) -> None:
        self._table = table

    @railway
    async def find(self, model_id: str) -> Result[ManagedModel | None, ErrorDetail]:
        page = await self._table.query_page(
            Query(Condition("GSI1PK = :model", values={":model": f"MODEL#{model_id}"}), index="ModelIdIndex", limit=1)
        )
        items = page.unwrap().items
        return _stored(items[0]) if items else Success(None)

    async def list_all(self) -> Result[list[ManagedModel], ErrorDetail]:
        return (await self._table.scan_all("MODEL#")).bind(lambda items: collect(_stored(item) for item in items))


class LocalManagedModels:
    """One JSON file per model; without the folder there are none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def find(self, model_id: str) -> Result[ManagedModel | None, ErrorDetail]:
        return (await self.list_all()).map(
            lambda models: next((model for model in models if model.model_id == model_id), None)
        )

    @railway
    async def list_all(self) -> Result[list[ManagedModel], ErrorDetail]:
        paths = (await list_folder(self._folder, "*.json")).unwrap()
        models = collect(await asyncio.gather(*(_read(path) for path in paths))).unwrap()
        return Success([model for model in models if model is not None])


async def _read(path: Path) -> Result[ManagedModel | None, ErrorDetail]:
    """None for a file that was deleted since the folder was listed."""
    document = await read_json(path)
    return document.bind(lambda content: _from_file(path, content)).alt(lambda error: _naming(path.stem, error))


def _stored(item: Item) -> Result[ManagedModel, ErrorDetail]:
    return parse_as(ManagedModel, item).alt(lambda error: _naming(str(item["PK"]), error))


def _from_file(path: Path, document: Any) -> Result[ManagedModel | None, ErrorDetail]:
    if document is None:
        return Success(None)
    corrupt = internal_error(None, entity="ManagedModel", file=path.name)
    errors = ErrorTable.of((ValidationError, lambda _: corrupt))
    # The exception quotes the content, which must not reach the log.
    return attempt(ManagedModel.model_validate, document, errors=errors).alt(ErrorDetail.without_cause)


def _naming(key: str, error: ErrorDetail) -> ErrorDetail:
    return error.model_copy(update={"metadata": {"key": key}})


def pricing_snapshot(model: ManagedModel, now: datetime) -> PricingSnapshot:
    return PricingSnapshot(
        input_price_per_mtok=model.input_price_per_million_tokens,
        output_price_per_mtok=model.output_price_per_million_tokens,
        cache_write_price_per_mtok=model.cache_write_price_per_million_tokens,
        cache_read_price_per_mtok=model.cache_read_price_per_million_tokens,
        snapshot_at=now.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z",
    )


def can_access_model(user: User, model: ManagedModel, permissions: UserEffectivePermissions) -> bool:
    """Enabled, and granted by an AppRole or available to a role of the token. `allowed_app_roles` only informs."""
    if not model.enabled:
        return False
    return permissions.allows_model(model.model_id) or not set(user.roles).isdisjoint(model.available_to_roles)


@once
def get_managed_models() -> ManagedModelRepository:
    storage = settings(StorageSettings)
    table = storage.dynamodb_managed_models_table_name
    return DynamoManagedModels(Table(table)) if table else LocalManagedModels(storage.managed_models_dir)
