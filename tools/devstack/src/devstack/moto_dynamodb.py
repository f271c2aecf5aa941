"""What moto's DynamoDB lacks for long and concurrent use: atomic calls, and transactions that do not copy tables.

- A call runs in several steps without a lock: two conditional writes could both pass, and a transaction that fails
  would undo what another call wrote meanwhile. Here one call runs at a time, which costs nothing under Python's lock.
- A transaction copies its tables with every item in case it must be undone: seconds for a few thousand items. Here the
  copy shares the items, and an update works on a copy of the one item that it changes.
- Every object that was ever made is kept for a page of moto's dashboard: each of those copies stayed in memory.
"""

import copy
import functools
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from moto.core.common_models import BaseModel
from moto.core.common_types import TYPE_RESPONSE
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import Item
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler


def install() -> None:
    """Change moto's classes in this process; to be called once, before the first request."""
    # mypy: methods are replaced on purpose, moto has no other place to change them.
    BaseModel.__new__ = _untracked  # type: ignore[method-assign]  # mends moto in place
    Table.__deepcopy__ = _snapshot  # type: ignore[attr-defined]  # mends moto in place
    DynamoHandler.call_action = _one_at_a_time(DynamoHandler.call_action)  # type: ignore[method-assign]  # mends moto in place
    DynamoDBBackend.update_item = _on_a_copy(DynamoDBBackend.update_item)  # type: ignore[method-assign]  # mends moto in place


def _untracked(cls: type[BaseModel], *_: object, **__: object) -> BaseModel:
    return object.__new__(cls)


def _snapshot(table: Table, _memo: dict[int, object]) -> Table:
    taken = copy.copy(table)
    taken.items = defaultdict(dict)
    for partition, stored in table.items.items():
        taken.items[partition] = stored if isinstance(stored, Item) else dict(stored)
    if table.stream_shard is not None:
        taken.stream_shard = copy.copy(table.stream_shard)
        taken.stream_shard.items = list(table.stream_shard.items)
        taken.stream_shard.table = taken
    return taken


def _one_at_a_time(call_action: Callable[[DynamoHandler], TYPE_RESPONSE]) -> Callable[[DynamoHandler], TYPE_RESPONSE]:
    turn = threading.Lock()

    @functools.wraps(call_action)
    def alone(handler: DynamoHandler) -> TYPE_RESPONSE:
        with turn:
            return call_action(handler)

    return alone


def _on_a_copy(update_item: Callable[..., Item]) -> Callable[..., Item]:
    @functools.wraps(update_item)
    def update(backend: DynamoDBBackend, table_name: str, key: dict[str, Any], *args: Any, **kwargs: Any) -> Item:
        # Any: moto's own signature
        table = backend.get_table(table_name)
        partition, sort = backend.get_keys_value(table, key)
        stored = table.get_item(partition, sort)
        if stored is not None and sort is not None:
            table.items[partition][sort] = copy.deepcopy(stored)
        elif stored is not None:
            table.items[partition] = copy.deepcopy(stored)  # type: ignore[arg-type]  # moto types only tables with a sort key
        return update_item(backend, table_name, key, *args, **kwargs)

    return update
