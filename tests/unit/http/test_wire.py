"""Wire models: how they are made from records, and which nulls they send."""

from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic_core import PydanticSerializationError

from apis.shared.http import Wire, WireWithoutNulls


class InnerRecord(BaseModel):
    model_config = ConfigDict(extra="allow")
    last_model: str | None = None


class Record(BaseModel):
    user_id: str = "secret"
    record_id: str = "r1"
    tags: list[str] | None = None
    inner: InnerRecord | None = None
    many: list[InnerRecord] = []
    named: dict[str, InnerRecord] = {}
    free: dict[str, Any] | None = None

    @property
    def label(self) -> str:
        return self.record_id.upper()


class Inner(WireWithoutNulls):
    model_config = ConfigDict(extra="allow")
    last_model: str | None = None


class Shown(WireWithoutNulls):
    record_id: str
    label: str
    tags: list[str] | None = None
    inner: Inner | None = None
    many: list[Inner]
    named: dict[str, Inner]
    free: dict[str, Any] | None = None
    unknown: int | None = None


class Page(Wire):
    items: list[Shown]
    next_token: str | None = None


def sent(value: BaseModel) -> Any:
    return TypeAdapter(type(value)).dump_python(value, mode="json", by_alias=True, warnings="error")


def test_the_members_of_a_record_are_taken_over_under_their_wire_names() -> None:
    inner = InnerRecord.model_validate({"last_model": "m", "theirs": 1, "none": None})
    record = Record(tags=[], inner=inner, many=[inner], named={"a": inner}, free={"a": None, "b": {"c": None}})

    shown = {"lastModel": "m", "theirs": 1}
    assert sent(Shown.of(record)) == {
        "recordId": "r1",
        "label": "R1",
        "tags": [],
        "inner": shown,
        "many": [shown],
        "named": {"a": shown},
        "free": {"a": None, "b": {"c": None}},
    }


def test_nulls_are_left_out_or_sent_as_the_model_says() -> None:
    page = Page(items=[Shown.of(Record())])
    assert sent(page) == {"items": [{"recordId": "r1", "label": "R1", "many": [], "named": {}}], "nextToken": None}


def test_what_may_be_left_out_is_not_required() -> None:
    schema = Shown.model_json_schema(mode="serialization")
    assert schema["required"] == ["recordId", "label", "many", "named"]


def test_a_wire_model_is_equal_to_one_that_was_validated() -> None:
    made = Inner.of(InnerRecord(last_model="m"))
    assert made == Inner(last_model="m")
    assert made.model_copy(update={"last_model": "n"}).last_model == "n"


@dataclass(frozen=True, slots=True)
class Values:
    last_model: str


def test_a_record_need_not_be_a_model() -> None:
    assert sent(Inner.of(Values("m"))) == {"lastModel": "m"}


def test_a_record_that_lacks_a_member_is_a_bug() -> None:
    with pytest.raises(TypeError, match="InnerRecord has no label, many, named, record_id"):
        Shown.of(InnerRecord())


def test_a_value_of_another_type_is_found_when_it_is_written() -> None:
    with pytest.raises(PydanticSerializationError):
        sent(Inner.of(Values(5)))  # type: ignore[arg-type]  # what a store could hold
