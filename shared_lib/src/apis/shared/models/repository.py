"""Where managed models are: one door, a table or local files behind it."""

from typing import Protocol

from apis.shared.errors import ErrorDetail
from apis.shared.models.models import ManagedModel, ModelChange
from apis.shared.result import Result


class ManagedModelRepository(Protocol):
    """A model that cannot be read is `internal_error` with its record key in the metadata, never left out. Only the App
    API writes."""

    async def find(self, model_id: str) -> Result[ManagedModel | None, ErrorDetail]:
        """The model with this provider-side id that counts, enabled or not; None for an id that nobody manages."""
        ...

    async def get(self, record_id: str) -> Result[ManagedModel | None, ErrorDetail]:
        """By our own id."""
        ...

    async def list_all(self) -> Result[list[ManagedModel], ErrorDetail]:
        """Every model, in no order. Reads the whole store: for listings, never per message."""
        ...

    async def add(self, model: ManagedModel) -> Result[None, ErrorDetail]:
        """Fails with `bad_request` when its `model_id` is taken. In the table two that come at one moment may both be
        added, because an index lags behind; `find` then says which one counts."""
        ...

    async def change(self, record_id: str, change: ModelChange) -> Result[ManagedModel, ErrorDetail]:
        """The model as it is then. Fails with `not_found`, and with `bad_request` when another one has the new
        `model_id`."""
        ...

    async def remove(self, record_id: str) -> Result[None, ErrorDetail]:
        """Fails with `not_found`."""
        ...
