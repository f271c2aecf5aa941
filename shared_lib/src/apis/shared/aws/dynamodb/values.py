"""Plain values and the attribute values of DynamoDB's JSON: numbers keep every digit, sets stay sets.

The library behind the expressions has a codec of its own. It writes numbers as Python prints them (`1E+3`, `1e-07`,
even `NaN`), so this one stays: what is stored is always the plain decimal.
"""

import binascii
import re
from collections.abc import Callable, Mapping, Sequence, Set
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from apis.shared.errors import ErrorDetail
from apis.shared.records import parse_record
from apis.shared.result import Result

type Number = int | float | Decimal
type Value = (
    str | Number | bool | bytes | Sequence[Value] | Mapping[str, Value] | Set[str] | Set[bytes] | Set[Number] | None
)
type Item = dict[str, Value]
type Key = Mapping[str, str]
type Wire = dict[str, Any]  # Any: the attribute-value structure of the service, {"S": "text"} and so on


PARTITION_KEY_BYTES, SORT_KEY_BYTES = 2048, 1024

_HALF_CHARACTER = re.compile("[\ud800-\udfff]")


def is_key(text: str, most_bytes: int = PARTITION_KEY_BYTES) -> bool:
    """Whether `text` can be the value of a key; the service refuses a request that names another one, also one that
    only reads."""
    return bool(text) and _HALF_CHARACTER.search(text) is None and len(text.encode()) <= most_bytes


class NotStorable(ValueError):  # noqa: N818 - what the value is
    """A number that the store has no form for: NaN, an infinity."""


def encode_item(item: Mapping[str, Value]) -> dict[str, Wire]:
    return {name: encode(value) for name, value in item.items()}


def decode_item(item: Mapping[str, Any]) -> Item:
    return {name: decode(value) for name, value in item.items()}


def encode(value: Value) -> Wire:  # noqa: PLR0911 - one type, one return
    """Floats are stored as the exact decimal of their shortest text (0.1 as `0.1`)."""
    match value:
        case str():
            return {"S": value}
        case bool():
            return {"BOOL": value}
        case int() | float() | Decimal():
            return {"N": _digits(value)}
        case None:
            return {"NULL": True}
        case bytes():
            return {"B": _base64(value)}
        case Mapping():
            return {"M": encode_item(value)}
        case Set():
            return _encode_set(value)
        case _:
            return {"L": [encode(member) for member in value]}


def _digits(value: Number) -> str:
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not number.is_finite():
        raise NotStorable
    return format(number, "f")


def _base64(value: bytes) -> str:
    return binascii.b2a_base64(value, newline=False).decode()


def _bytes(text: str) -> bytes:
    return binascii.a2b_base64(text, strict_mode=True)


def _encode_set(members: Set[Any]) -> Wire:
    # Sorted, so that the same set is always written the same way. The service has no empty sets and no mixed ones.
    if all(isinstance(member, str) for member in members):
        return {"SS": sorted(members)}
    if all(isinstance(member, bytes) for member in members):
        return {"BS": [_base64(member) for member in sorted(members)]}
    return {"NS": [_digits(member) for member in sorted(members)]}


def decode(wire: Mapping[str, Any]) -> Value:
    """Whole numbers become int, others Decimal, so that writing them back changes nothing."""
    ((kind, value),) = wire.items()
    return _DECODERS[kind](value)


def _number(text: str) -> int | Decimal:
    return int(text) if text.isdigit() or text.removeprefix("-").isdigit() else Decimal(text)


def _decode_map(value: Mapping[str, Any]) -> Value:
    return {name: decode(member) for name, member in value.items()}


def _decode_list(value: Sequence[Any]) -> Value:
    return [decode(member) for member in value]


def _as_is(value: Any) -> Value:
    return value  # type: ignore[no-any-return]  # S and BOOL already hold the plain value


_DECODERS: Mapping[str, Callable[[Any], Value]] = {
    "S": _as_is,
    "BOOL": _as_is,
    "N": _number,
    "NULL": lambda _: None,
    "M": _decode_map,
    "L": _decode_list,
    "B": _bytes,
    "SS": frozenset,
    "NS": lambda members: frozenset(map(_number, members)),
    "BS": lambda members: frozenset(map(_bytes, members)),
}


def plain(value: Value) -> Any:
    """`value` with JSON's types only: decimals become floats, sets sorted lists. Any: a free-form attribute has no
    narrower type."""
    match value:
        case Decimal():
            return float(value)
        case str() | bytes() | bool() | int() | float() | None:
            return value
        case Mapping():
            return {key: plain(member) for key, member in value.items()}
        case Set():
            members: list[Any] = sorted(value)
            return [plain(member) for member in members]
        case _:
            return [plain(member) for member in value]


def parse_as[R: BaseModel](record: type[R], item: Item) -> Result[R, ErrorDetail]:
    """The item as a record; see `parse_record`. Free-form members keep their decimals: give them as `plain`."""
    return parse_record(record, item, key=f"{item.get('PK', '?')} / {item.get('SK', '?')}")
