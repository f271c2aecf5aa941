"""DynamoDB as plain values: items are dictionaries, numbers keep every digit, failures are Results."""

import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from apis.shared.aws.dynamodb import expressions
from apis.shared.aws.dynamodb.client import DynamoClient, Payload, dynamodb
from apis.shared.aws.dynamodb.expressions import (
    PK_ABSENT,
    Condition,
    F,
    KeyCondition,
    Operation,
    UpdateExpression,
)
from apis.shared.aws.dynamodb.values import Item, Key, Value, decode_item, encode_item
from apis.shared.aws.vocabulary import Refusal
from apis.shared.errors import ErrorDetail, service_unavailable
from apis.shared.result import ErrorTable, Failure, Result, Success, attempt, collect


@dataclass(frozen=True, slots=True)
class Query:
    """A key condition over the table or one index; `limit` is the size of a page as the service counts it.

    `filter` leaves items out after they were read, `attributes` all that they do not name: they save transport, not
    capacity.
    """

    key: KeyCondition
    index: str | None = None
    ascending: bool = True
    limit: int | None = None
    consistent: bool = False
    filter: Condition | None = None
    attributes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of the service; `next_key` is where the following page starts, None at the end."""

    items: list[Item]
    next_key: dict[str, str] | None


class Table:
    """One table. Every method fails as the AWS rows of the error vocabulary say.

    `lost` is the failure of a condition that did not hold, by default `conflict`.
    """

    def __init__(self, name: str, client: DynamoClient = dynamodb) -> None:
        self.name = name
        self.client = client

    async def get(self, key: Key, *, consistent: bool = False) -> Result[Item | None, ErrorDetail]:
        """The item, or None when there is none."""
        answer = await self.client.call(
            "GetItem",
            lambda: {"TableName": self.name, "Key": encode_item(key), "ConsistentRead": consistent},
            repeatable=True,
        )
        return answer.bind(reading(lambda found: decode_item(found["Item"]) if "Item" in found else None))

    async def put(
        self, item: Mapping[str, Value], *, condition: Condition | None = None, lost: ErrorDetail | None = None
    ) -> Result[None, ErrorDetail]:
        """Write the whole item."""
        answer = await self.client.call(
            "PutItem",
            lambda: expressions.put(self.name, item, condition),
            repeatable=condition is None,
            lost=lost,
        )
        return answer.map(lambda _: None)

    async def put_if_absent(self, item: Mapping[str, Value]) -> Result[bool, ErrorDetail]:
        """Write the whole item unless there is one with its key: False."""
        return _whether(await self.put(item, condition=PK_ABSENT))

    async def update(
        self,
        key: Key,
        change: UpdateExpression,
        *,
        condition: Condition | None = None,
        lost: ErrorDetail | None = None,
    ) -> Result[None, ErrorDetail]:
        """Change the item; without a condition an absent one is made."""
        return (await self._update(key, change, condition, lost, "NONE")).map(lambda _: None)

    async def update_and_get(
        self,
        key: Key,
        change: UpdateExpression,
        *,
        condition: Condition | None = None,
        lost: ErrorDetail | None = None,
    ) -> Result[Item, ErrorDetail]:
        """`update`; the whole item as it is then."""
        return await self._update(key, change, condition, lost, "ALL_NEW")

    async def update_if(self, key: Key, change: UpdateExpression, *, condition: Condition) -> Result[bool, ErrorDetail]:
        """Change the item if `condition` holds: True."""
        return _whether(await self.update(key, change, condition=condition))

    async def update_if_and_get(
        self, key: Key, change: UpdateExpression, *, condition: Condition
    ) -> Result[Item | None, ErrorDetail]:
        """`update_if`; the whole item as it is then, or None when `condition` did not hold."""
        changed: Result[Item | None, ErrorDetail] = await self.update_and_get(key, change, condition=condition)
        return changed.lash(lambda error: Success(None) if is_lost_condition(error) else Failure(error))

    async def delete(
        self, key: Key, *, condition: Condition | None = None, lost: ErrorDetail | None = None
    ) -> Result[Item | None, ErrorDetail]:
        """The item as it was, or None when there was none."""
        answer = await self.client.call(
            "DeleteItem",
            lambda: {**expressions.keyed(self.name, key, condition), "ReturnValues": "ALL_OLD"},
            lost=lost,
        )
        return answer.bind(reading(lambda gone: decode_item(gone["Attributes"]) if gone.get("Attributes") else None))

    async def query_page(self, query: Query, start: Key | None = None) -> Result[Page, ErrorDetail]:
        answer = await self.client.call("Query", lambda: self._query(query, start), repeatable=True)
        return answer.bind(reading(_page))

    async def query_pages(self, query: Query) -> AsyncIterator[Result[Page, ErrorDetail]]:
        """Every page, fetched as it is asked for; a Failure is the last one."""
        start: Key | None = None
        while True:
            page = await self.query_page(query, start)
            yield page
            start = page.map(lambda value: value.next_key).value_or(None)
            if start is None:
                return

    async def query_all(self, query: Query) -> Result[list[Item], ErrorDetail]:
        """The items of all pages."""
        return _items_of([page async for page in self.query_pages(query)])

    async def count(self, query: Query) -> Result[int, ErrorDetail]:
        """How many items all pages have; none is transported."""
        total = 0
        start: Key | None = None
        while True:
            parameters = {**self._query(replace(query, attributes=()), None), "Select": "COUNT"}
            if start is not None:
                parameters["ExclusiveStartKey"] = encode_item(start)
            answer = await self.client.call("Query", lambda p=parameters: p, repeatable=True)  # type: ignore[misc]  # the default binds the loop variable
            match answer.bind(reading(_counted)):
                case Success((counted, next_key)):
                    total += counted
                    start = next_key
                case Failure(error):
                    return Failure(error)
            if start is None:
                return Success(total)

    async def scan_pages(
        self, prefix: str, *, only: Condition | None = None, consistent: bool = False
    ) -> AsyncIterator[Result[Page, ErrorDetail]]:
        """Every page of the items whose PK begins with `prefix` and that meet `only`; a Failure is the last one. A page
        may be empty and not the last. For administration and cached catalogues, never per request."""
        wanted = F("PK").begins_with(prefix)
        parameters: dict[str, Any] = {
            "TableName": self.name,
            "ConsistentRead": consistent,
            **expressions.filtered(wanted if only is None else wanted & only),
        }
        while True:
            answer = await self.client.call("Scan", lambda: parameters, repeatable=True)
            page = answer.bind(reading(_page))
            yield page
            start = page.map(lambda value: value.next_key).value_or(None)
            if start is None:
                return
            parameters["ExclusiveStartKey"] = encode_item(start)

    async def scan_all(
        self, prefix: str, *, only: Condition | None = None, consistent: bool = False
    ) -> Result[list[Item], ErrorDetail]:
        """The items of all pages of `scan_pages`."""
        return _items_of([page async for page in self.scan_pages(prefix, only=only, consistent=consistent)])

    async def _update(
        self,
        key: Key,
        change: UpdateExpression,
        condition: Condition | None,
        lost: ErrorDetail | None,
        returning: Literal["ALL_NEW", "NONE"],
    ) -> Result[Item, ErrorDetail]:
        answer = await self.client.call(
            "UpdateItem",
            lambda: {**expressions.update(self.name, key, change, condition), "ReturnValues": returning},
            lost=lost,
        )
        return answer.bind(reading(lambda changed: decode_item(changed.get("Attributes", {}))))

    def _query(self, query: Query, start: Key | None) -> Payload:
        parameters: dict[str, Any] = {
            "TableName": self.name,
            "ScanIndexForward": query.ascending,
            **expressions.key_condition(query.key, only=query.filter, attributes=query.attributes),
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


async def transact(
    operations: Sequence[Operation], *, lost: ErrorDetail | None = None, client: DynamoClient = dynamodb
) -> Result[None, ErrorDetail]:
    """All operations or none (1 to 100). A failed condition of any of them is `lost`, by default `conflict`.

    Each call carries its own idempotency token, so repeating it after a lost answer does not write twice.
    """
    token = str(uuid.uuid4())
    answer = await client.call(
        "TransactWriteItems",
        lambda: {
            "ClientRequestToken": token,
            "TransactItems": [expressions.action(operation) for operation in operations],
        },
        repeatable=True,
        lost=lost,
    )
    return answer.map(lambda _: None)


def is_lost_condition(error: ErrorDetail) -> bool:
    """Whether the service refused because a condition of the call did not hold."""
    refusal = _refusal(error)
    return refusal is not None and refusal.is_lost_condition


def lost_operation(error: ErrorDetail) -> int | None:
    """Which operation of a transaction had a condition that did not hold: the first. None when it failed otherwise."""
    refusal = _refusal(error)
    return None if refusal is None else refusal.lost_operation


def is_contended(error: ErrorDetail) -> bool:
    """Whether a write was not done because a transaction was at the same items: sent again, it may succeed."""
    refusal = _refusal(error)
    return refusal is not None and refusal.is_contended


def _refusal(error: ErrorDetail) -> Refusal | None:
    from apis.shared.aws.dynamodb.transport import Refused  # noqa: PLC0415 - lazy: aiohttp stays out of the start

    return error.cause.refusal if isinstance(error.cause, Refused) else None


def _whether(outcome: Result[None, ErrorDetail]) -> Result[bool, ErrorDetail]:
    done: Result[bool, ErrorDetail] = outcome.map(lambda _: True)
    return done.lash(lambda error: Success(False) if is_lost_condition(error) else Failure(error))


# Answers that are JSON, yet not the ones of the operation.
_MISSHAPEN = ErrorTable.of(
    (KeyError, service_unavailable),
    (TypeError, service_unavailable),
    (AttributeError, service_unavailable),
    (ValueError, service_unavailable),
    (ArithmeticError, service_unavailable),
)


def reading[T](read: Callable[[Mapping[str, Any]], T]) -> Callable[[Mapping[str, Any]], Result[T, ErrorDetail]]:
    """What `read` makes of an answer; `service_unavailable` for one that is not the operation's."""
    return lambda answer: attempt(read, answer, errors=_MISSHAPEN)


def _page(answer: Mapping[str, Any]) -> Page:
    return Page([decode_item(item) for item in answer["Items"]], _next_key(answer))


def _counted(answer: Mapping[str, Any]) -> tuple[int, dict[str, str] | None]:
    return int(answer["Count"]), _next_key(answer)


def _next_key(answer: Mapping[str, Any]) -> dict[str, str] | None:
    last = answer.get("LastEvaluatedKey")
    return {name: str(value) for name, value in decode_item(last).items()} if last else None


def _items_of(pages: Sequence[Result[Page, ErrorDetail]]) -> Result[list[Item], ErrorDetail]:
    return collect(pages).map(lambda values: [item for page in values for item in page.items])
