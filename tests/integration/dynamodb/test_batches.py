"""Many items at once, also where the service hands a part of a batch back."""

import json
from collections.abc import Callable
from itertools import batched
from typing import Any

import pytest

from apis.shared.aws.dynamodb import Item, Key, Table, batches, delete_many, get_many
from apis.shared.errors import ErrorCode
from apis.shared.result import Failure, Success, error_of
from tests.integration.conftest import Aws
from tests.support.aws_wire import Answer
from tests.support.fault_proxy import Call, Fault, FaultKind

KEYS: list[Key] = [{"PK": "P", "SK": f"{number:03}"} for number in range(130)]


def filled(aws: Aws, table: Table) -> None:
    for some in batched(KEYS, 25, strict=False):
        puts = [{"PutRequest": {"Item": {name: {"S": text} for name, text in key.items()}}} for key in some]
        aws.dynamodb.batch_write_item(RequestItems={table.name: puts})


def named(items: list[Item]) -> list[str]:
    return sorted(str(item["SK"]) for item in items)


def handing_back(operation: str, members: Callable[[list[Any]], dict[str, Any]]) -> Callable[[Call], Answer | None]:
    """The service does nothing of what it is asked for."""

    def answer(call: Call) -> Answer | None:
        if call.target.operation != operation:
            return None
        asked = json.loads(call.text.partition(" ")[2])["RequestItems"]
        return Answer(200, "application/x-amz-json-1.0", json.dumps(members(asked)).encode())

    return answer


async def test_one_hundred_are_read_in_a_round_trip(aws: Aws, table: Table) -> None:
    filled(aws, table)
    absent: Key = {"PK": "P", "SK": "absent"}
    with aws.proxy.recording() as recording:
        found = (await get_many(table, [*KEYS, absent, *KEYS])).unwrap()
    assert named(found) == [key["SK"] for key in KEYS]
    assert [call.target.operation for call in recording.calls] == ["BatchGetItem"] * 2


async def test_twenty_five_are_deleted_in_a_round_trip(aws: Aws, table: Table) -> None:
    filled(aws, table)
    with aws.proxy.recording() as recording:
        assert await delete_many(table, [*KEYS, *KEYS]) == Success(None)
    assert [call.target.operation for call in recording.calls] == ["BatchWriteItem"] * 6
    assert (await get_many(table, KEYS)).unwrap() == []
    assert await delete_many(table, KEYS) == Success(None)


async def test_nothing_is_asked_for_nothing(aws: Aws, table: Table) -> None:
    with aws.proxy.recording() as recording:
        assert await get_many(table, []) == Success([])
        assert await delete_many(table, []) == Success(None)
    assert recording.calls == []


async def test_what_is_handed_back_is_asked_for_again(aws: Aws, table: Table) -> None:
    filled(aws, table)
    refused: list[str] = []

    def once(call: Call) -> Answer | None:
        """Of the first batch only the first key is done."""
        if call.target.operation not in {"BatchGetItem", "BatchWriteItem"} or call.target.operation in refused:
            return None
        refused.append(call.target.operation)
        (asked,) = json.loads(call.text.partition(" ")[2])["RequestItems"].values()
        if call.target.operation == "BatchGetItem":
            first, *left = asked["Keys"]
            body = {"Responses": {table.name: [first]}, "UnprocessedKeys": {table.name: {"Keys": left}}}
        else:
            body = {"UnprocessedItems": {table.name: asked}}
        return Answer(200, "application/x-amz-json-1.0", json.dumps(body).encode())

    with aws.proxy.answering(once):
        assert named((await get_many(table, KEYS[:100], consistent=True)).unwrap()) == [key["SK"] for key in KEYS[:100]]
        assert await delete_many(table, KEYS) == Success(None)
    assert (await get_many(table, KEYS)).unwrap() == []


@pytest.mark.parametrize("operation", ["get", "delete"])
async def test_what_is_handed_back_for_ever_is_an_outage(
    aws: Aws, table: Table, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    monkeypatch.setattr(batches, "_FIRST_PAUSE_SECONDS", 0.001)
    nothing = {
        "get": handing_back("BatchGetItem", lambda asked: {"Responses": {}, "UnprocessedKeys": asked}),
        "delete": handing_back("BatchWriteItem", lambda asked: {"UnprocessedItems": asked}),
    }
    with aws.proxy.answering(nothing[operation]):
        outcome = await (get_many(table, KEYS[:1]) if operation == "get" else delete_many(table, KEYS[:1]))
    error = error_of(outcome)
    assert error is not None
    assert error.code is ErrorCode.SERVICE_UNAVAILABLE


@pytest.mark.parametrize("kind", [FaultKind.THROTTLED, FaultKind.GARBAGE])
async def test_one_failed_round_trip_fails_all(aws: Aws, table: Table, kind: FaultKind) -> None:
    with aws.proxy.injecting(Fault(kind, operation="BatchGetItem", nth=2)):
        assert isinstance(await get_many(table, KEYS), Failure)
    with aws.proxy.injecting(Fault(kind, operation="BatchWriteItem", nth=2)):
        assert isinstance(await delete_many(table, KEYS), Failure)
