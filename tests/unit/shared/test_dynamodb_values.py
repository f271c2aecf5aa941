"""The codec between plain values and DynamoDB's attribute values, and records made from items."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from apis.shared.aws.dynamodb import Value, decode, decode_item, encode, encode_item, parse_as, plain
from apis.shared.result import Success

# DynamoDB's own bounds: 38 digits, magnitudes up to 1E+125.
decimals = st.builds(
    lambda digits, exponent: Decimal(digits).scaleb(exponent), st.integers(-(10**27), 10**27), st.integers(-90, 90)
)
scalars = st.none() | st.booleans() | st.integers(-(10**37), 10**37) | decimals | st.text() | st.binary()
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda members: st.lists(members, max_size=4) | st.dictionaries(st.text(), members, max_size=4),
    max_leaves=12,
)


@given(values)
def test_a_value_comes_back_as_it_was(value: Value) -> None:
    back = decode(encode(value))
    assert back == value
    # True == 1 and b"" == b"", so equality alone says nothing about the type.
    assert encode(back) == encode(value)


@given(st.dictionaries(st.text(min_size=1), values, max_size=4))
def test_an_item_comes_back_as_it_was(item: dict[str, Value]) -> None:
    assert decode_item(encode_item(item)) == item


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e100, max_value=1e100))
def test_a_float_is_stored_as_its_shortest_decimal(value: float) -> None:
    text = encode(value)["N"]
    assert re.fullmatch(r"-?\d+(\.\d+)?", text), "the exponent form"
    assert Decimal(text) == Decimal(repr(value))
    assert float(plain(decode({"N": text}))) == value


@given(decimals)
def test_no_number_is_written_with_an_exponent(value: Decimal) -> None:
    assert "E" not in encode(value)["N"].upper()


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        ("text", {"S": "text"}),
        ("", {"S": ""}),
        (True, {"BOOL": True}),
        (0, {"N": "0"}),
        (-12, {"N": "-12"}),
        (0.1, {"N": "0.1"}),
        (0.010935, {"N": "0.010935"}),
        (1e-7, {"N": "0.0000001"}),
        (1e22, {"N": "10000000000000000000000"}),
        (3.0, {"N": "3.0"}),
        (Decimal("1E+3"), {"N": "1000"}),
        (None, {"NULL": True}),
        (b"\x00\xff", {"B": "AP8="}),
        ((1, "a"), {"L": [{"N": "1"}, {"S": "a"}]}),
        ({"a": {"b": []}}, {"M": {"a": {"M": {"b": {"L": []}}}}}),
    ],
)
def test_the_form_on_the_wire(value: Value, wire: Mapping[str, Any]) -> None:
    assert encode(value) == wire


@pytest.mark.parametrize(
    ("wire", "value"),
    [
        ({"N": "5"}, 5),
        ({"N": "-5"}, -5),
        ({"N": "0.12345678901234567890123"}, Decimal("0.12345678901234567890123")),
        ({"SS": ["a", "b"]}, frozenset({"a", "b"})),
        ({"NS": ["1", "2.5"]}, frozenset({1, Decimal("2.5")})),
        ({"BS": ["YQ=="]}, frozenset({b"a"})),
    ],
)
def test_what_is_read(wire: Mapping[str, Any], value: Value) -> None:
    back = decode(wire)
    assert (back, type(back)) == (value, type(value))


def test_plain_values_are_those_of_json() -> None:
    item: dict[str, Value] = {"price": Decimal("0.3"), "count": 2, "tags": ("a", Decimal("1.5")), "none": None}
    assert plain(item) == {"price": 0.3, "count": 2, "tags": ["a", 1.5], "none": None}


class Stored(BaseModel):
    model_config = ConfigDict(extra="ignore")

    name: str
    prices: list[float] = Field(default=[])


def test_an_item_as_a_record() -> None:
    item: dict[str, Value] = {"PK": "P", "SK": "S", "name": "n", "prices": [Decimal("0.3")], "unknown": 1}
    assert parse_as(Stored, item) == Success(Stored(name="n", prices=[0.3]))


def test_a_corrupt_item_is_named_and_never_quoted() -> None:
    item: dict[str, Value] = {"PK": "USER#1", "SK": "S#2", "name": ["a secret text"], "prices": ["another"]}
    error = parse_as(Stored, item).failure()
    assert error.code == "internal_error"
    assert error.context == {"corrupt_fields": "name, prices.0", "entity": "Stored", "key": "USER#1 / S#2"}
    assert error.cause is None, "the exception quotes the content"
    assert "secret" not in f"{error!r}{error.model_dump()}"
