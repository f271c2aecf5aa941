"""A managed model, as stored, and what administrators say of one."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import Field, FiniteFloat

from apis.shared.errors import ErrorDetail, bad_request, not_found
from apis.shared.moments import read_in_utc
from apis.shared.records import Record, StoredMoment, Texts, parse_record
from apis.shared.result import Result

_RECORD_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,127}")
# An entry that does not say when it was made counts as the oldest.
_UNKNOWN_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)


class ManagedModel(Record):
    """One entry of the catalogue. `model_id` is the provider's id, `id` our own. Prices are US dollars per million
    tokens."""

    id: str
    model_id: str
    model_name: str
    provider: str
    provider_name: str = ""
    input_modalities: Texts = Field(default_factory=list)
    output_modalities: Texts = Field(default_factory=list)
    max_input_tokens: int = 0
    max_output_tokens: int = 0
    allowed_app_roles: Texts = Field(default_factory=list)
    available_to_roles: Texts = Field(default_factory=list)
    enabled: bool = True
    input_price_per_million_tokens: FiniteFloat
    output_price_per_million_tokens: FiniteFloat
    cache_write_price_per_million_tokens: FiniteFloat | None = None
    cache_read_price_per_million_tokens: FiniteFloat | None = None
    is_reasoning_model: bool = False
    knowledge_cutoff_date: str | None = None
    # An entry written before the flag existed supports caching.
    supports_caching: bool = True
    created_at: StoredMoment = ""
    updated_at: StoredMoment = ""

    @property
    def created(self) -> datetime:
        return read_in_utc(self.created_at).value_or(_UNKNOWN_MOMENT)

    @property
    def updated(self) -> datetime:
        return read_in_utc(self.updated_at).value_or(_UNKNOWN_MOMENT)


CLEARABLE: Final = frozenset(
    {"cache_write_price_per_million_tokens", "cache_read_price_per_million_tokens", "knowledge_cutoff_date"}
)
"""Of a managed model, what may be without a value: removed in the table, null in a file."""

type ModelChange = Mapping[str, Any]
"""New values of members of a `ManagedModel`, by their names; None clears one. Any: each member has its own type."""


def as_stored(change: ModelChange) -> dict[str, Any]:
    """By the names of the stored attributes."""
    return {str(ManagedModel.model_fields[name].alias): value for name, value in change.items()}


def that_counts(models: Iterable[ManagedModel]) -> ManagedModel | None:
    """Two requests at one moment may have made two entries with one `model_id`: turns, prices and the picker all go by
    the oldest one, then by the smaller id."""
    return min(models, key=lambda model: (model.created, model.id), default=None)


def newest_first(models: Iterable[ManagedModel]) -> list[ManagedModel]:
    """Clients choose the first one by default, so the order is always the same."""
    return sorted(models, key=lambda model: (-model.created.timestamp(), model.id))


def is_record_id(text: str) -> bool:
    """Whether a model can have this id: it becomes a key, and the name of a file."""
    return _RECORD_ID.fullmatch(text) is not None


def model_not_found(record_id: str) -> ErrorDetail:
    """Names the id, unless no model can have it."""
    return not_found(f"Managed model '{record_id}' not found" if is_record_id(record_id) else "Managed model not found")


def model_id_taken(model_id: str) -> ErrorDetail:
    return bad_request(f"A model with modelId '{model_id}' already exists")


def read_model(document: object, *, key: str) -> Result[ManagedModel, ErrorDetail]:
    """`internal_error` with `key` in the metadata for what is not a model: clients are told which one to mend."""
    return parse_record(ManagedModel, document, key=key).alt(lambda error: naming(key, error))


def naming(key: str, error: ErrorDetail) -> ErrorDetail:
    """The same failure, with the record's key for the client."""
    return error.model_copy(update={"metadata": {"key": key}})
