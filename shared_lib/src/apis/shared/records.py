"""The base of stored records, and the one way to read them."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from apis.shared.errors import ErrorDetail, internal_error
from apis.shared.moments import read_in_utc
from apis.shared.result import ErrorTable, Result, attempt, error_of


class Record(BaseModel):
    """A stored record: camelCase members, unknown ones ignored, never changed in place."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore", protected_namespaces=()
    )


def _empty_if_null(value: object) -> object:
    return [] if value is None else value


Texts = Annotated[list[str], BeforeValidator(_empty_if_null)]
"""A list of texts; a stored null reads as an empty one."""


def _moment(text: str) -> str:
    if text and error_of(read_in_utc(text)) is not None:
        msg = "not a moment"
        raise ValueError(msg)
    return text


StoredMoment = Annotated[str, AfterValidator(_moment)]
"""A moment as it was written, whatever the form; or an empty text where none is known."""


def parse_record[R: BaseModel](kind: type[R], document: object, *, key: str) -> Result[R, ErrorDetail]:
    """`document` as a record. `internal_error` when it does not fit, with entity, key and fields for the log, but no
    content."""
    return attempt(kind.model_validate, document, errors=_INVALID).alt(
        lambda error: error.without_cause().caused_by(None, entity=kind.__name__, key=key)
    )


def _invalid(error: ValidationError) -> ErrorDetail:
    # The exception itself quotes the content, which must not reach the log.
    fields = ", ".join(".".join(str(part) for part in item["loc"]) for item in error.errors(include_input=False))
    return internal_error(None, corrupt_fields=fields)


_INVALID = ErrorTable.of((ValidationError, _invalid))
