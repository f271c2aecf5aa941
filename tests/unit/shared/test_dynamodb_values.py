"""The codec between plain values and DynamoDB's attribute values, and records made from items."""

import base64
import json
import re
from collections.abc import Mapping
from decimal import Context, Decimal
from typing import Any

import pytest
from aiodynamo.utils import deserialize, serialize
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from apis.shared.aws.dynamodb import Value, decode, decode_item, encode, encode_item, is_key, parse_as, plain
from apis.shared.aws.dynamodb.values import NotStorable
from apis.shared.result import Success

WIDE = Context(prec=60)

# DynamoDB's own bounds: 38 digits, magnitudes up to 1E+125.
decimals = st.builds(
    lambda digits, exponent: Decimal(digits).scaleb(exponent, WIDE),
    st.integers(-(10**38) + 1, 10**38 - 1),
    st.integers(-120, 80),
)
numbers = st.integers(-(10**38) + 1, 10**38 - 1) | decimals
floats = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e100, max_value=1e100)
sets = (
    st.frozensets(st.text(), min_size=1, max_size=4)
    | st.frozensets(st.binary(), min_size=1, max_size=4)
    | st.frozensets(numbers, min_size=1, max_size=4)
)
scalars = st.none() | st.booleans() | numbers | st.text() | st.binary() | sets
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
def test_an_item_that_is_moved_does_not_change(item: dict[str, Value]) -> None:
    """Read and written again, as it travels: through JSON."""
    wire = json.dumps(encode_item(item))
    assert json.dumps(encode_item(decode_item(json.loads(wire)))) == wire


# As the service writes numbers: every digit, no exponent, no needless zero.
service_numbers = numbers.map(lambda number: format(Decimal(number).normalize(WIDE), "f"))
service_binary = st.binary().map(lambda content: base64.b64encode(content).decode())
service_values: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.one_of(
        st.text().map(lambda text: {"S": text}),
        service_numbers.map(lambda text: {"N": text}),
        service_binary.map(lambda text: {"B": text}),
        st.booleans().map(lambda flag: {"BOOL": flag}),
        st.just({"NULL": True}),
        st.lists(st.text(), min_size=1, max_size=4, unique=True).map(lambda members: {"SS": members}),
        st.lists(service_numbers, min_size=1, max_size=4, unique=True).map(lambda members: {"NS": members}),
        st.lists(service_binary, min_size=1, max_size=4, unique=True).map(lambda members: {"BS": members}),
    ),
    lambda members: (
        st.lists(members, max_size=4).map(lambda inner: {"L": inner})
        | st.dictionaries(st.text(), members, max_size=4).map(lambda inner: {"M": inner})
    ),
    max_leaves=12,
)


def without_order(wire: Any) -> Any:
    """The members of a set have no order."""
    match wire:
        case {"SS": members} | {"NS": members} | {"BS": members}:
            return {"set": sorted(members), **dict.fromkeys(wire, "")}
        case Mapping():
            return {name: without_order(member) for name, member in wire.items()}
        case list():
            return [without_order(member) for member in wire]
        case _:
            return wire


@given(service_values)
def test_what_the_service_holds_is_written_back_as_it_was(wire: dict[str, Any]) -> None:
    assert without_order(encode(decode(wire))) == without_order(wire)


@given(service_values)
def test_it_is_read_as_the_library_of_the_expressions_reads_it(wire: dict[str, Any]) -> None:
    """That library makes every number the same type, or we would use its decoder."""
    assert decode(wire) == deserialize(wire, Decimal)


@given(values)
def test_it_is_written_as_the_library_of_the_expressions_writes_it(value: Value) -> None:
    """But for the numbers, which it prints as Python does, or we would use its encoder."""
    assert exact(without_order(serialize(value))) == exact(without_order(encode(value)))


def exact(wire: Any) -> Any:
    match wire:
        case {"N": text}:
            return {"N": Decimal(text)}
        case {"NS": _, "set": members}:
            return {"NS": sorted(map(Decimal, members))}
        case Mapping():
            return {name: exact(member) for name, member in wire.items()}
        case list():
            return [exact(member) for member in wire]
        case _:
            return wire


def test_why_the_librarys_encoder_is_not_used() -> None:
    assert serialize(Decimal("1E+3")) == {"N": "1E+3"}
    assert serialize(1e-7) == {"N": "1e-07"}
    assert serialize(float("nan")) == {"N": "nan"}


@given(floats)
def test_a_float_is_stored_as_its_shortest_decimal(value: float) -> None:
    text = encode(value)["N"]
    assert re.fullmatch(r"-?\d+(\.\d+)?", text), "the exponent form"
    assert Decimal(text) == Decimal(repr(value))
    assert float(plain(decode({"N": text}))) == value


@given(numbers)
def test_no_number_is_written_with_an_exponent_or_less_digits(value: int | Decimal) -> None:
    text = encode(value)["N"]
    assert re.fullmatch(r"-?\d+(\.\d+)?", text)
    assert Decimal(text).compare_total(Decimal(value)) == 0 or Decimal(text) == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("NaN"), Decimal("-Infinity")])
def test_what_is_no_number_has_no_form(value: float | Decimal) -> None:
    for holder in (value, [value], {"a": {"b": value}}, {value}):
        with pytest.raises(NotStorable):
            encode(holder)
    with pytest.raises(NotStorable):
        encode(Decimal("sNaN"))


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        ("text", {"S": "text"}),
        ("", {"S": ""}),
        (True, {"BOOL": True}),
        (0, {"N": "0"}),
        (-12, {"N": "-12"}),
        (10**37, {"N": "1" + "0" * 37}),
        (0.1, {"N": "0.1"}),
        (0.010935, {"N": "0.010935"}),
        (1e-7, {"N": "0.0000001"}),
        (1e22, {"N": "10000000000000000000000"}),
        (3.0, {"N": "3.0"}),
        (Decimal("1E+3"), {"N": "1000"}),
        (None, {"NULL": True}),
        (b"\x00\xff", {"B": "AP8="}),
        (b"", {"B": ""}),
        ([], {"L": []}),
        ({}, {"M": {}}),
        ((1, "a"), {"L": [{"N": "1"}, {"S": "a"}]}),
        ({"a": {"b": []}}, {"M": {"a": {"M": {"b": {"L": []}}}}}),
        ({"b", "a"}, {"SS": ["a", "b"]}),
        (frozenset({10, 9, Decimal("0.5")}), {"NS": ["0.5", "9", "10"]}),
        (frozenset({b"a"}), {"BS": ["YQ=="]}),
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
        ({"N": "1E-130"}, Decimal("1E-130")),
        ({"SS": ["a", "b"]}, frozenset({"a", "b"})),
        ({"NS": ["1", "2.5"]}, frozenset({1, Decimal("2.5")})),
        ({"BS": ["YQ=="]}, frozenset({b"a"})),
        ({"B": ""}, b""),
    ],
)
def test_what_is_read(wire: Mapping[str, Any], value: Value) -> None:
    back = decode(wire)
    assert (back, type(back)) == (value, type(value))


def test_plain_values_are_those_of_json() -> None:
    item: dict[str, Value] = {
        "price": Decimal("0.3"),
        "count": 2,
        "tags": ("a", Decimal("1.5")),
        "none": None,
        "names": frozenset({"b", "a"}),
        "numbers": frozenset({Decimal("1.5"), 1}),
    }
    assert plain(item) == {
        "price": 0.3,
        "count": 2,
        "tags": ["a", 1.5],
        "none": None,
        "names": ["a", "b"],
        "numbers": [1, 1.5],
    }


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


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("", False), ("x" * 2048, True), ("x" * 2049, False), ("é" * 1024, True), ("é" * 1025, False), ("\ud800", False)],
    ids=["empty", "2048", "2049", "2048 in halves", "2050", "half a character"],
)
def test_what_can_be_a_key(text: str, is_one: bool) -> None:
    assert is_key(text) is is_one
