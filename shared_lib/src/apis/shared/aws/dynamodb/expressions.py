"""The language of the stores: aiodynamo's keys, conditions, updates and operations, and the few words it lacks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiodynamo.expressions import (
    Condition,
    F,
    HashKey,
    IfNotExists,
    KeyCondition,
    Parameters,
    RangeKey,
    SetAction,
    UpdateExpression,
)
from aiodynamo.expressions import Value as Assigned
from aiodynamo.operations import ConditionCheck, Delete, Operation, Put, Update
from aiodynamo.types import AttributeType

from apis.shared.aws.dynamodb.values import Number, Value, encode, encode_item

__all__ = [
    "PK_ABSENT",
    "PK_EXISTS",
    "AttributeType",
    "Condition",
    "ConditionCheck",
    "Delete",
    "F",
    "HashKey",
    "KeyCondition",
    "Operation",
    "Put",
    "RangeKey",
    "Update",
    "UpdateExpression",
    "added",
    "assigned",
    "assigned_once",
    "increased",
]

type Payload = dict[str, Any]  # Any: the parameters of one operation, as the service's JSON has them

PK_EXISTS = F("PK").exists()
PK_ABSENT = F("PK").does_not_exist()


def assigned(values: Mapping[str, Value]) -> UpdateExpression:
    """SET of several top-level attributes."""
    return UpdateExpression(set_updates=[(F(name), Assigned(value)) for name, value in values.items()])


def assigned_once(values: Mapping[str, Value]) -> UpdateExpression:
    """SET of those of several top-level attributes that the item does not have yet."""
    return UpdateExpression(set_updates=[(F(name), IfNotExists(value)) for name, value in values.items()])


def added(counters: Mapping[str, Number]) -> UpdateExpression:
    """ADD to several top-level numbers; an absent one counts as 0."""
    return UpdateExpression(add=[(F(name), amount) for name, amount in counters.items()])


def increased(field: F, by: Number) -> UpdateExpression:
    """SET of a number, nested or not, to itself and `by`; an absent one counts as 0. ADD cannot reach into a map."""
    return UpdateExpression(set_updates=[(field, _Increased(by))])


@dataclass(frozen=True, slots=True)
class _Increased(SetAction):
    by: Number

    def encode(self, params: Parameters, field: F) -> str:
        return f"if_not_exists({field.encode(params)}, {params.encode_value(0)}) + {params.encode_value(self.by)}"


class _Exact(Parameters):
    """The library's own would write numbers as Python prints them; see `values`."""

    def encode_value(self, value: Any) -> str:
        placeholder = f":v{len(self.values)}"
        self.values[placeholder] = encode(value)
        return placeholder


def key_condition(key: KeyCondition, *, only: Condition | None = None, attributes: Sequence[str] = ()) -> Payload:
    parameters = _Exact()
    payload: Payload = {"KeyConditionExpression": key.encode(parameters)}
    if only is not None:
        payload["FilterExpression"] = only.encode(parameters)
    if attributes:
        payload["ProjectionExpression"] = ",".join(F(name).encode(parameters) for name in attributes)
    return payload | parameters.to_request_payload()


def filtered(only: Condition) -> Payload:
    parameters = _Exact()
    return {"FilterExpression": only.encode(parameters), **parameters.to_request_payload()}


def put(table: str, item: Mapping[str, Value], condition: Condition | None) -> Payload:
    return {"TableName": table, "Item": encode_item(item), **_conditional(condition)}


def keyed(table: str, key: Mapping[str, Value], condition: Condition | None) -> Payload:
    """The parameters of a deletion and of a condition check."""
    return {"TableName": table, "Key": encode_item(key), **_conditional(condition)}


def update(table: str, key: Mapping[str, Value], change: UpdateExpression, condition: Condition | None) -> Payload:
    parameters = _Exact()
    payload: Payload = {
        "TableName": table,
        "Key": encode_item(key),
        "UpdateExpression": change.encode(parameters) or "",
    }
    if condition is not None:
        payload["ConditionExpression"] = condition.encode(parameters)
    return payload | parameters.to_request_payload()


def action(operation: Operation) -> Payload:
    """One operation of a transaction."""
    match operation:
        case Put(table, item, condition):
            return {"Put": put(table, item, condition)}
        case Update(table, key, change, condition):
            return {"Update": update(table, key, change, condition)}
        case Delete(table, key, condition):
            return {"Delete": keyed(table, key, condition)}
        case ConditionCheck(table, key, condition):
            return {"ConditionCheck": keyed(table, key, condition)}
        case _:
            return operation.to_request_payload()


def _conditional(condition: Condition | None) -> Payload:
    if condition is None:
        return {}
    parameters = _Exact()
    return {"ConditionExpression": condition.encode(parameters), **parameters.to_request_payload()}
