"""What moto does anew for every request, done once or more directly: half of its processor time.

- To find the service of a request it lists its own folder, with a look at each of 150 entries, and then tries as many
  patterns on a host name that it has made up itself. The answer for a name never changes.
- It writes a DynamoDB answer by asking for each possible member of each value of each attribute, through four layers:
  20 items take 40 ms. An attribute value is its own wire form.
- A query sorts every item of its table before it looks for those of its partition.
- A scan sorts, measures and copies every item of its table before it looks for those that are asked for.
- It parses an update expression twice, although it then works on a copy of the result.
- It looks through all members of a class of handlers for the names of its methods.
"""

import base64
import functools
from collections.abc import Callable, MutableMapping
from typing import Any

from moto import backends
from moto.core import responses
from moto.core.serialize import ResponseSerializer
from moto.core.utils import method_names_from_class
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import RESULT_SIZE_LIMIT, Table
from moto.dynamodb.parsing import expressions
from moto.moto_server.werkzeug_app import DomainDispatcherApplication

_HOSTS = 256
_EXPRESSIONS = 256

type Written = MutableMapping[str, Any]  # Any, here and below: as moto has it
type Found = tuple[list[Item], int, dict[str, Any] | None]
type Conditions = list[tuple[str, DynamoType]]
type Serialize = Callable[[ResponseSerializer, Written, Any, Any, str], None]


def install() -> None:
    """Change moto's classes in this process; to be called once, before the first request."""
    backends.list_of_moto_modules = functools.cache(lambda: frozenset(_modules()))
    DomainDispatcherApplication.get_backend_for_host = functools.lru_cache(_HOSTS)(  # type: ignore[method-assign]  # mends moto in place
        DomainDispatcherApplication.get_backend_for_host
    )
    parser: Any = vars(expressions)["UpdateExpressionParser"]  # Any: moto has no types for this module
    parser.make = functools.lru_cache(_EXPRESSIONS)(parser.make)
    vars(responses)["method_names_from_class"] = functools.cache(method_names_from_class)
    Table.query = _of_its_partition(Table.query)  # type: ignore[method-assign]  # mends moto in place
    Table.scan = _of_what_is_asked_for(Table.scan)  # type: ignore[method-assign]  # mends moto in place
    Item.size = _measured_once(Item.size)  # type: ignore[method-assign,assignment]  # mends moto in place
    ResponseSerializer._serialize = _directly(ResponseSerializer._serialize)  # type: ignore[method-assign,assignment]  # mends moto in place


_modules = backends.list_of_moto_modules


def _of_its_partition(query: Callable[..., Found]) -> Callable[..., Found]:
    @functools.wraps(query)
    def ask(table: Table, *args: Any, hash_key_conditions: Conditions | None = None, **kwargs: Any) -> Found:
        narrow: Any = table  # Any: the method that a query reads its table with is replaced while it runs
        found = _partition(table, hash_key_conditions or [])
        narrow.all_items = lambda: found
        try:
            return query(table, *args, hash_key_conditions=hash_key_conditions, **kwargs)
        finally:
            del narrow.all_items

    return ask


def _of_what_is_asked_for(scan: Callable[..., Found]) -> Callable[..., Found]:
    """For a scan that one page answers: there is no order to keep between pages, and a stored item never changes."""

    @functools.wraps(scan)
    def ask(table: Table, *args: Any, segments: tuple[int | None, int | None]) -> Found:
        filters, limit, start, expression, index, _, projection = args
        unsorted = _partition(table, [])
        is_whole = not filters and (limit, start, index, *segments) == (None,) * 5
        if not is_whole or sum(item.size() for item in unsorted) > RESULT_SIZE_LIMIT:
            return scan(table, *args, segments=segments)
        passing = [item for item in unsorted if expression is None or expression.expr(item)]
        passing.sort(key=_keys)
        if projection:
            passing = [item.project(projection) for item in passing]
        return passing, len(unsorted), None

    return ask


def _keys(item: Item) -> tuple[Any, Any]:
    return item.hash_key.cast_value, item.range_key and item.range_key.cast_value


def _measured_once(size: Callable[[Item], int]) -> Callable[[Item], int]:
    """Of an item in a table, which is replaced, never changed; a copy is measured anew."""

    @functools.wraps(size)
    def measured(item: Item) -> int:
        known: dict[str, Any] = vars(item)
        if "measured" not in known:
            known["measured"] = size(item)
        return int(known["measured"])

    return measured


def _partition(table: Table, conditions: Conditions) -> list[Item]:
    """In any order: a query sorts what it has found."""
    for name, wanted in conditions:
        if name == table.hash_key_attr:
            candidates = [table.items[wanted]] if wanted in table.items else []
            break
    else:
        candidates = list(table.items.values())
    return [
        item
        for stored in candidates
        for item in ([stored] if isinstance(stored, Item) else stored.values())
        if all(_equal(item.attrs.get(name), wanted) for name, wanted in conditions)
    ]


def _equal(held: DynamoType | None, wanted: DynamoType) -> bool:
    # A number may be written in several ways; text, which nearly all keys are, in one.
    return held is not None and (held == wanted if wanted.is_number() else held.value == wanted.value)


def _directly(serialize: Serialize) -> Serialize:
    @functools.wraps(serialize)
    def write(serializer: ResponseSerializer, serialized: Written, value: Any, shape: Any, key: str) -> None:
        if shape.name == "AttributeValue" and isinstance(value, dict | DynamoType):
            serialized[key] = _wire(value)
        else:
            serialize(serializer, serialized, value, shape, key)

    return write


def _wire(value: "dict[str, Any] | DynamoType") -> dict[str, Any]:
    kind, held = (value.type, value.value) if isinstance(value, DynamoType) else next(iter(value.items()))
    match kind:
        case "M":
            held = {name: _wire(member) for name, member in held.items()}
        case "L":
            held = [_wire(member) for member in held]
        case "B":
            held = _encoded(held)
        case "BS":
            held = [_encoded(member) for member in held]
    return {kind: held}


def _encoded(value: str | bytes) -> str:
    return base64.b64encode(value.encode() if isinstance(value, str) else value).decode()
