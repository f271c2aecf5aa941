"""How much a request may hold, in one place: no real client comes near, so none of it stands in the published schema.

Wire models take their types from here; a bound is a validator, which OpenAPI does not show. Only what comes in is
bounded: what is stored stays readable whatever its size.
"""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, AllowInfNan, BeforeValidator, FailFast

UNKNOWN_CALLER_BYTES = 64 * 1024
"""Of a body, before the credentials are known to be good."""

JSON_NESTING = 64
JSON_ENTRIES = 100_000
"""Members and elements of one body."""
JSON_ESCAPES = 5_000_000
"""Backslashes: more than the longest message, prompt and files can have, and the slowest text to parse."""
JSON_NUMBER = 4_300
"""Digits; Python makes no integer of more."""

BODY_PAUSE_SECONDS = 20.0
HEADERS_SECONDS = 10.0
HEADER_BLOCK_BYTES = 64 * 1024
HEADER_BYTES = 32 * 1024
BEARER_TOKEN_BYTES = 16 * 1024

NAMED_FAULTS = 20
FAULT_CHARACTERS = 500
"""Of the name or the text of one fault: a rule may quote what it refuses."""

TOOL_IDS = 200
PARENT_IDS = 100
SHORT_TEXTS = 1_000
INLINE_FILES = 20
UPLOADED_FILES = 5

_SMALLEST, _LARGEST = 1e-100, 1e100
_DIGITS = 38
"""Of a number of the store, without zeros at its beginning or end."""


def at_most(characters: int) -> AfterValidator:
    """A text of at most so many characters."""

    def check(text: str) -> str:
        if len(text) > characters:
            msg = f"at most {characters:,} characters are allowed"
            raise ValueError(msg)
        return text

    return AfterValidator(check)


def bytes_at_most(size: int) -> AfterValidator:
    """A text of at most so many bytes, for what becomes part of a store's key."""

    def check(text: str) -> str:
        if len(text.encode()) > size:
            msg = f"at most {size:,} bytes are allowed"
            raise ValueError(msg)
        return text

    return AfterValidator(check)


def _not_empty(text: str) -> str:
    if not text:
        msg = "an id is not empty"
        raise ValueError(msg)
    return text


def _not_blank[V: (str, list[str])](value: V) -> V:
    if not value:
        msg = "must not be empty"
        raise ValueError(msg)
    return value


def count_at_most(items: int) -> BeforeValidator:
    """A list of at most so many items, refused before any of them is looked at."""

    def check(value: Any) -> Any:  # Any: not validated yet
        if isinstance(value, list) and len(value) > items:
            raise _too_many(items)
        return value

    return BeforeValidator(check)


def members_at_most(items: int) -> BeforeValidator:
    """A map of at most so many members, refused before any of them is looked at."""

    def check(value: Any) -> Any:  # Any: not validated yet
        if isinstance(value, dict) and len(value) > items:
            raise _too_many(items)
        return value

    return BeforeValidator(check)


def distinct_at_most(items: int) -> BeforeValidator:
    """A list of texts, each taken once, of at most so many."""

    def check(value: Any) -> Any:  # Any: not validated yet
        if not isinstance(value, list):
            return value
        texts = dict.fromkeys(one for one in value if isinstance(one, str))
        if len(texts) > items:
            raise _too_many(items)
        # Something else is left to be refused in its place.
        return list(texts) if all(isinstance(one, str) for one in value) else value

    return BeforeValidator(check)


def _too_many(items: int) -> ValueError:
    return ValueError(f"at most {items:,} items are allowed")


def _storable[N: (int, float, Decimal)](number: N) -> N:
    """What tables can hold, with room for sums."""
    if number and not _SMALLEST <= abs(number) <= _LARGEST:
        msg = "the number is too large or too small"
        raise ValueError(msg)
    return number


def _exactly_storable[N: (int, Decimal)](number: N) -> N:
    """What tables hold with every digit."""
    digits = "".join(map(str, Decimal(number).as_tuple().digits)).strip("0")
    if len(digits) > _DIGITS:
        msg = f"at most {_DIGITS} digits are allowed"
        raise ValueError(msg)
    return number


def _temperature(value: float) -> float:
    if not 0 <= value <= 2:
        msg = "a temperature is between 0 and 2"
        raise ValueError(msg)
    return value


# No `type` statements: those would be schemas of their own in OpenAPI.
ShortText = Annotated[str, at_most(2_000)]
"""Names, kinds, and every text without a bound of its own."""
ShortTexts = Annotated[list[ShortText], FailFast(), count_at_most(SHORT_TEXTS)]
SomeText = Annotated[ShortText, AfterValidator(_not_blank)]
"""A text that is not empty, where the published schema does not say so."""
SomeTexts = Annotated[ShortTexts, AfterValidator(_not_blank)]
"""At least one, where the published schema does not say so."""
Prose = Annotated[str, at_most(1_000_000)]
"""A message or a system prompt."""
Title = Annotated[str, at_most(10_000)]
Tags = Annotated[list[Annotated[str, at_most(1_000)]], FailFast(), count_at_most(1_000)]
KeyId = Annotated[str, bytes_at_most(1_000)]
"""An id that becomes part of a store's key."""
KeyIds = Annotated[list[Annotated[KeyId, AfterValidator(_not_empty)]], FailFast(), distinct_at_most(10_000)]
"""Ids that each become part of a key of its own, each taken once; a rule of their service may allow fewer."""
ParentIds = Annotated[list[KeyId], FailFast(), distinct_at_most(PARENT_IDS)]
"""Ids of things that are each read in order to check the request, each taken once."""
ToolIds = Annotated[list[Annotated[str, at_most(200)]], FailFast(), distinct_at_most(TOOL_IDS)]
Switches = Annotated[dict[Annotated[str, at_most(200)], bool], members_at_most(TOOL_IDS)]
"""Tools by id, on or off."""
PageToken = Annotated[str, bytes_at_most(8 * 1024)]
IssuedText = Annotated[str, bytes_at_most(BEARER_TOKEN_BYTES)]
"""A code or token that an identity provider has issued."""
Integer = Annotated[int, AfterValidator(_storable), AfterValidator(_exactly_storable)]
Number = Annotated[float, AllowInfNan(allow_inf_nan=False), AfterValidator(_storable)]
Temperature = Annotated[Number, AfterValidator(_temperature)]
Amount = Annotated[
    Decimal, AllowInfNan(allow_inf_nan=False), AfterValidator(_storable), AfterValidator(_exactly_storable)
]
"""An amount of money or a percentage: a number, or a text that holds one."""
