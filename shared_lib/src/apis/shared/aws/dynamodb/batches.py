"""Many items at once. The service may hand a part of a batch back: that part is asked for again."""

import asyncio
import itertools
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from apis.shared.aws.dynamodb.client import Payload
from apis.shared.aws.dynamodb.table import Table, reading
from apis.shared.aws.dynamodb.values import Item, Key, decode_item, encode_item
from apis.shared.errors import ErrorDetail, service_unavailable
from apis.shared.result import Failure, Result, Success, all_done, collect, railway

GETS, WRITES = 100, 25
"""Of one batch, as the service allows."""
FRUITLESS_ATTEMPTS = 4
_FIRST_PAUSE_SECONDS = 0.05

type _Keys = Sequence[Mapping[str, Any]]  # Any: keys as the service's JSON has them
type _Asked = tuple[list[Item], _Keys]
"""What came, and what is to be asked for again."""
type _Ask = Callable[[_Keys], Coroutine[Any, Any, Result[_Asked, ErrorDetail]]]


async def get_many(table: Table, keys: Sequence[Key], *, consistent: bool = False) -> Result[list[Item], ErrorDetail]:
    """The items of those keys that there are, in no order, 100 in a round trip and all round trips at once."""

    async def ask(pending: _Keys) -> Result[_Asked, ErrorDetail]:
        request: Payload = {"RequestItems": {table.name: {"Keys": pending, "ConsistentRead": consistent}}}
        answer = await table.client.call("BatchGetItem", lambda: request, repeatable=True)
        return answer.bind(reading(lambda said: _found(said, table.name)))

    groups = itertools.batched(_distinct(keys), GETS, strict=False)
    done = collect(await asyncio.gather(*(_until_done(group, ask) for group in groups)))
    return done.map(lambda found: [item for items in found for item in items])


async def delete_many(table: Table, keys: Sequence[Key]) -> Result[None, ErrorDetail]:
    """Delete the items, present or not, 25 in a round trip. All are tried: after a Failure some may be gone."""

    async def ask(pending: _Keys) -> Result[_Asked, ErrorDetail]:
        request: Payload = {"RequestItems": {table.name: [{"DeleteRequest": {"Key": key}} for key in pending]}}
        answer = await table.client.call("BatchWriteItem", lambda: request, repeatable=True)
        return answer.bind(reading(lambda said: ([], _left(said, table.name))))

    groups = itertools.batched(_distinct(keys), WRITES, strict=False)
    return all_done(await asyncio.gather(*(_until_done(group, ask) for group in groups)), what="deletion of items")


@railway
async def _until_done(keys: Sequence[Key], ask: _Ask) -> Result[list[Item], ErrorDetail]:
    """Asked again as long as each answer brings something; a batch that stands still is an outage."""
    items: list[Item] = []
    pending: _Keys = [encode_item(key) for key in keys]
    fruitless = 0
    while True:
        came, left = (await ask(pending)).unwrap()
        items += came
        if not left:
            return Success(items)
        fruitless = 0 if len(left) < len(pending) else fruitless + 1
        if fruitless == FRUITLESS_ATTEMPTS:
            return Failure(service_unavailable(None, reason="the store hands a batch back again and again"))
        pending = left
        await asyncio.sleep(random.random() * _FIRST_PAUSE_SECONDS * 2**fruitless)  # noqa: S311 - jitter, no secret


def _distinct(keys: Sequence[Key]) -> list[Key]:
    """The service refuses a batch that names an item twice."""
    return list({tuple(sorted(key.items())): key for key in keys}.values())


def _found(said: Mapping[str, Any], table: str) -> _Asked:
    items = [decode_item(item) for item in said["Responses"].get(table, [])]
    return items, said.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])


def _left(said: Mapping[str, Any], table: str) -> _Keys:
    return [request["DeleteRequest"]["Key"] for request in said["UnprocessedItems"].get(table, [])]
