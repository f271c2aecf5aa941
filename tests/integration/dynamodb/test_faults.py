"""What callers see when AWS fails, and how often each operation was sent: only what is safe is sent again."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import pytest

from apis.shared.aws.dynamodb import (
    PK_ABSENT,
    PK_EXISTS,
    DynamoClient,
    HashKey,
    Put,
    Query,
    Table,
    added,
    assigned,
    transact,
)
from apis.shared.errors import ErrorCode, ErrorDetail
from apis.shared.result import Result, Success
from tests.integration.conftest import Aws, Configure
from tests.integration.dynamodb.conftest import VARIABLE
from tests.support.aws_wire import SECRET_SAUCE
from tests.support.fault_proxy import Fault, FaultKind

type Operation = Callable[[Table], Awaitable[Result[Any, ErrorDetail]]]

KEY = {"PK": "P", "SK": "S"}
EVERYTHING = Query(HashKey("PK", "P"))
# Doing one of these twice changes nothing more, and answers the same.
REPEATABLE: Mapping[str, Operation] = {
    "get": lambda table: table.get(KEY),
    "query": lambda table: table.query_page(EVERYTHING),
    "query_all": lambda table: table.query_all(EVERYTHING),
    "count": lambda table: table.count(EVERYTHING),
    "scan": lambda table: table.scan_all("P"),
    "put": lambda table: table.put({**KEY}),
    "transact": lambda table: transact([Put(table.name, {**KEY})], client=table.client),
}
ONCE: Mapping[str, Operation] = {
    "put_if_absent": lambda table: table.put_if_absent({**KEY}),
    "put_with_condition": lambda table: table.put({**KEY}, condition=PK_EXISTS),
    "add": lambda table: table.update(KEY, added({"n": 1})),
    "set": lambda table: table.update(KEY, assigned({"n": 1})),
    "update_and_get": lambda table: table.update_and_get(KEY, assigned({"n": 1})),
    "update_if": lambda table: table.update_if(KEY, assigned({"n": 1}), condition=PK_EXISTS),
    "update_if_and_get": lambda table: table.update_if_and_get(KEY, assigned({"n": 1}), condition=PK_EXISTS),
    "delete": lambda table: table.delete(KEY),
}
ALL = {**REPEATABLE, **ONCE}


@pytest.fixture
async def hasty(aws: Aws, configure: Configure) -> AsyncIterator[Table]:
    """One item behind the proxy; two attempts, as by default, and little patience."""
    configure(**{**aws.environment, "AWS_MAX_ATTEMPTS": None})
    client = DynamoClient(read_seconds=0.3)
    aws.clear(VARIABLE)
    aws.put(VARIABLE, KEY)
    yield Table(aws.environment[VARIABLE], client)
    await client.aclose()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("kind", "code", "attempts", "attempts_of_a_write"),
    [
        (FaultKind.ACCESS_DENIED, ErrorCode.INTERNAL_ERROR, 1, 1),
        # The service says that it did nothing.
        (FaultKind.THROTTLED, ErrorCode.SERVICE_UNAVAILABLE, 2, 2),
        # It may have been done.
        (FaultKind.SERVER_ERROR, ErrorCode.SERVICE_UNAVAILABLE, 2, 1),
        (FaultKind.TIMEOUT, ErrorCode.TIMEOUT, 2, 1),
        (FaultKind.RESET, ErrorCode.SERVICE_UNAVAILABLE, 2, 1),
        (FaultKind.GARBAGE, ErrorCode.SERVICE_UNAVAILABLE, 1, 1),
    ],
)
async def test_a_fault(
    aws: Aws, hasty: Table, name: str, kind: FaultKind, code: ErrorCode, attempts: int, attempts_of_a_write: int
) -> None:
    with aws.proxy.injecting(Fault(kind)), aws.proxy.recording() as recorded:
        error = (await ALL[name](hasty)).failure()
    assert error.code is code
    assert len(recorded.attempts) == (attempts if name in REPEATABLE else attempts_of_a_write)
    assert len(recorded.calls) == 1, "all attempts of a call carry its id"
    assert error.cause is not None
    shown = error.model_dump_json()
    assert SECRET_SAUCE not in shown
    assert hasty.name not in shown


@pytest.mark.parametrize("name", REPEATABLE)
@pytest.mark.parametrize("kind", [FaultKind.THROTTLED, FaultKind.SERVER_ERROR, FaultKind.TIMEOUT, FaultKind.RESET])
async def test_a_passing_fault_is_not_seen(aws: Aws, hasty: Table, name: str, kind: FaultKind) -> None:
    with aws.proxy.injecting(Fault(kind, once=True)) as fault:
        (await ALL[name](hasty)).unwrap()
    assert fault.hits == 1


async def test_a_counter_is_never_added_twice(aws: Aws, hasty: Table) -> None:
    """The answer is lost, the write is not: the caller hears of it, and the counter counted once."""
    with aws.proxy.injecting(Fault(FaultKind.RESET, once=True)):
        assert (await hasty.update(KEY, added({"n": 1}))).failure().code is ErrorCode.SERVICE_UNAVAILABLE
    assert aws.item(VARIABLE, "P", "S")["n"] == 1


async def test_a_throttled_counter_is_added_once(aws: Aws, hasty: Table) -> None:
    with aws.proxy.injecting(Fault(FaultKind.THROTTLED, once=True)):
        assert await hasty.update(KEY, added({"n": 1})) == Success(None)
    assert aws.item(VARIABLE, "P", "S")["n"] == 1


async def test_a_repeated_transaction_has_the_same_token(aws: Aws, hasty: Table) -> None:
    with aws.proxy.injecting(Fault(FaultKind.RESET, once=True)), aws.proxy.recording() as recorded:
        (await transact([Put(hasty.name, {**KEY})], client=hasty.client)).unwrap()
        (await transact([Put(hasty.name, {**KEY})], client=hasty.client)).unwrap()
    tokens = [json.loads(attempt.text.partition(" ")[2])["ClientRequestToken"] for attempt in recorded.attempts]
    assert tokens[0] == tokens[1] != tokens[2]


async def test_the_number_of_attempts_is_a_setting(aws: Aws, hasty: Table, configure: Configure) -> None:
    for chosen in (1, 4):
        configure(**{**aws.environment, "AWS_MAX_ATTEMPTS": str(chosen)})
        hasty.client.forget()
        with aws.proxy.injecting(Fault(FaultKind.THROTTLED)), aws.proxy.recording() as recorded:
            (await hasty.get(KEY)).failure()
        assert [attempt.attempt for attempt in recorded.attempts] == list(range(1, chosen + 1))


async def test_a_page_that_fails_is_the_last_one(aws: Aws, hasty: Table) -> None:
    for number in range(3):
        aws.put(VARIABLE, {"PK": "P", "SK": f"{number}"})
    query = Query(HashKey("PK", "P"), limit=1)
    with aws.proxy.injecting(Fault(FaultKind.ACCESS_DENIED, nth=2)):
        pages = [page async for page in hasty.query_pages(query)]
    assert [isinstance(page, Success) for page in pages] == [True, False]
    with aws.proxy.injecting(Fault(FaultKind.ACCESS_DENIED, nth=2)):
        assert (await hasty.query_all(query)).failure().code is ErrorCode.INTERNAL_ERROR
    with aws.proxy.injecting(Fault(FaultKind.ACCESS_DENIED, nth=2)):
        assert (await hasty.count(query)).failure().code is ErrorCode.INTERNAL_ERROR


async def test_what_is_too_large_is_the_callers_to_mend(hasty: Table) -> None:
    error = (await hasty.put({**KEY, "text": "x" * 410_000})).failure()
    assert (error.code, error.context["aws_operation"]) == (ErrorCode.BAD_REQUEST, "PutItem")
    error = (await transact([Put(hasty.name, {**KEY, "text": "x" * 410_000})], client=hasty.client)).failure()
    assert error.code is ErrorCode.BAD_REQUEST


async def test_a_lost_condition_within_a_transaction(hasty: Table) -> None:
    operations = [Put(hasty.name, {"PK": "P", "SK": "other"}), Put(hasty.name, {**KEY}, PK_ABSENT)]
    error = (await transact(operations, client=hasty.client)).failure()
    assert error.code is ErrorCode.CONFLICT
    assert error.context == {"aws_code": "TransactionCanceledException", "aws_operation": "TransactWriteItems"}
