"""Where managed models are: one door, a table or local files behind it."""

from typing import Protocol

from apis.shared.errors import ErrorDetail
from apis.shared.models.models import ManagedModel
from apis.shared.result import Result


class ManagedModelRepository(Protocol):
    """A model that cannot be read is `internal_error` with its record key in the metadata, never left out."""

    async def find(self, model_id: str) -> Result[ManagedModel | None, ErrorDetail]:
        """The first model with this provider-side id, enabled or not; None for an id that nobody manages."""
        ...

    async def list_all(self) -> Result[list[ManagedModel], ErrorDetail]:
        """Every model. Reads the whole store: for listings, never per message."""
        ...
