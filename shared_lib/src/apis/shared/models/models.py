"""A managed model, as stored."""

from pydantic import Field, FiniteFloat

from apis.shared.errors import ErrorDetail
from apis.shared.records import Record, Texts, parse_record
from apis.shared.result import Result


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
    created_at: str = ""
    updated_at: str = ""


def read_model(document: object, *, key: str) -> Result[ManagedModel, ErrorDetail]:
    """`internal_error` with `key` in the metadata for what is not a model: clients are told which one to mend."""
    return parse_record(ManagedModel, document, key=key).alt(lambda error: naming(key, error))


def naming(key: str, error: ErrorDetail) -> ErrorDetail:
    """The same failure, with the record's key for the client."""
    return error.model_copy(update={"metadata": {"key": key}})
