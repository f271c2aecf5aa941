"""DynamoDB as plain values: items are dictionaries, numbers keep every digit, failures are Results."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ValidationError

from apis.shared.aws.client import ServiceClient, dynamodb
from apis.shared.errors import ErrorDetail, internal_error
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, collect

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

type Value = str | int | float | Decimal | bool | bytes | Sequence[Value] | Mapping[str, Value] | None
type Item = dict[str, Value]
type Key = Mapping[str, str]
type Wire = dict[str, Any]  # Any: the attribute-value structure of the service, {"S": "text"} and so on


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition expression with its `#names` and `:values`."""

    expression: str
    names: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Put:
    item: Item
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    key: Key
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """An update expression with its `#names` and `:values`; those of `condition` are merged in."""

    key: Key
    expression: str
    names: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Value] = field(default_factory=dict)
    condition: Condition | None = None


type Write = Put | Delete | Update


@dataclass(frozen=True, slots=True)
class Query:
    """A key condition over the table or one index; `limit` is the size of a page as the service counts it."""

    key: Condition
    index: str | None = None
    ascending: bool = True
    limit: int | None = None
    consistent: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of the service; `next_key` is where the following page starts, None at the end."""

    items: list[Item]
    next_key: dict[str, str] | None


PK_EXISTS = Condition("attribute_exists(PK)")
PK_ABSENT = Condition("attribute_not_exists(PK)")


class Table:
    """One table. Every method fails as the AWS rows of the error vocabulary say."""

    def __init__(self, name: str, client: "ServiceClient[DynamoDBClient]" = dynamodb) -> None:
        self.name = name
        self.client = client

    async def get(self, key: Key, *, consistent: bool = False) -> Result[Item | None, ErrorDetail]:
        """The item, or None when there is none."""
        answer = await self.client.call(
            lambda client: client.get_item(TableName=self.name, Key=encode_item(key), ConsistentRead=consistent)
        )
        return answer.map(lambda found: decode_item(found["Item"]) if "Item" in found else None)

    async def put(self, write: Put, *, lost_condition: ErrorDetail | None = None) -> Result[None, ErrorDetail]:
        """Write the whole item. A failed condition is `lost_condition`, by default `conflict`."""
        answer = await self.client.call(
            lambda client: client.put_item(TableName=self.name, **_put(write)), lost_condition=lost_condition
        )
        return answer.map(lambda _: None)

    async def update(
        self,
        write: Update,
        *,
        lost_condition: ErrorDetail | None = None,
        returning: Literal["ALL_NEW", "ALL_OLD", "UPDATED_NEW", "UPDATED_OLD", "NONE"] = "ALL_NEW",
    ) -> Result[Item, ErrorDetail]:
        """The attributes that `returning` names; an empty item for NONE."""
        answer = await self.client.call(
            lambda client: client.update_item(TableName=self.name, ReturnValues=returning, **_update(write)),
            lost_condition=lost_condition,
        )
        return answer.map(lambda changed: decode_item(changed.get("Attributes", {})))

    async def delete(
        self, write: Delete, *, lost_condition: ErrorDetail | None = None
    ) -> Result[Item | None, ErrorDetail]:
        """The item as it was, or None when there was none."""
        answer = await self.client.call(
            lambda client: client.delete_item(TableName=self.name, ReturnValues="ALL_OLD", **_delete(write)),
            lost_condition=lost_condition,
        )
        return answer.map(lambda gone: decode_item(gone["Attributes"]) if gone.get("Attributes") else None)

    async def query_page(self, query: Query, start: Mapping[str, str] | None = None) -> Result[Page, ErrorDetail]:
        parameters = _query(query, start)
        answer = await self.client.call(lambda client: client.query(TableName=self.name, **parameters))
        return answer.map(_page)

    async def query_pages(self, query: Query) -> AsyncIterator[Result[Page, ErrorDetail]]:
        """Every page, fetched as it is asked for; a Failure is the last one."""
        start: dict[str, str] | None = None
        while True:
            page = await self.query_page(query, start)
            yield page
            start = page.map(lambda value: value.next_key).value_or(None)
            if start is None:
                return

    async def query_all(self, query: Query) -> Result[list[Item], ErrorDetail]:
        """The items of all pages."""
        pages = collect([page async for page in self.query_pages(query)])
        return pages.map(lambda values: [item for page in values for item in page.items])

    async def scan_all(self, prefix: str) -> Result[list[Item], ErrorDetail]:
        """All items whose PK begins with `prefix`. For administration and cached catalogues, never per request."""
        items: list[Item] = []
        start: dict[str, str] | None = None
        while True:
            parameters: Wire = {
                "FilterExpression": "begins_with(PK, :prefix)",
                "ExpressionAttributeValues": {":prefix": {"S": prefix}},
            }
            if start is not None:
                parameters["ExclusiveStartKey"] = encode_item(start)
            answer = await self.client.call(lambda client, p=parameters: client.scan(TableName=self.name, **p))  # type: ignore[misc]  # the default binds the loop variable
            page = answer.map(_page)
            match page:
                case Success(value):
                    items.extend(value.items)
                    start = value.next_key
                case Failure(error):
                    return Failure(error)
            if start is None:
                return Success(items)


async def transact(
    writes: Sequence[tuple[Table, Write]], *, lost_condition: ErrorDetail | None = None
) -> Result[None, ErrorDetail]:
    """All writes or none (at most 100). A failed condition of any of them is `lost_condition`, by default `conflict`.

    Each call carries its own idempotency token, so the SDK's retry of a lost answer does not write twice.
    """
    actions = [_action(table, write) for table, write in writes]
    answer = await writes[0][0].client.call(
        lambda client: client.transact_write_items(TransactItems=actions), lost_condition=lost_condition
    )
    return answer.map(lambda _: None)


def parse_as[R: BaseModel](record: type[R], item: Item) -> Result[R, ErrorDetail]:
    """The item as a record; `internal_error` when it does not fit, with entity and key (no content) for the log."""
    return attempt(record.model_validate, plain(item), errors=_CORRUPT).alt(
        lambda error: error.without_cause().caused_by(
            None, entity=record.__name__, key=f"{item.get('PK', '?')} / {item.get('SK', '?')}"
        )
    )


def _corrupt(error: ValidationError) -> ErrorDetail:
    # The exception itself quotes the content, which must not reach the log.
    fields = ", ".join(".".join(str(part) for part in item["loc"]) for item in error.errors(include_input=False))
    return internal_error(None, corrupt_fields=fields)


_CORRUPT = ErrorTable.of((ValidationError, _corrupt))


def plain(value: Value) -> Any:
    """`value` with JSON's types only: decimals become floats. Any: a free-form attribute has no narrower type."""
    match value:
        case Decimal():
            return float(value)
        case str() | bytes() | bool() | int() | float() | None:
            return value
        case Mapping():
            return {key: plain(member) for key, member in value.items()}
        case _:
            return [plain(member) for member in value]


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
            return {"N": format(Decimal(repr(value) if isinstance(value, float) else value), "f")}
        case None:
            return {"NULL": True}
        case bytes():
            return {"B": value}
        case Mapping():
            return {"M": encode_item(value)}
        case _:
            return {"L": [encode(member) for member in value]}


def decode(wire: Mapping[str, Any]) -> Value:  # noqa: PLR0911 - one type, one return
    """Whole numbers become int, others Decimal, so that writing them back changes nothing. Sets become lists."""
    ((kind, value),) = wire.items()
    match kind:
        case "N":
            return _number(value)
        case "NULL":
            return None
        case "M":
            return decode_item(value)
        case "L":
            return [decode(member) for member in value]
        case "NS":
            return [_number(member) for member in value]
        case "SS" | "BS":
            return list(value)
        case _:
            return value  # type: ignore[no-any-return]  # S, BOOL and B already hold the plain value


def _number(text: str) -> int | Decimal:
    digits = text.removeprefix("-")
    return int(text) if digits.isdigit() else Decimal(text)


def _page(answer: Any) -> Page:
    last = answer.get("LastEvaluatedKey")
    next_key = {name: str(value) for name, value in decode_item(last).items()} if last else None
    return Page([decode_item(item) for item in answer.get("Items", [])], next_key)


def _expression(names: Mapping[str, str], values: Mapping[str, Value]) -> Wire:
    parameters: Wire = {}
    if names:
        parameters["ExpressionAttributeNames"] = dict(names)
    if values:
        parameters["ExpressionAttributeValues"] = encode_item(values)
    return parameters


def _conditional(condition: Condition | None) -> Wire:
    if condition is None:
        return {}
    return {"ConditionExpression": condition.expression, **_expression(condition.names, condition.values)}


def _put(write: Put) -> Wire:
    return {"Item": encode_item(write.item), **_conditional(write.condition)}


def _delete(write: Delete) -> Wire:
    return {"Key": encode_item(write.key), **_conditional(write.condition)}


def _update(write: Update) -> Wire:
    condition = write.condition or Condition("")
    parameters: Wire = {"Key": encode_item(write.key), "UpdateExpression": write.expression}
    if condition.expression:
        parameters["ConditionExpression"] = condition.expression
    return parameters | _expression({**write.names, **condition.names}, {**write.values, **condition.values})


def _query(query: Query, start: Mapping[str, str] | None) -> Wire:
    parameters: Wire = {
        "KeyConditionExpression": query.key.expression,
        "ScanIndexForward": query.ascending,
        **_expression(query.key.names, query.key.values),
    }
    if query.index is not None:
        parameters["IndexName"] = query.index
    if query.limit is not None:
        parameters["Limit"] = query.limit
    if query.consistent:
        parameters["ConsistentRead"] = True
    if start is not None:
        parameters["ExclusiveStartKey"] = encode_item(start)
    return parameters


def _action(table: Table, write: Write) -> "TransactWriteItemTypeDef":
    match write:
        case Put():
            return {"Put": {"TableName": table.name, **_put(write)}}  # type: ignore[typeddict-item]  # built as Wire
        case Delete():
            return {"Delete": {"TableName": table.name, **_delete(write)}}  # type: ignore[typeddict-item]  # as above
        case Update():
            return {"Update": {"TableName": table.name, **_update(write)}}  # type: ignore[typeddict-item]  # as above
