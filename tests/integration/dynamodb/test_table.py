"""The table's operations and their language, against an AWS endpoint."""

from decimal import Decimal

import pytest

from apis.shared.aws.dynamodb import (
    PK_ABSENT,
    PK_EXISTS,
    AttributeType,
    ConditionCheck,
    Delete,
    DynamoClient,
    F,
    HashKey,
    Item,
    Key,
    Put,
    Query,
    RangeKey,
    Table,
    Update,
    added,
    assigned,
    increased,
    transact,
)
from apis.shared.errors import ErrorCode, not_found
from apis.shared.result import Success
from tests.integration.conftest import Aws
from tests.integration.dynamodb.conftest import INDEX, VARIABLE

KEY: Key = {"PK": "P", "SK": "S"}
GONE = not_found("It is gone.")


def item(sort_key: str = "S", **attributes: object) -> Item:
    return {"PK": "P", "SK": sort_key, **attributes}  # type: ignore[dict-item]  # each test writes what it likes


async def stored(table: Table, *sort_keys: str) -> None:
    for key in sort_keys:
        (await table.put(item(key, GSI_PK="G", GSI_SK=key))).unwrap()


async def test_what_is_put_is_read(table: Table) -> None:
    whole = item(
        text="ä\U0001f600", empty="", count=7, price=Decimal("0.10"), huge=Decimal("1E+37"), flag=False, none=None,
        blob=b"\x00\xff", names=frozenset({"b", "a"}), numbers=frozenset({1, Decimal("2.5")}), blobs=frozenset({b"x"}),
        list=[1, "a", []], map={"a": {"b": Decimal("1E-9")}},
    )  # fmt: skip
    assert await table.get(KEY) == Success(None)
    assert await table.put(whole) == Success(None)
    read = (await table.get(KEY, consistent=True)).unwrap()
    assert read == whole
    assert isinstance((read or {})["count"], int)


async def test_put_if_absent_says_whether_it_wrote(table: Table) -> None:
    assert await table.put_if_absent(item(n=1)) == Success(True)
    assert await table.put_if_absent(item(n=2)) == Success(False)
    assert await table.get(KEY) == Success(item(n=1))


async def test_a_lost_condition_is_a_conflict_or_what_the_caller_names(table: Table) -> None:
    await stored(table, "S")
    plainly = (await table.put(item(), condition=PK_ABSENT)).failure()
    assert plainly.code is ErrorCode.CONFLICT
    assert plainly.context == {"aws_code": "ConditionalCheckFailedException", "aws_operation": "PutItem"}
    assert (await table.put(item(), condition=PK_ABSENT, lost=GONE)).failure() == GONE
    other: Key = {"PK": "P", "SK": "other"}
    change = F("n").set(1)
    assert (await table.update(other, change, condition=PK_EXISTS, lost=GONE)).failure() == GONE
    assert (await table.update_and_get(other, change, condition=PK_EXISTS, lost=GONE)).failure() == GONE
    assert (await table.delete(other, condition=PK_EXISTS, lost=GONE)).failure() == GONE
    assert (
        await transact([Delete(table.name, dict(other), PK_EXISTS)], lost=GONE, client=table.client)
    ).failure() == GONE


async def test_updates(table: Table) -> None:
    change = assigned({"title": "t", "tags": ["a"]}) & added({"n": 2, "cost": 0.1})
    assert await table.update(KEY, change) == Success(None)
    changed = (await table.update_and_get(KEY, added({"n": 1, "cost": Decimal("0.2")}) & F("tags").remove())).unwrap()
    assert changed == item(title="t", n=3, cost=Decimal("0.3"))


async def test_a_number_within_a_map_is_increased_from_nothing(table: Table) -> None:
    (await table.put(item(models={}))).unwrap()
    (await table.update(KEY, F("models", "a.b-c").set({}))).unwrap()
    for _ in range(2):
        change = increased(F("models", "a.b-c", "cost"), 0.1) & increased(F("models", "a.b-c", "requests"), 1)
        (await table.update(KEY, change)).unwrap()
    assert await table.get(KEY) == Success(item(models={"a.b-c": {"cost": Decimal("0.2"), "requests": 2}}))


async def test_an_update_that_depends(table: Table) -> None:
    unlocked = F("owner").does_not_exist() | F("until").lt(10)
    take = assigned({"owner": "a", "until": 20})
    assert await table.update_if(KEY, take, condition=unlocked) == Success(True)
    assert await table.update_if(KEY, take, condition=unlocked) == Success(False)
    assert await table.update_if_and_get(KEY, take, condition=unlocked) == Success(None)
    mine = F("owner").equals("a") & F("owner").attribute_type(AttributeType.string)
    assert await table.update_if_and_get(KEY, F("until").set(5), condition=mine) == Success(item(owner="a", until=5))


async def test_a_deletion_gives_what_was_deleted(table: Table) -> None:
    (await table.put(item(n=1))).unwrap()
    assert await table.delete(KEY) == Success(item(n=1))
    assert await table.delete(KEY) == Success(None)


async def test_pages_of_a_query(table: Table, aws: Aws) -> None:
    await stored(table, *(f"A#{number}" for number in range(5)), "B#0")
    query = Query(HashKey("PK", "P") & RangeKey("SK").begins_with("A#"), ascending=False, limit=2)
    page = (await table.query_page(query)).unwrap()
    assert [found["SK"] for found in page.items] == ["A#4", "A#3"]
    assert page.next_key == {"PK": "P", "SK": "A#3"}
    page = (await table.query_page(query, page.next_key)).unwrap()
    assert [found["SK"] for found in page.items] == ["A#2", "A#1"]
    with aws.proxy.recording() as recorded:
        assert [len(page.unwrap().items) async for page in table.query_pages(query)] == [2, 2, 1]
    assert len(recorded.calls) == 3
    assert [found["SK"] for found in (await table.query_all(query)).unwrap()] == ["A#4", "A#3", "A#2", "A#1", "A#0"]
    assert await table.count(query) == Success(5)


async def test_a_query_of_an_index_and_a_filter(table: Table) -> None:
    await stored(table, "1", "2", "3")
    query = Query(HashKey("GSI_PK", "G"), index=INDEX, filter=F("SK").not_equals("2") & F("SK").lt("9"))
    assert [found["SK"] for found in (await table.query_all(query)).unwrap()] == ["1", "3"]
    assert await table.count(query) == Success(2)


async def test_a_query_of_some_attributes(table: Table) -> None:
    (await table.put(item("1", n=1, name="reserved word", long="x"))).unwrap()
    query = Query(HashKey("PK", "P"), filter=F("n").equals(1), attributes=("SK", "n", "name", "absent"))
    assert await table.query_all(query) == Success([{"SK": "1", "n": 1, "name": "reserved word"}])
    assert await table.count(query) == Success(1)


async def test_a_scan_by_prefix(table: Table) -> None:
    for number in range(3):
        (await table.put({"PK": f"A#{number}", "SK": "S"})).unwrap()
    (await table.put({"PK": "B", "SK": "S"})).unwrap()
    assert sorted(str(found["PK"]) for found in (await table.scan_all("A#")).unwrap()) == ["A#0", "A#1", "A#2"]
    assert sum([len(page.unwrap().items) async for page in table.scan_pages("A#")]) == 3
    only = (await table.scan_all("A#", only=F("PK").equals("A#1"))).unwrap()
    assert [str(found["PK"]) for found in only] == ["A#1"]


async def test_a_transaction_is_all_or_nothing(table: Table, client: DynamoClient) -> None:
    await stored(table, "old", "kept")
    name = table.name
    writes = [
        Delete(name, {"PK": "P", "SK": "old"}, PK_EXISTS),
        Put(name, item("new", price=0.1), PK_ABSENT),
        Update(name, {"PK": "P", "SK": "count"}, added({"n": 1})),
        ConditionCheck(name, {"PK": "P", "SK": "kept"}, PK_EXISTS),
    ]
    assert await transact(writes, client=client) == Success(None)
    assert (await transact(writes, client=client)).failure().code is ErrorCode.CONFLICT
    found = (await table.query_all(Query(HashKey("PK", "P")))).unwrap()
    assert [entry["SK"] for entry in found] == ["count", "kept", "new"]
    assert found[0]["n"] == 1


@pytest.mark.parametrize("number", [float("nan"), float("inf"), Decimal("NaN"), Decimal("-Infinity")])
async def test_what_is_no_number_is_never_sent(table: Table, aws: Aws, number: float | Decimal) -> None:
    with aws.proxy.recording() as recorded:
        for outcome in (
            await table.put(item(n=[number])),
            await table.update(KEY, F("n").set(number)),
            await table.update(KEY, F("n").set(1), condition=F("n").lt(number)),
            await table.query_page(Query(HashKey("PK", "P"), filter=F("n").equals(number))),
            await transact([Put(table.name, item(n=number))], client=table.client),
        ):
            assert outcome.failure().code is ErrorCode.INTERNAL_ERROR
    assert recorded.calls == []


async def test_a_missing_table_is_our_fault(aws: Aws, client: DynamoClient) -> None:
    error = (await Table("no-such-table", client).get(KEY)).failure()
    assert (error.code, error.context["aws_code"]) == (ErrorCode.INTERNAL_ERROR, "ResourceNotFoundException")


async def test_the_stored_form_is_boto3s(table: Table, aws: Aws) -> None:
    """Numbers as plain decimals, binary once encoded: seen by another client."""
    (await table.put(item(n=Decimal("1E+3"), f=1e-7, b=b"\x01", s=frozenset({2, 1})))).unwrap()
    found = aws.dynamodb.get_item(TableName=aws.environment[VARIABLE], Key={"PK": {"S": "P"}, "SK": {"S": "S"}})["Item"]
    assert (found["n"], found["f"], found["b"]) == ({"N": "1000"}, {"N": "0.0000001"}, {"B": b"\x01"})
    assert sorted(found["s"]["NS"]) == ["1", "2"]
