"""What is stored in AWS, seen and changed past the services and past the fault proxy."""

import itertools
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import boto3.session
from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer
from botocore.config import Config

from devstack.environment import DUMMY_CREDENTIALS, REGION
from tests.support import stored
from tests.support.stored import Item, Row, StoredMessage, StoredObject, StoredVector, Thing

_making = threading.Lock()
_BATCH = 25
"""As many as DynamoDB writes in one call."""


@dataclass
class AwsAccess:
    """The resources that `variables` name, on the endpoint itself. May be used from several threads."""

    endpoint: str
    variables: Mapping[str, str]
    objects: str | None = None
    """The endpoint of the buckets, if it is another one."""
    _clients: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def boto(self, service: str) -> Any:
        """Making a client takes a tenth of a second, so each is made once."""
        with _making:
            if service not in self._clients:
                self._clients[service] = boto3.session.Session().client(
                    service,
                    endpoint_url=(self.objects if service == "s3" else None) or self.endpoint,
                    region_name=REGION,
                    aws_access_key_id=DUMMY_CREDENTIALS["AWS_ACCESS_KEY_ID"],
                    aws_secret_access_key=DUMMY_CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
                    config=Config(proxies={}, max_pool_connections=32),
                )
            return self._clients[service]

    def store(self, *things: Thing) -> None:
        self._put_all([thing for thing in things if isinstance(thing, Row)])
        for thing in things:
            match thing:
                case StoredMessage():
                    self.create_event(thing.user_id, thing.session_id, thing.at, stored.payload(thing))
                case StoredObject(bucket, key, content):
                    name = self.variables.get(bucket, bucket)
                    self.boto("s3").put_object(Bucket=name, Key=key, Body=content)
                case StoredVector(key, numbers, metadata):
                    vector = {"key": key, "data": {"float32": numbers}, "metadata": metadata}
                    self.boto("s3vectors").put_vectors(**self.vector_index, vectors=[vector])

    @property
    def vector_index(self) -> dict[str, str]:
        bucket, index = self.variables[stored.VECTOR_BUCKET], self.variables[stored.VECTOR_INDEX]
        return {"vectorBucketName": bucket, "indexName": index}

    def vectors(self, prefix: str = "") -> dict[str, Item]:
        """The metadata of all vectors whose keys begin so, by key."""
        pages = self.boto("s3vectors").get_paginator("list_vectors")
        found = pages.paginate(**self.vector_index, returnMetadata=True)
        return {
            vector["key"]: vector["metadata"]
            for page in found
            for vector in page["vectors"]
            if vector["key"].startswith(prefix)
        }

    def put(self, table: str, item: Mapping[str, Any]) -> None:
        self.boto("dynamodb").put_item(TableName=self.variables[table], Item=to_wire(item))

    def _put_all(self, rows: Sequence[Row]) -> None:
        """In few calls. Of several with one key the last one stays."""
        by_key = {(row.table, row.item["PK"], row.item["SK"]): row for row in rows}
        for some in itertools.batched(by_key.values(), _BATCH, strict=False):
            self._write((row.table, {"PutRequest": {"Item": to_wire(row.item)}}) for row in some)

    def _write(self, requests: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        by_table: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for table, request in requests:
            by_table[self.variables[table]].append(request)
        answer = self.boto("dynamodb").batch_write_item(RequestItems=dict(by_table))
        assert not answer["UnprocessedItems"]

    def item(self, table: str, key: str, sort_key: str) -> Item:
        """Empty when there is none."""
        found = self.boto("dynamodb").get_item(
            TableName=self.variables[table], Key={"PK": {"S": key}, "SK": {"S": sort_key}}
        )
        return from_wire(found.get("Item", {}))

    def items(self, table: str, key: str) -> list[Item]:
        """All items of a partition, in the order of their sort keys."""
        pages = (
            self.boto("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=self.variables[table],
                KeyConditionExpression="PK = :key",
                ExpressionAttributeValues={":key": {"S": key}},
            )
        )
        return [from_wire(item) for page in pages for item in page["Items"]]

    def of_session(self, user_id: str, session_id: str, prefix: str = "S#") -> list[Item]:
        """The session's records, or with the prefix `C#` its cost records."""
        items = self.items(stored.SESSIONS, f"USER#{user_id}")
        return [item for item in items if item.get("sessionId") == session_id and str(item["SK"]).startswith(prefix)]

    def clear(self, *tables: str) -> None:
        self._delete(self._keys(tables))

    @contextmanager
    def leaving_as_found(self, *tables: str) -> Iterator[None]:
        """What is added in the block is gone afterwards: a scan of the tables stays quick."""
        found = self._keys(tables)
        yield
        self._delete(self._keys(tables) - found)

    def _keys(self, tables: Iterable[str]) -> "set[tuple[str, str, str]]":
        """Table and keys of every item."""
        return {
            (table, item["PK"]["S"], item["SK"]["S"])
            for table in tables
            for page in self.boto("dynamodb").get_paginator("scan").paginate(TableName=self.variables[table])
            for item in page["Items"]
        }

    def _delete(self, keys: Iterable[tuple[str, str, str]]) -> None:
        for some in itertools.batched(keys, _BATCH, strict=False):
            self._write(
                (table, {"DeleteRequest": {"Key": {"PK": {"S": key}, "SK": {"S": sort_key}}}})
                for table, key, sort_key in some
            )

    def create_event(self, actor_id: str, session_id: str, at: Any, payload: Mapping[str, Any]) -> None:
        self.boto("bedrock-agentcore").create_event(
            memoryId=self.variables[stored.MEMORY],
            actorId=actor_id,
            sessionId=session_id,
            eventTimestamp=at,
            payload=[payload],
        )

    def events(self, actor_id: str, session_id: str) -> list[dict[str, Any]]:
        """As the service lists them: the newest first."""
        listed = self.boto("bedrock-agentcore").list_events(
            memoryId=self.variables[stored.MEMORY], actorId=actor_id, sessionId=session_id, includePayloads=True
        )
        return list(listed["events"])


_to_wire, _from_wire = TypeSerializer(), TypeDeserializer()


def to_wire(item: Mapping[str, Any]) -> dict[str, Any]:
    """As boto3's client takes it; a float is the exact decimal of its shortest text."""
    return {name: _to_wire.serialize(_exact(value)) for name, value in item.items()}


def from_wire(item: Mapping[str, Any]) -> Item:
    """Whole numbers are int, others Decimal."""
    return {name: _plain(_from_wire.deserialize(value)) for name, value in item.items()}


def _exact(value: Any) -> Any:
    match value:
        case float():
            return Decimal(repr(value))
        case Mapping():
            return {name: _exact(member) for name, member in value.items()}
        case list() | tuple():
            return [_exact(member) for member in value]
        case _:
            return value


def _plain(value: Any) -> Any:
    match value:
        case Decimal():
            text = str(value)
            return int(text) if text.removeprefix("-").isdigit() else value
        case Binary():
            held: bytes = value.value  # type: ignore[attr-defined]  # the stubs do not know it
            return held
        case Mapping():
            return {name: _plain(member) for name, member in value.items()}
        case list():
            return [_plain(member) for member in value]
        case _:
            return value
